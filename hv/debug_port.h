/*
 * hv/debug_port.h - the debug console port, which frames of all processors and hv's lines share
 */
#ifndef HV_DEBUG_PORT_H
#define HV_DEBUG_PORT_H

#include "base/base.h"

/* Write @size bytes. Between the calls below nobody else does. */
void debug_port_write(const void *bytes, size_t size);

/* False: another processor writes now. */
bool debug_port_try(void);

/*
 * Wait for as long as a frame may take, and go on without it then: whoever has it does not run any
 * more.
 */
void debug_port_take(void);

/* Behind debug_port_try(), when it was true, or debug_port_take(). */
void debug_port_release(void);

#endif
