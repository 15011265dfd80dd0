/*
 * replay/exit_info.c - the VM-exit information fields
 */
#include "replay/exit_predicate.h"
#include "vmx/qual.h"

#define BUS_LOCK    BIT(26)
#define BUSY_SHADOW BIT(25)

#define VECTOR_DB   1
#define VECTOR_NMI  2
#define VECTOR_PF   14

#define CR0_PE	    BIT(0)

/* What reasons have in common, where their number alone tells it. */
#define HAS(reason) BIT((reason)-64 * ((reason) / 64))
static bool is_in(const u64 set[2], unsigned int reason)
{
	return reason < 128 && set[reason / 64] >> (reason % 64) & 1;
}

bool exit_is_instruction(unsigned int reason)
{
	static const u64 instructions[2] = {
		HAS(EXIT_CPUID) | HAS(EXIT_GETSEC) | HAS(EXIT_HLT) | HAS(EXIT_INVD) |
			HAS(EXIT_INVLPG) | HAS(EXIT_RDPMC) | HAS(EXIT_RDTSC) | HAS(EXIT_RSM) |
			HAS(EXIT_VMCALL) | HAS(EXIT_VMCLEAR) | HAS(EXIT_VMLAUNCH) |
			HAS(EXIT_VMPTRLD) | HAS(EXIT_VMPTRST) | HAS(EXIT_VMREAD) |
			HAS(EXIT_VMRESUME) | HAS(EXIT_VMWRITE) | HAS(EXIT_VMXOFF) |
			HAS(EXIT_VMXON) | HAS(EXIT_CR_ACCESS) | HAS(EXIT_DR_ACCESS) | HAS(EXIT_IO) |
			HAS(EXIT_RDMSR) | HAS(EXIT_WRMSR) | HAS(EXIT_MWAIT) | HAS(EXIT_MONITOR) |
			HAS(EXIT_PAUSE) | HAS(EXIT_GDTR_IDTR) | HAS(EXIT_LDTR_TR) |
			HAS(EXIT_INVEPT) | HAS(EXIT_RDTSCP) | HAS(EXIT_INVVPID) | HAS(EXIT_WBINVD) |
			HAS(EXIT_XSETBV) | HAS(EXIT_RDRAND) | HAS(EXIT_INVPCID) | HAS(EXIT_VMFUNC) |
			HAS(EXIT_ENCLS) | HAS(EXIT_RDSEED) | HAS(EXIT_XSAVES),
		HAS(EXIT_XRSTORS) | HAS(EXIT_PCONFIG) | HAS(EXIT_UMWAIT) | HAS(EXIT_TPAUSE) |
			HAS(EXIT_LOADIWKEY) | HAS(EXIT_ENCLV) | HAS(EXIT_ENQCMD_PASID) |
			HAS(EXIT_ENQCMDS_PASID) | HAS(EXIT_RDMSRLIST) | HAS(EXIT_WRMSRLIST) |
			HAS(EXIT_URDMSR) | HAS(EXIT_UWRMSR) | HAS(EXIT_RDMSR_IMMEDIATE) |
			HAS(EXIT_WRMSRNS_IMMEDIATE),
	};

	return is_in(instructions, reason);
}

/* --- Reason ----------------------------------------------------------------------------------- */

EXIT_PREDICATE(REASON_DEFINED)
{
	const unsigned int reason = exit_reason(x);

	return tri_of(vmx_exit_by_reason(reason) && reason != EXIT_INVALID_GUEST_STATE &&
		      reason != EXIT_MSR_LOADING && reason != EXIT_ENTRY_MACHINE_CHECK);
}

EXIT_PREDICATE(REASON_FLAGS)
{
	const u64 reason = x->at->reason;
	enum tri holds = tri_of(!(reason & (MASK(30, 28) | MASK(24, 16))));

	exit_reads(x, EXIT_WHAT_REASON);
	if (reason & BUSY_SHADOW)
		holds = tri_and(holds, exit_control(x, CTL(EXIT2, BUSY_SHADOW_STACK)));
	if (reason & BUS_LOCK)
		holds = tri_and(holds, exit_control(x, CTL(SECONDARY, BUS_LOCK_DETECTION)));
	return holds;
}

/* --- Qualification ---------------------------------------------------------------------------- */

static const u8 qualification_kinds[] = {
#define QUALIFICATION(NAME, KIND, title) [VMX_QUAL_##NAME] = VMX_VALUE_##KIND,
#include "vmx/qualifications.def"
#undef QUALIFICATION
};

static u64 parts_of(enum vmx_value_kind kind)
{
	const struct vmx_part *parts;
	const size_t count = vmx_parts(kind, &parts);
	u64 mask = 0;

	for (size_t i = 0; i < count; i++)
		mask |= vmx_part_mask(&parts[i]);
	return mask;
}

/*
 * The bits that are defined, as far as the reason and the event tell; all where that is a number.
 */
static struct word defined_bits(struct exit_checking *x, const struct vmx_exit *row)
{
	struct word info;

	if (row->qualification == VMX_QUAL_NONE)
		return word_of(0);
	if (row->qualification != VMX_QUAL_EXCEPTION) {
		const u64 mask =
			parts_of((enum vmx_value_kind)qualification_kinds[row->qualification]);

		return word_of(mask ? mask : ~0ull);
	}
	info = exit_after(x, F(VM_EXIT_INTERRUPTION_INFO));
	if (!word_is_known(info))
		return (struct word){ 0 };
	switch (BITS(info.value, 7, 0)) {
	case VECTOR_DB:
		return word_of(parts_of(VMX_VALUE_QUAL_DEBUG));
	case VECTOR_NMI:
	case VECTOR_PF:
		return word_of(~0ull);
	default:
		return word_of(0);
	}
}

EXIT_PREDICATE(QUALIFICATION_RESERVED)
{
	const struct vmx_exit *const row = vmx_exit_by_reason(exit_reason(x));
	const struct word qualification = exit_after(x, F(EXIT_QUALIFICATION));
	struct word may;

	if (!row)
		return exit_skip(x);
	may = defined_bits(x, row);
	return exit_must(x, word_within(qualification, may), F(EXIT_QUALIFICATION), ~may.value, 0);
}

/* --- The event that exits --------------------------------------------------------------------- */

EXIT_PREDICATE(EVENT_VALID)
{
	const unsigned int reason = exit_reason(x), field = F(VM_EXIT_INTERRUPTION_INFO);
	const enum tri valid = word_any(exit_after(x, field), VMX_EVENT_VALID);
	enum tri wanted = tri_of(reason == EXIT_EXCEPTION_NMI);

	if (reason == EXIT_EXTERNAL_INTERRUPT)
		wanted = exit_control(x, CTL(EXIT, ACKNOWLEDGE_INTERRUPT));
	return exit_must(x, tri_same(valid, wanted), field, VMX_EVENT_VALID,
			 wanted == TRI_YES ? VMX_EVENT_VALID : 0);
}

static bool has_error_code(unsigned int vector)
{
	const u64 vectors = BIT(8) | MASK(14, 10) | BIT(17) | BIT(21);

	return vector < 64 && vectors >> vector & 1;
}

/* Whether vector and type of @info go together. */
static bool is_event(u64 info)
{
	const unsigned int vector = (unsigned int)BITS(info, 7, 0);

	switch (vmx_event_type(info)) {
	case VMX_EVENT_EXTERNAL_INTERRUPT:
	case VMX_EVENT_SOFTWARE_INTERRUPT:
		return true;
	case VMX_EVENT_NMI:
		return vector == VECTOR_NMI;
	case VMX_EVENT_HARDWARE_EXCEPTION:
		return vector < 32 && vector != VECTOR_NMI;
	case VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION:
		return vector == VECTOR_DB;
	case VMX_EVENT_SOFTWARE_EXCEPTION:
		return vector == 3 || vector == 4;
	default:
		return false;
	}
}

/* Valid, and which bits of @field are known enough to look at; skips what is not. */
static bool valid_event(struct exit_checking *x, unsigned int field, u64 *info, enum tri *holds)
{
	const struct word word = exit_after(x, field);
	const enum tri valid = word_any(word, VMX_EVENT_VALID);

	*info = word.value;
	*holds = TRI_MAYBE;
	if (valid == TRI_NO)
		*holds = exit_skip(x);
	return valid == TRI_YES && word_is_known(word);
}

EXIT_PREDICATE(EVENT_FORMAT)
{
	const unsigned int reason = exit_reason(x), field = F(VM_EXIT_INTERRUPTION_INFO);
	enum tri holds;
	u64 info;

	if (!valid_event(x, field, &info, &holds))
		return holds;
	/* What is delivered from outside exits for another reason than what the guest does. */
	if (reason == EXIT_EXTERNAL_INTERRUPT)
		holds = tri_of(vmx_event_type(info) == VMX_EVENT_EXTERNAL_INTERRUPT);
	else
		holds = tri_of(is_event(info) &&
			       vmx_event_type(info) != VMX_EVENT_EXTERNAL_INTERRUPT &&
			       vmx_event_type(info) != VMX_EVENT_SOFTWARE_INTERRUPT);
	return exit_must(x, tri_and(holds, tri_of(!(info & MASK(30, 14)))), field, 0, 0);
}

/* An error code goes with hardware exceptions that have one; in real mode there is none. */
static enum tri error_code_fits(struct exit_checking *x, u64 info, unsigned int field, bool exactly)
{
	const bool there = info & VMX_EVENT_ERROR_CODE;
	const bool may = vmx_event_type(info) == VMX_EVENT_HARDWARE_EXCEPTION &&
			 has_error_code((unsigned int)BITS(info, 7, 0));
	const enum tri protected_mode = word_any(exit_after(x, F(GUEST_CR0)), CR0_PE);
	const enum tri wanted = tri_and(tri_of(may), protected_mode);

	return exit_must(
		x, exactly ? tri_same(tri_of(there), wanted) : tri_implies(tri_of(there), wanted),
		field, VMX_EVENT_ERROR_CODE, wanted == TRI_YES ? (u64)VMX_EVENT_ERROR_CODE : 0);
}

EXIT_PREDICATE(EVENT_ERROR_CODE)
{
	const unsigned int reason = exit_reason(x), field = F(VM_EXIT_INTERRUPTION_INFO);
	enum tri holds;
	u64 info;

	if (!valid_event(x, field, &info, &holds))
		return holds;
	return error_code_fits(x, info, field, reason == EXIT_EXCEPTION_NMI);
}

/* --- The event that was being delivered ------------------------------------------------------- */

EXIT_PREDICATE(ORIGINAL_EVENT_VALID)
{
	static const u64 deliverable[2] = {
		HAS(EXIT_EXCEPTION_NMI) | HAS(EXIT_TRIPLE_FAULT) | HAS(EXIT_TASK_SWITCH) |
			HAS(EXIT_APIC_ACCESS) | HAS(EXIT_EPT_VIOLATION) |
			HAS(EXIT_EPT_MISCONFIGURATION) | HAS(EXIT_APIC_WRITE) | HAS(EXIT_PML_FULL),
		HAS(EXIT_SPP) | HAS(EXIT_BUS_LOCK) | HAS(EXIT_INSTRUCTION_TIMEOUT),
	};
	const unsigned int reason = exit_reason(x);

	if (is_in(deliverable, reason))
		return exit_skip(x);
	return exit_bits_are(x, F(IDT_VECTORING_INFO), VMX_EVENT_VALID, 0);
}

EXIT_PREDICATE(ORIGINAL_EVENT_FORMAT)
{
	const unsigned int field = F(IDT_VECTORING_INFO);
	enum tri holds;
	u64 info;

	if (!valid_event(x, field, &info, &holds))
		return holds;
	return exit_must(x, tri_of(is_event(info) && !(info & (MASK(30, 14) | BIT(12)))), field, 0,
			 0);
}

EXIT_PREDICATE(ORIGINAL_EVENT_ERROR_CODE)
{
	enum tri holds;
	u64 info;

	if (!valid_event(x, F(IDT_VECTORING_INFO), &info, &holds))
		return holds;
	return error_code_fits(x, info, F(IDT_VECTORING_INFO), false);
}

/* --- The rest --------------------------------------------------------------------------------- */

EXIT_PREDICATE(INSTRUCTION_LENGTH)
{
	const unsigned int field = F(VM_EXIT_INSTRUCTION_LENGTH);
	const struct word length = exit_after(x, field);

	if (!exit_is_instruction(exit_reason(x)))
		return exit_skip(x);
	return exit_must(x, tri_and(tri_not(word_is(length, 0)), word_at_most(length, word_of(15))),
			 field, 0, 0);
}

EXIT_PREDICATE(GUEST_PHYSICAL_WIDTH)
{
	const unsigned int reason = exit_reason(x), field = F(GUEST_PHYSICAL_ADDRESS);
	const struct word may = cpu_physical_bits(x->at->caps, 0);

	exit_reads(x, EXIT_WHAT_CPU);
	if (reason != EXIT_EPT_VIOLATION && reason != EXIT_EPT_MISCONFIGURATION)
		return exit_skip(x);
	return exit_must(x, word_within(exit_after(x, field), may), field, ~may.value, 0);
}

EXIT_PREDICATE(ENTRY_EVENT_CONSUMED)
{
	return exit_bits_are(x, F(VM_ENTRY_INTERRUPTION_INFO), VMX_EVENT_VALID, 0);
}

/* Bits of a control or host-state field that an exit may change. */
static u64 may_change(unsigned int index)
{
	switch (index) {
	case F(VM_ENTRY_INTERRUPTION_INFO):
		return VMX_EVENT_VALID;
	case F(VM_ENTRY_CONTROLS):
		return ENTRY_IA32E_MODE_GUEST;
	case F(EPT_POINTER):
	case F(EPTP_INDEX):
		return ~0ull;
	default:
		return 0;
	}
}

EXIT_PREDICATE(CONTROLS_KEPT)
{
	enum tri holds = TRI_YES;

	exit_reads(x, EXIT_WHAT_ITEM_FIELD);
	if (!x->at->any_control)
		return TRI_YES;
	for (u32 i = 0; i < x->at->event->item_count && holds != TRI_NO; i++) {
		const u32 id = x->at->event->items[i].id;
		const int index = id < ITEM_REG ? vmcs_field_index(id) : -1;
		struct word before, after;
		u64 mask;

		if (index < 0 || (vmcs_fields[index].kind != VMCS_KIND_CONTROL &&
				  vmcs_fields[index].kind != VMCS_KIND_HOST))
			continue;
		mask = vmcs_width_mask(vmcs_fields[index].width) & ~may_change((unsigned)index);
		before = word_partly(x->at->value[index] & mask, x->at->known[index] | ~mask);
		after = word_of(x->at->event->items[i].value & mask);
		holds = tri_and(holds, exit_must(x, word_same(before, after), (unsigned)index, mask,
						 before.value));
	}
	return holds;
}

EXIT_PREDICATE(INSTRUCTION_ERROR_KEPT)
{
	return exit_keeps(x, F(VM_INSTRUCTION_ERROR), ~0ull);
}
