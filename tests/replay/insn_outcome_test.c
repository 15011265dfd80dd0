#include "tests/replay/machine.h"
#include "replay/insn_outcome.h"

#define NONE (~0ull)

/* --- Situations ------------------------------------------------------------------------------- */

enum part {
	P_NONE,
	P_MODE,
	P_CURRENT,
	P_VMXON,
	P_OPERAND,
	P_REVISION,
	P_LOW,
	P_HIGH,
	P_CR0,
	P_CR4,
	P_FEATURE,
	P_CAP,
	P_FORGET_CAP,
	P_REGISTER,
	P_FAULTS
};

struct edit {
	u8 part;
	u8 which;
	u64 value;
	u64 known;
};

#define TO(part, value)                   \
	{                                 \
		P_##part, 0, value, ~0ull \
	}
#define PARTLY(part, value, known)        \
	{                                 \
		P_##part, 0, value, known \
	}
#define FORGOTTEN(part)           \
	{                         \
		P_##part, 0, 0, 0 \
	}
#define CAP(NAME, value)                            \
	{                                           \
		P_CAP, VMX_CAP_##NAME, value, ~0ull \
	}
#define CAP_GONE(NAME)                             \
	{                                          \
		P_FORGET_CAP, VMX_CAP_##NAME, 0, 0 \
	}
#define IS(part)                        \
	{                               \
		P_##part, 0, TRI_YES, 0 \
	}
#define MAYBE(part)                       \
	{                                 \
		P_##part, 0, TRI_MAYBE, 0 \
	}

#define LONG_MODE (BIT(MODE_PE) | BIT(MODE_PG) | BIT(MODE_LMA) | BIT(MODE_CS_L) | BIT(MODE_VMXE))
#define ROOT	  (LONG_MODE | BIT(MODE_VMX_ROOT))

struct row {
	const char *name;
	const char *expected; /* members in order, with a question mark where not sure */
	u8 kind;
	struct edit edits[6];
};

#define ENDS(KIND, name, expected, ...)    \
	{                                  \
		name, expected, EV_##KIND, \
		{                          \
			__VA_ARGS__        \
		}                          \
	}

/* What every VMX instruction but VMXON begins with, at address-free operands that are fine. */
#define PROLOGUE(KIND)                                                                     \
	ENDS(KIND, "outside VMX operation", "#UD", TO(MODE, LONG_MODE)),                   \
		ENDS(KIND, "CPL 3 outside VMX operation", "#UD", TO(MODE, LONG_MODE | 3)), \
		ENDS(KIND, "real mode", "#UD", TO(MODE, ROOT & ~BIT(MODE_PE))),            \
		ENDS(KIND, "virtual-8086 mode", "#UD", TO(MODE, ROOT | BIT(MODE_VM))),     \
		ENDS(KIND, "compatibility mode at CPL 3", "#UD",                           \
		     TO(MODE, (ROOT | 3) & ~BIT(MODE_CS_L))),                              \
		ENDS(KIND, "CPL 1", "#GP", TO(MODE, ROOT | 1)),                            \
		ENDS(KIND, "CPL 3", "#GP", TO(MODE, ROOT | 3))

/* A memory operand. */
#define OPERAND(KIND)                                                                             \
	ENDS(KIND, "register operand", "#UD", IS(REGISTER)),                                      \
		ENDS(KIND, "register operand at CPL 3", "#UD", IS(REGISTER), TO(MODE, ROOT | 3)), \
		ENDS(KIND, "operand faults", "a fault of the operand", IS(FAULTS)),               \
		ENDS(KIND, "operand faults at CPL 3", "#GP", IS(FAULTS), TO(MODE, ROOT | 3))

static const struct row vmxon[] = {
	ENDS(VMXON, "all is well", "VMsucceed", TO(MODE, LONG_MODE)),
	ENDS(VMXON, "register operand", "#UD", TO(MODE, LONG_MODE), IS(REGISTER)),
	ENDS(VMXON, "VMXE is 0", "#UD", TO(MODE, LONG_MODE & ~BIT(MODE_VMXE))),
	ENDS(VMXON, "real mode", "#UD", TO(MODE, LONG_MODE & ~BIT(MODE_PE))),
	ENDS(VMXON, "compatibility mode", "#UD", TO(MODE, LONG_MODE & ~BIT(MODE_CS_L))),
	ENDS(VMXON, "legacy protected mode", "VMsucceed",
	     TO(MODE, LONG_MODE & ~(BIT(MODE_CS_L) | BIT(MODE_LMA)))),
	ENDS(VMXON, "CPL 3", "#GP", TO(MODE, LONG_MODE | 3)),
	ENDS(VMXON, "in root operation", "VMfailValid(15)", TO(MODE, ROOT)),
	ENDS(VMXON, "in root operation, no current VMCS", "VMfailInvalid", TO(MODE, ROOT),
	     TO(CURRENT, NONE)),
	ENDS(VMXON, "in root operation, current not known", "VMfailInvalid? | VMfailValid(15)?",
	     TO(MODE, ROOT), FORGOTTEN(CURRENT)),
	ENDS(VMXON, "in root operation at CPL 3", "#GP", TO(MODE, ROOT | 3)),
	ENDS(VMXON, "in root operation, operand faults", "VMfailValid(15)", TO(MODE, ROOT),
	     IS(FAULTS)),
	ENDS(VMXON, "NE is 0", "#GP", TO(MODE, LONG_MODE), TO(CR0, 0x80000001)),
	ENDS(VMXON, "PG is 0", "#GP", TO(MODE, LONG_MODE), TO(CR0, 0x21)),
	ENDS(VMXON, "a bit of CR4 that is not there", "#GP", TO(MODE, LONG_MODE),
	     TO(CR4, 0x2020 | BIT(26))),
	ENDS(VMXON, "feature control not locked", "#GP", TO(MODE, LONG_MODE), TO(FEATURE, 4)),
	ENDS(VMXON, "feature control without VMX", "#GP", TO(MODE, LONG_MODE), TO(FEATURE, 1)),
	ENDS(VMXON, "feature control for SMX only", "#GP", TO(MODE, LONG_MODE), TO(FEATURE, 3)),
	ENDS(VMXON, "feature control not known", "#GP? | VMsucceed?", TO(MODE, LONG_MODE),
	     FORGOTTEN(FEATURE)),
	ENDS(VMXON, "NE is 0, operand faults", "#GP", TO(MODE, LONG_MODE), TO(CR0, 0x80000001),
	     IS(FAULTS)),
	ENDS(VMXON, "operand faults", "a fault of the operand", TO(MODE, LONG_MODE), IS(FAULTS)),
	ENDS(VMXON, "not page-aligned", "VMfailInvalid", TO(MODE, LONG_MODE), TO(OPERAND, 0x8800)),
	ENDS(VMXON, "beyond the width", "VMfailInvalid", TO(MODE, LONG_MODE), TO(OPERAND, BIT(40))),
	ENDS(VMXON, "wrong revision", "VMfailInvalid", TO(MODE, LONG_MODE), TO(REVISION, 0)),
	ENDS(VMXON, "bit 31 of the revision", "VMfailInvalid", TO(MODE, LONG_MODE),
	     TO(REVISION, REVISION | BIT(31))),
	ENDS(VMXON, "revision not known", "VMfailInvalid? | VMsucceed?", TO(MODE, LONG_MODE),
	     FORGOTTEN(REVISION)),
	ENDS(VMXON, "address 0", "VMsucceed", TO(MODE, LONG_MODE), TO(OPERAND, 0)),
};

static const struct row regions[] = {
	PROLOGUE(VMXOFF),
	ENDS(VMXOFF, "all is well", "VMsucceed"),
	ENDS(VMXOFF, "mode not known", "#UD? | #GP? | VMsucceed?", FORGOTTEN(MODE)),
	PROLOGUE(VMCLEAR),
	OPERAND(VMCLEAR),
	ENDS(VMCLEAR, "all is well", "VMsucceed"),
	ENDS(VMCLEAR, "the current VMCS", "VMsucceed", TO(OPERAND, 0x5000)),
	ENDS(VMCLEAR, "not page-aligned", "VMfailValid(2)", TO(OPERAND, 0x8001)),
	ENDS(VMCLEAR, "beyond the width", "VMfailValid(2)", TO(OPERAND, BIT(40))),
	ENDS(VMCLEAR, "beyond 32 bits where there are no more", "VMfailValid(2)",
	     TO(OPERAND, BIT(32)), CAP(BASIC, REVISION | CAP_ADDRESSES_32BIT)),
	ENDS(VMCLEAR, "all ones", "VMfailInvalid", TO(OPERAND, NONE), TO(CURRENT, NONE)),
	ENDS(VMCLEAR, "VMXON pointer", "VMfailValid(3)", TO(OPERAND, 0x4000)),
	ENDS(VMCLEAR, "VMXON pointer 0", "VMfailValid(3)", TO(OPERAND, 0), TO(VMXON, 0)),
	ENDS(VMCLEAR, "VMXON pointer not known", "VMfailValid(3)? | VMsucceed?", FORGOTTEN(VMXON)),
	ENDS(VMCLEAR, "wrong revision", "VMsucceed", TO(REVISION, 0)),
	ENDS(VMCLEAR, "may fault", "a fault of the operand? | VMsucceed?", MAYBE(FAULTS)),
	PROLOGUE(VMPTRLD),
	OPERAND(VMPTRLD),
	ENDS(VMPTRLD, "all is well", "VMsucceed"),
	ENDS(VMPTRLD, "not page-aligned", "VMfailValid(9)", TO(OPERAND, 0x8ff8)),
	ENDS(VMPTRLD, "VMXON pointer", "VMfailValid(10)", TO(OPERAND, 0x4000), TO(REVISION, 0)),
	ENDS(VMPTRLD, "wrong revision", "VMfailValid(11)", TO(REVISION, 0)),
	ENDS(VMPTRLD, "wrong revision, no current VMCS", "VMfailInvalid", TO(REVISION, 0),
	     TO(CURRENT, NONE)),
	ENDS(VMPTRLD, "shadow VMCS", "VMsucceed", TO(REVISION, REVISION | BIT(31))),
	ENDS(VMPTRLD, "shadow VMCS without shadowing", "VMfailValid(11)",
	     TO(REVISION, REVISION | BIT(31)), CAP(PROCBASED_CTLS2, 0)),
	ENDS(VMPTRLD, "shadow VMCS, shadowing not known", "VMfailValid(11)? | VMsucceed?",
	     TO(REVISION, REVISION | BIT(31)), CAP_GONE(PROCBASED_CTLS2)),
	ENDS(VMPTRLD, "operand not known",
	     "VMfailValid(9)? | VMfailValid(10)? | VMfailValid(11)? | VMsucceed?",
	     FORGOTTEN(OPERAND), FORGOTTEN(REVISION)),
	ENDS(VMPTRLD, "operand not aligned as far as known", "VMfailValid(9)",
	     PARTLY(OPERAND, 1, 1)),
	PROLOGUE(VMPTRST),
	OPERAND(VMPTRST),
	ENDS(VMPTRST, "all is well", "VMsucceed"),
	ENDS(VMPTRST, "no current VMCS", "VMsucceed", TO(CURRENT, NONE)),
};

static const struct row fields[] = {
	PROLOGUE(VMREAD),
	ENDS(VMREAD, "all is well", "VMsucceed", TO(OPERAND, VMCS_GUEST_RIP)),
	ENDS(VMREAD, "no current VMCS", "VMfailInvalid", TO(OPERAND, VMCS_GUEST_RIP),
	     TO(CURRENT, NONE)),
	ENDS(VMREAD, "no current VMCS, operand faults", "VMfailInvalid", TO(CURRENT, NONE),
	     TO(OPERAND, VMCS_GUEST_RIP), IS(FAULTS)),
	ENDS(VMREAD, "no field", "VMfailValid(12)", TO(OPERAND, 0x6c1e)),
	ENDS(VMREAD, "no field, operand faults", "VMfailValid(12)", TO(OPERAND, 0x6c1e),
	     IS(FAULTS)),
	ENDS(VMREAD, "operand faults", "a fault of the operand", TO(OPERAND, VMCS_GUEST_RIP),
	     IS(FAULTS)),
	ENDS(VMREAD, "high half of a 64-bit field", "VMsucceed", TO(OPERAND, VMCS_TSC_OFFSET + 1)),
	ENDS(VMREAD, "high half of a natural field", "VMfailValid(12)",
	     TO(OPERAND, VMCS_GUEST_RIP + 1)),
	ENDS(VMREAD, "bit 12 of the encoding", "VMfailValid(12)",
	     TO(OPERAND, VMCS_GUEST_RIP | BIT(12))),
	ENDS(VMREAD, "bit 32 of the encoding", "VMfailValid(12)",
	     TO(OPERAND, VMCS_GUEST_RIP | BIT(32))),
	ENDS(VMREAD, "a field that the processor lacks", "VMfailValid(12)", TO(OPERAND, VMCS_VPID),
	     CAP(PROCBASED_CTLS2, 0)),
	ENDS(VMREAD, "a field that the processor may lack", "VMfailValid(12)? | VMsucceed?",
	     TO(OPERAND, VMCS_VPID), CAP_GONE(PROCBASED_CTLS2)),
	ENDS(VMREAD, "encoding not known", "VMfailValid(12)? | VMsucceed?", FORGOTTEN(OPERAND)),
	PROLOGUE(VMWRITE),
	ENDS(VMWRITE, "all is well", "VMsucceed", TO(OPERAND, VMCS_GUEST_RIP)),
	ENDS(VMWRITE, "no current VMCS", "VMfailInvalid", TO(OPERAND, VMCS_GUEST_RIP),
	     TO(CURRENT, NONE), IS(FAULTS)),
	ENDS(VMWRITE, "no field, operand faults", "a fault of the operand", TO(OPERAND, 0x6c1e),
	     IS(FAULTS)),
	ENDS(VMWRITE, "no field", "VMfailValid(12)", TO(OPERAND, 0x6c1e)),
	ENDS(VMWRITE, "read-only field", "VMfailValid(13)", TO(OPERAND, VMCS_EXIT_REASON)),
	ENDS(VMWRITE, "read-only field, all may be written", "VMsucceed",
	     TO(OPERAND, VMCS_EXIT_REASON), CAP(MISC, CAP_VMWRITE_ANY_FIELD)),
	ENDS(VMWRITE, "read-only field, MISC not known", "VMfailValid(13)? | VMsucceed?",
	     TO(OPERAND, VMCS_EXIT_REASON), CAP_GONE(MISC)),
	ENDS(VMWRITE, "read-only field that the processor lacks", "VMfailValid(12)",
	     TO(OPERAND, VMCS_GUEST_PHYSICAL_ADDRESS), CAP(PROCBASED_CTLS2, 0)),
	ENDS(VMWRITE, "encoding not known", "VMfailValid(12)? | VMfailValid(13)? | VMsucceed?",
	     FORGOTTEN(OPERAND)),
};

#define EPTP 0x101e

static const struct row translations[] = {
	PROLOGUE(INVEPT),
	ENDS(INVEPT, "single context", "VMsucceed", TO(OPERAND, 1), TO(LOW, EPTP)),
	ENDS(INVEPT, "all contexts, any descriptor", "VMsucceed", TO(OPERAND, 2), TO(LOW, NONE)),
	ENDS(INVEPT, "reserved half of the descriptor", "VMsucceed", TO(OPERAND, 1), TO(LOW, EPTP),
	     TO(HIGH, NONE)),
	ENDS(INVEPT, "register operand", "#UD", TO(OPERAND, 1), IS(REGISTER)),
	ENDS(INVEPT, "not there", "#UD", TO(OPERAND, 1), CAP(EPT_VPID_CAP, 0)),
	ENDS(INVEPT, "EPT not there", "#UD", TO(OPERAND, 1), CAP(PROCBASED_CTLS2, 0)),
	ENDS(INVEPT, "not there, CPL 3", "#UD", CAP(EPT_VPID_CAP, 0), TO(MODE, ROOT | 3)),
	ENDS(INVEPT, "type 0", "VMfailValid(28)", TO(OPERAND, 0)),
	ENDS(INVEPT, "type 3", "VMfailValid(28)", TO(OPERAND, 3)),
	ENDS(INVEPT, "type 1 with bit 32", "VMfailValid(28)", TO(OPERAND, BIT(32) | 1)),
	ENDS(INVEPT, "type 3, operand faults", "VMfailValid(28)", TO(OPERAND, 3), IS(FAULTS)),
	ENDS(INVEPT, "operand faults", "a fault of the operand", TO(OPERAND, 2), IS(FAULTS)),
	ENDS(INVEPT, "single context not reported", "VMfailValid(28)", TO(OPERAND, 1),
	     TO(LOW, EPTP), CAP(EPT_VPID_CAP, CAP_INVEPT | CAP_INVEPT_ALL)),
	ENDS(INVEPT, "memory type 5", "VMfailValid(28)", TO(OPERAND, 1), TO(LOW, 0x101d)),
	ENDS(INVEPT, "beyond the width", "VMfailValid(28)", TO(OPERAND, 1),
	     TO(LOW, BIT(40) | EPTP)),
	ENDS(INVEPT, "descriptor not known", "VMfailValid(28)? | VMsucceed?", TO(OPERAND, 1),
	     FORGOTTEN(LOW)),
	ENDS(INVEPT, "type not known", "VMfailValid(28)? | VMsucceed?", FORGOTTEN(OPERAND),
	     TO(LOW, EPTP)),
	PROLOGUE(INVVPID),
	ENDS(INVVPID, "address", "VMsucceed", TO(OPERAND, 0), TO(LOW, 1), TO(HIGH, 0x1000)),
	ENDS(INVVPID, "address that is not canonical", "VMfailValid(28)", TO(OPERAND, 0),
	     TO(LOW, 1), TO(HIGH, BIT(47))),
	ENDS(INVVPID, "single context, such an address", "VMsucceed", TO(OPERAND, 1), TO(LOW, 1),
	     TO(HIGH, BIT(47))),
	ENDS(INVVPID, "single context, VPID 0", "VMfailValid(28)", TO(OPERAND, 1), TO(LOW, 0)),
	ENDS(INVVPID, "all contexts, VPID 0", "VMsucceed", TO(OPERAND, 2), TO(LOW, 0)),
	ENDS(INVVPID, "all contexts, bit 16", "VMfailValid(28)", TO(OPERAND, 2), TO(LOW, BIT(16))),
	ENDS(INVVPID, "retaining globals", "VMsucceed", TO(OPERAND, 3), TO(LOW, 7)),
	ENDS(INVVPID, "retaining globals, VPID 0", "VMfailValid(28)", TO(OPERAND, 3), TO(LOW, 0)),
	ENDS(INVVPID, "type 4", "VMfailValid(28)", TO(OPERAND, 4), TO(LOW, 1)),
	ENDS(INVVPID, "type 4, operand faults", "VMfailValid(28)", TO(OPERAND, 4), IS(FAULTS)),
	ENDS(INVVPID, "not there", "#UD", TO(OPERAND, 2), CAP(EPT_VPID_CAP, 0)),
	ENDS(INVVPID, "VPID not there", "#UD", TO(OPERAND, 2), CAP(PROCBASED_CTLS2, 0)),
	ENDS(INVVPID, "register operand", "#UD", TO(OPERAND, 2), IS(REGISTER)),
	ENDS(INVVPID, "no current VMCS", "VMfailInvalid", TO(OPERAND, 4), TO(LOW, 1),
	     TO(CURRENT, NONE)),
	ENDS(INVVPID, "descriptor not known", "VMfailValid(28)? | VMsucceed?", TO(OPERAND, 1),
	     FORGOTTEN(LOW)),
};

static const struct row calls[] = {
	PROLOGUE(VMCALL),
	ENDS(VMCALL, "a current VMCS", "VMfailValid(1)"),
	ENDS(VMCALL, "no current VMCS", "VMfailInvalid", TO(CURRENT, NONE)),
	ENDS(VMFUNC, "root operation", "#UD"),
	ENDS(VMFUNC, "CPL 3", "#UD", TO(MODE, ROOT | 3)),
};

/* --- Judging them ----------------------------------------------------------------------------- */

static struct word *part_of(struct insn_situation *at, u8 part)
{
	switch (part) {
	case P_MODE:
		return &at->mode;
	case P_CURRENT:
		return &at->current;
	case P_VMXON:
		return &at->vmxon;
	case P_OPERAND:
		return &at->operand;
	case P_REVISION:
		return &at->revision;
	case P_LOW:
		return &at->descriptor[0];
	case P_HIGH:
		return &at->descriptor[1];
	case P_CR0:
		return &at->cr0;
	case P_CR4:
		return &at->cr4;
	default:
		assert_int_equal(part, P_FEATURE);
		return &at->feature_control;
	}
}

static void situation_of(const struct row *row, struct machine *m, struct insn_situation *at)
{
	machine_init(m);
	*at = (struct insn_situation){
		.kind = row->kind,
		.caps = &m->caps,
		.cpu = &m->cpu,
		.mode = word_of(ROOT),
		.current = word_of(0x5000),
		.vmxon = word_of(0x4000),
		.register_operand = TRI_NO,
		.operand_faults = TRI_NO,
		.operand = word_of(0x8000),
		.revision = word_of(REVISION),
		.descriptor = { word_of(0), word_of(0) },
		.cr0 = word_of(0x80050033),
		.cr4 = word_of(0x20a0),
		.feature_control = word_of(5),
	};
	for (size_t i = 0; i < ARRAY_SIZE(row->edits) && row->edits[i].part; i++) {
		const struct edit *const edit = &row->edits[i];

		if (edit->part == P_CAP)
			m->caps.msr[edit->which] = edit->value;
		else if (edit->part == P_FORGET_CAP)
			m->caps.known &= ~BIT(edit->which);
		else if (edit->part == P_REGISTER)
			at->register_operand = (enum tri)edit->value;
		else if (edit->part == P_FAULTS)
			at->operand_faults = (enum tri)edit->value;
		else
			*part_of(at, edit->part) = word_partly(edit->value, edit->known);
	}
}

static void check_rows_of(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char actual[512] = "", member[64];
		struct insn_situation at;
		struct legal_set set;
		struct machine m;

		situation_of(&rows[i], &m, &at);
		insn_outcome(&at, &set);
		for (unsigned int n = 0; n < set.count; n++)
			snprintf(actual + strlen(actual), sizeof(actual) - strlen(actual), "%s%s%s",
				 n ? " | " : "", legal_text(&set.of[n], member, sizeof(member)),
				 set.of[n].sure ? "" : "?");
		if (strcmp(actual, rows[i].expected))
			fail_msg("kind %u, %s: %s, not %s", rows[i].kind, rows[i].name, actual,
				 rows[i].expected);
	}
}

static void vmxon_ends_as_the_manual_says(void **state)
{
	(void)state;
	check_rows_of(vmxon, ARRAY_SIZE(vmxon));
}

static void instructions_on_regions_end_as_the_manual_says(void **state)
{
	(void)state;
	check_rows_of(regions, ARRAY_SIZE(regions));
}

static void vmread_and_vmwrite_end_as_the_manual_says(void **state)
{
	(void)state;
	check_rows_of(fields, ARRAY_SIZE(fields));
}

static void invept_and_invvpid_end_as_the_manual_says(void **state)
{
	(void)state;
	check_rows_of(translations, ARRAY_SIZE(translations));
}

static void vmcall_and_vmfunc_end_as_the_manual_says(void **state)
{
	(void)state;
	check_rows_of(calls, ARRAY_SIZE(calls));
}

static void entries_are_judged_by_their_own_rules(void **state)
{
	const struct row row = ENDS(VMLAUNCH, "all is well", "");
	struct insn_situation at;
	struct legal_set set;
	struct machine m;

	(void)state;
	situation_of(&row, &m, &at);
	at.entry = &m.input;
	insn_outcome(&at, &set);
	assert_int_equal(set.count, 1);
	assert_int_equal(set.of[0].kind, LEGAL_SUCCEED);
	m.value[VMCS_IX_HOST_TR_SELECTOR] = 0;
	insn_outcome(&at, &set);
	assert_int_equal(set.count, 1);
	assert_int_equal(set.of[0].kind, LEGAL_FAIL_VALID);
	assert_int_equal(set.of[0].number, VMERR_ENTRY_HOST_STATE);
	assert_int_equal(set.of[0].check, CHECK_HOST_CS_TR_NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmxon_ends_as_the_manual_says),
		cmocka_unit_test(instructions_on_regions_end_as_the_manual_says),
		cmocka_unit_test(vmread_and_vmwrite_end_as_the_manual_says),
		cmocka_unit_test(invept_and_invvpid_end_as_the_manual_says),
		cmocka_unit_test(vmcall_and_vmfunc_end_as_the_manual_says),
		cmocka_unit_test(entries_are_judged_by_their_own_rules),
	};
	return cmocka_run_group_tests_name("replay/insn_outcome", tests, NULL, NULL);
}
