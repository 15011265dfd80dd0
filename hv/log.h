/*
 * hv/log.h - hv's own messages
 *
 * Lines begin with "vmxtape-hv: " and go to the first serial port and the screen until L1 owns
 * them, and to the debug console port outside frames.
 */
#ifndef HV_LOG_H
#define HV_LOG_H

#include "base/base.h"

/* One line, in the manner of fmt(); it is cut at 256 bytes. */
void log_print(const char *format, ...) printf_like(1, 2);

/* L1 owns the serial port from now on. */
void log_leave_serial(void);

/*
 * L1 will not run any more: lines go to the serial port again, unless whoever records reads the
 * other one.
 */
void log_take_serial(void);

#endif
