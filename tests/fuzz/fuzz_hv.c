/*
 * tests/fuzz/fuzz_hv.c - hv's handlers on the processor made of arrays, driven by bytes
 *
 * The bytes say what L1 and L2 do: registers, memory, fields of VMCS12 and of the VMCS that is
 * current, and exits with any reason and information. hv may end the tape, as it does when L1 does
 * what it does not support, but must not panic.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/hv/nested_play.h"

#define MAX_STEPS 256

struct source {
	const u8 *at, *end;
};

static u64 take(struct source *from, unsigned bytes)
{
	u64 value = 0;

	for (unsigned i = 0; i < bytes && from->at < from->end; i++)
		value |= (u64)*from->at++ << 8 * i;
	return value;
}

/* A place in memory that means something, or any. */
static u64 take_address(struct source *from)
{
	static const u64 places[] = {
		PLAY_VMXON,
		PLAY_VMCS,
		PLAY_VMCS2,
		PLAY_OPERAND,
		PLAY_TABLES,
		PLAY_EPT12,
		PLAY_EPT12 + 4096,
		PLAY_EPT12 + 8192,
		PLAY_PAGE,
		PLAY_PAGE + 4096,
		0,
		0xfee00000,
		PLAY_MEMORY,
		PLAY_MEMORY - STUB_HV_SIZE,
		BIT(STUB_PHYS_WIDTH) - 4096,
		BIT(STUB_PHYS_WIDTH),
	};
	const u64 how = take(from, 1);

	if (how & 0x80)
		return take(from, 8);
	return places[how % ARRAY_SIZE(places)] + (how & 0x40 ? take(from, 2) & 0xfff : 0);
}

static u64 take_value(struct source *from)
{
	const u64 how = take(from, 1);

	switch (how % 6) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return BIT(take(from, 1) % 64);
	case 3:
		return take_address(from);
	case 4:
		return take(from, 2);
	default:
		return take(from, 8);
	}
}

static u32 take_field(struct source *from)
{
	return vmcs_fields[take(from, 1) % VMCS_FIELD_COUNT].encoding;
}

/* Memory of L1: eight bytes where L1 has some. */
static void write_memory(struct source *from)
{
	const u64 at = take_address(from), value = take_value(from);

	if (at < PLAY_MEMORY - STUB_HV_SIZE - sizeof(value))
		memcpy(stub_at(at), &value, sizeof(value));
}

/*
 * An exit with what a processor can say of it: an event has a valid bit, a segment a number
 * below 6, an access to a port 1, 2 or 4 bytes.
 */
static void leave(struct source *from)
{
	const u32 reason = (u32)take(from, 1) % EXIT_REASON_COUNT;
	u64 info = take(from, 4), qualification;

	if (BITS(info, 17, 15) > 5)
		info &= ~MASK(17, 15);
	if (BITS(info, 9, 7) > 2)
		info &= ~BIT(8);
	stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, info);
	stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, take_address(from));
	stub_vmcs_set(VMCS_GUEST_PHYSICAL_ADDRESS, take_address(from) & MASK(51, 0));
	if (reason == EXIT_EXCEPTION_NMI)
		stub_vmcs_set(VMCS_VM_EXIT_INTERRUPTION_INFO, BIT(31) | 2 << 8 | 2);
	qualification = take_value(from);
	if (reason == EXIT_IO)
		qualification =
			(qualification & ~MASK(2, 0)) | (u64[]){ 0, 1, 3, 0 }[qualification & 3];
	stub_exit(cpu, reason, qualification);
}

static void do_step(struct source *from)
{
	static const u32 vmx[] = { EXIT_VMCALL,	 EXIT_VMCLEAR, EXIT_VMLAUNCH, EXIT_VMPTRLD,
				   EXIT_VMPTRST, EXIT_VMREAD,  EXIT_VMRESUME, EXIT_VMWRITE,
				   EXIT_VMXOFF,	 EXIT_VMXON,   EXIT_INVEPT,   EXIT_INVVPID };
	const u64 what = take(from, 1);

	switch (what % 8) {
	case 0:
		write_memory(from);
		break;
	case 1:
		cpu->regs[take(from, 1) % REG_COUNT] = take_value(from);
		break;
	case 2:
		if (cpu->nested.mode == NESTED_ROOT && cpu->nested.current)
			play_vmwrite(take_field(from), take_value(from));
		break;
	case 3: /* guest state as L1 or L2 may make it, with what VMX wants of CR0 and CR4 */
		stub_vmcs_set(VMCS_GUEST_RSP + 2 * (take(from, 1) % 3), take_value(from));
		break;
	case 4:
		cpu->regs[REG_RAX] = PLAY_OPERAND;
		play(vmx[take(from, 1) % ARRAY_SIZE(vmx)], info_at_rax(REG_RCX), 0);
		break;
	case 5:
		if (cpu->nested.mode == NESTED_ROOT && cpu->nested.current)
			play_enter(cpu->nested.current->launched ? EXIT_VMRESUME : EXIT_VMLAUNCH);
		break;
	case 6:
		if (cpu->nested.mode == NESTED_L2 && what & 0x80)
			exit_entry_failed(cpu, what & 0x40 ? BIT(6) : BIT(0));
		else if (cpu->nested.mode == NESTED_L2)
			stub_exit(cpu, EXIT_INVALID_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE,
				  0);
		break;
	default:
		leave(from);
		break;
	}
}

static void do_steps(struct source *from)
{
	for (unsigned i = 0; i < MAX_STEPS && from->at < from->end; i++)
		do_step(from);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 vector_registers[512] __attribute__((aligned(16)));
	struct source from = { data, data + size };

	if (take(&from, 1) & 1)
		play_good_ept_vmcs(NULL);
	else
		play_good_vmcs(NULL);
	cpu->fxsave = vector_registers;
	if (stub_stops(do_steps(&from)) && stub_said("panic at")) {
		fprintf(stderr, "%s\n", strstr(stub_cpu.text, "panic at"));
		abort();
	}
	return 0;
}
