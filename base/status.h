/*
 * base/status.h - what fallible functions return
 *
 * Results travel through pointers, the return value says only how it went. Input from outside is
 * answered with one of these, never with an assertion.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

enum status {
#define STATUS(name, text) ST_##name,
#include "base/status.def"
#undef STATUS
	ST_COUNT
};

/* The text of base/status.def; "unknown status" for a value that is none. Static storage. */
const char *status_text(enum status status);

#endif
