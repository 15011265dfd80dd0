#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>

#include "replay/symbols_load.h"
#include "tests/cli/query_tape.h"
#include "tests/test.h"

#define BASE 0xffffffffc0a00000ull
#define TEXT 0x2000 /* bytes of the module's .text */
#define MAP  "System.map"
#define KO   "my-module.ko"

static struct symbols *symbols;
static struct reader *reader;
static char error[512];

static int set_up(void **state)
{
	(void)state;
	symbols = symbols_new();
	reader = NULL;
	query_tape_code_at = NULL;
	return symbols ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	symbols_free(symbols);
	reader_close(reader);
	remove(MAP);
	remove(KO);
	remove(QUERY_TAPE);
	return 0;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *const file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static const char *name_of(unsigned level, u64 address)
{
	static char text[SYMBOLS_MAX_NAME];

	return symbols_rip(symbols, level, address, text);
}

static void open_tape(void)
{
	if (reader_open(QUERY_TAPE, &reader, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
}

/* --- text ------------------------------------------------------------------------------------- */

static const char map[] = "ffffffff81000000 T _stext\n"
			  "ffffffff81000100 t vmx_init\r\n"
			  "ffffffff81000180 D data\n"
			  "no line\n"
			  "ffffffff81000200 T\n"
			  "11111111111111111 T too_long\n"
			  "ffffffffc0a00040 t handle_exit\t[kvm_intel]\n"
			  "ffffffffc0a00080 T last [kvm_intel]";

static void lines_of_text_are_symbols(void **state)
{
	(void)state;
	write_file(MAP, map, sizeof(map) - 1);
	assert_int_equal(symbols_load(symbols, "l1=" MAP, NULL, error, sizeof(error)), ST_OK);
	assert_u64(symbols_count(symbols, 1), 4);
	assert_string_equal(name_of(1, 0xffffffff81000004), "_stext+0x4");
	assert_string_equal(name_of(1, 0xffffffffc0a00041), "handle_exit+0x1");
	assert_string_equal(symbols_find(symbols, 1, 0xffffffffc0a00041)->module, "kvm_intel");
	assert_string_equal(name_of(1, 0xffffffffc0a00080), "last");
}

static void an_offset_moves_them_and_a_level_is_kept(void **state)
{
	(void)state;
	write_file(MAP, map, sizeof(map) - 1);
	assert_int_equal(symbols_load(symbols, "l2=" MAP "+0x1000", NULL, error, sizeof(error)),
			 ST_OK);
	assert_string_equal(name_of(2, 0xffffffff81001000), "_stext");
	assert_u64(symbols_count(symbols, 1), 0);
}

static void what_is_wrong_is_said_with_the_file(void **state)
{
	static const struct {
		const char *spec, *content, *said;
		enum status status;
	} rows[] = {
		{ "l1=none.map", NULL, "'none.map': No such file", ST_IO },
		{ "l3=" MAP, "x", "'l3=" MAP "' does not say whose symbols", ST_INVALID },
		{ "l1=", "x", "'l1=' does not say whose symbols", ST_INVALID },
		{ "l1=/", "x", "'/': it is no file", ST_IO },
		{ "l1=" MAP, "no symbols\n", "neither an ELF file nor lines", ST_INVALID },
		{ "l1=" MAP, "0000000000000000 T a\n0000000000000000 t b\n",
		  "all its addresses are 0", ST_INVALID },
		{ "l1=" MAP, "\177ELF and nothing behind", "no ELF file that libelf can read",
		  ST_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].content)
			write_file(MAP, rows[i].content, strlen(rows[i].content));
		error[0] = 0;
		assert_row(rows[i].spec,
			   symbols_load(symbols, rows[i].spec, NULL, error, sizeof(error)),
			   rows[i].status);
		if (!strstr(error, rows[i].said))
			fail_msg("'%s' is not in '%s'", rows[i].said, error);
	}
}

/* --- programs and modules --------------------------------------------------------------------- */

static u8 text[TEXT];

static void make_text(void)
{
	u32 noise = 7;

	for (size_t i = 0; i < TEXT; i++) {
		noise = noise * 1664525 + 1013904223;
		text[i] = (u8)(noise >> 24);
	}
}

static void add_section(Elf *elf, u32 name, u32 type, u64 flags, void *bytes, size_t size, u32 link,
			u32 info, size_t entry)
{
	Elf_Scn *const section = elf_newscn(elf);
	Elf_Data *const data = elf_newdata(section);
	Elf64_Shdr *const header = elf64_getshdr(section);

	data->d_buf = bytes;
	data->d_size = size;
	data->d_type = type == SHT_SYMTAB ? ELF_T_SYM : type == SHT_RELA ? ELF_T_RELA : ELF_T_BYTE;
	data->d_align = 16;
	data->d_version = EV_CURRENT;
	header->sh_name = name;
	header->sh_type = type;
	header->sh_flags = flags;
	header->sh_link = link;
	header->sh_info = info;
	header->sh_entsize = entry;
}

/*
 * A module of two code sections: .init.text, which is not where the rest is, and .text with
 * "handle" at 0x100, "label" of no type at 0x1100, and four bytes at 0x204 that the loader writes.
 */
static void write_module(void)
{
	enum { INIT = 1, CODE, RELA, SYMTAB, STRINGS };
	static char names[] = "\0.init.text\0.text\0.rela.text\0.symtab\0.strtab\0handle\0label\0"
			      "early\0.local";
	static u8 init[64];
	static Elf64_Rela rela[] = {
		{ .r_offset = 0x204, .r_info = ELF64_R_INFO(1, R_X86_64_PC32) },
		{ .r_offset = ~0ull, .r_info = ELF64_R_INFO(1, R_X86_64_64) }
	};
	Elf64_Sym syms[] = {
		{ 0 },
		{ .st_name = 45,
		  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
		  .st_shndx = CODE,
		  .st_value = 0x100,
		  .st_size = 0x80 },
		{ .st_name = 52,
		  .st_info = ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE),
		  .st_shndx = CODE,
		  .st_value = 0x1100 },
		{ .st_name = 58,
		  .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
		  .st_shndx = INIT,
		  .st_value = 0 },
		{ .st_name = 64,
		  .st_info = ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE),
		  .st_shndx = CODE,
		  .st_value = 0x1000 },
		{ .st_name = 45,
		  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
		  .st_shndx = 200,
		  .st_value = 0x500 },
	};
	const int file = open(KO, O_RDWR | O_CREAT | O_TRUNC, 0644);
	Elf64_Ehdr *header;
	Elf *elf;

	make_text();
	assert_true(file >= 0 && elf_version(EV_CURRENT) != EV_NONE);
	elf = elf_begin(file, ELF_C_WRITE, NULL);
	header = elf64_newehdr(elf);
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_type = ET_REL;
	header->e_machine = EM_X86_64;
	header->e_version = EV_CURRENT;
	header->e_shstrndx = STRINGS;
	add_section(elf, 1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, init, sizeof(init), 0, 0, 0);
	add_section(elf, 12, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, text, TEXT, 0, 0, 0);
	add_section(elf, 18, SHT_RELA, 0, rela, sizeof(rela), SYMTAB, CODE, sizeof(rela[0]));
	add_section(elf, 29, SHT_SYMTAB, 0, syms, sizeof(syms), STRINGS, 1, sizeof(syms[0]));
	add_section(elf, 37, SHT_STRTAB, 0, names, sizeof(names), 0, 0, 0);
	assert_true(elf_update(elf, ELF_C_WRITE) > 0);
	elf_end(elf);
	close(file);
}

/* The first instruction is executed at BASE + 0x200, where the loader wrote four bytes. */
static unsigned module_code(u64 rip, u8 *to)
{
	if (rip < BASE || rip - BASE > TEXT - TRACE_MAX_CODE)
		return 0;
	memcpy(to, text + (rip - BASE), TRACE_MAX_CODE);
	if (rip == BASE + 0x200)
		memcpy(to + 4, "\x12\x34\x56\x78", 4);
	return TRACE_MAX_CODE;
}

static void make_module_tape(void)
{
	struct query_tape tape = query_tape_start();

	query_tape_code_at = module_code;
	tape.rip = BASE + 0x200 - 16;
	query_tape_vmcs(&tape);
	query_tape_end(&tape);
	open_tape();
}

static void a_module_is_found_by_its_code_on_the_tape(void **state)
{
	(void)state;
	write_module();
	make_module_tape();
	assert_int_equal(symbols_load(symbols, "l1=" KO, reader, error, sizeof(error)), ST_OK);
	assert_string_equal(name_of(1, BASE + 0x100), "handle");
	assert_string_equal(name_of(1, BASE + 0x17f), "handle+0x7f");
	assert_string_equal(name_of(1, BASE + 0x180), "ffffffffc0a00180");
	assert_string_equal(name_of(1, BASE + 0x1100), "label");
	assert_string_equal(symbols_find(symbols, 1, BASE + 0x100)->module, "my_module");
	/* .init.text, a local label and a symbol of no section. */
	assert_u64(symbols_count(symbols, 1), 2);
	assert_u64(reader_tell(reader), 0);
}

static void a_debugger_is_told_where_files_are(void **state)
{
	const struct symbols_file *files;

	(void)state;
	write_module();
	assert_u64(symbols_files(NULL, &files), 0);
	assert_int_equal(
		symbols_load(symbols, "l1=" KO "@0xffffffffc0b00000", NULL, error, sizeof(error)),
		ST_OK);
	assert_int_equal(
		symbols_load(symbols, "l2=/proc/self/exe+0x1000", NULL, error, sizeof(error)),
		ST_OK);
	assert_u64(symbols_files(symbols, &files), 2);
	assert_int_equal(files[0].path[0], '/');
	assert_non_null(strstr(files[0].path, "/" KO));
	assert_int_equal(files[0].level, 1);
	/* Without .init.text. */
	assert_u64(files[0].section_count, 1);
	assert_string_equal(files[0].sections[0].name, ".text");
	assert_u64(files[0].sections[0].address, 0xffffffffc0b00000);
	assert_int_equal(files[1].level, 2);
	assert_u64(files[1].distance, 0x1000);
	assert_u64(files[1].section_count, 0);
}

static void a_module_without_code_on_the_tape_needs_an_address(void **state)
{
	(void)state;
	write_module();
	assert_int_equal(symbols_load(symbols, "l1=" KO, NULL, error, sizeof(error)), ST_NOT_FOUND);
	assert_non_null(strstr(error, "say it with @ADDRESS"));
	assert_int_equal(
		symbols_load(symbols, "l1=" KO "@0xffffffffc0b00000", NULL, error, sizeof(error)),
		ST_OK);
	assert_string_equal(name_of(1, 0xffffffffc0b00108), "handle+0x8");
}

static void a_program_is_at_its_own_addresses(void **state)
{
	const struct symbol *self;

	(void)state;
	assert_int_equal(symbols_load(symbols, "l1=/proc/self/exe", NULL, error, sizeof(error)),
			 ST_OK);
	self = symbols_named(symbols, 1, "main");
	assert_non_null(self);
	assert_null(self->module);
	assert_true(self->size);
}

/* Whatever libelf makes of it: no crash, and an error has a text. */
static void a_damaged_module_is_refused_or_read(void **state)
{
	static u8 good[KIB(32)];
	FILE *file;
	size_t size;

	(void)state;
	write_module();
	file = fopen(KO, "r");
	size = fread(good, 1, sizeof(good), file);
	fclose(file);
	assert_true(size > TEXT && size < sizeof(good));
	for (size_t at = 0; at < size; at += at >= 64 && at < TEXT ? 256 : 1) {
		struct symbols *const spoilt = symbols_new();

		good[at] ^= 0x81;
		write_file(KO, good, size);
		good[at] ^= 0x81;
		error[0] = 0;
		if (symbols_load(spoilt, "l1=" KO "@0x1000", NULL, error, sizeof(error)) != ST_OK)
			assert_true(error[0]);
		symbols_free(spoilt);
	}
}

/* --- what L1 sent ----------------------------------------------------------------------------- */

static void send_part(struct query_tape *tape, u64 what, u64 offset, const char *part)
{
	const u64 columns[TRACE_MAX_COLUMNS] = { what, offset };
	const struct trace_event event = { .kind = EV_FILE,
					   .tsc = tape->tsc += 10,
					   .col = columns,
					   .bytes = (const u8 *)part,
					   .byte_count = (u32)strlen(part) };

	assert_int_equal(trace_encode_event(tape->encoder, &event), ST_OK);
	tape->seq++;
}

static void what_l1_sent_names_its_addresses(void **state)
{
	struct query_tape tape = query_tape_start();

	(void)state;
	send_part(&tape, FILE_KALLSYMS, 0, map);
	query_tape_vmcs(&tape);
	query_tape_block(&tape);
	/*
	 * The last line goes on in another block; parts of nothing and from far away are left out.
	 */
	send_part(&tape, FILE_KALLSYMS, ~0ull - 2, "ffffffff81000300 T far\n");
	send_part(&tape, FILE_KALLSYMS, sizeof(map) - 1, "\nffffffff81000400 T more\n");
	send_part(&tape, 77, 0, "ffffffff81000300 T unknown\n");
	send_part(&tape, FILE_KALLSYMS, sizeof(map) + 100, "ffffffff81000500 T behind_a_hole\n");
	query_tape_end(&tape);
	open_tape();
	assert_int_equal(symbols_load_tape(symbols, reader, error, sizeof(error)), ST_OK);
	assert_string_equal(name_of(1, 0xffffffff81000100), "vmx_init");
	assert_string_equal(name_of(1, 0xffffffff81000400), "more");
	assert_null(symbols_named(symbols, 1, "far"));
	assert_null(symbols_named(symbols, 1, "unknown"));
}

static void what_l1_sent_places_a_module(void **state)
{
	struct query_tape tape = query_tape_start();

	(void)state;
	write_module();
	send_part(&tape, FILE_MODULES, 0,
		  "my_module2 16384 0 - Live 0xffffffffc0900000\n"
		  "my_module 16384 1 other, Live 0xffffffffc0d00000\n");
	query_tape_end(&tape);
	open_tape();
	assert_int_equal(symbols_load(symbols, "l1=" KO, reader, error, sizeof(error)), ST_OK);
	assert_string_equal(name_of(1, 0xffffffffc0d00100), "handle");
}

static void hidden_addresses_are_said(void **state)
{
	struct query_tape tape = query_tape_start();

	(void)state;
	send_part(&tape, FILE_KALLSYMS, 0, "0000000000000000 T a\n0000000000000000 T b\n");
	query_tape_end(&tape);
	open_tape();
	assert_int_equal(symbols_load_tape(symbols, reader, error, sizeof(error)), ST_INVALID);
	assert_non_null(strstr(error, "by root"));
}

static void a_tape_without_them_is_fine(void **state)
{
	struct query_tape tape = query_tape_start();

	(void)state;
	query_tape_end(&tape);
	open_tape();
	assert_int_equal(symbols_load_tape(symbols, reader, error, sizeof(error)), ST_OK);
	assert_u64(symbols_count(symbols, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_of_text_are_symbols),
		TEST(an_offset_moves_them_and_a_level_is_kept),
		TEST(what_is_wrong_is_said_with_the_file),
		TEST(a_module_is_found_by_its_code_on_the_tape),
		TEST(a_debugger_is_told_where_files_are),
		TEST(a_module_without_code_on_the_tape_needs_an_address),
		TEST(a_program_is_at_its_own_addresses),
		TEST(a_damaged_module_is_refused_or_read),
		TEST(what_l1_sent_names_its_addresses),
		TEST(what_l1_sent_places_a_module),
		TEST(hidden_addresses_are_said),
		TEST(a_tape_without_them_is_fine),
	};

	return cmocka_run_group_tests_name("replay/symbols_load", tests, query_tape_folder,
					   query_tape_remove);
}
