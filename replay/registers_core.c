#include "replay/registers_core.h"

#include <stdlib.h>
#include <string.h>

#define CR0_NE	 BIT(5)
#define CR4_VMXE BIT(13)

/* How lines of the note begin; what follows is a hexadecimal number, with _ in it perhaps. */
static const struct {
	const char *begin;
	enum register_name reg;
	u64 hidden; /* bits that L1 sees otherwise */
} rows[] = {
	{ "rax:", REGISTER_RAX, 0 },	    { "rcx:", REGISTER_RCX, 0 },
	{ "rdx:", REGISTER_RDX, 0 },	    { "rbx:", REGISTER_RBX, 0 },
	{ "rsp:", REGISTER_RSP, 0 },	    { "rbp:", REGISTER_RBP, 0 },
	{ "rsi:", REGISTER_RSI, 0 },	    { "rdi:", REGISTER_RDI, 0 },
	{ "r8 :", REGISTER_R8, 0 },	    { "r9 :", REGISTER_R9, 0 },
	{ "r10:", REGISTER_R10, 0 },	    { "r11:", REGISTER_R11, 0 },
	{ "r12:", REGISTER_R12, 0 },	    { "r13:", REGISTER_R13, 0 },
	{ "r14:", REGISTER_R14, 0 },	    { "r15:", REGISTER_R15, 0 },
	{ "rip:", REGISTER_RIP, 0 },	    { "eflags ", REGISTER_RFLAGS, 0 },
	{ "CR0=", REGISTER_CR0, CR0_NE },   { "CR3=", REGISTER_CR3, 0 },
	{ "CR4=", REGISTER_CR4, CR4_VMXE }, { "EFER=", REGISTER_EFER, 0 },
};

static const struct {
	const char *begin;
	enum register_name selector, rights;
} segments[] = {
	{ "es:", REGISTER_ES, REGISTER_ES_RIGHTS }, { "cs:", REGISTER_CS, REGISTER_CS_RIGHTS },
	{ "ss:", REGISTER_SS, REGISTER_SS_RIGHTS }, { "ds:", REGISTER_DS, REGISTER_DS_RIGHTS },
	{ "fs:", REGISTER_FS, REGISTER_FS_RIGHTS }, { "gs:", REGISTER_GS, REGISTER_GS_RIGHTS },
};

static u64 number(const char *text)
{
	const char *const digits = text + strspn(text, " ");
	char clean[24];
	size_t length = 0;

	for (const char *c = digits; *c && strchr("0123456789abcdefx_", *c); c++)
		if (*c != '_' && length < sizeof(clean) - 1)
			clean[length++] = *c;
	clean[length] = 0;
	return strtoull(clean, NULL, 16);
}

static void set(struct registers *registers, enum register_name reg, u64 value, u64 hidden)
{
	struct word *const word = &registers->reg[reg];

	word->value = (value & ~hidden) | (word->value & hidden);
	word->known |= ~hidden;
}

/* SDM, "Format of Access Rights": the descriptor's upper half, and whether it can be used. */
static void take_segment(struct registers *registers, size_t i, const char *line)
{
	const char *const high = strstr(line, "dh="), *const valid = strstr(line, "valid=");
	const u64 bits = high ? number(high + 3) : 0;

	set(registers, segments[i].selector, number(line + strlen(segments[i].begin)), 0);
	if (high && valid)
		set(registers, segments[i].rights,
		    (bits >> 8 & 0xf0ff) | (valid[6] == '0' ? BIT(16) : 0), 0);
}

static void take_line(struct registers *registers, unsigned level, const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const size_t length = strlen(rows[i].begin);
		/* Of L2, a VMCS tells more of these. */
		const bool is_shadowed = level == 2 && rows[i].hidden;

		if (!strncmp(line, rows[i].begin, length) && !is_shadowed)
			set(registers, rows[i].reg, number(line + length), rows[i].hidden);
	}
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++)
		if (!strncmp(line, segments[i].begin, strlen(segments[i].begin)))
			take_segment(registers, i, line);
}

void registers_from_core(const struct core_file *core, unsigned level, u64 n,
			 struct registers *registers)
{
	char *const note = strdup(core_file_note(core));
	char *rest = note, *line;

	while (note && (line = strsep(&rest, "\n")))
		take_line(registers, level, line);
	/* A file of an event without an instruction has none. */
	if (note && strstr(core_file_note(core), "\nrip:"))
		registers->seen = n;
	free(note);
}
