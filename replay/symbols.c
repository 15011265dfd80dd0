#include "replay/symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/array.h"
#include "replay/symbols_dwarf.h"

#define LEVELS	   2
#define TEXT_CHUNK KIB(256)
#define MAX_DWARF  16 /* files of a level; lines of more are not looked for */

struct entry {
	struct symbol symbol;
	u64 end;      /* of what belongs to it */
	size_t order; /* of those at one address, the lowest counts */
};

struct level {
	struct entry *entries; /* sealed: by address, one for each address */
	size_t count;
	size_t room;
	const struct entry **by_name;
	struct dwarf_file *dwarf[MAX_DWARF];
	size_t dwarf_count;
};

/* Texts never move, so that symbols can point to them. */
struct text {
	struct text *next;
	size_t used, room;
	char bytes[];
};

struct symbols {
	struct level levels[LEVELS];
	struct text *texts;
	const char *last_module; /* modules come in long runs */
	size_t added;
	bool sealed;
	struct symbols_file *files;
	size_t file_count;
};

struct symbols *symbols_new(void)
{
	return calloc(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *symbols)
{
	if (!symbols)
		return;
	for (unsigned i = 0; i < LEVELS; i++) {
		free(symbols->levels[i].entries);
		free(symbols->levels[i].by_name);
		for (size_t k = 0; k < symbols->levels[i].dwarf_count; k++)
			dwarf_file_free(symbols->levels[i].dwarf[k]);
	}
	for (size_t i = 0; i < symbols->file_count; i++)
		free((void *)symbols->files[i].sections);
	free(symbols->files);
	while (symbols->texts) {
		struct text *const next = symbols->texts->next;

		free(symbols->texts);
		symbols->texts = next;
	}
	free(symbols);
}

/* --- filling ---------------------------------------------------------------------------------- */

static const char *keep(struct symbols *symbols, const char *text)
{
	const size_t size = strlen(text) + 1;
	struct text *last = symbols->texts;
	char *to;

	if (!last || last->room - last->used < size) {
		const size_t room = MAX(size, (size_t)TEXT_CHUNK);

		last = malloc(sizeof(*last) + room);
		if (!last)
			return NULL;
		*last = (struct text){ .next = symbols->texts, .room = room };
		symbols->texts = last;
	}
	to = last->bytes + last->used;
	last->used += size;
	return memcpy(to, text, size);
}

enum status symbols_add_file(struct symbols *symbols, const struct symbols_file *file)
{
	struct symbols_section *const sections = calloc(file->section_count + 1, sizeof(*sections));
	struct symbols_file *const more =
		realloc(symbols->files, (symbols->file_count + 1) * sizeof(*more));
	struct symbols_file *to;
	bool kept;

	if (more)
		symbols->files = more;
	if (!more || !sections) {
		free(sections);
		return ST_NO_MEMORY;
	}
	to = &more[symbols->file_count++];
	*to = *file;
	to->path = keep(symbols, file->path);
	to->sections = sections;
	kept = to->path;
	for (size_t i = 0; i < file->section_count; i++) {
		sections[i] = (struct symbols_section){ keep(symbols, file->sections[i].name),
							file->sections[i].address };
		kept = kept && sections[i].name;
	}
	return kept ? ST_OK : ST_NO_MEMORY;
}

size_t symbols_files(const struct symbols *symbols, const struct symbols_file **files)
{
	*files = symbols ? symbols->files : NULL;
	return symbols ? symbols->file_count : 0;
}

static struct entry *new_entry(struct level *level)
{
	if (!array_reserve(&level->entries, &level->room, level->count, 1, sizeof(*level->entries)))
		return NULL;
	return &level->entries[level->count++];
}

enum status symbols_add(struct symbols *symbols, unsigned level, const struct symbol *symbol,
			bool global)
{
	struct symbol kept = *symbol;
	struct entry *entry;

	if (symbol->module &&
	    (!symbols->last_module || strcmp(symbol->module, symbols->last_module))) {
		symbols->last_module = keep(symbols, symbol->module);
		if (!symbols->last_module)
			return ST_NO_MEMORY;
	}
	kept.module = symbol->module ? symbols->last_module : NULL;
	kept.name = keep(symbols, symbol->name);
	entry = new_entry(&symbols->levels[level - 1]);
	if (!kept.name || !entry)
		return ST_NO_MEMORY;
	*entry = (struct entry){ .symbol = kept, .order = symbols->added++ };
	if (!global)
		entry->order |= BIT(63);
	symbols->sealed = false;
	return ST_OK;
}

void symbols_add_dwarf(struct symbols *symbols, unsigned level, struct dwarf_file *dwarf)
{
	struct level *const to = &symbols->levels[level - 1];

	if (to->dwarf_count < MAX_DWARF)
		to->dwarf[to->dwarf_count++] = dwarf;
	else
		dwarf_file_free(dwarf);
}

/* --- sealing ---------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
	const struct entry *const x = a, *const y = b;

	if (x->symbol.address != y->symbol.address)
		return x->symbol.address < y->symbol.address ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int by_name(const void *a, const void *b)
{
	const struct entry *const *const x = a, *const *const y = b;
	const int order = strcmp((*x)->symbol.name, (*y)->symbol.name);

	return order ? order : by_address(*x, *y);
}

/* The end of what belongs to entry @i: by its size, else where the next of its module begins. */
static u64 end_of(const struct level *level, size_t i)
{
	const struct symbol *const symbol = &level->entries[i].symbol;
	u64 end;

	if (!__builtin_add_overflow(symbol->address, symbol->size, &end) && symbol->size)
		return end;
	if (i + 1 == level->count || level->entries[i + 1].symbol.module != symbol->module)
		return symbol->address + 1;
	return level->entries[i + 1].symbol.address;
}

static void seal_level(struct level *level)
{
	size_t kept = 0;

	if (!level->count)
		return;
	qsort(level->entries, level->count, sizeof(*level->entries), by_address);
	for (size_t i = 0; i < level->count; i++)
		if (!kept ||
		    level->entries[i].symbol.address != level->entries[kept - 1].symbol.address)
			level->entries[kept++] = level->entries[i];
	level->count = kept;
	for (size_t i = 0; i < kept; i++)
		level->entries[i].end = end_of(level, i);

	free(level->by_name);
	/* Without memory for it, names are searched one by one. */
	level->by_name = malloc(kept * sizeof(const struct entry *));
	if (!level->by_name)
		return;
	for (size_t i = 0; i < kept; i++)
		level->by_name[i] = &level->entries[i];
	qsort(level->by_name, kept, sizeof(const struct entry *), by_name);
}

void symbols_seal(struct symbols *symbols)
{
	if (symbols->sealed)
		return;
	for (unsigned i = 0; i < LEVELS; i++)
		seal_level(&symbols->levels[i]);
	symbols->sealed = true;
}

/* --- looking up ------------------------------------------------------------------------------- */

static const struct level *level_of(const struct symbols *symbols, unsigned level)
{
	return symbols && level >= 1 && level <= LEVELS ? &symbols->levels[level - 1] : NULL;
}

size_t symbols_count(const struct symbols *symbols, unsigned level)
{
	const struct level *const in = level_of(symbols, level);

	return in ? in->count : 0;
}

const struct symbol *symbols_find(const struct symbols *symbols, unsigned level, u64 address)
{
	const struct level *const in = level_of(symbols, level);
	size_t low = 0, high;

	if (!in)
		return NULL;
	for (high = in->count; low < high;) {
		const size_t middle = low + (high - low) / 2;

		if (in->entries[middle].symbol.address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address >= in->entries[low - 1].end)
		return NULL;
	return &in->entries[low - 1].symbol;
}

const struct symbol *symbols_named(const struct symbols *symbols, unsigned level, const char *name)
{
	const struct level *const in = level_of(symbols, level);
	size_t low = 0, high;

	if (!in)
		return NULL;
	if (!in->by_name) {
		for (size_t i = 0; i < in->count; i++)
			if (!strcmp(in->entries[i].symbol.name, name))
				return &in->entries[i].symbol;
		return NULL;
	}
	for (high = in->count; low < high;) {
		const size_t middle = low + (high - low) / 2;

		if (strcmp(in->by_name[middle]->symbol.name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == in->count || strcmp(in->by_name[low]->symbol.name, name))
		return NULL;
	return &in->by_name[low]->symbol;
}

size_t symbols_text(const struct symbols *symbols, unsigned level, u64 address, char *to)
{
	const struct symbol *const symbol = symbols_find(symbols, level, address);
	int length;

	if (!symbol)
		return 0;
	if (symbol->address == address)
		length = snprintf(to, SYMBOLS_MAX_NAME, "%s", symbol->name);
	else
		length = snprintf(to, SYMBOLS_MAX_NAME, "%.*s+0x%llx", SYMBOLS_MAX_NAME - 20,
				  symbol->name, (unsigned long long)(address - symbol->address));
	return MIN((size_t)length, (size_t)SYMBOLS_MAX_NAME - 1);
}

/* --- source lines ----------------------------------------------------------------------------- */

bool symbols_source(const struct symbols *symbols, unsigned level, u64 address, const char **name,
		    unsigned *line)
{
	const struct level *const in = level_of(symbols, level);

	for (size_t i = 0; in && i < in->dwarf_count; i++)
		if (dwarf_file_line(in->dwarf[i], address, name, line))
			return true;
	return false;
}

bool symbols_has_lines(const struct symbols *symbols, unsigned level)
{
	const struct level *const in = level_of(symbols, level);

	return in && in->dwarf_count;
}

size_t symbols_line(const struct symbols *symbols, unsigned level, u64 address,
		    char to[SYMBOLS_MAX_NAME])
{
	const char *name, *from;
	unsigned line, folders = 0;

	if (!symbols_source(symbols, level, address, &name, &line))
		return 0;
	for (from = name + strlen(name); from > name; from--)
		if (from[-1] == '/' && folders++)
			break;
	return MIN((size_t)snprintf(to, SYMBOLS_MAX_NAME, "%.*s:%u", SYMBOLS_MAX_NAME - 16, from,
				    line),
		   (size_t)SYMBOLS_MAX_NAME - 1);
}

char *symbols_rip(const struct symbols *symbols, unsigned level, u64 address,
		  char to[SYMBOLS_MAX_NAME])
{
	size_t length = symbols_text(symbols, level, address, to);
	char line[SYMBOLS_MAX_NAME];

	if (!length) {
		snprintf(to, SYMBOLS_MAX_NAME, "%016llx", (unsigned long long)address);
		return to;
	}
	to[length] = 0;
	if (symbols_line(symbols, level, address, line))
		snprintf(to + length, SYMBOLS_MAX_NAME - length, " [%.*s]",
			 (int)(SYMBOLS_MAX_NAME - length) - 4, line);
	return to;
}
