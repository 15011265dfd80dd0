#include "replay/check_table.h"

/* --- Columns of vmx/checks.def ---------------------------------------------------------------- */

#define Q(qualification) (1 << (qualification))
#define READ(what)	 { what, ~0ull },
#define P(NAME, PART)	 { VMCS_IX_##NAME, PART_##PART },
#define F(NAME)		 READ(VMCS_IX_##NAME)
#define CAP(NAME)	 READ(CHECK_WHAT_CAP + VMX_CAP_##NAME)
#define L1(NAME)	 READ(CHECK_WHAT_STATE + CHECK_STATE_##NAME)
#define CPU		 READ(CHECK_WHAT_CPU)
#define MEM		 READ(CHECK_WHAT_MEMORY)
#define PART_SECONDARY	 PRIMARY_SECONDARY_CONTROLS
#define PART_TERTIARY	 PRIMARY_TERTIARY_CONTROLS
#define PART_TF		 BIT(8)
#define PART_IF		 BIT(9)
#define PART_IOPL	 MASK(13, 12)
#define PART_VM		 BIT(17)
#define PART_RESERVED	 (MASK(63, 22) | BIT(15) | BIT(5) | BIT(3) | BIT(1))
#define PART_UPPER	 MASK(63, 32) /* no linear address has fewer bits */
#define PART_FRED	 BIT(32)
#define PART_STI	 BIT(0)
#define W(WORD)		 W_##WORD
#define W_PIN		 F(PIN_BASED_CONTROLS)
#define W_PRIMARY	 F(PRIMARY_PROC_BASED_CONTROLS)
#define W_SECONDARY	 F(SECONDARY_PROC_BASED_CONTROLS) P(PRIMARY_PROC_BASED_CONTROLS, SECONDARY)
#define W_TERTIARY	 F(TERTIARY_PROC_BASED_CONTROLS) P(PRIMARY_PROC_BASED_CONTROLS, TERTIARY)
#define W_EXIT		 F(VM_EXIT_CONTROLS)
#define W_EXIT2		 F(SECONDARY_VM_EXIT_CONTROLS) W_EXIT
#define W_ENTRY		 F(VM_ENTRY_CONTROLS)

#define SECTION(...)
#define CHECK(ID, SECTION, LEVEL, SOURCES, DETAIL, text, READS) \
	static const struct check_read reads_##ID[] = { READS READ(CHECK_WHAT_NONE) };
#include "vmx/checks.def"
#undef CHECK
#undef SECTION

enum section {
#define SECTION(KEY, STAGE, title) SECTION_##KEY,
#define CHECK(...)
#include "vmx/checks.def"
#undef CHECK
#undef SECTION
};

static const struct section_row {
	const char *title;
	u8 stage;
} sections[] = {
#define SECTION(KEY, STAGE, title) [SECTION_##KEY] = { title, CHECK_STAGE_##STAGE },
#define CHECK(...)
#include "vmx/checks.def"
#undef CHECK
#undef SECTION
};

#define SECTION(...)
#define CHECK(ID, SECTION, LEVEL, SOURCES, DETAIL, rule, READS) \
	[CHECK_##ID] = { .id = #ID,                             \
			 .text = rule,                          \
			 .sources = #SOURCES,                   \
			 .reads = reads_##ID,                   \
			 .section = SECTION_##SECTION,          \
			 .level = CHECK_##LEVEL,                \
			 .detail = DETAIL },
const struct check_row check_rows[CHECK_COUNT] = {
#include "vmx/checks.def"
};
#undef CHECK
#undef SECTION

/* --- Lookups ---------------------------------------------------------------------------------- */

const char *check_section(enum check_id id)
{
	return sections[check_rows[id].section].title;
}

enum check_stage check_stage(enum check_id id)
{
	return (enum check_stage)sections[check_rows[id].section].stage;
}

bool check_confirmed(enum check_id id)
{
	return check_rows[id].sources[0] != 'U';
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

enum check_id check_id_of(const char *id)
{
	for (unsigned int n = 0; n < CHECK_COUNT; n++) {
		size_t at = 0;

		while (id[at] && upper(id[at]) == check_rows[n].id[at])
			at++;
		if (!id[at] && !check_rows[n].id[at])
			return (enum check_id)n;
	}
	return CHECK_COUNT;
}
