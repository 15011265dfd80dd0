/*
 * tests/hv/loader_fixture.h - a machine with a file at FILE_AT for hv to load, and modules
 *
 * Definitions, for the one test that includes it.
 */
#ifndef TESTS_HV_LOADER_FIXTURE_H
#define TESTS_HV_LOADER_FIXTURE_H

#include "hv/loader.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

#define MEMORY	 MIB(64)
#define HV_BASE	 (MEMORY - STUB_HV_SIZE)
#define FILE_AT	 MIB(8)
#define FILE_MAX KIB(64)

static inline int boot(void **state)
{
	(void)state;
	stub_boot(MEMORY);
	memset(stub_at(FILE_AT), 0xcc, FILE_MAX);
	return 0;
}

static inline void put(u64 pa, u64 value, unsigned bytes)
{
	memcpy(stub_at(pa), &value, bytes);
}

static inline u64 get(u64 pa, unsigned bytes)
{
	u64 value = 0;

	memcpy(&value, stub_at(pa), bytes);
	return value;
}

static inline void add_module(u64 base, u64 size, const char *text)
{
	struct boot_module *module = &boot_info.modules[boot_info.module_count++];

	module->base = base;
	module->size = size;
	strcpy(module->text, text);
}

struct segment {
	u32 type;
	u64 offset, paddr, filesz, memsz;
};

/* An ELF file at @at with program headers behind its header. */
static inline void put_elf(u64 at, bool is64, u64 entry, const struct segment *segments,
			   unsigned count)
{
	memcpy(stub_at(at), "\177ELF\0\1\1", 7);
	put(at + 4, is64 ? 2 : 1, 1);
	put(at + (is64 ? 24 : 24), entry, is64 ? 8 : 4);
	put(at + (is64 ? 32 : 28), 64, is64 ? 8 : 4);
	put(at + (is64 ? 54 : 42), is64 ? 56 : 32, 2);
	put(at + (is64 ? 56 : 44), count, 2);
	for (unsigned i = 0; i < count; i++) {
		const struct segment *s = &segments[i];
		const u64 ph = at + 64 + i * (is64 ? 56 : 32);

		put(ph, s->type, 4);
		put(ph + (is64 ? 8 : 4), s->offset, is64 ? 8 : 4);
		put(ph + (is64 ? 24 : 12), s->paddr, is64 ? 8 : 4);
		put(ph + (is64 ? 32 : 16), s->filesz, is64 ? 8 : 4);
		put(ph + (is64 ? 40 : 20), s->memsz, is64 ? 8 : 4);
	}
}

#endif
