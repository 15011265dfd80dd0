#include "hv/loader.h"

#include "hv/guestmem.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"

#define PT_LOAD 1

struct segment {
	u32 type;
	u64 offset, paddr, filesz, memsz;
};

struct elf {
	const u8 *file;
	u64 size;
	bool is64;
	u64 entry, phoff;
	u32 phnum, phentsize;
};

/* The first word of @text is @word; @rest is what follows it. */
static bool first_word(const char *text, const char *word, const char **rest)
{
	const size_t length = strlen(word);

	if (strncmp(text, word, length) || (text[length] && text[length] != ' '))
		return false;
	*rest = text + length + (text[length] == ' ');
	return true;
}

enum status loader_load_l1(struct l1_entry *entry)
{
	const char *command_line;
	enum status status;

	if (!boot_info.module_count) {
		log_print("there is no L1: give it as the first module");
		return ST_NOT_FOUND;
	}
	status = loader_move_modules();
	if (status != ST_OK) {
		log_print("memory is too small for L1's modules");
		return status;
	}
	if (first_word(boot_info.modules[0].text, "kernel", &command_line))
		return loader_linux(command_line, entry);
	if (first_word(boot_info.modules[0].text, "multiboot", &command_line))
		return loader_multiboot(command_line, entry);
	log_print("the first module's command line begins with neither 'kernel' nor 'multiboot': "
		  "'%s'",
		  boot_info.modules[0].text);
	return ST_INVALID;
}

unsigned loader_module_holes(struct memmap_hole *holes)
{
	for (unsigned i = 0; i < boot_info.module_count; i++)
		holes[i] = (struct memmap_hole){ boot_info.modules[i].base,
						 boot_info.modules[i].size };
	return boot_info.module_count;
}

/*
 * L1 is linked for low addresses, and may take what it finds free there: its modules go to the top,
 * the one with the highest number first, each clear of the others' old places.
 */
enum status loader_move_modules(void)
{
	for (unsigned i = boot_info.module_count; i-- > 0;) {
		struct boot_module *module = &boot_info.modules[i];
		struct memmap_hole holes[BOOT_MAX_MODULES];
		const unsigned count = loader_module_holes(holes);
		const u64 size = ALIGN_UP(module->size, PAGE_SIZE);
		u64 base;

		if (memmap_find(size, PAGE_SIZE, GIB(2), holes, count, &base) != ST_OK)
			return ST_NO_MEMORY;
		if (base < module->base)
			continue; /* it lies higher than it could be moved to */
		memcpy(phys_to_virt(base), phys_to_virt(module->base), module->size);
		memset((u8 *)phys_to_virt(base) + module->size, 0, size - module->size);
		module->base = base;
	}
	return ST_OK;
}

static bool overlaps(u64 base, u64 size, u64 other, u64 other_size)
{
	return base < other + other_size && base + size > other;
}

u8 *loader_place(u64 base, u64 size, const struct memmap_hole *holes, unsigned hole_count)
{
	u8 *place = guest_ram(base, size);

	if (!place || overlaps(base, size, LOW_AREA, LOW_AREA_SIZE))
		return NULL;
	for (unsigned i = 0; i < hole_count; i++)
		if (overlaps(base, size, holes[i].base, holes[i].size))
			return NULL;
	return place;
}

static u64 field(const struct elf *elf, u64 at, unsigned bytes)
{
	u64 value = 0;

	if (at + bytes <= elf->size && at + bytes >= at)
		memcpy(&value, elf->file + at, bytes);
	return value;
}

static bool parse_elf(const u8 *file, u64 size, struct elf *elf)
{
	*elf = (struct elf){ .file = file, .size = size };
	if (size < 64 || memcmp(file, "\177ELF", 4) || file[5] != 1)
		return false;
	elf->is64 = file[4] == 2;
	elf->entry = elf->is64 ? field(elf, 24, 8) : field(elf, 24, 4);
	elf->phoff = elf->is64 ? field(elf, 32, 8) : field(elf, 28, 4);
	elf->phentsize = (u32)field(elf, elf->is64 ? 54 : 42, 2);
	elf->phnum = (u32)field(elf, elf->is64 ? 56 : 44, 2);
	return elf->is64 || file[4] == 1;
}

static struct segment segment_at(const struct elf *elf, unsigned i)
{
	const u64 at = elf->phoff + (u64)i * elf->phentsize;
	const unsigned word = elf->is64 ? 8 : 4;

	if (elf->is64)
		return (struct segment){
			.type = (u32)field(elf, at, 4),
			.offset = field(elf, at + 8, word),
			.paddr = field(elf, at + 24, word),
			.filesz = field(elf, at + 32, word),
			.memsz = field(elf, at + 40, word),
		};
	return (struct segment){
		.type = (u32)field(elf, at, 4),
		.offset = field(elf, at + 4, word),
		.paddr = field(elf, at + 12, word),
		.filesz = field(elf, at + 16, word),
		.memsz = field(elf, at + 20, word),
	};
}

enum status loader_load_elf(const u8 *file, u64 size, const struct memmap_hole *holes,
			    unsigned hole_count, u64 *entry_point)
{
	struct elf elf;
	unsigned loaded = 0;

	if (!parse_elf(file, size, &elf))
		return ST_INVALID;
	for (unsigned i = 0; i < elf.phnum; i++) {
		const struct segment segment = segment_at(&elf, i);
		u8 *to;

		if (segment.type != PT_LOAD || !segment.memsz)
			continue;
		if (segment.filesz > segment.memsz || segment.offset > size ||
		    segment.filesz > size - segment.offset)
			return ST_CORRUPT;
		to = loader_place(segment.paddr, segment.memsz, holes, hole_count);
		if (!to)
			return ST_NO_MEMORY;
		memcpy(to, file + segment.offset, segment.filesz);
		memset(to + segment.filesz, 0, segment.memsz - segment.filesz);
		loaded++;
	}
	*entry_point = elf.entry;
	return loaded ? ST_OK : ST_INVALID;
}
