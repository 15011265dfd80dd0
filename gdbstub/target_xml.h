/*
 * gdbstub/target_xml.h - the description of the registers for gdb
 *
 * One text for every mode of the processor: 64-bit registers always, so that no stop changes their
 * layout. Registers whose bits have names get flag types, made from vmx/bits.def.
 *
 * gdb's manual: "Target Description Format".
 */
#ifndef GDBSTUB_TARGET_XML_H
#define GDBSTUB_TARGET_XML_H

#include "base/base.h"

/*
 * The text, ending with 0, of those registers for which @has says so; NULL: of all. free() it. NULL
 * when there is no memory.
 */
char *gdb_target_xml(bool (*has)(void *owner, unsigned number), void *owner);

#endif
