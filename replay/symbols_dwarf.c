#include "replay/symbols_dwarf.h"

#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE 1024 /* addresses; tapes come back to few */

struct answer {
	u64 address;
	bool known; /* what follows is the answer for @address */
	unsigned line;
	const char *name; /* NULL: there is none */
};

struct dwarf_file {
	int file; /* below 0: libdwfl has it, or has refused it */
	char *path;
	Dwfl *dwfl; /* NULL: not opened, or in vain */
	Dwfl_Module *module;
	struct answer cache[CACHE];
	size_t count;
	struct dwarf_section sections[];
};

struct dwarf_file *dwarf_file_new(int file, const char *path, const struct dwarf_section *sections,
				  size_t count)
{
	struct dwarf_file *const dwarf = calloc(1, sizeof(*dwarf) + count * sizeof(*sections));

	if (!dwarf)
		return NULL;
	dwarf->file = dup(file);
	dwarf->path = strdup(path);
	dwarf->count = count;
	if (count)
		memcpy(dwarf->sections, sections, count * sizeof(*sections));
	if (dwarf->file < 0 || !dwarf->path) {
		dwarf_file_free(dwarf);
		return NULL;
	}
	return dwarf;
}

void dwarf_file_free(struct dwarf_file *dwarf)
{
	if (!dwarf)
		return;
	if (dwarf->dwfl)
		dwfl_end(dwarf->dwfl);
	if (dwarf->file >= 0)
		close(dwarf->file);
	free(dwarf->path);
	free(dwarf);
}

/* What is told is what is in the file: nothing is looked for on this machine, or on the net. */
static int find_no_more(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			const char *file, const char *link, GElf_Word crc, char **found)
{
	(void)module, (void)data, (void)name, (void)base;
	(void)file, (void)link, (void)crc, (void)found;
	return -1;
}

/* libdwfl relocates the DWARF of object files, for a layout of its own. */
static void open_dwarf(struct dwarf_file *dwarf)
{
	static const Dwfl_Callbacks callbacks = {
		.find_debuginfo = find_no_more,
		.section_address = dwfl_offline_section_address,
	};

	dwarf->dwfl = dwfl_begin(&callbacks);
	if (dwarf->dwfl) {
		dwfl_report_begin(dwarf->dwfl);
		dwarf->module =
			dwfl_report_offline(dwarf->dwfl, dwarf->path, dwarf->path, dwarf->file);
		if (dwarf->module)
			dwarf->file = -1;
		dwfl_report_end(dwarf->dwfl, NULL, NULL);
	}
	/* Once: what was refused will be again. */
	if (dwarf->file >= 0)
		close(dwarf->file);
	dwarf->file = -1;
}

/* Where libdwfl has @address. */
static bool translate(struct dwarf_file *dwarf, u64 address, Dwarf_Addr *to)
{
	GElf_Addr bias;
	GElf_Shdr header;
	Elf *elf;

	for (size_t i = 0; i < dwarf->count; i++) {
		const struct dwarf_section *const section = &dwarf->sections[i];

		if (address - section->address >= section->size)
			continue;
		if (dwarf->file >= 0)
			open_dwarf(dwarf);
		elf = dwarf->module ? dwfl_module_getelf(dwarf->module, &bias) : NULL;
		if (!elf || !gelf_getshdr(elf_getscn(elf, section->number), &header))
			return false;
		*to = address - section->address + header.sh_addr + bias;
		return true;
	}
	return false;
}

/* clang leaves out the table by which libdwfl finds the unit of an address: look at each. */
static const char *search_units(struct dwarf_file *dwarf, Dwarf_Addr at, int *line)
{
	Dwarf_Addr bias;

	for (Dwarf_Die *unit = dwfl_module_nextcu(dwarf->module, NULL, &bias); unit;
	     unit = dwfl_module_nextcu(dwarf->module, unit, &bias)) {
		Dwarf_Line *found;

		if (dwarf_haspc(unit, at - bias) != 1)
			continue;
		found = dwarf_getsrc_die(unit, at - bias);
		if (found && dwarf_lineno(found, line) == 0)
			return dwarf_linesrc(found, NULL, NULL);
	}
	return NULL;
}

static struct answer ask(struct dwarf_file *dwarf, u64 address)
{
	struct answer answer = { .address = address, .known = true };
	Dwfl_Line *found;
	Dwarf_Addr at;
	int line = 0;

	if (!translate(dwarf, address, &at))
		return answer;
	found = dwfl_module_getsrc(dwarf->module, at);
	if (found)
		answer.name = dwfl_lineinfo(found, NULL, &line, NULL, NULL, NULL);
	else
		answer.name = search_units(dwarf, at, &line);
	answer.line = (unsigned)line;
	if (line <= 0 || (answer.name && strlen(answer.name) > DWARF_MAX_NAME))
		answer.name = NULL;
	return answer;
}

bool dwarf_file_line(struct dwarf_file *dwarf, u64 address, const char **name, unsigned *line)
{
	struct answer *const answer =
		&dwarf->cache[(address * 0x9e3779b97f4a7c15ull >> 32) % CACHE];

	if (!answer->known || answer->address != address)
		*answer = ask(dwarf, address);
	*name = answer->name;
	*line = answer->line;
	return answer->name;
}
