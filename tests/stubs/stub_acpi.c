#include "tests/stubs/stub_acpi.h"

#include "tests/stubs/stub_cpu.h"

static void put(u64 pa, u64 value, unsigned bytes)
{
	memcpy(stub_at(pa), &value, bytes);
}

static void sum_at(u64 pa, u32 size, u32 where)
{
	u8 *table = stub_at(pa), sum = 0;

	table[where] = 0;
	for (u32 i = 0; i < size; i++)
		sum = (u8)(sum + table[i]);
	table[where] = (u8)-sum;
}

void stub_acpi_sum(u64 pa, u32 size)
{
	sum_at(pa, size, 9);
}

static void put_header(u64 pa, const char *signature, u32 size)
{
	memcpy(stub_at(pa), signature, 4);
	put(pa + 4, size, 4);
}

void stub_acpi_tables(u16 port)
{
	static const u8 aml[] = {
		/* Name(_S3_, Package(4){ 1, 1, 0, 0 }) and so on, as iasl writes them */
		0x08, '_', 'S', '3',  '_',  0x12, 0x06, 4,    0x01, 0x01, 0x00, 0x00, 0x08, '_',
		'S',  '4', '_', 0x12, 0x08, 4,	  0x0a, 0x06, 0x0a, 0x06, 0x00, 0x00, 0x08, '_',
		'S',  '5', '_', 0x12, 0x08, 4,	  0x0a, 0x05, 0x0a, 0x05, 0x00, 0x00,
	};

	memcpy(stub_at(STUB_RSDP), "RSD PTR ", 8);
	put(STUB_RSDP + 16, STUB_RSDT, 4);
	sum_at(STUB_RSDP, 20, 8);
	put_header(STUB_RSDT, "RSDT", 36 + 8);
	put(STUB_RSDT + 36, 0x7000, 4); /* a table that is none */
	put(STUB_RSDT + 40, STUB_FADT, 4);
	stub_acpi_sum(STUB_RSDT, 36 + 8);
	put_header(STUB_FADT, "FACP", 116);
	put(STUB_FADT + 40, STUB_DSDT, 4);
	put(STUB_FADT + 64, port, 4);
	stub_acpi_sum(STUB_FADT, 116);
	put_header(STUB_DSDT, "DSDT", 36 + sizeof(aml));
	memcpy((u8 *)stub_at(STUB_DSDT) + 36, aml, sizeof(aml));
	stub_acpi_sum(STUB_DSDT, 36 + sizeof(aml));
}
