/*
 * tests/guests/l1_fuzz.c - a hostile L1 that goes on, whatever it does
 *
 * Options: seed=N, steps=N, from=N (the first step, to begin near the one that is of interest),
 * stop=N (stop in Bochs's debugger before each N-th step and at the end, where it knows how),
 * cpus=2 (the second one writes all over what is read for the first).
 * Prints how far it is, and at the end how many entries there were and how they ended.
 */
#include "tests/guests/l1_fuzz.h"

#define STEPS		   1000
#define TOLD		   10000 /* steps */
#define REBUILD		   256	 /* steps */
#define STACK_OFFSET	   0xf00
#define COM1_LINE_CONTROL  0x3fb
#define EIGHT_BITS	   3
#define FIRST_TIME	   4000	   /* ticks; a recorder below L1 needs some thousand to translate */
#define BASES		   BASE_32 /* the others are for an L1 in protected mode */
#define REGIONS		   (PAGE_REGION_END + 1)
#define ACTIVITY_SIPI	   3
#define SEGMENT_UNUSABLE   BIT(16)
#define SEGMENT_WRITE	   BIT(1)
#define SEGMENT_CODE_WRITE (BIT(3) | SEGMENT_WRITE)
#define EPTP_SWITCHING	   BIT(0)
#define CR0_PAGING	   BIT(31)
#define MOVES		   4
#define FIELD(NAME)	   VMCS_IX_##NAME
#define SET(v, NAME, x)	   ((v)->value[FIELD(NAME)] = (x))

struct truth_vmcs truth_bases[BASE_COUNT];
bool truth_exists[VMCS_FIELD_COUNT];

/* What a region holds once a base was written to it and it was cleared. */
static u64 images[BASES][PAGE_SIZE / sizeof(u64)];

static struct {
	unsigned base;
	bool fresh;	  /* as its base is, but for what is undone after each step */
	unsigned entries; /* since it was fresh */
	struct l2 l2;
} slots[REGIONS];

static bool second;	 /* there is a second processor */
static unsigned current; /* slot */
static bool moved;	 /* another VMCS may be current, or none, or no VMX operation be */
static struct truth_move undo[MOVES];
static unsigned undo_count;

static struct {
	u64 entries, entered, failed_late, insns, others;
	u64 reasons[EXIT_REASON_COUNT];
} counts;

u64 truth_random(void)
{
	return fuzz_below(~0ull);
}

/* --- VMCSs that are good for an entry --------------------------------------------------------- */

static bool is_writable(unsigned ix)
{
	return truth_exists[ix] && vmcs_fields[ix].access == VMCS_ACCESS_RW;
}

/* Where L2 finds code, a stack, and tables; and nothing that it may write outside. */
static void in_arena(struct truth_vmcs *v, unsigned base)
{
	const u64 secondary = v->value[FIELD(SECONDARY_PROC_BASED_CONTROLS)];

	SET(v, IO_BITMAP_A, fuzz_page(PAGE_IO_BITMAP));
	SET(v, IO_BITMAP_B, fuzz_page(PAGE_IO_BITMAP + 1));
	SET(v, MSR_BITMAP, fuzz_page(PAGE_MSR_BITMAP));
	SET(v, VIRTUAL_APIC_ADDRESS, fuzz_page(PAGE_VIRTUAL_APIC));
	SET(v, APIC_ACCESS_ADDRESS, fuzz_page(PAGE_APIC_ACCESS));
	SET(v, VMREAD_BITMAP_ADDRESS, fuzz_page(PAGE_SHADOW_BITMAP));
	SET(v, VMWRITE_BITMAP_ADDRESS, fuzz_page(PAGE_SHADOW_BITMAP));
	SET(v, PML_ADDRESS, fuzz_page(PAGE_PML));
	SET(v, VE_INFORMATION_ADDRESS, fuzz_page(PAGE_VE));
	SET(v, EPTP_LIST_ADDRESS, fuzz_page(PAGE_EPTP_LIST));
	SET(v, VM_FUNCTION_CONTROLS, EPTP_SWITCHING);
	SET(v, VM_ENTRY_MSR_LOAD_ADDRESS, fuzz_page(PAGE_ENTRY_LIST));
	SET(v, VM_EXIT_MSR_STORE_ADDRESS, fuzz_page(PAGE_STORE_LIST));
	SET(v, VM_EXIT_MSR_LOAD_ADDRESS, fuzz_page(PAGE_LOAD_LIST));
	if (!(secondary & SECONDARY_EPT))
		return;
	/* What has a log has flags to log. */
	SET(v, EPT_POINTER,
	    fuzz_page(PAGE_EPT) | FUZZ_EPTP | (secondary & SECONDARY_PML ? EPTP_AD : 0));
	v->value[FIELD(PRIMARY_PROC_BASED_CONTROLS)] |= PRIMARY_IO_BITMAPS | PRIMARY_MSR_BITMAPS;
	SET(v, VMX_PREEMPTION_TIMER_VALUE, FIRST_TIME);
	SET(v, GUEST_RSP, fuzz_page(PAGE_STACK) + STACK_OFFSET);
	SET(v, GUEST_IDTR_BASE, fuzz_page(PAGE_IDT));
	SET(v, GUEST_IDTR_LIMIT, PAGE_SIZE - 1);
	if (base == BASE_V86 || base == BASE_REAL)
		return;
	SET(v, GUEST_RIP, fuzz_page(PAGE_CODE) + FUZZ_CODE);
	SET(v, GUEST_CR3, fuzz_page(base == BASE_PAE ? PAGE_PAE : PAGE_TABLES));
}

static void no_code(void)
{
}

static void make_bases(void)
{
	const struct l2_options options = { .pin = PIN_PREEMPTION_TIMER };
	struct l2 first = { 0 };

	l2_create(&first, no_code, &options);
	truth_make_bases(physical(first.region));
	vmclear(physical(first.region));
	/* What runs for more than an instant needs EPT. */
	truth_bases[BASE_INTERRUPT] = truth_bases[BASE_FULL];
	SET(&truth_bases[BASE_INTERRUPT], GUEST_RFLAGS, 0x202);
	/* An NMI window is open at once, so that L2 would never run. */
	truth_bases[BASE_FULL].value[FIELD(PRIMARY_PROC_BASED_CONTROLS)] &=
		~(u64)PRIMARY_NMI_WINDOW_EXITING;
	for (unsigned base = 0; base < BASES; base++)
		in_arena(&truth_bases[base], base);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned base = BASE_PAE; base <= BASE_V86; base++)
			truth_bases[base].value[FIELD(GUEST_PDPTE0) + i] =
				fuzz_page(PAGE_TABLES + 2 + i) | PTE_PRESENT;
}

static u32 revision(void)
{
	return (u32)CAP_GET(guest_caps.msr[VMX_CAP_BASIC], REVISION);
}

static void write_field(unsigned ix, u64 value)
{
	vmwrite(vmcs_fields[ix].encoding, value);
}

static void make_images(void)
{
	u32 *const region = fuzz_at(PAGE_REGION);

	*region = revision();
	for (unsigned base = 0; base < BASES; base++) {
		if (!truth_bases[base].there)
			continue;
		guest_vmcs_load(region);
		for (unsigned ix = 0; ix < VMCS_FIELD_COUNT; ix++)
			if (is_writable(ix) && ix != FIELD(HOST_RSP))
				write_field(ix, truth_bases[base].value[ix]);
		vmclear(physical(region));
		memcpy(images[base], region, PAGE_SIZE);
	}
}

/* --- standing on firm ground ------------------------------------------------------------------ */

static void do_vmxon(void *region)
{
	vmxon(physical(region));
}

/* In VMX operation, with no region that can be relied on. */
static void regain(void)
{
	struct guest_fault fault;
	u32 *const region = fuzz_at(PAGE_VMXON);

	*region = revision();
	guest_try(do_vmxon, region, &fault);
	for (unsigned i = 0; i < REGIONS; i++)
		slots[i].fresh = false;
	moved = false;
}

static bool has_ept(unsigned base)
{
	return truth_bases[base].value[FIELD(SECONDARY_PROC_BASED_CONTROLS)] & SECONDARY_EPT;
}

/*
 * Seldom one whose L2 does not run. A second processor may mix a VMCS out of two: L2 without EPT is
 * not held by anything then, and Bochs minds real mode (see is_safe()).
 */
static bool is_usable(unsigned base)
{
	if (!truth_bases[base].there)
		return false;
	if (second)
		return has_ept(base) && base != BASE_REAL;
	return has_ept(base) || fuzz_one_in(4);
}

static unsigned any_base(void)
{
	unsigned base;

	do
		base = (unsigned)fuzz_below(BASES);
	while (!is_usable(base));
	return base;
}

static void make_fresh(unsigned slot)
{
	u64 *const region = fuzz_at(PAGE_REGION + slot);

	/* It may be what a random VMXON was given. */
	if (vmclear(physical(region)) != VMX_SUCCEED) {
		vmxoff();
		regain();
		vmclear(physical(region));
	}
	slots[slot].base = any_base();
	memcpy(region, images[slots[slot].base], PAGE_SIZE);
	slots[slot].l2 = (struct l2){ .region = region };
	slots[slot].fresh = true;
	slots[slot].entries = 0;
}

/* A VMCS that is good for an entry is current. */
static struct l2 *choose(void)
{
	const unsigned before = current;
	const bool was_moved = moved;

	if (moved)
		regain();
	if (fuzz_one_in(6))
		current = (unsigned)fuzz_below(REGIONS);
	if (!slots[current].fresh || slots[current].entries > 12) {
		make_fresh(current);
		vmptrld(fuzz_page(PAGE_REGION + current));
	} else if (was_moved || current != before) {
		vmptrld(fuzz_page(PAGE_REGION + current));
	}
	slots[current].entries++;
	return &slots[current].l2;
}

/* --- moves ------------------------------------------------------------------------------------ */

static bool is_address(unsigned ix)
{
	switch (ix) {
	case FIELD(IO_BITMAP_A):
	case FIELD(IO_BITMAP_B):
	case FIELD(MSR_BITMAP):
	case FIELD(VM_ENTRY_MSR_LOAD_ADDRESS):
	case FIELD(EXECUTIVE_VMCS_POINTER):
	case FIELD(PML_ADDRESS):
	case FIELD(VIRTUAL_APIC_ADDRESS):
	case FIELD(APIC_ACCESS_ADDRESS):
	case FIELD(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS):
	case FIELD(EPTP_LIST_ADDRESS):
	case FIELD(VMREAD_BITMAP_ADDRESS):
	case FIELD(VMWRITE_BITMAP_ADDRESS):
	case FIELD(VE_INFORMATION_ADDRESS):
	case FIELD(VMCS_LINK_POINTER):
	case FIELD(EPT_POINTER):
		return true;
	default:
		return false;
	}
}

/* Pages whose contents decide what L2 can write, and what L1 runs with. */
static bool is_trusted_page(u64 address)
{
	return (address >= fuzz_page(PAGE_STORE_LIST) && address < fuzz_page(PAGE_CODE)) ||
	       (address >= fuzz_page(PAGE_EPT) && address < fuzz_page(FUZZ_PAGES));
}

/*
 * What would take the machine from L1, or stop Bochs: 64-bit mode without paging and a stack that
 * can't be written, which it enters (replay/errata.def), and code on the APIC-access page.
 */
static bool is_safe(unsigned ix, u64 value)
{
	const bool real = slots[current].base == BASE_REAL;

	switch (ix) {
	case FIELD(GUEST_CR0):
		return real || value & CR0_PAGING;
	case FIELD(VM_ENTRY_CONTROLS):
		return !real || !(value & ENTRY_IA32E_MODE_GUEST);
	case FIELD(GUEST_SS_ACCESS_RIGHTS):
		return value & SEGMENT_UNUSABLE || (value & SEGMENT_CODE_WRITE) == SEGMENT_WRITE;
	case FIELD(APIC_ACCESS_ADDRESS):
		return (value & ~MASK(11, 0)) != fuzz_page(PAGE_CODE);
	case FIELD(PML_ADDRESS):
	case FIELD(VE_INFORMATION_ADDRESS):
		return !is_trusted_page(value);
	case FIELD(HOST_RIP):
	case FIELD(HOST_RSP):
	case FIELD(HOST_TR_BASE):
	case FIELD(HOST_TR_SELECTOR):
	case FIELD(VM_EXIT_MSR_STORE_COUNT):
	case FIELD(VM_EXIT_MSR_LOAD_COUNT):
	case FIELD(VM_EXIT_MSR_STORE_ADDRESS):
	case FIELD(VM_EXIT_MSR_LOAD_ADDRESS):
	case FIELD(VMX_PREEMPTION_TIMER_VALUE):
		return false;
	case FIELD(GUEST_ACTIVITY_STATE):
		return value != ACTIVITY_SIPI;
	case FIELD(VM_ENTRY_INTERRUPTION_INFO):
		return !(value & VMX_EVENT_VALID) || vmx_event_type(value) != VMX_EVENT_OTHER;
	default:
		return true;
	}
}

bool fuzz_may_change(unsigned ix, u64 value)
{
	return is_writable(ix) && !is_address(ix) && is_safe(ix, value);
}

static u64 moved_value(unsigned ix, u64 old)
{
	if (ix == FIELD(EPT_POINTER))
		return fuzz_one_in(2) ? old ^ BIT(fuzz_below(12))
				      : (fuzz_gpa() & ~MASK(11, 0)) | FUZZ_EPTP;
	if (is_address(ix))
		return fuzz_gpa();
	if (ix == FIELD(VM_ENTRY_MSR_LOAD_COUNT))
		return fuzz_one_in(2)	? fuzz_below(8)
		       : fuzz_one_in(2) ? fuzz_below(1024)
					: fuzz_value();
	switch (fuzz_below(8)) {
	case 0:
		return old + 1;
	case 1:
		return old - 1;
	case 2:
		return fuzz_value();
	default:
		return old ^ BIT(fuzz_below(64));
	}
}

static void move(void)
{
	const unsigned ix = (unsigned)fuzz_below(VMCS_FIELD_COUNT);
	const bool plain = !has_ept(slots[current].base);
	const u64 width = vmcs_width_mask(vmcs_fields[ix].width);
	u64 old = 0, value, movable;

	if (!is_writable(ix) || vmread(vmcs_fields[ix].encoding, &old) != VMX_SUCCEED)
		return;
	value = moved_value(ix, old) & width;
	movable =
		is_address(ix) || ix == FIELD(VM_ENTRY_MSR_LOAD_COUNT) ? ~0ull : truth_movable(ix);
	/* Without EPT events would be delivered wherever L2's state says. */
	if (plain && vmcs_fields[ix].kind == VMCS_KIND_GUEST && ix != FIELD(GUEST_ACTIVITY_STATE))
		return;
	if (plain && (ix == FIELD(VM_ENTRY_INTERRUPTION_INFO) || ix == FIELD(EPT_POINTER)))
		return;
	if ((value ^ old) & ~movable || !is_safe(ix, value))
		return;
	write_field(ix, value);
	undo[undo_count++] = (struct truth_move){ .field = (u16)ix, .value = old };
}

static void undo_moves(bool exited)
{
	while (undo_count) {
		const struct truth_move *const m = &undo[--undo_count];

		if (!exited || vmcs_fields[m->field].kind != VMCS_KIND_GUEST)
			write_field(m->field, m->value);
	}
}

/* --- steps ------------------------------------------------------------------------------------ */

static u64 time_of_l2(void)
{
	if (!has_ept(slots[current].base))
		return 0;
	return fuzz_one_in(4) ? fuzz_below(400) : fuzz_below(2 * FIRST_TIME);
}

/* L2 starts anew, wherever the last exit left it. */
static void rewind(void)
{
	const struct truth_vmcs *const base = &truth_bases[slots[current].base];

	write_field(FIELD(GUEST_RIP), base->value[FIELD(GUEST_RIP)]);
	write_field(FIELD(GUEST_RSP), base->value[FIELD(GUEST_RSP)]);
	write_field(FIELD(GUEST_RFLAGS), base->value[FIELD(GUEST_RFLAGS)]);
	write_field(FIELD(GUEST_INTERRUPTIBILITY_STATE), 0);
	write_field(FIELD(GUEST_ACTIVITY_STATE), 0);
	write_field(FIELD(VMX_PREEMPTION_TIMER_VALUE), time_of_l2());
}

static void count_exit(enum vmx_outcome outcome, u64 reason)
{
	counts.entries++;
	if (outcome != VMX_SUCCEED)
		return;
	if (reason & EXIT_REASON_ENTRY_FAILURE)
		counts.failed_late++;
	else
		counts.entered++;
	if ((reason & EXIT_REASON_BASIC) < EXIT_REASON_COUNT)
		counts.reasons[reason & EXIT_REASON_BASIC]++;
}

/* Seldom as long as the processor allows. */
static void set_exit_lists(void)
{
	const unsigned entries = fuzz_one_in(8) ? FUZZ_LIST_ENTRIES : 16;

	fuzz_lists_build(entries);
	write_field(FIELD(VM_EXIT_MSR_STORE_COUNT), fuzz_below(entries + 1));
	write_field(FIELD(VM_EXIT_MSR_LOAD_COUNT), fuzz_below(entries + 1));
	slots[current].fresh = false;
}

static void entry_step(void)
{
	struct l2 *const l2 = choose();
	const bool launched = l2->launched;
	enum vmx_outcome outcome;
	u64 reason = 0;
	bool exited;

	if (l2->launched)
		rewind();
	if (!fuzz_one_in(5))
		for (unsigned i = 1 + (unsigned)fuzz_below(3); i; i--)
			move();
	if (fuzz_one_in(3))
		fuzz_poke_at_random();
	if (fuzz_one_in(32))
		set_exit_lists();
	fuzz_l2_code(&l2->regs);
	if (fuzz_one_in(24))
		l2->launched = !launched;
	/* HOST_RSP may be anything: guest_switch() writes it where it was not so before. */
	l2->regs.host_rsp = 0;
	outcome = l2_enter(l2);
	if (outcome == VMX_SUCCEED)
		vmread(VMCS_EXIT_REASON, &reason);
	exited = outcome == VMX_SUCCEED && !(reason & EXIT_REASON_ENTRY_FAILURE);
	l2->launched = launched || exited;
	fuzz_cpu_restore();
	count_exit(outcome, reason);
	undo_moves(exited);
	fuzz_unpoke();
}

/* Contents of regions that no one wrote by VMWRITE, where a recorder below keeps L1 alive. */
static void region_step(void)
{
	const unsigned slot = (unsigned)fuzz_below(REGIONS);
	u8 *const region = fuzz_at(PAGE_REGION + slot);

	if (moved)
		regain();
	vmclear(physical(region));
	region[fuzz_one_in(4) ? fuzz_below(16) : fuzz_below(PAGE_SIZE)] ^= (u8)BIT(fuzz_below(8));
	vmptrld(physical(region));
	if (fuzz_one_in(2))
		region[fuzz_below(PAGE_SIZE)] ^= (u8)BIT(fuzz_below(8));
	slots[slot].fresh = false;
	moved = true;
}

static void step(void)
{
	switch (fuzz_below(16)) {
	case 0:
		counts.others++;
		fuzz_machine_insn();
		break;
	case 1:
		if (fuzz_one_in(4) && guest_is_recorded()) {
			region_step();
			break;
		}
		/* fall through */
	case 2:
	case 3:
	case 4:
	case 5:
		counts.insns++;
		if (fuzz_vmx_insn())
			moved = true;
		fuzz_unpoke();
		break;
	default:
		entry_step();
		break;
	}
}

/* --- all of it -------------------------------------------------------------------------------- */

static void print_counts(void)
{
	guest_print(
		"entries: %lu, of which L2 ran in %lu, %lu failed with an exit; VMX instructions: "
		"%lu; others: %lu\n",
		counts.entries, counts.entered, counts.failed_late, counts.insns, counts.others);
	for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
		if (counts.reasons[i])
			guest_print("exit %s: %lu\n", vmx_exit_name(i), counts.reasons[i]);
}

/* L2 may have changed how long a character is. */
static void restore_serial(void)
{
	outb(COM1_LINE_CONTROL, EIGHT_BITS);
}

/* Nothing, unless Bochs was told to stop at it; INVD, so that a hypervisor below runs next. */
static void magic_break(void)
{
	__asm__ volatile("xchg %%bx, %%bx; invd" : : : "memory");
}

void guest_main(void)
{
	const u64 seed = guest_option_number("seed", 1), from = guest_option_number("from", 0);
	const u64 steps = guest_option_number("steps", STEPS);
	const u64 stop = guest_option_number("stop", steps);

	guest_vmx_init();
	fuzz_cpu_keep();
	fuzz_random_begin(seed, from);
	fuzz_arena_build();
	guest_vmx_on();
	make_bases();
	make_images();
	guest_vmx_off();
	moved = true;
	second = fuzz_second_begin(seed);
	for (u64 n = from; n < from + steps; n++) {
		fuzz_random_begin(seed, n);
		if (n % TOLD == 0 || n == from) {
			restore_serial();
			guest_print("step %lu\n", n);
		}
		if ((n - from) % stop == 0)
			magic_break();
		if (n % REBUILD == 0)
			fuzz_arena_build();
		step();
	}
	if (second)
		fuzz_second_end();
	restore_serial();
	print_counts();
	magic_break();
	guest_print("fuzz: seed %lu, steps %lu to %lu done\n", seed, from, from + steps - 1);
}
