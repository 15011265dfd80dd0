/*
 * hv/serial.h - the first serial port: hv's lines while L1 does not own it, and tapes that end
 */
#ifndef HV_SERIAL_H
#define HV_SERIAL_H

#include "base/base.h"

/* Write @size bytes and wait until they are on the line. A port that is not there takes no time. */
void serial_write(const void *bytes, size_t size);

/* The next write sets the port up first, as for the first one: L1 has had it. */
void serial_reset(void);

#endif
