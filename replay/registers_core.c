#include "replay/registers_core.h"

#include <stdlib.h>
#include <string.h>

#define CR0_NE	 BIT(5)
#define CR4_VMXE BIT(13)
#define EFER_LMA BIT(10)

/* How lines of the note begin; what follows is a hexadecimal number, with _ in it perhaps. */
static const struct {
	const char *begin;
	enum register_name reg;
	u64 hidden; /* bits that the guests see otherwise */
} rows[] = {
	{ "rax:", REGISTER_RAX, 0 },
	{ "rcx:", REGISTER_RCX, 0 },
	{ "rdx:", REGISTER_RDX, 0 },
	{ "rbx:", REGISTER_RBX, 0 },
	{ "rsp:", REGISTER_RSP, 0 },
	{ "rbp:", REGISTER_RBP, 0 },
	{ "rsi:", REGISTER_RSI, 0 },
	{ "rdi:", REGISTER_RDI, 0 },
	{ "r8 :", REGISTER_R8, 0 },
	{ "r9 :", REGISTER_R9, 0 },
	{ "r10:", REGISTER_R10, 0 },
	{ "r11:", REGISTER_R11, 0 },
	{ "r12:", REGISTER_R12, 0 },
	{ "r13:", REGISTER_R13, 0 },
	{ "r14:", REGISTER_R14, 0 },
	{ "r15:", REGISTER_R15, 0 },
	{ "rip:", REGISTER_RIP, 0 },
	{ "eflags ", REGISTER_RFLAGS, 0 },
	{ "CR0=", REGISTER_CR0, CR0_NE },
	{ "CR3=", REGISTER_CR3, 0 },
	{ "CR4=", REGISTER_CR4, CR4_VMXE },
	{ "EFER=", REGISTER_EFER, 0 },
	{ "DR7=", REGISTER_DR7, 0 },
	{ "pat=", REGISTER_PAT, 0 },
	{ "sysenter_cs=", REGISTER_SYSENTER_CS, 0 },
	{ "sysenter_esp=", REGISTER_SYSENTER_ESP, 0 },
	{ "sysenter_eip=", REGISTER_SYSENTER_EIP, 0 },
	{ "es.base=", REGISTER_ES_BASE, 0 },
	{ "cs.base=", REGISTER_CS_BASE, 0 },
	{ "ss.base=", REGISTER_SS_BASE, 0 },
	{ "ds.base=", REGISTER_DS_BASE, 0 },
	{ "fs.base=", REGISTER_FS_BASE, 0 },
	{ "gs.base=", REGISTER_GS_BASE, 0 },
	{ "ldtr.base=", REGISTER_LDTR_BASE, 0 },
	{ "tr.base=", REGISTER_TR_BASE, 0 },
};

/* What L1 sees of a register: bits of the mask as in the shadow. */
static const struct {
	enum register_name reg;
	const char *mask, *shadow;
} views[] = {
	{ REGISTER_CR0, "\ncr0.mask=", "\ncr0.shadow=" },
	{ REGISTER_CR4, "\ncr4.mask=", "\ncr4.shadow=" },
};

static const struct {
	const char *begin;
	enum register_name selector, rights, base, limit;
} segments[] = {
#define SEGMENT(begin, NAME)                                                              \
	{                                                                                 \
		begin, REGISTER_##NAME, REGISTER_##NAME##_RIGHTS, REGISTER_##NAME##_BASE, \
			REGISTER_##NAME##_LIMIT                                           \
	}
	SEGMENT("es:", ES), SEGMENT("cs:", CS), SEGMENT("ss:", SS),	SEGMENT("ds:", DS),
	SEGMENT("fs:", FS), SEGMENT("gs:", GS), SEGMENT("ldtr:", LDTR), SEGMENT("tr:", TR),
#undef SEGMENT
};

static const struct {
	const char *begin;
	enum register_name base, limit;
} tables[] = {
	{ "gdtr:base=", REGISTER_GDTR_BASE, REGISTER_GDTR_LIMIT },
	{ "idtr:base=", REGISTER_IDTR_BASE, REGISTER_IDTR_LIMIT },
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

/*
 * SDM, "Format of Access Rights": the descriptor's upper half, and whether it can be used. The two
 * halves have 32 bits of the base.
 */
static void take_segment(struct registers *registers, size_t i, const char *line, bool is_long)
{
	const char *const high = strstr(line, "dh="), *const low = strstr(line, "dl=");
	const char *const valid = strstr(line, "valid=");
	u64 dh, dl, limit;

	set(registers, segments[i].selector, number(line + strlen(segments[i].begin)), 0);
	if (!high || !low || !valid)
		return;
	dh = number(high + 3);
	dl = number(low + 3);
	limit = (dh & MASK(19, 16)) | (dl & MASK(15, 0));
	set(registers, segments[i].rights, (dh >> 8 & 0xf0ff) | (valid[6] == '0' ? BIT(16) : 0), 0);
	set(registers, segments[i].limit, dh & BIT(23) ? limit << 12 | 0xfff : limit, 0);
	if (!is_long)
		set(registers, segments[i].base,
		    (dh & MASK(31, 24)) | (dh & MASK(7, 0)) << 16 | dl >> 16, 0);
}

static void take_table(struct registers *registers, size_t i, const char *line)
{
	const char *const limit = strstr(line, "limit=");

	set(registers, tables[i].base, number(line + strlen(tables[i].begin)), 0);
	if (limit)
		set(registers, tables[i].limit, number(limit + 6), 0);
}

static void take_line(struct registers *registers, const char *line, bool is_long)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const size_t length = strlen(rows[i].begin);

		if (!strncmp(line, rows[i].begin, length))
			set(registers, rows[i].reg, number(line + length), rows[i].hidden);
	}
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++)
		if (!strncmp(line, segments[i].begin, strlen(segments[i].begin)))
			take_segment(registers, i, line, is_long);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (!strncmp(line, tables[i].begin, strlen(tables[i].begin)))
			take_table(registers, i, line);
}

static void take_views(struct registers *registers, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		const char *const mask = strstr(text, views[i].mask);
		const char *const shadow = strstr(text, views[i].shadow);
		struct word *const word = &registers->reg[views[i].reg];
		u64 bits;

		if (!mask || !shadow)
			continue;
		bits = number(mask + strlen(views[i].mask));
		word->value =
			(word->value & ~bits) | (number(shadow + strlen(views[i].shadow)) & bits);
		word->known |= bits;
	}
}

void registers_from_text(const char *text, unsigned level, u64 n, struct registers *registers)
{
	const char *const efer = strstr(text, "\nEFER=");
	const bool is_long = efer && number(efer + 6) & EFER_LMA;
	char *const copy = strdup(text);
	char *rest = copy, *line;

	while (copy && (line = strsep(&rest, "\n")))
		take_line(registers, line, is_long);
	/* Of L2 hv's controls hold both what L1 and what hv keep from its sight. */
	if (level == 1)
		take_views(registers, text);
	/* A file of an event without an instruction has none. */
	if (copy && strstr(text, "\nrip:"))
		registers->seen = n;
	free(copy);
}

u64 registers_hidden_bits(enum register_name reg)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].reg == reg && rows[i].hidden)
			return rows[i].hidden;
	return 0;
}
