/*
 * replay/exit_check.h - the table of what entries and exits do to the VMCS (vmx/exit_checks.def)
 *
 * Every row is a predicate over the VMCS before an event, the event, and the VMCS behind it. No
 * verdict but CHECK_UNKNOWN rests on an unknown bit. Written from the SDM alone.
 */
#ifndef REPLAY_EXIT_CHECK_H
#define REPLAY_EXIT_CHECK_H

#include "replay/check_table.h"
#include "replay/model.h"

enum exit_check_id {
#define EXIT_CHECK(ID, ...) EXIT_CHECK_##ID,
#include "vmx/exit_checks.def"
#undef EXIT_CHECK
	EXIT_CHECK_COUNT
};

enum exit_check_when { EXIT_CHECK_AT_ENTRY, EXIT_CHECK_AT_FAILURE, EXIT_CHECK_AT_EXIT };

/* What a predicate looks at: one of these plus a number. */
enum exit_check_what {
	EXIT_WHAT_AFTER = 0x000,  /* enum vmcs_index */
	EXIT_WHAT_BEFORE = 0x100, /* enum vmcs_index */
	EXIT_WHAT_CAP = 0x200,	  /* enum vmx_cap */
	EXIT_WHAT_REASON = 0x300, /* column `reason` */
	EXIT_WHAT_INJECTED,	  /* column `injected` */
	EXIT_WHAT_CPU,
	EXIT_WHAT_ITEM_FIELD, /* whether any field changes */
	EXIT_WHAT_ITEM_LAUNCHED,
	EXIT_WHAT_ITEM_REG,
	EXIT_WHAT_ITEM_MSR_BITMAP,
	EXIT_WHAT_ITEM_IO_BITMAP,
	EXIT_WHAT_ITEM_EPT12,
	EXIT_WHAT_COUNT,
	EXIT_WHAT_NONE = 0xffff,
};

struct exit_check_row {
	const char *id;
	const char *section; /* of the SDM */
	const char *text;    /* what must hold */
	const char *sources;
	const u16 *reads; /* enum exit_check_what, ended by EXIT_WHAT_NONE */
	u8 when;	  /* enum exit_check_when */
};

extern const struct exit_check_row exit_check_rows[EXIT_CHECK_COUNT];

/* The row of that id, in upper or lower case; EXIT_CHECK_COUNT when there is none. */
enum exit_check_id exit_check_id_of(const char *id);

/* An entry or exit of L2, and the VMCS before it. */
struct exit_situation {
	const struct trace_event *event;
	const struct vmx_caps *caps;
	const u64 *value; /* of the VMCS before the event, by enum vmcs_index */
	const u64 *known;
	u64 reason;		    /* of exits: all 32 bits */
	u8 when;		    /* enum exit_check_when */
	bool any_control;	    /* a control or host-state field changes */
	struct vmcs_set fields;	    /* that change */
	u16 slot[VMCS_FIELD_COUNT]; /* of those fields, which item */
};

/* What field @index becomes; NULL where it stays. */
static inline const struct trace_item *exit_situation_item(const struct exit_situation *situation,
							   unsigned int index)
{
	return vmcs_set_has(&situation->fields, (int)index)
		       ? &situation->event->items[situation->slot[index]]
		       : NULL;
}

/* @event is an L2_ENTRY or L2_EXIT, with @region as it is before. All must stay as they are. */
void exit_situation_make(struct exit_situation *situation, const struct trace_event *event,
			 const struct vmx_caps *caps, const struct model_region *region);

/* What is wrong, where a row fails: bits @mask of @field, which should be those of @want. */
struct exit_check_result {
	int field; /* enum vmcs_index, -1: it is no field */
	u64 value; /* of the field, behind the event */
	u64 mask;  /* 0: no bits alone */
	u64 want;
};

/*
 * Judges one row; CHECK_NOT_APPLICABLE where it is about something else.
 *
 * @result  means something on CHECK_FAIL; may be NULL
 * @reads   marked for what was looked at, by enum exit_check_what; may be NULL
 */
enum check_verdict exit_check_run(const struct exit_situation *situation, enum exit_check_id id,
				  struct exit_check_result *result, u8 reads[EXIT_WHAT_COUNT]);

#endif
