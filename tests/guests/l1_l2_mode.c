#include "tests/guests/l1_l2.h"

#include "tests/guests/lib/guest_paging.h"

#define CR0_PE		 BIT(0)
#define CR0_ET		 BIT(4)
#define CR0_NE		 BIT(5)
#define CR0_PG		 BIT(31)
#define CR4_PSE		 BIT(4)
#define CR4_PAE		 BIT(5)

#define RFLAGS_FIXED	 BIT(1)
#define RFLAGS_VM	 BIT(17)

#define VECTOR_GP	 13
#define GP_EVENT	 0x80000b0du /* valid, error code, hardware exception, 13 */

/* SDM: "Checks on Guest Segment Registers". */
#define LIMIT_64K	 0xffff
#define LIMIT_4G	 0xffffffff
#define RIGHTS_CODE16	 0x009b
#define RIGHTS_DATA16	 0x0093
#define RIGHTS_CODE32	 0xc09b
#define RIGHTS_DATA32	 0xc093
#define RIGHTS_V86	 0x00f3
#define RIGHTS_USER_CODE 0xa0fb
#define RIGHTS_USER_DATA 0xc0f3
#define IDT_REAL_LIMIT	 0x3ff

#define V86_CODE	 0x8000 /* below 1 MiB, in memory that nobody uses */
#define V86_STACK_TOP	 0x1000

#define PDPTES		 4

/*
 * CPUID, port I/O, HLT, and the verdict, as 16-bit code that runs in real mode and, without HLT, in
 * virtual-8086 mode. Bochs 2.7 wants bits 1:0 of CS to equal its DPL: hence 64 bytes.
 */
__asm__("	.pushsection .text\n"
	"	.balign 64\n"
	"	.code16\n"
	"l2_code16:\n"
	"	movl $0x12345678, %eax\n"
	"	cpuid\n"
	"	movl %ebx, %eax\n"
	"	outb %al, $0x80\n"
	"	hlt\n"
	"	movl $1, %eax\n"
	"	vmcall\n"
	"l2_code16_v86:\n"
	"	movl $0x12345678, %eax\n"
	"	cpuid\n"
	"	movl $1, %eax\n"
	"	vmcall\n"
	"l2_code16_end:\n"
	/* CPUID, MOV to CR3 of the same, and the verdict. */
	"	.code32\n"
	"l2_code32:\n"
	"	movl $0x12345678, %eax\n"
	"	cpuid\n"
	"	movl %cr3, %eax\n"
	"	movl %eax, %cr3\n"
	"	movl $1, %eax\n"
	"	vmcall\n"
	/* Clears CR0.PG. */
	"l2_code_unpaged:\n"
	"	movl %cr0, %eax\n"
	"	btrl $31, %eax\n"
	"	movl %eax, %cr0\n"
	"	movl $1, %eax\n"
	"	vmcall\n"
	"	.code64\n"
	"	.popsection\n");
extern const u8 l2_code16[], l2_code16_v86[], l2_code16_end[], l2_code32[], l2_code_unpaged[];

static void code_unused(void)
{
	l2_vmcall(false);
}

/* The same limit, base and rights for all six, but for CS. */
struct segments {
	u32 limit;
	u32 code_rights, data_rights;
	u16 code_selector, data_selector;
	u64 code_base;
};

static void write_segments(const struct segments *s)
{
	static const u32 segments[] = { VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_CS_SELECTOR,
					VMCS_GUEST_SS_SELECTOR, VMCS_GUEST_DS_SELECTOR,
					VMCS_GUEST_FS_SELECTOR, VMCS_GUEST_GS_SELECTOR };

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		const bool code = segments[i] == VMCS_GUEST_CS_SELECTOR;
		const u32 offset = segments[i] - VMCS_GUEST_ES_SELECTOR;

		guest_vmcs_write(segments[i], code ? s->code_selector : s->data_selector);
		guest_vmcs_write(VMCS_GUEST_ES_BASE + offset, code ? s->code_base : 0);
		guest_vmcs_write(VMCS_GUEST_ES_LIMIT + offset, s->limit);
		guest_vmcs_write(VMCS_GUEST_ES_ACCESS_RIGHTS + offset,
				 code ? s->code_rights : s->data_rights);
	}
}

static void leave_long_mode(u64 cr0, u64 cr3, u64 cr4)
{
	guest_vmcs_write(VMCS_GUEST_CR0, cr0);
	guest_vmcs_write(VMCS_GUEST_CR3, cr3);
	guest_vmcs_write(VMCS_GUEST_CR4, cr4);
	guest_vmcs_write(VMCS_GUEST_IA32_EFER, 0);
	guest_vmcs_write(VMCS_VM_ENTRY_CONTROLS,
			 guest_vmcs_read(VMCS_VM_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_MODE_GUEST);
}

static bool expect_cpuid(struct l2 *l2)
{
	if (!l2_expect(l2, EXIT_CPUID) ||
	    !l2_check((u32)l2->regs.rax == 0x12345678, "RAX %lx", l2->regs.rax))
		return false;
	l2->regs.rbx = 0x11;
	l2_skip();
	return true;
}

/* --- real mode ------------------------------------------------------------------------------- */

static void check_real_mode(struct l2 *l2)
{
	const u64 base = physical(l2_code16);
	const struct segments segments = {
		.limit = LIMIT_64K,
		.code_rights = RIGHTS_CODE16,
		.data_rights = RIGHTS_DATA16,
		.code_selector = (u16)(base >> 4),
		.code_base = base,
	};

	write_segments(&segments);
	leave_long_mode(CR0_ET | CR0_NE, 0, CR4_VMXE);
	guest_vmcs_write(VMCS_GUEST_IDTR_BASE, 0);
	guest_vmcs_write(VMCS_GUEST_IDTR_LIMIT, IDT_REAL_LIMIT);
	guest_vmcs_write(VMCS_GUEST_RIP, 0);
	guest_vmcs_write(VMCS_GUEST_RSP, V86_STACK_TOP);
	if (!expect_cpuid(l2) || !l2_expect(l2, EXIT_IO))
		return;
	l2_check((u8)l2->regs.rax == 0x11, "RAX %lx", l2->regs.rax);
	l2_skip();
	if (!l2_expect(l2, EXIT_HLT))
		return;
	l2_skip();
	l2_expect_end(l2);
}

/* --- 32-bit paging --------------------------------------------------------------------------- */

static void write_flat_32bit(void)
{
	const struct segments segments = {
		.limit = LIMIT_4G,
		.code_rights = RIGHTS_CODE32,
		.data_rights = RIGHTS_DATA32,
		.code_selector = GUEST_CS32,
		.data_selector = GUEST_DS,
	};

	write_segments(&segments);
	guest_vmcs_write(VMCS_GUEST_RIP, physical(l2_code32));
}

/* A page directory that maps 4 GiB to themselves with 4 MiB pages. */
static u64 make_pse_tables(void)
{
	u32 *directory = guest_pages(1);

	for (u32 i = 0; i < 1024; i++)
		directory[i] = i << 22 | (u32)(PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_LARGE);
	return physical(directory);
}

static void check_pse(struct l2 *l2)
{
	write_flat_32bit();
	leave_long_mode(CR0_PE | CR0_ET | CR0_NE | CR0_PG, make_pse_tables(), CR4_PSE | CR4_VMXE);
	if (expect_cpuid(l2))
		l2_expect_end(l2);
}

/* The page-directory-pointer table in front of the directories of the 4-level tables at @cr3. */
static u64 *make_pae_tables(u64 cr3)
{
	u64 *pdptes = guest_pages(1);
	const u64 *pml4 = (const u64 *)(uintptr_t)cr3;
	const u64 *pdpt = (const u64 *)(uintptr_t)(pml4[0] & MASK(51, 12));

	for (unsigned i = 0; i < PDPTES; i++)
		pdptes[i] = (pdpt[i] & MASK(51, 12)) | PTE_PRESENT;
	return pdptes;
}

/* With EPT, a VM entry takes the PDPTEs from the VMCS; without, from memory. */
static void write_pdptes(const u64 *pdptes)
{
	for (unsigned i = 0; l2_case_eptp && i < PDPTES; i++)
		guest_vmcs_write(VMCS_GUEST_PDPTE0 + 2 * i, pdptes[i]);
}

static void enter_pae(const u64 *pdptes)
{
	write_flat_32bit();
	leave_long_mode(CR0_PE | CR0_ET | CR0_NE | CR0_PG, physical(pdptes), CR4_PAE | CR4_VMXE);
	write_pdptes(pdptes);
}

static void check_pae(struct l2 *l2)
{
	const u64 *pdptes = make_pae_tables(l2_case_cr3);

	enter_pae(pdptes);
	if (!expect_cpuid(l2) || !l2_expect_end(l2) || !l2_case_eptp)
		return;
	for (unsigned i = 0; i < PDPTES; i++)
		l2_check(guest_vmcs_read(VMCS_GUEST_PDPTE0 + 2 * i) == pdptes[i], "PDPTE%u is %lx",
			 i, guest_vmcs_read(VMCS_GUEST_PDPTE0 + 2 * i));
}

#define BAD_PDPTE 2 /* the exit qualification */

static void check_pae_bad(struct l2 *l2)
{
	u64 *pdptes = make_pae_tables(l2_case_cr3);

	pdptes[3] |= PTE_WRITE; /* reserved in a PDPTE */
	enter_pae(pdptes);
	if (!l2_expect(l2, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE))
		return;
	l2_expect_field(VMCS_EXIT_QUALIFICATION, BAD_PDPTE);
	pdptes[3] &= ~PTE_WRITE;
	write_pdptes(pdptes);
	if (expect_cpuid(l2))
		l2_expect_end(l2);
}

/* PG stays 1 without "unrestricted guest". Bochs 2.7 lets L2 clear it. */
static void check_paging_stays(struct l2 *l2)
{
	enter_pae(make_pae_tables(l2_case_cr3));
	guest_vmcs_write(VMCS_GUEST_RIP, physical(l2_code_unpaged));
	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_GP));
	if (l2_run(l2) == EXIT_VMCALL) {
		l2_check(!(guest_vmcs_read(VMCS_GUEST_CR0) & CR0_PG), "PG is not what L2 wrote");
		return;
	}
	l2_expect_field(VMCS_EXIT_REASON, EXIT_EXCEPTION_NMI);
	l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_INFO, GP_EVENT);
	l2_check(guest_vmcs_read(VMCS_GUEST_CR0) & CR0_PG, "PG is 0");
}

/* --- virtual-8086 mode ----------------------------------------------------------------------- */

static void check_v86(struct l2 *l2)
{
	const struct segments segments = {
		.limit = LIMIT_64K,
		.code_rights = RIGHTS_V86,
		.data_rights = RIGHTS_V86,
		.code_selector = V86_CODE >> 4,
		.code_base = V86_CODE,
	};

	memcpy((void *)V86_CODE, l2_code16_v86, (size_t)(l2_code16_end - l2_code16_v86));
	write_segments(&segments);
	leave_long_mode(CR0_PE | CR0_ET | CR0_NE | CR0_PG, make_pse_tables(), CR4_PSE | CR4_VMXE);
	guest_vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_VM);
	guest_vmcs_write(VMCS_GUEST_RIP, 0);
	guest_vmcs_write(VMCS_GUEST_RSP, V86_STACK_TOP);
	if (expect_cpuid(l2))
		l2_expect_end(l2);
}

/* --- ring 3 ---------------------------------------------------------------------------------- */

/* Some exits come at any CPL; what is privileged and no VMX instruction faults first. */
static void code_ring_3(void)
{
	cpuid(0x12345678, 0);
	__asm__ volatile("vmxoff");
	__asm__ volatile("hlt");
	__asm__ volatile("rdmsr" : : "c"(MSR_EFER) : "eax", "edx");
	__asm__ volatile("outb %0, $0x80" : : "a"((u8)0));
	l2_vmcall(true);
}

static void check_ring_3(struct l2 *l2)
{
	static const u64 lengths[] = { 1, 2, 2 }; /* HLT, RDMSR, OUT */
	const struct segments segments = {
		.limit = LIMIT_4G,
		.code_rights = RIGHTS_USER_CODE,
		.data_rights = RIGHTS_USER_DATA,
		.code_selector = GUEST_USER_CS,
		.data_selector = GUEST_USER_DS,
	};

	write_segments(&segments);
	guest_vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_GP));
	if (!expect_cpuid(l2) || !l2_expect(l2, EXIT_VMXOFF))
		return;
	l2_skip();
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		if (!l2_expect(l2, EXIT_EXCEPTION_NMI))
			return;
		l2_expect_field(VMCS_VM_EXIT_INTERRUPTION_INFO, GP_EVENT);
		guest_vmcs_write(VMCS_GUEST_RIP, guest_vmcs_read(VMCS_GUEST_RIP) + lengths[i]);
	}
	l2_expect_end(l2);
}

#define EFER_SWITCH .entry = ENTRY_LOAD_EFER, .exit = EXIT_LOAD_EFER

const struct l2_case l1_l2_mode_cases[] = {
	L2_CASE_OF(real_mode, code_unused, check_real_mode,
		   .options = { .primary = PRIMARY_HLT_EXITING | PRIMARY_UNCONDITIONAL_IO_EXITING,
				.secondary = SECONDARY_UNRESTRICTED_GUEST,
				EFER_SWITCH },
		   .needs_ept = true),
	L2_CASE_OF(pse, code_unused, check_pse, .options = { EFER_SWITCH }),
	L2_CASE_OF(pae, code_unused, check_pae, .options = { EFER_SWITCH }),
	L2_CASE_OF(pae_bad, code_unused, check_pae_bad, .options = { EFER_SWITCH }),
	L2_CASE_OF(paging_stays, code_unused, check_paging_stays, .options = { EFER_SWITCH }),
	L2_CASE_OF(v86, code_unused, check_v86, .options = { EFER_SWITCH }),
	L2_CASE(ring_3, .options.primary = PRIMARY_HLT_EXITING | PRIMARY_UNCONDITIONAL_IO_EXITING),
};
const size_t l1_l2_mode_count = ARRAY_SIZE(l1_l2_mode_cases);
