/*
 * tests/replay/script_l0.h - a script that also tells what hv does below, as capture=+l0
 *
 * A good VMCS of tests/replay/machine.h, 64-bit L1 and L2 with EPT and VPID.
 */
#ifndef TESTS_REPLAY_SCRIPT_L0_H
#define TESTS_REPLAY_SCRIPT_L0_H

#include "tests/replay/script_entry.h"

#define ITEM02(NAME) trace_item_id(ITEM_VMCS02, VMCS_##NAME)
#define ITEM01(NAME) trace_item_id(ITEM_VMCS01, VMCS_##NAME)

#define COLUMNS(...)        \
	{                   \
		__VA_ARGS__ \
	}

/* @columns stands in parentheses. */
#define L0_EVENT(script, KIND, name, columns, ...)                                 \
	do {                                                                       \
		const struct trace_item items_[] = { __VA_ARGS__ };                \
		const struct ev_##name event_ = COLUMNS columns;                   \
		script_items((script), EV_##KIND, &event_, sizeof(event_), items_, \
			     ARRAY_SIZE(items_));                                  \
	} while (0)

/* VMCS02 is entered for an entry of L1, with the differences from VMCS12 that follow. */
#define ENTER02(script, ...)                                                      \
	L0_EVENT(script, L0_ENTRY, l0_entry, (.vmcs = SCRIPT_VMCS, .flushed = 1), \
		 { ITEM02(VPID), 2 }, { ITEM02(EPT_POINTER), 0x7001e }, __VA_ARGS__)

/* L2 goes on behind an exit that hv handled. */
#define RESUME02(script, ...)                                                     \
	L0_EVENT(script, L0_ENTRY, l0_entry, (.vmcs = SCRIPT_VMCS, .resumed = 1), \
		 { ITEM02(VPID), 2 }, __VA_ARGS__)

/* VMCS02 exits: (reason, more columns), items. */
#define RAW(reason_, ...) COLUMNS(.vmcs = SCRIPT_VMCS, .reason = (reason_), ##__VA_ARGS__)
#define EXIT02(script, raw, ...)                                                         \
	do {                                                                             \
		const struct trace_item items_[] = { { ITEM02(VPID), 2 }, __VA_ARGS__ }; \
		const struct ev_l0_exit event_ = RAW raw;                                \
		script_items((script), EV_L0_EXIT, &event_, sizeof(event_), items_,      \
			     ARRAY_SIZE(items_));                                        \
	} while (0)

/* L2 is entered and runs, with nothing special about VMCS02. */
static inline void script_run(struct script *script)
{
	INSN(script, VMLAUNCH, vmlaunch, .launched = 0);
	ENTER02(script, { ITEM02(VM_EXIT_CONTROLS), 0x3f6fff });
	script_enter(script);
}

/*
 * Findings of the scripts here: those of rule @id and no other of L0's. The judge of exits does not
 * count, since the exits of the scripts say no more than what they are about.
 */
static inline void assert_only_l0(const struct script *script, const char *row, int id)
{
	const struct findings *const findings = check_findings(script->check);

	for (unsigned i = 0; i < findings->count; i++)
		if (finding_rows[findings->list[i]->id].fault == FAULT_L0 &&
		    findings->list[i]->id != FINDING_EXIT_STATE && (int)findings->list[i]->id != id)
			fail_msg("%s: %s: %s", row, finding_rows[findings->list[i]->id].rule,
				 findings->list[i]->title);
	if (id >= 0 && !script_count(script, (enum finding_id)id))
		fail_msg("%s: %s was not found", row, finding_rows[id].rule);
}

#define NOTHING (-1)

/* VMCS02 has @item at an entry with field @field of VMCS12 set to @value, and a control on. */
struct l0_entry_row {
	const char *name;
	u8 word;
	u64 control; /* of it, on in VMCS12 and in VMCS02 */
	int field;   /* negative: none */
	u64 value;
	struct trace_item item;
	int found; /* enum finding_id, or NOTHING */
};

#define SCRIPT_PRIMARY	  (0x04006172 | PRIMARY_SECONDARY_CONTROLS)
#define ON(WORD, CONTROL) VMX_WORD_##WORD, WORD##_##CONTROL
#define ALWAYS		  VMX_WORD_PRIMARY, 0
#define FIELD(NAME)	  VMCS_IX_##NAME
/* trace_item_id(), as a constant. */
#define IS(NAME, value)                                                                           \
	{                                                                                         \
		ITEM_VMCS02 + ((VMCS_##NAME >> 1 & 0x7ff) | (VMCS_##NAME >> 13 & 3) << 11), value \
	}

/* @script is ready, and its L1 not in L2. */
static inline void assert_l0_entry_row(struct script *script, const struct l0_entry_row *row)
{
	static const u64 good[VMX_WORD_COUNT] = {
		[VMX_WORD_PIN] = 0x16,
		[VMX_WORD_PRIMARY] = SCRIPT_PRIMARY,
		[VMX_WORD_SECONDARY] = SECONDARY_EPT | SECONDARY_VPID,
		[VMX_WORD_ENTRY] = 0x11fb | ENTRY_IA32E_MODE_GUEST,
	};
	const struct ev_l0_entry entry = { .vmcs = SCRIPT_VMCS, .flushed = 1 };

	if (row->control)
		script_field(script, vmx_control_words[row->word].field,
			     good[row->word] | row->control);
	if (row->field >= 0)
		script_field(script, row->field, row->value);
	INSN(script, VMLAUNCH, vmlaunch, .launched = 0);
	ENTER02(script, { ITEM02(VM_EXIT_CONTROLS), 0x3f6fff });
	assert_only_l0(script, row->name, NOTHING);
	script_items(script, EV_L0_ENTRY, &entry, sizeof(entry), &row->item, 1);
	assert_only_l0(script, row->name, row->found);
}

#endif
