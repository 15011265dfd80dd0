/*
 * tests/guests/l1_bounds_others.c - instructions of L1 that let a hypervisor read or write memory
 */
#include "base/hv_leaf.h"
#include "tests/guests/l1_bounds.h"

#define COM1	  0x3f8
#define TEXT_SIZE 64
#define CR0_TS	  BIT(3)
#define CR0_NE	  BIT(5)
#define CR4_PGE	  BIT(7)
#define MSR_XCR0  0

static u8 file[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u8 text[2 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

/* Each byte is another one than the last time. */
static void change_file(void)
{
	for (unsigned i = 0; i < sizeof(file); i++)
		file[i] = (u8)((i + bounds_turn * 4096) * 0x9e3779b9 >> 13);
}

static void hv_call(enum hv_call what, u64 rbx, u64 rdx, u64 rsi, u64 rdi)
{
	u64 rax = HV_LEAF, rcx = what;

	__asm__ volatile("cpuid"
			 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx)
			 : "S"(rsi), "D"(rdi)
			 : "memory");
}

static void send_file(void)
{
	hv_call(HV_FILE, physical(file), PAGE_SIZE, 0, bounds_turn * PAGE_SIZE);
}

static void mark(void)
{
	hv_call(HV_MARK, bounds_turn * 0x9e3779b97f4a7c15, ~0ull, ~0ull, ~0ull);
}

static void make_text(void)
{
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = i % TEXT_SIZE ? '.' : '\n';
}

/* Over the border of a page, and a line in it. */
static void print(void)
{
	const void *from = text + PAGE_SIZE - TEXT_SIZE / 2;
	u64 count = TEXT_SIZE;

	__asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(COM1) : "memory");
}

static void move_cr(void)
{
	write_cr0(read_cr0() ^ CR0_TS);
	write_cr3(read_cr3());
	write_cr4(read_cr4() ^ CR4_PGE);
}

static void load_tables(void)
{
	u8 table[10];

	__asm__ volatile("sgdt %0; lgdt %0" : "+m"(table));
	__asm__ volatile("sidt %0; lidt %0" : "+m"(table));
}

static void flush_caches(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

static void make_apic_page(void)
{
	bounds_make_l2(&(struct l2_options){
		.secondary = SECONDARY_VIRTUALIZE_APIC_ACCESSES,
	});
}

/* Pages of L1, of devices, of nothing. */
static void enter_with_apic_page(void)
{
	guest_vmcs_write(VMCS_APIC_ACCESS_ADDRESS, bounds_turn * 0x1fff1000ull & MASK(38, 12));
	l2_run(&bounds_l2);
}

static void make_bitmaps(void)
{
	bounds_make_l2(&(struct l2_options){ .primary = PRIMARY_MSR_BITMAPS | PRIMARY_IO_BITMAPS });
}

static void enter_with_bitmaps(void)
{
	guest_vmcs_write(VMCS_IO_BITMAP_A, bounds_turn * 0x1fff1000ull & MASK(38, 12));
	guest_vmcs_write(VMCS_IO_BITMAP_B, bounds_turn * 0x2fff1000ull & MASK(38, 12));
	guest_vmcs_write(VMCS_MSR_BITMAP, bounds_turn * 0x3fff1000ull & MASK(38, 12));
	l2_run(&bounds_l2);
}

const struct bound bounds_of_others[] = {
	{ "others-file", NULL, change_file, send_file, NULL, 40 },
	{ "others-mark", NULL, NULL, mark, NULL, 100 },
	{ "others-string-output", make_text, NULL, print, NULL, 4 },
	{ "others-control-registers", NULL, NULL, move_cr, NULL, 20 },
	{ "others-tables", NULL, NULL, load_tables, NULL, 20 },
	{ "others-wbinvd", NULL, NULL, flush_caches, NULL, 20 },
	{ "others-apic-access-page", make_apic_page, NULL, enter_with_apic_page, NULL, 20 },
	{ "others-bitmaps", make_bitmaps, NULL, enter_with_bitmaps, NULL, 20 },
	{ 0 },
};
