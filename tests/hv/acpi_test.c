#include "hv/acpi.h"
#include "tests/stubs/stub_acpi.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define PM1A 0x404
#define PM1B 0x408

static int tables(void **state)
{
	stub_reset(state);
	stub_acpi_tables(PM1A);
	return 0;
}

static void put(u64 pa, u64 value, unsigned bytes)
{
	memcpy(stub_at(pa), &value, bytes);
}

/* Replace the DSDT by one with @aml. */
static void put_dsdt(const void *aml, u32 size)
{
	put(STUB_DSDT + 4, 36 + size, 4);
	memcpy((u8 *)stub_at(STUB_DSDT) + 36, aml, size);
	stub_acpi_sum(STUB_DSDT, 36 + size);
}

static void ports_and_states_are_found_from_the_bios(void **state)
{
	(void)state;
	acpi_init(0);
	assert_int_equal(acpi_sleep_port(0), PM1A);
	assert_int_equal(acpi_sleep_port(1), 0);
	assert_int_equal(acpi_sleep_state(1), 3);
	assert_int_equal(acpi_sleep_state(6), 4);
	assert_int_equal(acpi_sleep_state(5), 5);
}

static void pointer_of_the_loader_is_used(void **state)
{
	(void)state;
	memcpy(stub_at(0x5000), stub_at(STUB_RSDP), 20);
	memset(stub_at(STUB_RSDP), 0, 20);
	acpi_init(0x5000);
	assert_int_equal(acpi_sleep_port(0), PM1A);
}

static void second_port_is_known_where_there_is_one(void **state)
{
	(void)state;
	put(STUB_FADT + 68, PM1B, 4);
	stub_acpi_sum(STUB_FADT, 116);
	acpi_init(0);
	assert_int_equal(acpi_sleep_port(1), PM1B);
}

static void types_that_no_table_names_mean_power_off(void **state)
{
	(void)state;
	acpi_init(0);
	assert_int_equal(acpi_sleep_state(0), 5);
	assert_int_equal(acpi_sleep_state(7), 5);
}

static void names_with_a_root_prefix_are_found(void **state)
{
	static const u8 aml[] = { 0x08, '\\', '_', 'S', '3', '_', 0x12, 0x06, 4, 0x0a, 2, 0, 0 };

	(void)state;
	put_dsdt(aml, sizeof(aml));
	acpi_init(0);
	assert_int_equal(acpi_sleep_state(2), 3);
}

static void package_lengths_of_more_bytes_are_stepped_over(void **state)
{
	static const u8 aml[] = { 0x08, '_', 'S', '3', '_', 0x12, 0x46, 0x00, 4, 0x0a, 3, 0, 0, 0 };

	(void)state;
	put_dsdt(aml, sizeof(aml));
	acpi_init(0);
	assert_int_equal(acpi_sleep_state(3), 3);
}

/* What a broken or absent table leaves: no port, and every sleep is a power-off. */
static void tables_that_can_not_be_trusted_are_not_used(void **state)
{
	static const struct {
		const char *name;
		u64 pa, value;
		unsigned bytes;
		u64 sum_of; /* table whose checksum is made right again, 0: left wrong */
		u32 sum_size;
		u16 port;
	} rows[] = {
		{ "RSDP signature", STUB_RSDP, 'X', 1, 0, 0, 0 },
		{ "RSDP checksum", STUB_RSDP + 8, 0, 1, 0, 0, 0 },
		{ "RSDT checksum", STUB_RSDT + 20, 0x55, 1, 0, 0, 0 },
		{ "RSDT size 0", STUB_RSDT + 4, 0, 4, STUB_RSDT, 44, 0 },
		{ "RSDT of 4 GiB", STUB_RSDT + 4, 0xffffffff, 4, STUB_RSDT, 44, 0 },
		{ "RSDT without tables", STUB_RSDT + 4, 36, 4, STUB_RSDT, 36, 0 },
		{ "RSDT names the top of memory", STUB_RSDT + 40, 0xfffffff0, 4, STUB_RSDT, 44, 0 },
		{ "FADT signature", STUB_FADT, 'X', 1, STUB_FADT, 116, 0 },
		{ "FADT too short", STUB_FADT + 4, 71, 4, STUB_FADT, 71, 0 },
		{ "FADT checksum", STUB_FADT + 64, 0x77, 1, 0, 0, 0 },
		{ "DSDT checksum", STUB_DSDT + 40, 0x77, 1, 0, 0, PM1A },
		{ "DSDT address 0", STUB_FADT + 40, 0, 4, STUB_FADT, 116, PM1A },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tables(state);
		put(rows[i].pa, rows[i].value, rows[i].bytes);
		if (rows[i].sum_of)
			stub_acpi_sum(rows[i].sum_of, rows[i].sum_size);
		acpi_init(0);
		assert_row(rows[i].name, acpi_sleep_port(0), rows[i].port);
		assert_row(rows[i].name, acpi_sleep_state(1), 5);
	}
}

static void package_cut_by_the_end_of_the_table_is_not_read(void **state)
{
	/* Package length of four bytes: the first element would be behind the end. */
	static const u8 aml[] = { 0,   0,   0,	 0,    0,    0, 0, 0, 0x08, '_',
				  'S', '3', '_', 0x12, 0xc6, 0, 0, 0, 4,    0x0a };

	(void)state;
	put_dsdt(aml, sizeof(aml));
	put(STUB_DSDT + 36 + sizeof(aml), 2, 1);
	acpi_init(0);
	assert_int_equal(acpi_sleep_state(2), 5);
}

static void machine_without_tables_has_no_ports(void **state)
{
	stub_reset(state);
	acpi_init(0);
	assert_int_equal(acpi_sleep_port(0), 0);
	assert_int_equal(acpi_sleep_port(1), 0);
	assert_int_equal(acpi_sleep_state(1), 5);
}

#define XSDT	      0x9000ull
#define FADT_NEW_SIZE 244

/* As firmware of today has it: no RSDT, and only the newer fields of the FADT. */
static void make_tables_new(void)
{
	u8 *const rsdp = stub_at(STUB_RSDP), sum = 0;

	rsdp[15] = 2;
	put(STUB_RSDP + 16, 0, 4);
	put(STUB_RSDP + 20, 36, 4);
	put(STUB_RSDP + 24, XSDT, 8);
	for (unsigned i = 0; i < 20; i++)
		sum = (u8)(sum + rsdp[i]);
	rsdp[8] = (u8)(rsdp[8] - sum);
	rsdp[32] = 0;
	sum = 0;
	for (unsigned i = 0; i < 36; i++)
		sum = (u8)(sum + rsdp[i]);
	rsdp[32] = (u8)-sum;
	memcpy(stub_at(XSDT), "XSDT", 4);
	put(XSDT + 4, 36 + 2 * 8, 4);
	put(XSDT + 36, BIT(40), 8); /* where hv does not look */
	put(XSDT + 44, STUB_FADT, 8);
	stub_acpi_sum(XSDT, 36 + 2 * 8);
	put(STUB_FADT + 4, FADT_NEW_SIZE, 4);
	memset((u8 *)stub_at(STUB_FADT) + 116, 0, FADT_NEW_SIZE - 116);
	memmove(stub_at(STUB_FADT + 0x400), stub_at(STUB_DSDT), 0x100);
	put(STUB_FADT + 40, 0, 4);
	put(STUB_FADT + 64, 0, 4);
	put(STUB_FADT + 140, STUB_FADT + 0x400, 8);
	put(STUB_FADT + 172, 1, 1);
	put(STUB_FADT + 176, PM1A, 8);
	put(STUB_FADT + 184, 0, 1); /* in memory: no port */
	put(STUB_FADT + 188, 0xfed00000, 8);
	stub_acpi_sum(STUB_FADT, FADT_NEW_SIZE);
}

static void an_xsdt_and_newer_fields_are_enough(void **state)
{
	(void)state;
	make_tables_new();
	acpi_init(0);
	assert_int_equal(acpi_sleep_port(0), PM1A);
	assert_int_equal(acpi_sleep_port(1), 0);
	assert_int_equal(acpi_sleep_state(1), 3);
}

static void an_xsdt_that_is_broken_is_not_used(void **state)
{
	static const struct {
		const char *name;
		u64 pa;
	} rows[] = {
		{ "RSDP's second checksum", STUB_RSDP + 32 },
		{ "XSDT's checksum", XSDT + 9 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tables(state);
		make_tables_new();
		*(u8 *)stub_at(rows[i].pa) ^= 1;
		acpi_init(0);
		assert_row(rows[i].name, acpi_sleep_port(0), 0);
	}
}

#define MADT 0x20000ull

/* A MADT with @entries. */
static void put_madt(const void *entries, u32 size)
{
	memcpy(stub_at(MADT), "APIC", 4);
	put(MADT + 4, 44 + size, 4);
	memcpy((u8 *)stub_at(MADT) + 44, entries, size);
	stub_acpi_sum(MADT, 44 + size);
	/* In the place of a table that is none. */
	put(STUB_RSDT + 36, MADT, 4);
	stub_acpi_sum(STUB_RSDT, 36 + 8);
}

static void processors_that_are_enabled_are_counted_once(void **state)
{
	static const u8 entries[] = {
		0, 8,  0, 0, 1, 0,    0,    0,				  /* APIC ID 0 */
		1, 12, 0, 0, 0, 0,    0xc0, 0xfe, 0, 0, 0, 0,		  /* an I/O APIC */
		0, 8,  1, 6, 0, 0,    0,    0,				  /* 6, disabled */
		0, 8,  2, 7, 1, 0,    0,    0,				  /* 7 */
		9, 16, 0, 0, 7, 0,    0,    0,	  1, 0, 0, 0, 2, 0, 0, 0, /* 7 again */
		9, 16, 0, 0, 0, 0x12, 0,    0,	  1, 0, 0, 0, 3, 0, 0, 0, /* 1200h */
	};

	(void)state;
	put_madt(entries, sizeof(entries));
	acpi_init(0);
	assert_int_equal(acpi_processor_count(), 3);
	assert_int_equal(acpi_processor_apic_id(0), 0);
	assert_int_equal(acpi_processor_apic_id(1), 7);
	assert_int_equal(acpi_processor_apic_id(2), 0x1200);
}

static void entries_that_can_not_be_are_not_read(void **state)
{
	static const struct {
		const char *name;
		u8 bytes[20];
		u32 size;
		unsigned count;
	} rows[] = {
		{ "no length", { 0, 0, 0, 1, 1 }, 20, 0 },
		{ "longer than the table", { 0, 8, 0, 1, 1 }, 7, 0 },
		{ "too short for what it is", { 0, 7, 0, 1, 1, 0, 0 }, 7, 0 },
		{ "a type alone", { 0, 8, 0, 1, 1, 0, 0, 0, 0 }, 9, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put_madt(rows[i].bytes, rows[i].size);
		acpi_init(0);
		assert_row(rows[i].name, acpi_processor_count(), rows[i].count);
	}
}

static void more_processors_than_fit_are_counted(void **state)
{
	static u8 entries[(ACPI_MAX_PROCESSORS + 10) * 16];

	(void)state;
	for (unsigned i = 0; i < ACPI_MAX_PROCESSORS + 10; i++) {
		u8 *const entry = entries + 16 * i;

		entry[0] = 9;
		entry[1] = 16;
		entry[4] = (u8)i;
		entry[5] = (u8)(i >> 8);
		entry[8] = 1;
	}
	put_madt(entries, sizeof(entries));
	acpi_init(0);
	assert_int_equal(acpi_processor_count(), ACPI_MAX_PROCESSORS + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ports_and_states_are_found_from_the_bios, tables),
		cmocka_unit_test_setup(pointer_of_the_loader_is_used, tables),
		cmocka_unit_test_setup(second_port_is_known_where_there_is_one, tables),
		cmocka_unit_test_setup(types_that_no_table_names_mean_power_off, tables),
		cmocka_unit_test_setup(names_with_a_root_prefix_are_found, tables),
		cmocka_unit_test_setup(package_lengths_of_more_bytes_are_stepped_over, tables),
		cmocka_unit_test_setup(tables_that_can_not_be_trusted_are_not_used, tables),
		cmocka_unit_test_setup(package_cut_by_the_end_of_the_table_is_not_read, tables),
		cmocka_unit_test_setup(machine_without_tables_has_no_ports, tables),
		cmocka_unit_test_setup(an_xsdt_and_newer_fields_are_enough, tables),
		cmocka_unit_test_setup(an_xsdt_that_is_broken_is_not_used, tables),
		cmocka_unit_test_setup(processors_that_are_enabled_are_counted_once, tables),
		cmocka_unit_test_setup(entries_that_can_not_be_are_not_read, tables),
		cmocka_unit_test_setup(more_processors_than_fit_are_counted, tables),
	};

	return cmocka_run_group_tests_name("hv/acpi", tests, NULL, NULL);
}
