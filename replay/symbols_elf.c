/*
 * replay/symbols_elf.c - symbols of programs and of Linux's modules
 *
 * A module is an object file: Linux lays out its sections when it loads it, code first, in their
 * order, but for those of initialisation. The same is done here, from address 0.
 */
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/symbols_dwarf.h"
#include "replay/symbols_parts.h"

#define MAX_SECTIONS 65536 /* of a file; also numbers of others are refused */

struct program {
	const struct symbols_source *source;
	Elf *elf;
	bool module; /* an object file */
	size_t section_count;
	u64 *addresses; /* of code sections, by number; the file's own, of a module from 0 */
	bool *code;
	struct code_piece *pieces;
	size_t piece_count;
	u64 text;		     /* address of .text, as in @addresses */
	bool lines;		     /* it has DWARF about lines */
	struct dwarf_section *dwarf; /* the code sections, as @addresses has them */
	size_t dwarf_count;
};

static enum status wrong(const struct program *program, enum status status, const char *what)
{
	snprintf(program->source->error, program->source->error_size, "'%s': %s",
		 program->source->path, what);
	return status;
}

static bool is_code(const GElf_Shdr *header)
{
	return (header->sh_flags & (SHF_ALLOC | SHF_EXECINSTR)) == (SHF_ALLOC | SHF_EXECINSTR);
}

static const char *section_name(const struct program *program, const GElf_Shdr *header)
{
	size_t names;
	const char *name;

	if (elf_getshdrstrndx(program->elf, &names))
		return "";
	name = elf_strptr(program->elf, names, header->sh_name);
	return name ? name : "";
}

static enum status add_piece(struct program *program, Elf_Scn *section, u64 address)
{
	const Elf_Data *const data = elf_getdata(section, NULL);
	struct code_piece *const more =
		realloc(program->pieces, (program->piece_count + 1) * sizeof(*program->pieces));

	if (!more)
		return ST_NO_MEMORY;
	program->pieces = more;
	if (data && data->d_buf)
		program->pieces[program->piece_count++] = (struct code_piece){
			.address = address, .size = data->d_size, .bytes = data->d_buf
		};
	return ST_OK;
}

static enum status lay_out(struct program *program)
{
	Elf_Scn *section = NULL;
	u64 next = 0;

	while ((section = elf_nextscn(program->elf, section))) {
		const size_t number = elf_ndxscn(section);
		const char *name;
		GElf_Shdr header;
		u64 address, align;

		if (number >= program->section_count || !gelf_getshdr(section, &header))
			return wrong(program, ST_INVALID, "its section headers are damaged");
		name = section_name(program, &header);
		program->lines |= !strcmp(name, ".debug_line");
		if (!is_code(&header) || header.sh_type == SHT_NOBITS ||
		    (program->module && !strncmp(name, ".init", 5)))
			continue;
		align = MAX(header.sh_addralign, (u64)1);
		address = program->module ? (next + align - 1) / align * align : header.sh_addr;
		next = address + header.sh_size;
		program->addresses[number] = address;
		program->code[number] = true;
		if (!strcmp(name, ".text"))
			program->text = address;
		program->dwarf[program->dwarf_count++] =
			(struct dwarf_section){ number, address, header.sh_size };
		if (add_piece(program, section, address) != ST_OK)
			return wrong(program, ST_NO_MEMORY, "no memory for it");
	}
	return ST_OK;
}

/* --- placing ---------------------------------------------------------------------------------- */

static struct code_piece *piece_at(const struct program *program, size_t section)
{
	if (section >= program->section_count || !program->code[section])
		return NULL;
	for (size_t i = 0; i < program->piece_count; i++)
		if (program->pieces[i].address == program->addresses[section])
			return &program->pieces[i];
	return NULL;
}

/* Marks what relocation @at of @type changes. Types not named are of four bytes, as most are. */
static void mark_relocation(u8 *changed, size_t size, u64 at, u32 type)
{
	const size_t length = type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4;

	for (size_t i = 0; i < length && at < size && i < size - at; i++)
		changed[at + i] = 1;
}

static enum status mark_relocations(struct program *program)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(program->elf, section))) {
		struct code_piece *piece;
		GElf_Shdr header;
		Elf_Data *data;
		GElf_Rela entry;
		u8 *changed;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA)
			continue;
		piece = piece_at(program, header.sh_info);
		data = elf_getdata(section, NULL);
		if (!piece || !data || piece->changed)
			continue;
		changed = calloc(1, piece->size + 1);
		if (!changed)
			return wrong(program, ST_NO_MEMORY, "no memory for it");
		for (int i = 0; gelf_getrela(data, i, &entry); i++)
			mark_relocation(changed, piece->size, entry.r_offset,
					(u32)GELF_R_TYPE(entry.r_info));
		piece->changed = changed;
	}
	return ST_OK;
}

/* /path/kvm-intel.ko is kvm_intel. */
static void module_name(const char *path, char *to, size_t size)
{
	const char *const slash = strrchr(path, '/');
	size_t length;

	snprintf(to, size, "%s", slash ? slash + 1 : path);
	length = strcspn(to, ".");
	to[length] = 0;
	for (char *c = to; *c; c++)
		if (*c == '-')
			*c = '_';
}

static enum status search(struct program *program, u64 *distance)
{
	struct reader *const reader = program->source->reader;
	struct code_lines *lines;
	unsigned agree;
	char name[64];
	u64 address;

	module_name(program->source->path, name, sizeof(name));
	if (program->module && reader && symbols_tape_module(reader, name, &address)) {
		*distance = address - program->text;
		return ST_OK;
	}
	lines = malloc(sizeof(*lines));
	if (!lines)
		return wrong(program, ST_NO_MEMORY, "no memory for it");
	lines->count = 0;
	if (reader && program->source->level == 1)
		code_lines_read(reader, lines);
	agree = code_lines_place(lines, program->pieces, program->piece_count, distance);
	free(lines);
	if (!agree && program->module)
		return wrong(program, ST_NOT_FOUND,
			     "no code on the tape tells where it was loaded; say it with @ADDRESS, "
			     "as L1's /proc/modules has it");
	if (!agree)
		*distance = 0;
	return ST_OK;
}

static enum status place(struct program *program, u64 *distance)
{
	const struct symbols_source *const source = program->source;
	enum status status = ST_OK;

	if (source->where == SYMBOLS_ABOVE)
		*distance = source->value;
	else if (source->where == SYMBOLS_TEXT)
		*distance = source->value - program->text;
	else if ((status = program->module ? mark_relocations(program) : ST_OK) == ST_OK)
		status = search(program, distance);
	return status;
}

/* --- symbols ---------------------------------------------------------------------------------- */

static bool take_symbol(const struct program *program, const GElf_Sym *entry, const char *name)
{
	const unsigned type = GELF_ST_TYPE(entry->st_info);

	if (!name || !*name || entry->st_shndx >= program->section_count ||
	    !program->code[entry->st_shndx])
		return false;
	/* Labels of assembly have no type; those that begin with a dot are the compiler's own. */
	return type == STT_FUNC || type == STT_GNU_IFUNC || (type == STT_NOTYPE && *name != '.');
}

static enum status take_symbols(const struct program *program, Elf_Scn *section,
				const GElf_Shdr *header, u64 distance, struct symbols *symbols,
				size_t *count)
{
	Elf_Data *const data = elf_getdata(section, NULL);
	char module[64];
	GElf_Sym entry;

	module_name(program->source->path, module, sizeof(module));
	for (int i = 0; data && gelf_getsym(data, i, &entry); i++) {
		const char *const name = elf_strptr(program->elf, header->sh_link, entry.st_name);
		struct symbol symbol = { .address = entry.st_value + distance,
					 .size = entry.st_size,
					 .name = name,
					 .module = program->module ? module : NULL };

		if (!take_symbol(program, &entry, name))
			continue;
		if (program->module)
			symbol.address += program->addresses[entry.st_shndx];
		if (symbols_add(symbols, program->source->level, &symbol,
				GELF_ST_BIND(entry.st_info) == STB_GLOBAL) != ST_OK)
			return wrong(program, ST_NO_MEMORY, "no memory for its symbols");
		++*count;
	}
	return ST_OK;
}

static enum status take_tables(const struct program *program, u64 distance, struct symbols *symbols)
{
	enum status status = ST_OK;
	size_t count = 0;

	/* What a stripped program still exports is better than nothing. */
	for (unsigned type = SHT_SYMTAB; status == ST_OK && !count; type = SHT_DYNSYM) {
		Elf_Scn *section = NULL;
		GElf_Shdr header;

		while (status == ST_OK && (section = elf_nextscn(program->elf, section)))
			if (gelf_getshdr(section, &header) && header.sh_type == type)
				status = take_symbols(program, section, &header, distance, symbols,
						      &count);
		if (type == SHT_DYNSYM)
			break;
	}
	if (status == ST_OK && !count)
		return wrong(program, ST_INVALID, "it has no symbols: is it stripped?");
	return status;
}

static enum status take_file(struct program *program, u64 distance, struct symbols *symbols)
{
	char *const path = realpath(program->source->path, NULL);
	struct symbols_section *const sections =
		calloc(program->section_count + 1, sizeof(*sections));
	struct symbols_file file = { .path = path ? path : program->source->path,
				     .level = (u8)program->source->level,
				     .distance = distance,
				     .sections = sections };
	Elf_Scn *section = NULL;
	enum status status = sections ? ST_OK : ST_NO_MEMORY;

	while (sections && program->module && (section = elf_nextscn(program->elf, section))) {
		const size_t number = elf_ndxscn(section);
		GElf_Shdr header;

		if (program->code[number] && gelf_getshdr(section, &header))
			sections[file.section_count++] =
				(struct symbols_section){ section_name(program, &header),
							  program->addresses[number] + distance };
	}
	if (status == ST_OK)
		status = symbols_add_file(symbols, &file);
	free(sections);
	free(path);
	return status == ST_OK ? ST_OK : wrong(program, status, "no memory for it");
}

/* Where memory is short, there are none. */
static void take_lines(struct program *program, int file, u64 distance, struct symbols *symbols)
{
	struct dwarf_file *dwarf;

	for (size_t i = 0; i < program->dwarf_count; i++)
		program->dwarf[i].address += distance;
	dwarf = dwarf_file_new(file, program->source->path, program->dwarf, program->dwarf_count);
	if (dwarf)
		symbols_add_dwarf(symbols, program->source->level, dwarf);
}

static enum status load(struct program *program, int file, struct symbols *symbols)
{
	enum status status;
	u64 distance;
	GElf_Ehdr header;

	if (!gelf_getehdr(program->elf, &header) ||
	    elf_getshdrnum(program->elf, &program->section_count) ||
	    program->section_count > MAX_SECTIONS)
		return wrong(program, ST_INVALID, "its ELF header is damaged");
	program->module = header.e_type == ET_REL;
	program->addresses = calloc(program->section_count + 1, sizeof(*program->addresses));
	program->code = calloc(program->section_count + 1, sizeof(*program->code));
	program->dwarf = calloc(program->section_count + 1, sizeof(*program->dwarf));
	if (!program->addresses || !program->code || !program->dwarf)
		return wrong(program, ST_NO_MEMORY, "no memory for it");
	status = lay_out(program);
	if (status == ST_OK)
		status = place(program, &distance);
	if (status == ST_OK)
		status = take_tables(program, distance, symbols);
	if (status == ST_OK)
		status = take_file(program, distance, symbols);
	if (status == ST_OK && program->lines)
		take_lines(program, file, distance, symbols);
	return status;
}

enum status symbols_load_elf(struct symbols *symbols, const struct symbols_source *source, int file)
{
	struct program program = { .source = source };
	enum status status;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return wrong(&program, ST_UNSUPPORTED, "libelf is older than its headers");
	program.elf = elf_begin(file, ELF_C_READ, NULL);
	if (!program.elf || elf_kind(program.elf) != ELF_K_ELF)
		status = wrong(&program, ST_INVALID, "it is no ELF file that libelf can read");
	else
		status = load(&program, file, symbols);
	for (size_t i = 0; i < program.piece_count; i++)
		free((void *)program.pieces[i].changed);
	free(program.pieces);
	free(program.addresses);
	free(program.code);
	free(program.dwarf);
	elf_end(program.elf);
	return status;
}
