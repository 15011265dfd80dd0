/*
 * hv/exit_cpuid.c - CPUID as L1 sees it, and hv's own leaf
 */
#include "base/hv_leaf.h"
#include "hv/drain_port.h"
#include "hv/exit_l1.h"
#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/hv_options.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/processor.h"
#include "hv/record.h"
#include "hv/vmcs01.h"
#include "vmx/cpuid.h"
#include "vmx/tables.h"

#define EXTENDED_LEAVES	  0x80000000u

#define CPUID1_OSXSAVE	  BIT(27)
#define CPUID1_HYPERVISOR BIT(31)
#define CPUID7_OSPKE	  BIT(4)

/*
 * Leaves from 0 and from 80000000h, and of each so many subleaves, have a mask; others read as 0.
 */
#define LEAVES		  0x20
#define SUBLEAVES	  16

static u32 masks[2][LEAVES][SUBLEAVES][CPUID_REG_COUNT];

void l1_cpuid_init(void)
{
	for (u32 leaf = 0; leaf < LEAVES; leaf++)
		for (u32 subleaf = 0; subleaf < SUBLEAVES; subleaf++)
			for (unsigned reg = 0; reg < CPUID_REG_COUNT; reg++) {
				masks[0][leaf][subleaf][reg] =
					vmx_cpuid_mask(processor_caps(), leaf, subleaf, reg);
				masks[1][leaf][subleaf][reg] = vmx_cpuid_mask(
					processor_caps(), leaf | EXTENDED_LEAVES, subleaf, reg);
			}
}

/* Subleaves beyond the last with a mask of its own are alike. */
static const u32 *mask_of(u32 leaf, u32 subleaf)
{
	static const u32 hidden[CPUID_REG_COUNT];

	if ((leaf & ~EXTENDED_LEAVES) >= LEAVES)
		return hidden;
	return masks[leaf >> 31][leaf & ~EXTENDED_LEAVES][MIN(subleaf, SUBLEAVES - 1)];
}

struct cpuid_result l1_cpuid(u32 leaf, u32 subleaf, u64 cr4)
{
	struct cpuid_result r = cpuid(leaf, subleaf);
	const u32 *mask = mask_of(leaf, subleaf);

	r.eax &= mask[CPUID_EAX];
	r.ebx &= mask[CPUID_EBX];
	r.ecx &= mask[CPUID_ECX];
	r.edx &= mask[CPUID_EDX];
	if (leaf == 1) {
		/* These bits mirror CR4, and the one that CPUID saw is hv's. */
		r.ecx &= ~(u32)CPUID1_OSXSAVE;
		if (cr4 & CR4_OSXSAVE)
			r.ecx |= CPUID1_OSXSAVE;
		if (options.hypervisor_bit)
			r.ecx |= (u32)CPUID1_HYPERVISOR;
	} else if (leaf == 7 && subleaf == 0) {
		r.ecx &= ~(u32)CPUID7_OSPKE;
		if (cr4 & CR4_PKE)
			r.ecx |= CPUID7_OSPKE;
	}
	return r;
}

static void mark(struct percpu *cpu)
{
	const u64 text[4] = { cpu->regs[REG_RBX], cpu->regs[REG_RDX], cpu->regs[REG_RSI],
			      cpu->regs[REG_RDI] };
	u32 length = 0;

	while (length < HV_MARK_MAX && ((const u8 *)text)[length])
		length++;
	fault_choose_by_mark(text, length);
	record_mark(cpu, text, length);
}

static u32 send_file(struct percpu *cpu)
{
	const u64 linear = cpu->regs[REG_RBX];
	const u32 length = MIN((u32)cpu->regs[REG_RDX], (u32)(PAGE_SIZE - linear % PAGE_SIZE));
	struct guest_fault fault;
	const void *bytes;
	u64 gpa1;

	if (exit_level(cpu) != 1 || !length ||
	    guest_translate(cpu, linear, GUEST_READ, &gpa1, &fault) != ST_OK)
		return 0;
	bytes = guest_ram(gpa1, length);
	if (!bytes)
		return 0;
	record_file(cpu, cpu->regs[REG_RSI], cpu->regs[REG_RDI], bytes, length);
	return length;
}

static u32 give_tape(struct percpu *cpu)
{
	const u64 linear = cpu->regs[REG_RBX];
	struct guest_fault fault;
	size_t size;
	u64 gpa1;

	if (exit_level(cpu) != 1 || options.drain != DRAIN_L1 || linear % PAGE_SIZE ||
	    guest_translate(cpu, linear, GUEST_WRITE, &gpa1, &fault) != ST_OK ||
	    !guest_ram(gpa1, DRAIN_FRAME_MAX))
		return HV_TAPE_REFUSED;
	if (cpu->regs[REG_RDX] == HV_TAPE_ALL)
		record_hurry(cpu);
	size = drain_take(cpu->drain_payload);
	if (!size && record_push(cpu))
		size = drain_take(cpu->drain_payload);
	guest_write_gpa(gpa1, cpu->drain_payload, size);
	return (u32)size;
}

enum exit_action l1_handle_cpuid(struct percpu *cpu)
{
	const u32 leaf = (u32)cpu->regs[REG_RAX], subleaf = (u32)cpu->regs[REG_RCX];
	struct cpuid_result r;

	if (leaf == HV_LEAF && subleaf == HV_MARK) {
		mark(cpu);
		return EXIT_SKIP;
	}
	if (leaf == HV_LEAF && subleaf == HV_FILE) {
		cpu->regs[REG_RAX] = send_file(cpu);
		return EXIT_SKIP;
	}
	if (leaf == HV_LEAF && subleaf == HV_TAPE) {
		cpu->regs[REG_RAX] = give_tape(cpu);
		return EXIT_SKIP;
	}
	if (leaf == HV_LEAF && subleaf == HV_DETECT)
		r = (struct cpuid_result){ HV_LEAF, HV_PRESENT, 0, 0 };
	else
		r = l1_cpuid(leaf, subleaf, vmread(VMCS_GUEST_CR4));
	cpu->regs[REG_RAX] = r.eax;
	cpu->regs[REG_RBX] = r.ebx;
	cpu->regs[REG_RCX] = r.ecx;
	cpu->regs[REG_RDX] = r.edx;
	return EXIT_SKIP;
}
