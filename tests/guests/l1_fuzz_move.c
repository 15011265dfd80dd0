/*
 * tests/guests/l1_fuzz_move.c - fields of a good VMCS that are moved by a bit or a step, for one
 * entry
 */
#include "tests/guests/l1_fuzz.h"

#define ACTIVITY_SIPI	   3
#define SEGMENT_UNUSABLE   BIT(16)
#define SEGMENT_WRITE	   BIT(1)
#define SEGMENT_CODE_WRITE (BIT(3) | SEGMENT_WRITE)
#define CR0_PAGING	   BIT(31)
#define MOVES		   4
#define FIELD(NAME)	   VMCS_IX_##NAME

static struct truth_move undo[MOVES];
static unsigned undo_count;

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
 * In real mode L2 also runs what nobody wrote for it, and may find an OUT there: it has only ports
 * that neither end the machine nor stop Bochs, of which port 20h is one that does.
 */
static bool holds_ports(unsigned ix, u64 value)
{
	const u64 page = fuzz_page(PAGE_IO_BITMAP);

	if (ix == FIELD(PRIMARY_PROC_BASED_CONTROLS))
		return value & (PRIMARY_IO_BITMAPS | PRIMARY_UNCONDITIONAL_IO_EXITING);
	/* What is not aligned is refused, what is not memory of L1's reads as ones. */
	return value & MASK(11, 0) || value == page || value == page + PAGE_SIZE ||
	       value >= fuzz_memory_end();
}

/*
 * What would take the machine from L1, or stop Bochs: 64-bit mode without paging and a stack that
 * can't be written, which it enters (replay/errata.def), and code on the APIC-access page. In real
 * mode MOV SS makes a stack usable without a look at its type.
 */
static bool is_safe(unsigned ix, u64 value)
{
	const bool real = fuzz_current()->base == BASE_REAL;

	switch (ix) {
	case FIELD(GUEST_CR0):
		return real || value & CR0_PAGING;
	case FIELD(PRIMARY_PROC_BASED_CONTROLS):
	case FIELD(IO_BITMAP_A):
	case FIELD(IO_BITMAP_B):
		return !real || holds_ports(ix, value);
	case FIELD(VM_ENTRY_CONTROLS):
		return !real || !(value & ENTRY_IA32E_MODE_GUEST);
	case FIELD(GUEST_SS_ACCESS_RIGHTS):
		return value & SEGMENT_UNUSABLE ? !real
						: (value & SEGMENT_CODE_WRITE) == SEGMENT_WRITE;
	case FIELD(APIC_ACCESS_ADDRESS):
		return (value & ~MASK(11, 0)) != fuzz_page(PAGE_CODE);
	case FIELD(PML_ADDRESS):
	case FIELD(VE_INFORMATION_ADDRESS):
	case FIELD(VIRTUAL_APIC_ADDRESS):
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
	return fuzz_is_writable(ix) && !is_address(ix) && is_safe(ix, value);
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

void fuzz_move(void)
{
	const unsigned ix = (unsigned)fuzz_below(VMCS_FIELD_COUNT);
	const bool plain = !fuzz_has_ept(fuzz_current()->base);
	const u64 width = vmcs_width_mask(vmcs_fields[ix].width);
	u64 old = 0, value, movable;

	if (!fuzz_is_writable(ix) || vmread(vmcs_fields[ix].encoding, &old) != VMX_SUCCEED)
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
	fuzz_write_field(ix, value);
	undo[undo_count++] = (struct truth_move){ .field = (u16)ix, .value = old };
}

void fuzz_undo_moves(bool exited)
{
	while (undo_count) {
		const struct truth_move *const m = &undo[--undo_count];

		if (!exited || vmcs_fields[m->field].kind != VMCS_KIND_GUEST)
			fuzz_write_field(m->field, m->value);
	}
}
