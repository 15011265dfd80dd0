/*
 * tui/detail_parts.h - shared by the files that the pane about one event is made of
 */
#ifndef TUI_DETAIL_PARTS_H
#define TUI_DETAIL_PARTS_H

#include "tui/app_parts.h"

/* Columns that every instruction has, before those of its kind. */
#define DETAIL_INSN_COLUMNS (EV_COLUMN(insn, cr2) + 1)

/* An event while it is shown. */
struct detail {
	struct app *app;
	struct lines *lines;
	const struct trace_event *event;
	const struct trace_kind_info *kind;
	const struct model *model;
	const struct model_region *region; /* of the VMCS that it is about, NULL: unknown */
	unsigned columns;
};

/* A new line that begins with @text; what follows is in a column. */
void detail_label(const struct detail *detail, const char *text);

/* Kinds whose first columns behind those of all instructions tell of an operand in memory. */
bool detail_has_operand(const struct trace_kind_info *kind);

/* A line or more for each column that says something; of instructions those of their kind. */
void detail_put_columns(const struct detail *detail, bool insn);

/* A line for each item of the event. */
void detail_put_items(const struct detail *detail);

#endif
