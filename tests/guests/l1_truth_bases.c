/*
 * tests/guests/l1_truth_bases.c - VMCSs that are good for an entry
 */
#include "tests/guests/l1_truth.h"

#define FIELD(NAME)	VMCS_IX_##NAME
#define SET(v, NAME, x) ((v)->value[FIELD(NAME)] = (x))
#define ON(v, NAME, x)	((v)->value[FIELD(NAME)] |= (x))
#define OFF(v, NAME, x) ((v)->value[FIELD(NAME)] &= ~(u64)(x))

#define CR0_PE		BIT(0)
#define CR0_NE		BIT(5)
#define CR0_PG		BIT(31)
#define CR4_PAE		BIT(5)
#define RFLAGS_IF	BIT(9)
#define RFLAGS_VM	BIT(17)
#define CODE32		0xc09b
#define DATA32		0xc093
#define CODE16		0x009b
#define DATA16		0x0093
#define V86		0x00f3
#define EFER_LMA_LME	0x500ull
#define PAT_RESET	0x0007040600070406ull

u64 truth_places[PLACE_COUNT];
struct truth_leg truth_leg;

static u64 *msr_list, *pdptes;

unsigned truth_address_width(void)
{
	return BITS(cpuid(0x80000008, 0).eax, 7, 0);
}

u64 truth_movable(unsigned field)
{
	const u64 beyond = MASK(63, truth_address_width());

	switch (field) {
	case FIELD(HOST_RIP):
		return MASK(63, 47);
	case FIELD(HOST_CR3):
		return beyond | MASK(4, 3);
	/* A hypervisor below gives up when events are delivered through no memory. */
	case FIELD(GUEST_CR3):
	case FIELD(GUEST_PDPTE0):
	case FIELD(GUEST_PDPTE1):
	case FIELD(GUEST_PDPTE2):
	case FIELD(GUEST_PDPTE3):
		return beyond | MASK(30, 0);
	case FIELD(HOST_CR4):
		return ~(BIT(20) | BIT(21));
	/* Where L2's events are pushed: in the last page of its stack, or where nothing is. */
	case FIELD(GUEST_RSP):
		return MASK(63, 32) | MASK(11, 0);
	/* KVM watches what it takes for EPT tables: that must be no memory of L1's. */
	case FIELD(EPT_POINTER):
		return ~MASK(22, 12);
	case FIELD(VM_ENTRY_MSR_LOAD_ADDRESS):
	case FIELD(VM_EXIT_MSR_STORE_ADDRESS):
	case FIELD(VM_EXIT_MSR_LOAD_ADDRESS):
		return beyond | MASK(3, 0);
	case FIELD(VM_ENTRY_MSR_LOAD_COUNT):
		return MASK(1, 0);
	/* The timer ends L2; lists at exits would be written anywhere. */
	case FIELD(PIN_BASED_CONTROLS):
		return ~(u64)PIN_PREEMPTION_TIMER;
	case FIELD(VM_EXIT_MSR_STORE_COUNT):
	case FIELD(VM_EXIT_MSR_LOAD_COUNT):
	case FIELD(VMX_PREEMPTION_TIMER_VALUE):
	case FIELD(HOST_RSP):
		return 0;
	default:
		return ~0ull;
	}
}

u64 truth_long_list(void)
{
	return 512 * (CAP_GET(guest_caps.msr[VMX_CAP_MISC], MSR_LIST_SIZE) + 1) + 1;
}

static void print_memory(u64 address, unsigned size, u64 value)
{
	guest_print("memory %lx %x %lx\n", address, size, value);
}

/* --- The first one is what the library made --------------------------------------------------- */

static void read_first(struct truth_vmcs *v)
{
	v->there = true;
	for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		u64 value = 0;

		truth_exists[ix] = vmread(vmcs_fields[ix].encoding, &value) == VMX_SUCCEED;
		v->value[ix] = value;
	}
	/* What L1 runs with is good for EFER and PAT, should a control load them. */
	SET(v, HOST_IA32_EFER, rdmsr(MSR_EFER));
	SET(v, HOST_IA32_PAT, rdmsr(MSR_PAT));
	SET(v, GUEST_IA32_EFER, rdmsr(MSR_EFER));
	SET(v, GUEST_IA32_PAT, PAT_RESET);
	SET(v, VMX_PREEMPTION_TIMER_VALUE, 0);
	SET(v, VM_ENTRY_MSR_LOAD_ADDRESS, physical(msr_list));
	SET(v, VM_EXIT_MSR_LOAD_ADDRESS, physical(msr_list));
	SET(v, VM_EXIT_MSR_STORE_ADDRESS, physical(msr_list) + 1024);
}

static void control(struct truth_vmcs *v, enum vmx_word word, u64 mask)
{
	if (guest_control_allowed(word, mask))
		v->value[vmx_control_words[word].field] |= mask;
	else
		v->there = false;
}

static void optional(struct truth_vmcs *v, enum vmx_word word, u64 mask)
{
	for (u64 left = mask; left; left &= left - 1)
		if (guest_control_allowed(word, left & -left))
			v->value[vmx_control_words[word].field] |= left & -left;
}

static void segments(struct truth_vmcs *v, u64 code, u64 data, u64 limit)
{
	static const u8 rights[] = { FIELD(GUEST_ES_ACCESS_RIGHTS), FIELD(GUEST_SS_ACCESS_RIGHTS),
				     FIELD(GUEST_DS_ACCESS_RIGHTS), FIELD(GUEST_FS_ACCESS_RIGHTS),
				     FIELD(GUEST_GS_ACCESS_RIGHTS) };
	static const u8 limits[] = { FIELD(GUEST_ES_LIMIT), FIELD(GUEST_SS_LIMIT),
				     FIELD(GUEST_DS_LIMIT), FIELD(GUEST_FS_LIMIT),
				     FIELD(GUEST_GS_LIMIT) };

	for (unsigned i = 0; i < ARRAY_SIZE(rights); i++) {
		v->value[rights[i]] = data;
		v->value[limits[i]] = limit;
	}
	SET(v, GUEST_CS_ACCESS_RIGHTS, code);
	SET(v, GUEST_CS_LIMIT, limit);
}

static void with_ept(struct truth_vmcs *v, u64 eptp)
{
	control(v, VMX_WORD_PRIMARY, PRIMARY_SECONDARY_CONTROLS);
	control(v, VMX_WORD_SECONDARY, SECONDARY_EPT);
	SET(v, EPT_POINTER, eptp);
}

/* --- The others ------------------------------------------------------------------------------- */

static void make_full(struct truth_vmcs *v, u64 eptp)
{
	const u64 page = physical(guest_pages(7));

	with_ept(v, eptp);
	optional(v, VMX_WORD_PIN,
		 PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	optional(v, VMX_WORD_PRIMARY,
		 PRIMARY_TPR_SHADOW | PRIMARY_IO_BITMAPS | PRIMARY_MSR_BITMAPS |
			 PRIMARY_NMI_WINDOW_EXITING);
	optional(v, VMX_WORD_SECONDARY,
		 SECONDARY_VPID | SECONDARY_UNRESTRICTED_GUEST |
			 SECONDARY_VIRTUALIZE_APIC_ACCESSES | SECONDARY_PML |
			 SECONDARY_TSC_SCALING | SECONDARY_VMCS_SHADOWING |
			 SECONDARY_EPT_VIOLATION_VE | SECONDARY_VM_FUNCTIONS |
			 SECONDARY_SUB_PAGE_WRITE);
	optional(v, VMX_WORD_EXIT,
		 EXIT_LOAD_PAT | EXIT_SAVE_PAT | EXIT_LOAD_EFER | EXIT_SAVE_EFER |
			 EXIT_SAVE_PREEMPTION_TIMER | EXIT_LOAD_PERF_GLOBAL_CTRL | EXIT_LOAD_CET |
			 EXIT_LOAD_PKRS);
	optional(v, VMX_WORD_ENTRY,
		 ENTRY_LOAD_PAT | ENTRY_LOAD_EFER | ENTRY_LOAD_DEBUG_CONTROLS |
			 ENTRY_LOAD_PERF_GLOBAL_CTRL | ENTRY_LOAD_CET | ENTRY_LOAD_PKRS);
	SET(v, VPID, 1);
	SET(v, IO_BITMAP_A, page);
	SET(v, IO_BITMAP_B, page);
	SET(v, MSR_BITMAP, page);
	SET(v, VIRTUAL_APIC_ADDRESS, page + PAGE_SIZE);
	SET(v, APIC_ACCESS_ADDRESS, page + 2 * PAGE_SIZE);
	SET(v, PML_ADDRESS, page + 3 * PAGE_SIZE);
	SET(v, VMREAD_BITMAP_ADDRESS, page + 4 * PAGE_SIZE);
	SET(v, VMWRITE_BITMAP_ADDRESS, page + 4 * PAGE_SIZE);
	SET(v, VE_INFORMATION_ADDRESS, page + 5 * PAGE_SIZE);
	SET(v, SPP_TABLE_POINTER, page + 6 * PAGE_SIZE);
	SET(v, TSC_MULTIPLIER, BIT(48));
	SET(v, EPTP_LIST_ADDRESS, page);
	SET(v, VM_ENTRY_MSR_LOAD_COUNT, 2);
	print_memory(page + PAGE_SIZE + 0x80, 1, 0);
}

static void make_protected(struct truth_vmcs *v)
{
	OFF(v, VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	SET(v, GUEST_IA32_EFER, 0);
	segments(v, CODE32, DATA32, 0xffffffff);
	ON(v, GUEST_CR4, CR4_PAE);
	SET(v, GUEST_LDTR_SELECTOR, 0x40);
	SET(v, GUEST_LDTR_LIMIT, 0xfff);
	SET(v, GUEST_LDTR_ACCESS_RIGHTS, 0x82);
}

static void make_pae(struct truth_vmcs *v, u64 eptp)
{
	with_ept(v, eptp);
	make_protected(v);
	SET(v, GUEST_PDPTE0, physical(pdptes) | 1);
	SET(v, GUEST_PDPTE1, physical(pdptes) | 1);
	SET(v, VM_ENTRY_INTERRUPTION_INFO,
	    VMX_EVENT_VALID | (u64)VMX_EVENT_HARDWARE_EXCEPTION << 8 | VMX_EVENT_ERROR_CODE | 13);
}

static void make_pae_plain(struct truth_vmcs *v)
{
	make_protected(v);
	SET(v, GUEST_CR3, physical(pdptes));
	for (unsigned i = 0; i < 4; i++)
		print_memory(physical(&pdptes[i]), 8, pdptes[i]);
}

static void make_v86(struct truth_vmcs *v, u64 eptp)
{
	static const struct {
		u8 selector, base;
	} registers[] = {
		{ FIELD(GUEST_ES_SELECTOR), FIELD(GUEST_ES_BASE) },
		{ FIELD(GUEST_CS_SELECTOR), FIELD(GUEST_CS_BASE) },
		{ FIELD(GUEST_SS_SELECTOR), FIELD(GUEST_SS_BASE) },
		{ FIELD(GUEST_DS_SELECTOR), FIELD(GUEST_DS_BASE) },
		{ FIELD(GUEST_FS_SELECTOR), FIELD(GUEST_FS_BASE) },
		{ FIELD(GUEST_GS_SELECTOR), FIELD(GUEST_GS_BASE) },
	};

	make_pae(v, eptp);
	SET(v, VM_ENTRY_INTERRUPTION_INFO, 0);
	segments(v, V86, V86, 0xffff);
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
		v->value[registers[i].selector] = 0x1000;
		v->value[registers[i].base] = 0x10000;
	}
	SET(v, GUEST_RIP, 0x100);
	ON(v, GUEST_RFLAGS, RFLAGS_VM);
}

static void make_real(struct truth_vmcs *v, u64 eptp)
{
	with_ept(v, eptp);
	control(v, VMX_WORD_SECONDARY, SECONDARY_UNRESTRICTED_GUEST);
	OFF(v, VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	SET(v, GUEST_IA32_EFER, 0);
	segments(v, CODE16, DATA16, 0xffff);
	OFF(v, GUEST_CR0, CR0_PE | CR0_PG);
	SET(v, GUEST_CR4, read_cr4() & ~(u64)CR4_PAE);
	SET(v, GUEST_CS_SELECTOR, 0);
	SET(v, GUEST_SS_SELECTOR, 0);
	SET(v, GUEST_RIP, 0x100);
}

/* Only bases point to L1's own page tables, since an entry that L1 survives needs them. */
static void make_32(struct truth_vmcs *v)
{
	u64 *const tables = guest_pages(2), *const host = tables + PAGE_SIZE / sizeof(u64);
	const u64 *const pdpt = (const u64 *)(uintptr_t)(guest_pml4[0] & ~MASK(11, 0));
	const u64 directories = pdpt[0] & ~MASK(11, 0);

	for (unsigned i = 0; i < 4; i++)
		tables[i] = host[i] = (directories + i * PAGE_SIZE) | 1;
	truth_leg = (struct truth_leg){
		.vmxon = physical(guest_region()),
		.vmcs = truth_places[PLACE_CURRENT],
		.cr3 = (u32)physical(tables),
		.poke_address = (u32)physical(&tables[2]),
	};
	truth_places[PLACE_KEPT_PDPTES] = truth_leg.cr3;
	guest_print("l1_32 %x\n", truth_leg.cr3);
	for (unsigned i = 0; i < 4; i++)
		print_memory(physical(&tables[i]), 8, tables[i] | (i == 2 ? PDPTE_RESERVED : 0));
	make_pae_plain(v);
	OFF(v, VM_EXIT_CONTROLS, EXIT_HOST_ADDRESS_SPACE_SIZE);
	SET(v, HOST_CS_SELECTOR, GUEST_CS32);
	SET(v, HOST_CR3, physical(host));
	SET(v, HOST_RIP, (uintptr_t)truth_exit_32);
}

static void make_interrupt(struct truth_vmcs *v)
{
	ON(v, GUEST_RFLAGS, RFLAGS_IF);
	SET(v, VM_ENTRY_INTERRUPTION_INFO, VMX_EVENT_VALID | 0x40);
}

static void make_region(enum truth_place place, u32 flip)
{
	u32 *const region = guest_region();

	*region ^= flip;
	truth_places[place] = physical(region);
	print_memory(physical(region), 4, *region);
}

static void make_list(enum truth_place place, u64 index, u64 value)
{
	u64 *const list = guest_pages(1);

	list[0] = index;
	list[1] = value;
	truth_places[place] = physical(list);
	print_memory(physical(&list[0]), 8, index);
	print_memory(physical(&list[1]), 8, value);
}

static void make_long_list(void)
{
	const u64 count = truth_long_list();
	u64 *const list = guest_pages((count * 16 + PAGE_SIZE - 1) / PAGE_SIZE);

	for (u64 i = 0; i < count; i++)
		list[2 * i] = MSR_SYSENTER_CS;
	truth_places[PLACE_LIST_LONG] = physical(list);
	guest_print("list %lx %lx %x 0\n", physical(list), count, MSR_SYSENTER_CS);
}

static void make_places(u64 current)
{
	u64 *const bad = guest_pages(1);

	truth_places[PLACE_CURRENT] = current;
	print_memory(current, 4, *(u32 *)(uintptr_t)current);
	/* What an entry into PAE paging takes for PDPTEs. */
	for (unsigned i = 0; i < 4; i++)
		print_memory(physical(&guest_pml4[i]), 8, guest_pml4[i]);
	make_region(PLACE_REGION, 0);
	make_region(PLACE_OTHER_REVISION, 1);
	make_region(PLACE_SHADOW, (u32)BIT(31));
	bad[0] = physical(pdptes) | 3;
	truth_places[PLACE_BAD_PDPTES] = physical(bad);
	for (unsigned i = 0; i < 4; i++)
		print_memory(physical(&bad[i]), 8, bad[i]);
	make_list(PLACE_LIST_RESERVED, BIT(32) | MSR_SYSENTER_CS, 0);
	make_list(PLACE_LIST_FS_BASE, MSR_FS_BASE, 0);
	make_list(PLACE_LIST_X2APIC, 0x808, 0);
	make_list(PLACE_LIST_EFER, MSR_EFER, 0);
	make_list(PLACE_LIST_EFER_SAME, MSR_EFER, rdmsr(MSR_EFER));
	make_list(PLACE_LIST_SMM, MSR_SMM_MONITOR_CTL, 0);
	make_list(PLACE_LIST_MICROCODE, MSR_BIOS_UPDT_TRIG, 0);
	make_long_list();
	make_list(PLACE_LIST_VALUE, MSR_SYSENTER_EIP, BIT(60));
}

void truth_make_bases(u64 current)
{
	const u64 eptp = guest_ept_tables() | EPTP_WB | EPTP_LEVEL_4;

	msr_list = guest_pages(1);
	pdptes = guest_pages(1);
	pdptes[0] = physical(pdptes) | 1;
	pdptes[1] = MASK(8, 5); /* not present: anything goes */
	msr_list[0] = MSR_SYSENTER_CS;
	msr_list[2] = MSR_SYSENTER_ESP;
	msr_list[4] = MSR_SYSENTER_EIP;
	msr_list[6] = MSR_SYSENTER_CS;
	msr_list[1024 / 8] = MSR_SYSENTER_CS; /* for exits to store */
	make_places(current);
	for (unsigned i = 0; i < 8; i++)
		print_memory(physical(&msr_list[i]), 8, msr_list[i]);
	read_first(&truth_bases[BASE_64]);
	for (unsigned base = 1; base < BASE_COUNT; base++)
		truth_bases[base] = truth_bases[BASE_64];
	make_full(&truth_bases[BASE_FULL], eptp);
	make_pae(&truth_bases[BASE_PAE], eptp);
	make_v86(&truth_bases[BASE_V86], eptp);
	make_real(&truth_bases[BASE_REAL], eptp);
	make_pae_plain(&truth_bases[BASE_PAE_PLAIN]);
	make_interrupt(&truth_bases[BASE_INTERRUPT]);
	make_32(&truth_bases[BASE_32]);
}
