/*
 * tests/replay/script.h - a dialogue of L1 and the processor, event by event, for tests
 *
 * A script feeds a check, so that rules, model and findings are tested with tapes of a few lines:
 *
 *	struct script script = script_start();
 *
 *	INSN(&script, VMXON, vmxon, .pointer = 0x1000);
 *	INSN(&script, VMPTRLD, vmptrld, .pointer = 0x2000, .dword0 = SCRIPT_REVISION);
 *	script_end(&script);
 *	assert_found(&script, VMPTRLD_NO_VMCLEAR, 1);
 *
 * Instructions succeed unless told otherwise; .vmcs is the current VMCS as the script has it.
 */
#ifndef TESTS_REPLAY_SCRIPT_H
#define TESTS_REPLAY_SCRIPT_H

#include "replay/check.h"
#include "replay/rule.h"
#include "tests/test.h"
#include "tests/usual_caps.h"
#include "vmx/tables.h"

#define SCRIPT_REVISION USUAL_REVISION
#define SCRIPT_MODE                                                                      \
	(BIT(MODE_PE) | BIT(MODE_PG) | BIT(MODE_LMA) | BIT(MODE_CS_L) | BIT(MODE_VMXE) | \
	 BIT(MODE_VMX_ROOT))
#define NO_VMCS (~0ull)

struct script {
	struct check *check;
	u64 n;
	u64 vmcs; /* current, as far as the script knows */
	u64 rip;
	u8 cpu; /* whose events come next */
};

static inline void script_send(struct script *script, u8 kind, u8 level, const void *columns,
			       size_t size, const struct trace_item *items, u32 item_count,
			       const char *text)
{
	u64 col[TRACE_MAX_COLUMNS] = { 0 };
	const struct trace_event event = {
		.kind = kind,
		.cpu = script->cpu,
		.level = level,
		.seq = script->n,
		.tsc = 1000 * script->n,
		.rip = script->rip += 16,
		.col = col,
		.items = items,
		.item_count = item_count,
		.bytes = (const u8 *)text,
		.byte_count = text ? (u32)strlen(text) : 0,
	};

	memcpy(col, columns, size);
	assert_int_equal(check_event(script->check, &event, script->n++), ST_OK);
}

/* An instruction of L1: in 64-bit mode at CPL 0 unless it has a mode of its own. */
#define INSN(script, KIND, name, ...)                                                      \
	do {                                                                               \
		struct ev_##name insn_ = { __VA_ARGS__ };                                  \
		insn_.mode = insn_.mode ? insn_.mode : SCRIPT_MODE;                        \
		insn_.vmcs = (script)->vmcs;                                               \
		script_send((script), EV_##KIND, 1, &insn_, sizeof(insn_), NULL, 0, NULL); \
	} while (0)

/* Any other event. */
#define OTHER(script, KIND, name, ...)                                                       \
	do {                                                                                 \
		const struct ev_##name other_ = { __VA_ARGS__ };                             \
		script_send((script), EV_##KIND, 1, &other_, sizeof(other_), NULL, 0, NULL); \
	} while (0)

static inline void script_capability(struct script *script, u32 msr, u64 real, u64 shown)
{
	OTHER(script, CAPABILITY, capability, .msr = msr, .real = real, .shown = shown,
	      .exists = 1);
}

static inline void script_capabilities(struct script *script)
{
	for (size_t i = 0; i < ARRAY_SIZE(usual_caps); i++)
		script_capability(script, usual_caps[i].msr, usual_caps[i].value,
				  usual_caps[i].value);
}

/* A tape that begins in the middle: nothing is known. */
static inline struct script script_start_unknown(void)
{
	struct script script = { .check = check_new("test.vxt"), .vmcs = NO_VMCS, .rip = 0x1000 };

	assert_non_null(script.check);
	return script;
}

/* A whole tape, from the boot record on. */
static inline struct script script_start(void)
{
	struct script script = script_start_unknown();

	OTHER(&script, BOOT, boot, .physical_width = 40, .linear_width = 48, .cpus = 1);
	script_capabilities(&script);
	OTHER(&script, VMX_STATE, vmx_state, .vmxon_pointer = NO_VMCS, .vmcs = NO_VMCS, .level = 1);
	return script;
}

static inline void script_vmxon(struct script *script, u64 pointer)
{
	INSN(script, VMXON, vmxon, .pointer = pointer, .dword0 = SCRIPT_REVISION, .cr0 = 0x80000031,
	     .cr4 = 0x2020, .feature_control = 5);
	script->vmcs = NO_VMCS;
}

static inline void script_vmxoff(struct script *script)
{
	INSN(script, VMXOFF, vmxoff, .error = 0);
	script->vmcs = NO_VMCS;
}

static inline void script_vmclear(struct script *script, u64 pointer)
{
	INSN(script, VMCLEAR, vmclear, .pointer = pointer, .dword0 = SCRIPT_REVISION);
	if (script->vmcs == pointer)
		script->vmcs = NO_VMCS;
}

static inline void script_vmptrld(struct script *script, u64 pointer)
{
	INSN(script, VMPTRLD, vmptrld, .pointer = pointer, .dword0 = SCRIPT_REVISION);
	script->vmcs = pointer;
}

static inline void script_vmwrite(struct script *script, u64 field, u64 value)
{
	INSN(script, VMWRITE, vmwrite, .field = field, .value = value);
}

static inline void script_rdmsr(struct script *script, u32 msr, u64 value)
{
	INSN(script, MSR_READ, msr_read, .msr = msr, .value = value);
}

static inline void script_items(struct script *script, u8 kind, const void *columns, size_t size,
				const struct trace_item *items, u32 count)
{
	script_send(script, kind, 2, columns, size, items, count, NULL);
}

/* L2 runs, and exits for @reason. */
static inline void script_l2(struct script *script, u64 reason)
{
	const struct ev_l2_entry entry = { .vmcs = script->vmcs };
	const struct ev_l2_exit exit = { .reason = reason, .vmcs = script->vmcs };

	const struct trace_item launched = { .id = ITEM_LAUNCHED, .value = 1 };

	script_items(script, EV_L2_ENTRY, &entry, sizeof(entry), &launched, 1);
	script_items(script, EV_L2_EXIT, &exit, sizeof(exit), NULL, 0);
}

/* In VMX operation, with the VMCS at 0x2000 clear and current. */
static inline void script_vmcs(struct script *script)
{
	script_vmxon(script, 0x1000);
	script_vmclear(script, 0x2000);
	script_vmptrld(script, 0x2000);
}

/* VMLAUNCH that fails with VM-instruction error @error. */
static inline void script_launch_error(struct script *script, u64 error)
{
	INSN(script, VMLAUNCH, vmlaunch, .outcome = OUTCOME_FAIL_VALID, .error = error);
}

/* VMLAUNCH that ends with exit reason @reason, which says that the entry failed. */
static inline void script_launch_failure(struct script *script, u64 reason, u64 qualification)
{
	const struct ev_l2_exit exit = {
		.reason = reason | EXIT_REASON_ENTRY_FAILURE,
		.vmcs = script->vmcs,
	};
	const struct trace_item item = { VMCS_EXIT_QUALIFICATION, qualification };

	INSN(script, VMLAUNCH, vmlaunch, .launched = 0);
	script_items(script, EV_L2_EXIT, &exit, sizeof(exit), &item, 1);
}

static inline void script_gap(struct script *script)
{
	OTHER(script, GAP, gap, .why = GAP_RING_FULL, .events = 10);
}

static inline const struct finding *script_finding(const struct script *script, enum finding_id id)
{
	const struct findings *const findings = check_findings(script->check);

	for (unsigned i = 0; i < findings->count; i++)
		if (findings->list[i]->id == id)
			return findings->list[i];
	return NULL;
}

/* How many different findings of @id there are. */
static inline unsigned script_count(const struct script *script, enum finding_id id)
{
	const struct findings *const findings = check_findings(script->check);
	unsigned count = 0;

	for (unsigned i = 0; i < findings->count; i++)
		count += findings->list[i]->id == id;
	return count;
}

#define assert_found(script, NAME, expected) \
	assert_int_equal(script_count((script), FINDING_##NAME), (expected))

/* The tape ends because L1 switched the machine off. */
static inline void script_end(struct script *script)
{
	OTHER(script, END, end, .why = END_POWER_OFF);
	check_end(script->check);
}

static inline void script_free(struct script *script)
{
	check_free(script->check);
}

#endif
