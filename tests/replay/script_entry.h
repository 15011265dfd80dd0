/*
 * tests/replay/script_entry.h - a script with the VMCS and the processor of tests/replay/machine.h
 *
 * Everything that an entry rests on is known and right; tests then change what they are about.
 */
#ifndef TESTS_REPLAY_SCRIPT_ENTRY_H
#define TESTS_REPLAY_SCRIPT_ENTRY_H

#include "tests/replay/machine.h"
#include "tests/replay/script.h"

#define SCRIPT_VMCS 0x2000

/*
 * Replaces what @field holds by an event that no instruction makes, so that any field can be set.
 */
static inline void script_field(struct script *script, int index, u64 value)
{
	OTHER(script, VMCS12_WRITE, vmcs12_write, .origin = ORIGIN_MEMORY, .vmcs = SCRIPT_VMCS,
	      .field = vmcs_fields[index].encoding, .value = value);
}

#define FIELD12(script, NAME, value) script_field((script), VMCS_IX_##NAME, (value))

/* CPUID with every leaf known and few features. */
static inline void script_cpuid(struct script *script)
{
	static const struct ev_cpuid leaves[] = {
		{ .leaf = 0, .shown_ab = 0xd },
		{ .leaf = 1, .shown_cd = 0xffffffff00000000 },
		{ .leaf = 7 },
		{ .leaf = 0xa, .shown_ab = 0x402, .shown_cd = 3ull << 32 },
		{ .leaf = 0x80000000, .shown_ab = 0x80000008 },
		{ .leaf = 0x80000001, .shown_cd = 0xffffffff00000000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		script_send(script, EV_CPUID, 0, &leaves[i], sizeof(leaves[i]), NULL, 0, NULL);
}

/* In VMX operation, SCRIPT_VMCS current and clear, and good for an entry. */
static inline struct script script_ready(void)
{
	struct script script = script_start();
	struct machine m;

	machine_init(&m);
	script_cpuid(&script);
	for (u32 n = 0; n < VMX_CAP_COUNT; n++)
		script_capability(&script, MSR_VMX_BASIC + n, good_caps[n], good_caps[n]);
	INSN(&script, VMXON, vmxon, .pointer = 0x1000, .dword0 = REVISION, .cr0 = 0x80000031,
	     .cr4 = 0x2020, .feature_control = 5);
	INSN(&script, VMCLEAR, vmclear, .pointer = SCRIPT_VMCS, .dword0 = REVISION);
	INSN(&script, VMPTRLD, vmptrld, .pointer = SCRIPT_VMCS, .dword0 = REVISION);
	script.vmcs = SCRIPT_VMCS;
	for (int index = 0; index < VMCS_FIELD_COUNT; index++)
		script_field(&script, index, m.value[index]);
	return script;
}

/* Counts of judgements begin here. */
static inline void script_forget_counts(struct script *script)
{
	*(struct judge_counts *)check_counts(script->check) = (struct judge_counts){ 0 };
}

/* An exit of L2, or the failure of an entry, with items. */
#define EXIT12(script, reason_, ...)                                                          \
	do {                                                                                  \
		const struct trace_item items_[] = { __VA_ARGS__ };                           \
		const struct ev_l2_exit exit_ = { .reason = (reason_), .vmcs = SCRIPT_VMCS }; \
		script_items((script), EV_L2_EXIT, &exit_, sizeof(exit_), items_,             \
			     ARRAY_SIZE(items_));                                             \
	} while (0)

static inline void script_enter(struct script *script)
{
	const struct ev_l2_entry entry = { .vmcs = SCRIPT_VMCS };

	const struct trace_item launched = { .id = ITEM_LAUNCHED, .value = 1 };

	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), &launched, 1);
}

#endif
