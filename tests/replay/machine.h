/*
 * tests/replay/machine.h - a VMCS and a processor with which each check of VM entry passes
 */
#ifndef TESTS_REPLAY_MACHINE_H
#define TESTS_REPLAY_MACHINE_H

#include "tests/test.h"
#include "replay/check_table.h"
#include "trace/event.h"

#define FIELD_(NAME) VMCS_IX_##NAME

#define REVISION     0x2bull

struct machine {
	struct check_input input;
	struct vmx_caps caps;
	struct cpu_facts cpu;
	u64 value[VMCS_FIELD_COUNT];
	u64 known[VMCS_FIELD_COUNT];
	struct {
		u64 gpa;
		u64 value;
		unsigned int size;
	} memory[16];
	unsigned int memory_count;
	bool forgot_memory;
};

static const u64 good_caps[VMX_CAP_COUNT] = {
	[VMX_CAP_BASIC] = REVISION | 0x1000ull << 32 | 6ull << 50 | BIT(54) | CAP_TRUE_CTLS,
	[VMX_CAP_PINBASED_CTLS] = 0x000000ff00000016,
	[VMX_CAP_PROCBASED_CTLS] = 0xffffffff0401e172,
	[VMX_CAP_EXIT_CTLS] = 0xffffffff00036dff,
	[VMX_CAP_ENTRY_CTLS] = 0x03ffffff000011ff,
	[VMX_CAP_MISC] = 5 | BIT(5) | MASK(8, 6) | 4ull << 16,
	[VMX_CAP_CR0_FIXED0] = 0x80000021,
	[VMX_CAP_CR0_FIXED1] = 0xffffffff,
	[VMX_CAP_CR4_FIXED0] = 0x2000,
	[VMX_CAP_CR4_FIXED1] = 0x113ff7fff,
	[VMX_CAP_VMCS_ENUM] = 0x60,
	[VMX_CAP_PROCBASED_CTLS2] = 0xffffffff00000000,
	[VMX_CAP_EPT_VPID_CAP] = 0x00000f0106b34141,
	[VMX_CAP_TRUE_PINBASED_CTLS] = 0x000000ff00000016,
	[VMX_CAP_TRUE_PROCBASED_CTLS] = 0xffffffff04006172,
	[VMX_CAP_TRUE_EXIT_CTLS] = 0xffffffff00036dfb,
	[VMX_CAP_TRUE_ENTRY_CTLS] = 0x03ffffff000011fb,
	[VMX_CAP_VMFUNC] = 1,
	[VMX_CAP_PROCBASED_CTLS3] = 0x13ff,
	[VMX_CAP_EXIT_CTLS2] = 0xf,
};

/* A 64-bit guest of a 64-bit host. Fields that are not here are 0. */
static const struct {
	u16 field;
	u64 value;
} good_fields[] = {
	{ FIELD_(PIN_BASED_CONTROLS), 0x16 },
	{ FIELD_(PRIMARY_PROC_BASED_CONTROLS), 0x04006172 | PRIMARY_SECONDARY_CONTROLS },
	{ FIELD_(SECONDARY_PROC_BASED_CONTROLS), SECONDARY_EPT | SECONDARY_VPID },
	{ FIELD_(VM_EXIT_CONTROLS), 0x36dfb | EXIT_HOST_ADDRESS_SPACE_SIZE },
	{ FIELD_(VM_ENTRY_CONTROLS), 0x11fb | ENTRY_IA32E_MODE_GUEST },
	{ FIELD_(VPID), 1 },
	{ FIELD_(EPT_POINTER), 0x101e },
	{ FIELD_(VMCS_LINK_POINTER), ~0ull },
	{ FIELD_(HOST_CR0), 0x80050033 },
	{ FIELD_(HOST_CR3), 0x1000 },
	{ FIELD_(HOST_CR4), 0x20a0 },
	{ FIELD_(HOST_CS_SELECTOR), 0x10 },
	{ FIELD_(HOST_SS_SELECTOR), 0x18 },
	{ FIELD_(HOST_TR_SELECTOR), 0x40 },
	{ FIELD_(HOST_GS_BASE), 0xffff888000000000 },
	{ FIELD_(HOST_TR_BASE), 0xfffffe0000003000 },
	{ FIELD_(HOST_GDTR_BASE), 0xfffffe0000001000 },
	{ FIELD_(HOST_IDTR_BASE), 0xfffffe0000000000 },
	{ FIELD_(HOST_RIP), 0xffffffff81000000 },
	{ FIELD_(GUEST_CR0), 0x80050033 },
	{ FIELD_(GUEST_CR3), 0x2000 },
	{ FIELD_(GUEST_CR4), 0x20a0 },
	{ FIELD_(GUEST_DR7), 0x400 },
	{ FIELD_(GUEST_RFLAGS), 0x2 },
	{ FIELD_(GUEST_RIP), 0x400000 },
	{ FIELD_(GUEST_CS_SELECTOR), 0x10 },
	{ FIELD_(GUEST_CS_LIMIT), 0xffffffff },
	{ FIELD_(GUEST_CS_ACCESS_RIGHTS), 0xa09b },
	{ FIELD_(GUEST_SS_SELECTOR), 0x18 },
	{ FIELD_(GUEST_SS_LIMIT), 0xffffffff },
	{ FIELD_(GUEST_SS_ACCESS_RIGHTS), 0xc093 },
	{ FIELD_(GUEST_ES_ACCESS_RIGHTS), 0x10000 },
	{ FIELD_(GUEST_DS_ACCESS_RIGHTS), 0x10000 },
	{ FIELD_(GUEST_FS_ACCESS_RIGHTS), 0x10000 },
	{ FIELD_(GUEST_GS_ACCESS_RIGHTS), 0x10000 },
	{ FIELD_(GUEST_LDTR_ACCESS_RIGHTS), 0x10000 },
	{ FIELD_(GUEST_TR_SELECTOR), 0x40 },
	{ FIELD_(GUEST_TR_LIMIT), 0x67 },
	{ FIELD_(GUEST_TR_ACCESS_RIGHTS), 0x8b },
	{ FIELD_(GUEST_GDTR_LIMIT), 0x7f },
	{ FIELD_(GUEST_IDTR_LIMIT), 0xfff },
};

static const u8 good_features[] = {
	CPU_FEATURE_SYSCALL, CPU_FEATURE_NX,   CPU_FEATURE_LM,	 CPU_FEATURE_CET_SS,
	CPU_FEATURE_CET_IBT, CPU_FEATURE_IBRS, CPU_FEATURE_SSBD, CPU_FEATURE_RDTSCP,
};

static struct word machine_memory(void *context, u64 gpa, unsigned int size)
{
	const struct machine *m = context;

	for (unsigned int i = 0; i < m->memory_count && !m->forgot_memory; i++)
		if (m->memory[i].gpa == gpa && m->memory[i].size == size)
			return word_of(m->memory[i].value);
	return (struct word){ 0 };
}

/* @m stays where it is: its input points into it. */
static void machine_init(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	memset(m->known, 0xff, sizeof(m->known));
	for (size_t i = 0; i < ARRAY_SIZE(good_fields); i++)
		m->value[good_fields[i].field] = good_fields[i].value;
	for (u32 n = 0; n < VMX_CAP_COUNT; n++)
		vmx_caps_set(&m->caps, MSR_VMX_BASIC + n, good_caps[n]);
	m->caps.maxphyaddr = 40;
	m->caps.linear_width = 48;
	m->cpu.features.known = ~0ull;
	for (size_t i = 0; i < ARRAY_SIZE(good_features); i++)
		m->cpu.features.value |= BIT(good_features[i]);
	m->cpu.counters = word_of(MASK(34, 32) | MASK(3, 0));
	m->input = (struct check_input){
		.caps = &m->caps,
		.cpu = &m->cpu,
		.value = m->value,
		.known = m->known,
		.state = { [CHECK_STATE_CURRENT] = word_of(0x5000),
			   [CHECK_STATE_REVISION] = word_of(REVISION),
			   [CHECK_STATE_LAUNCH] = word_of(0),
			   [CHECK_STATE_MODE] =
				   word_of(BIT(MODE_PE) | BIT(MODE_LMA) | BIT(MODE_CS_L) |
					   BIT(MODE_VMXE) | BIT(MODE_VMX_ROOT) | BIT(MODE_PG)),
			   [CHECK_STATE_CR3] = word_of(0x1000),
			   [CHECK_STATE_CR4] = word_of(0x20a0),
			   [CHECK_STATE_RTIT_CTL] = word_of(0) },
		.memory = machine_memory,
		.context = m,
	};
}

#endif
