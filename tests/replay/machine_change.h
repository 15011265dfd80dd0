/*
 * tests/replay/machine_change.h - changes to the machine of tests/replay/machine.h, for tables
 */
#ifndef TESTS_REPLAY_MACHINE_CHANGE_H
#define TESTS_REPLAY_MACHINE_CHANGE_H

#include "tests/replay/machine.h"
#include "vmx/qual.h"

enum op { OP_NONE, OP_SET, OP_ON, OP_OFF, OP_FORGET, OP_MEMORY, OP_FEATURE, OP_WIDTH, OP_LINEAR };

struct change {
	u8 op;
	u16 what; /* enum check_what; for OP_MEMORY the size, for OP_FEATURE the feature */
	u64 a, b;
};

/* Fields by name, capability MSRs and state of L1 with what they are. */
#define SET(NAME, value)                       \
	{                                      \
		OP_SET, FIELD_(NAME), value, 0 \
	}
#define ON(NAME, bits)                       \
	{                                    \
		OP_ON, FIELD_(NAME), bits, 0 \
	}
#define OFF(NAME, bits)                       \
	{                                     \
		OP_OFF, FIELD_(NAME), bits, 0 \
	}
#define FORGET(NAME, bits)                       \
	{                                        \
		OP_FORGET, FIELD_(NAME), bits, 0 \
	}

#define CAP_SET(NAME, value)                                      \
	{                                                         \
		OP_SET, CHECK_WHAT_CAP + VMX_CAP_##NAME, value, 0 \
	}
#define CAP_ON(NAME, bits)                                      \
	{                                                       \
		OP_ON, CHECK_WHAT_CAP + VMX_CAP_##NAME, bits, 0 \
	}
#define CAP_OFF(NAME, bits)                                      \
	{                                                        \
		OP_OFF, CHECK_WHAT_CAP + VMX_CAP_##NAME, bits, 0 \
	}
#define CAP_FORGET(NAME)                                             \
	{                                                            \
		OP_FORGET, CHECK_WHAT_CAP + VMX_CAP_##NAME, ~0ull, 0 \
	}

#define L1_SET(NAME, value)                                             \
	{                                                               \
		OP_SET, CHECK_WHAT_STATE + CHECK_STATE_##NAME, value, 0 \
	}
#define L1_ON(NAME, bits)                                             \
	{                                                             \
		OP_ON, CHECK_WHAT_STATE + CHECK_STATE_##NAME, bits, 0 \
	}
#define L1_OFF(NAME, bits)                                             \
	{                                                              \
		OP_OFF, CHECK_WHAT_STATE + CHECK_STATE_##NAME, bits, 0 \
	}
#define L1_FORGET(NAME, bits)                                             \
	{                                                                 \
		OP_FORGET, CHECK_WHAT_STATE + CHECK_STATE_##NAME, bits, 0 \
	}

#define MEMORY(size, gpa, value)            \
	{                                   \
		OP_MEMORY, size, gpa, value \
	}
#define HAS(NAME)                                          \
	{                                                  \
		OP_FEATURE, CPU_FEATURE_##NAME, TRI_YES, 0 \
	}
#define HAS_NOT(NAME)                                     \
	{                                                 \
		OP_FEATURE, CPU_FEATURE_##NAME, TRI_NO, 0 \
	}
#define MAY_HAVE(NAME)                                       \
	{                                                    \
		OP_FEATURE, CPU_FEATURE_##NAME, TRI_MAYBE, 0 \
	}
#define PHYSICAL_WIDTH(bits)         \
	{                            \
		OP_WIDTH, 0, bits, 0 \
	}
#define LINEAR_WIDTH(bits)            \
	{                             \
		OP_LINEAR, 0, bits, 0 \
	}

/* Controls of words that others activate. */
#define SECONDARY(bits)                                              \
	ON(PRIMARY_PROC_BASED_CONTROLS, PRIMARY_SECONDARY_CONTROLS), \
		ON(SECONDARY_PROC_BASED_CONTROLS, bits)
#define TERTIARY(bits)                                              \
	ON(PRIMARY_PROC_BASED_CONTROLS, PRIMARY_TERTIARY_CONTROLS), \
		ON(TERTIARY_PROC_BASED_CONTROLS, bits)
#define EXIT2(bits) \
	ON(VM_EXIT_CONTROLS, EXIT_SECONDARY_CONTROLS), ON(SECONDARY_VM_EXIT_CONTROLS, bits)

#define MAX_CHANGES 16

/* The number that @what is, and which of its bits are known. */
static void machine_get(const struct machine *m, unsigned int what, u64 *value, u64 *known)
{
	*value = *known = 0;
	if (what < VMCS_FIELD_COUNT) {
		*value = m->value[what];
		*known = m->known[what];
	} else if (what >= CHECK_WHAT_STATE && what < CHECK_WHAT_STATE + CHECK_STATE_COUNT) {
		*value = m->input.state[what - CHECK_WHAT_STATE].value;
		*known = m->input.state[what - CHECK_WHAT_STATE].known;
	} else if (what >= CHECK_WHAT_CAP && what < CHECK_WHAT_CAP + VMX_CAP_COUNT) {
		*value = m->caps.msr[what - CHECK_WHAT_CAP];
		*known = m->caps.known & BIT(what - CHECK_WHAT_CAP) ? ~0ull : 0;
	}
}

/* Of a capability MSR no single bits can be unknown: all of it is, unless @known is all ones. */
static void machine_put(struct machine *m, unsigned int what, u64 value, u64 known)
{
	if (what < VMCS_FIELD_COUNT) {
		m->value[what] = value;
		m->known[what] = known;
	} else if (what >= CHECK_WHAT_STATE && what < CHECK_WHAT_STATE + CHECK_STATE_COUNT) {
		m->input.state[what - CHECK_WHAT_STATE] = word_partly(value, known);
	} else if (what >= CHECK_WHAT_CAP && what < CHECK_WHAT_CAP + VMX_CAP_COUNT) {
		m->caps.msr[what - CHECK_WHAT_CAP] = value;
		m->caps.known &= ~BIT(what - CHECK_WHAT_CAP);
		m->caps.known |= ~known ? 0 : BIT(what - CHECK_WHAT_CAP);
	} else if (what == CHECK_WHAT_MEMORY) {
		m->forgot_memory = ~known;
	} else if (what == CHECK_WHAT_CPU && ~known) {
		memset(&m->cpu, 0, sizeof(m->cpu));
		m->caps.maxphyaddr = m->caps.linear_width = 0;
	}
}

static void machine_change(struct machine *m, const struct change *change)
{
	u64 value, known;

	machine_get(m, change->what, &value, &known);
	switch (change->op) {
	case OP_SET:
		machine_put(m, change->what, change->a, ~0ull);
		break;
	case OP_ON:
		machine_put(m, change->what, value | change->a, known | change->a);
		break;
	case OP_OFF:
		machine_put(m, change->what, value & ~change->a, known | change->a);
		break;
	case OP_FORGET:
		machine_put(m, change->what, value, known & ~change->a);
		break;
	case OP_MEMORY:
		assert_true(m->memory_count < ARRAY_SIZE(m->memory));
		m->memory[m->memory_count].size = change->what;
		m->memory[m->memory_count].gpa = change->a;
		m->memory[m->memory_count++].value = change->b;
		break;
	case OP_FEATURE:
		m->cpu.features.value &= ~BIT(change->what);
		m->cpu.features.known &= ~BIT(change->what);
		m->cpu.features.value |= change->a == TRI_YES ? BIT(change->what) : 0;
		m->cpu.features.known |= change->a == TRI_MAYBE ? 0 : BIT(change->what);
		break;
	case OP_WIDTH:
		m->caps.maxphyaddr = (u8)change->a;
		break;
	case OP_LINEAR:
		m->caps.linear_width = (u8)change->a;
		break;
	}
}

#endif
