/*
 * replay/event_text_parts.h - shared by replay/event_text*.c
 *
 * What is written here is written in the manner of replay/put.h: at @to, within the EVENT_TEXT_MAX
 * bytes of a line, and what is returned is the byte behind it.
 */
#ifndef REPLAY_EVENT_TEXT_PARTS_H
#define REPLAY_EVENT_TEXT_PARTS_H

#include "replay/event_text.h"

/* What a line is made of. */
struct event_line {
	const struct event_names *names;
	const struct trace_kind_info *kind; /* NULL: one that the tape does not describe */
	const struct trace_event *event;
	const struct model *model; /* before the event; or NULL */
};

/* What stands behind the name of the kind, for one kind or several alike. */
typedef char *event_text_form(const struct event_line *line, char *to);

/* Instructions: replay/event_text_insn.c */
event_text_form event_text_region_insn;
event_text_form event_text_vmread;
event_text_form event_text_vmwrite;
event_text_form event_text_entry_insn;
event_text_form event_text_inv;
event_text_form event_text_plain_insn;
event_text_form event_text_msr_insn;
event_text_form event_text_cr_write;

/* Entries and exits: replay/event_text_exit.c */
event_text_form event_text_l2_entry;
event_text_form event_text_l2_exit;
event_text_form event_text_l0_entry;
event_text_form event_text_l0_exit;
event_text_form event_text_vmcs12_write;

/* The machine, and the recording of it: replay/event_text_hv.c */
event_text_form event_text_bytes_line;
event_text_form event_text_end;
event_text_form event_text_gap;
event_text_form event_text_option;
event_text_form event_text_memory;
event_text_form event_text_cpuid;
event_text_form event_text_capability;
event_text_form event_text_vmx_state;
event_text_form event_text_vmcs_image;
event_text_form event_text_hv_time;
event_text_form event_text_deep;

/* Registers and memory: replay/event_text_memory.c */
event_text_form event_text_regs;
event_text_form event_text_ram;
event_text_form event_text_page;

/* The name of the VMCS field or MSR, its number where it has none. */
char *event_text_field(char *to, u64 encoding);
char *event_text_msr(char *to, u64 msr);

/* @text, or "unknown" for NULL: a newer vmxtape knows it. */
char *event_text_known(char *to, const char *text);

/*
 * "0x12 -> ": the value that field @encoding of the VMCS at @vmcs has before the event, "? -> "
 * when it is unknown. Nothing without a model.
 */
char *event_text_old(char *to, const struct model *model, u64 vmcs, u64 encoding);

#endif
