/*
 * cli/elf_trim.h - an ELF executable without what a boot loader does not need
 *
 * The vmlinux in a bzImage stores its .bss and a list of relocations. Boot loaders read at some ten
 * instructions a byte, so every byte left out makes an emulated machine start sooner.
 */
#ifndef CLI_ELF_TRIM_H
#define CLI_ELF_TRIM_H

#include "base/base.h"
#include "base/status.h"

/* Whether the @size bytes at @data start as a 64-bit x86 executable (not a shared object) does. */
bool elf_is_executable(const void *data, size_t size);

/*
 * Copy the executable at @data with its loadable segments only, zeros at their ends left out, into
 * @trimmed, owned by the caller (free()). Loaded, it is the same.
 *
 * ST_CORRUPT when its headers contradict its size, ST_INVALID when it is no such executable,
 * ST_NO_MEMORY.
 */
enum status elf_trim(const void *data, size_t size, u8 **trimmed, size_t *trimmed_size);

#endif
