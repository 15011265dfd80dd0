/*
 * tui/value_lines.h - values of the architecture as lines: every bit by its name
 */
#ifndef TUI_VALUE_LINES_H
#define TUI_VALUE_LINES_H

#include "replay/model.h"
#include "tui/lines.h"
#include "vmx/value_text.h"

/* A value, as far as it is known. */
struct known_value {
	u64 value;
	u64 known; /* bits of it; 0: nothing */
};

/* Appends to the last line: what @value of @kind says in a few words, nothing for a mere number. */
void value_put_decoded(struct lines *lines, enum vmx_value_kind kind, u64 value,
		       const struct vmx_decode_context *context);

/*
 * A line for each part of @value that says something: flags that are 1, numbers that are not 0,
 * and what differs from @old. @indent columns to the right; nothing for kinds without parts.
 */
void value_put_parts(struct lines *lines, unsigned indent, enum vmx_value_kind kind,
		     struct known_value value, struct known_value old);

/* Appends "+vmxe -pae" for the flags that differ. */
void value_put_changes(struct lines *lines, enum vmx_value_kind kind, u64 from, u64 to);

/* Field @index of @region; nothing is known where @region is NULL. */
struct known_value value_of_field(const struct model_region *region, int index);

/* Appends "0x2020", "?", or "0x20 of 0xff" where only some bits are known. */
void value_put(struct lines *lines, enum style style, struct known_value value, u64 whole);

#endif
