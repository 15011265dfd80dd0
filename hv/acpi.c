#include "hv/acpi.h"

#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/mem.h"

#define TABLE_HEADER	 36
#define TABLE_MAX	 MIB(1)
#define FADT_DSDT	 40
#define FADT_PM1A_CNT	 64
#define FADT_PM1B_CNT	 68
#define FADT_X_DSDT	 140
#define FADT_X_PM1A	 172
#define FADT_X_PM1B	 184
#define MADT_ENTRIES	 44
#define MADT_APIC	 0
#define MADT_X2APIC	 9
#define MADT_ENABLED	 BIT(0)
#define RSDP_SIZE	 20
#define RSDP_REVISION	 15
#define RSDP_RSDT	 16
#define RSDP_XSDT	 24
#define RSDP_V2_SIZE	 36
#define GAS_SPACE	 0 /* of a generic address structure */
#define GAS_ADDRESS	 4
#define GAS_SIZE	 12
#define SPACE_IO	 1
#define SLEEP_TYPE	 MASK(12, 10)
#define SLEEP_TYPE_SHIFT 10
#define SLEEP_ENABLE	 BIT(13)
#define AML_NAME	 0x08
#define AML_PACKAGE	 0x12
#define AML_ROOT	 '\\'
#define AML_BYTE	 0x0a
#define AML_ZERO	 0x00
#define AML_ONE		 0x01

static u16 sleep_ports[2];

/* SLP_TYP for each state; absent states hold NO_TYPE. */
#define NO_TYPE 0xff
static u8 sleep_types[6];

static u32 apic_ids[ACPI_MAX_PROCESSORS];
static unsigned processor_count;

static bool checksum_ok(const u8 *bytes, u32 size)
{
	u8 sum = 0;

	while (size--)
		sum = (u8)(sum + *bytes++);
	return sum == 0;
}

static u32 get_u32(const u8 *at)
{
	u32 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static u64 get_u64(const u8 *at)
{
	return get_u32(at) | (u64)get_u32(at + 4) << 32;
}

/* The table at @pa when it is readable and whole. */
static const u8 *table_at(u64 pa, u32 *size)
{
	const u8 *table = phys_to_virt(pa);

	if (!pa || pa >= GIB(4) - TABLE_MAX)
		return NULL;
	*size = get_u32(table + 4);
	if (*size < TABLE_HEADER || *size > TABLE_MAX || !checksum_ok(table, *size))
		return NULL;
	return table;
}

static u64 find_rsdp(u64 from, u64 size)
{
	for (u64 pa = from; pa < from + size; pa += 16)
		if (!memcmp(phys_to_virt(pa), "RSD PTR ", 8) &&
		    checksum_ok(phys_to_virt(pa), RSDP_SIZE))
			return pa;
	return 0;
}

/* The RSDT, or the XSDT, whose entries have 64 bits. */
struct root {
	const u8 *table;
	u32 size, entry;
};

/*
 * ACPI Specification, "Root System Description Pointer": the XSDT comes first, and firmware of
 * today may have no RSDT.
 */
static struct root find_root(u64 pa)
{
	const u8 *const rsdp = phys_to_virt(pa);
	struct root root = { .entry = 8 };

	if (rsdp[RSDP_REVISION] >= 2 && checksum_ok(rsdp, RSDP_V2_SIZE))
		root.table = table_at(get_u64(rsdp + RSDP_XSDT), &root.size);
	if (root.table)
		return root;
	root.entry = 4;
	root.table = table_at(get_u32(rsdp + RSDP_RSDT), &root.size);
	return root;
}

static const u8 *find_table(const struct root *root, const char *signature, u32 *size)
{
	for (u32 at = TABLE_HEADER; at + root->entry <= root->size; at += root->entry) {
		const u8 *const entry = root->table + at;
		const u8 *table =
			table_at(root->entry == 8 ? get_u64(entry) : get_u32(entry), size);

		if (table && !memcmp(table, signature, 4))
			return table;
	}
	return NULL;
}

/* A port of the FADT: the newer field where there is one, a generic address structure. */
static u16 fadt_port(const u8 *fadt, u32 size, u32 at, u32 x_at)
{
	if (size >= x_at + GAS_SIZE && fadt[x_at + GAS_SPACE] == SPACE_IO &&
	    get_u64(fadt + x_at + GAS_ADDRESS))
		return (u16)get_u64(fadt + x_at + GAS_ADDRESS);
	return (u16)get_u32(fadt + at);
}

/* The older field is 0 where firmware fills in the newer one only. */
static const u8 *find_dsdt(const u8 *fadt, u32 fadt_size, u32 *size)
{
	const u8 *dsdt = NULL;

	if (fadt_size >= FADT_X_DSDT + 8)
		dsdt = table_at(get_u64(fadt + FADT_X_DSDT), size);
	return dsdt ? dsdt : table_at(get_u32(fadt + FADT_DSDT), size);
}

/* The state that the name at @at of Name(_Sx_, ...) or Name(\_Sx_, ...) stands for, or -1. */
static int sleep_name(const u8 *at)
{
	if (at[0] == '_' && at[1] == 'S' && at[2] >= '0' && at[2] <= '5' && at[3] == '_')
		return at[2] - '0';
	return -1;
}

/* The first element of the package of Name(_Sx_, Package(){...}), the form that firmware uses. */
static void find_sleep_types(const u8 *dsdt, u32 size)
{
	for (u32 at = TABLE_HEADER; at + 12 <= size; at++) {
		const u8 *name = dsdt + at + 1 + (dsdt[at + 1] == AML_ROOT);
		const int state = dsdt[at] == AML_NAME ? sleep_name(name) : -1;
		const u8 *value;

		if (state < 0 || name[4] != AML_PACKAGE)
			continue;
		/* Behind the package's length (one to four bytes) and its count. */
		value = name + 5 + 1 + (name[5] >> 6) + 1;
		if (value + 2 > dsdt + size)
			return;
		if (*value == AML_BYTE)
			sleep_types[state] = value[1];
		else if (*value == AML_ZERO || *value == AML_ONE)
			sleep_types[state] = *value;
	}
}

static void add_processor(u32 apic_id, u32 flags)
{
	if (!(flags & MADT_ENABLED))
		return;
	/* One that has both kinds of entry is one processor. */
	for (unsigned i = 0; i < MIN(processor_count, ARRAY_SIZE(apic_ids)); i++)
		if (apic_ids[i] == apic_id)
			return;
	if (processor_count < ARRAY_SIZE(apic_ids))
		apic_ids[processor_count] = apic_id;
	processor_count++;
}

/* Entries are a type, a length, and the rest of so many bytes. */
static void find_processors(const u8 *madt, u32 size)
{
	for (u32 at = MADT_ENTRIES; at + 2 <= size; at += madt[at + 1]) {
		const u8 *entry = madt + at;
		const u8 length = entry[1];

		if (length < 2 || length > size - at)
			return;
		if (entry[0] == MADT_APIC && length >= 8)
			add_processor(entry[3], get_u32(entry + 4));
		else if (entry[0] == MADT_X2APIC && length >= 12)
			add_processor(get_u32(entry + 4), get_u32(entry + 8));
	}
}

void acpi_init(u64 rsdp)
{
	const u8 *fadt, *dsdt, *madt;
	struct root root;
	u32 size, dsdt_size;

	memset(sleep_ports, 0, sizeof(sleep_ports));
	memset(sleep_types, NO_TYPE, sizeof(sleep_types));
	processor_count = 0;
	if (!rsdp)
		rsdp = find_rsdp(0xe0000, 0x20000);
	if (!rsdp)
		return;
	root = find_root(rsdp);
	if (!root.table)
		return;
	madt = find_table(&root, "APIC", &size);
	if (madt)
		find_processors(madt, size);
	fadt = find_table(&root, "FACP", &size);
	if (!fadt || size < FADT_PM1B_CNT + 4)
		return;
	sleep_ports[0] = fadt_port(fadt, size, FADT_PM1A_CNT, FADT_X_PM1A);
	sleep_ports[1] = fadt_port(fadt, size, FADT_PM1B_CNT, FADT_X_PM1B);
	dsdt = find_dsdt(fadt, size, &dsdt_size);
	if (dsdt)
		find_sleep_types(dsdt, dsdt_size);
}

u16 acpi_sleep_port(unsigned index)
{
	return sleep_ports[index];
}

unsigned acpi_sleep_state(u8 type)
{
	for (unsigned state = 5; state; state--)
		if (sleep_types[state] == type)
			return state;
	return 5;
}

/* ACPI Specification, "PM1 Control Registers". */
void acpi_power_off(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sleep_ports) && sleep_types[5] != NO_TYPE; i++)
		if (sleep_ports[i])
			outw(sleep_ports[i],
			     (u16)((inw(sleep_ports[i]) & ~SLEEP_TYPE) |
				   sleep_types[5] << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
}

unsigned acpi_processor_count(void)
{
	return processor_count;
}

u32 acpi_processor_apic_id(unsigned index)
{
	return apic_ids[index];
}
