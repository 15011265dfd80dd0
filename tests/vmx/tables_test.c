#include "tests/test.h"
#include "vmx/tables.h"

static void every_field_is_found_by_its_encoding_and_its_name(void **state)
{
	(void)state;
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const struct vmcs_field *field = &vmcs_fields[ix];
		char text[16];

		assert_row(field->name, vmcs_field_index(field->encoding), ix);
		assert_row(field->name, vmcs_field_find(field->name), ix);
		snprintf(text, sizeof(text), "0x%x", field->encoding);
		assert_row(field->name, vmcs_field_find(text), ix);
		snprintf(text, sizeof(text), "%04XH", field->encoding);
		assert_row(field->name, vmcs_field_find(text), ix);
	}
}

static void no_other_encoding_is_a_field(void **state)
{
	unsigned int found = 0;

	(void)state;
	for (u64 encoding = 0; encoding < 0x20000; encoding++) {
		const int ix = vmcs_field_index(encoding);

		if (ix < 0)
			continue;
		assert_u64(vmcs_fields[ix].encoding, encoding);
		found++;
	}
	assert_int_equal(found, VMCS_FIELD_COUNT);
	assert_int_equal(vmcs_field_index(BIT(32) | VMCS_GUEST_RIP), -1);
	assert_int_equal(vmcs_field_index(~0ull), -1);
	assert_int_equal(vmcs_field_index(VMCS_GUEST_RIP | BIT(12)), -1);
	assert_int_equal(vmcs_field_index(VMCS_TSC_OFFSET | 1), -1);
}

static void rows_stand_in_the_order_of_their_encodings(void **state)
{
	(void)state;
	for (int ix = 1; ix < VMCS_FIELD_COUNT; ix++)
		assert_true(vmcs_fields[ix - 1].encoding < vmcs_fields[ix].encoding);
}

static void names_are_the_enumerators_in_lower_case(void **state)
{
	static const struct {
		const char *name, *lower;
	} rows[] = {
#define FIELD(NAME, name, ...) { #NAME, #name },
#include "vmx/fields.def"
#undef FIELD
#define EXIT(NAME, name, ...) { #NAME, #name },
#include "vmx/exits.def"
#undef EXIT
#define CAPBIT(MSR, NAME, name, ...) { #NAME, #name },
#include "vmx/capbits.def"
#undef CAPBIT
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char lower[64] = "";

		for (size_t at = 0; rows[i].name[at] && at < sizeof(lower) - 1; at++)
			lower[at] = rows[i].name[at] >= 'A' && rows[i].name[at] <= 'Z'
					    ? (char)(rows[i].name[at] | 0x20)
					    : rows[i].name[at];
		assert_string_equal(lower, rows[i].lower);
	}
}

static void field_lookup_rejects_what_is_no_field(void **state)
{
	static const char *const texts[] = { "",	"guest_ri",	"guest_ripp", "0x",
					     "h",	"0x681f",	"681e",	      "0x681eh",
					     "0x1681e", "0x10000681e",	"guest rip",  "-0x681e",
					     "0x6x",	"123456789abch" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_row(texts[i], vmcs_field_find(texts[i]), (u64)-1);
	assert_int_equal(vmcs_field_find("GUEST_RIP"), VMCS_IX_GUEST_RIP);
	assert_int_equal(vmcs_field_find("0X681E"), VMCS_IX_GUEST_RIP);
}

static void encodings_tell_width_and_kind(void **state)
{
	static const struct {
		const char *name;
		u16 encoding;
		u8 width, kind;
	} rows[] = {
		{ "vpid", 0x0000, VMCS_WIDTH_16, VMCS_KIND_CONTROL },
		{ "guest_cs_selector", 0x0802, VMCS_WIDTH_16, VMCS_KIND_GUEST },
		{ "host_ia32_efer", 0x2c02, VMCS_WIDTH_64, VMCS_KIND_HOST },
		{ "guest_physical_address", 0x2400, VMCS_WIDTH_64, VMCS_KIND_INFO },
		{ "exit_reason", 0x4402, VMCS_WIDTH_32, VMCS_KIND_INFO },
		{ "host_rip", 0x6c16, VMCS_WIDTH_NATURAL, VMCS_KIND_HOST },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct vmcs_field *field = &vmcs_fields[vmcs_field_find(rows[i].name)];

		assert_row(rows[i].name, field->encoding, rows[i].encoding);
		assert_row(rows[i].name, field->width, rows[i].width);
		assert_row(rows[i].name, vmcs_encoding_width(rows[i].encoding), rows[i].width);
		assert_row(rows[i].name, vmcs_encoding_kind(rows[i].encoding), rows[i].kind);
	}
	assert_u64(vmcs_width_mask(VMCS_WIDTH_16), 0xffff);
	assert_u64(vmcs_width_mask(VMCS_WIDTH_32), 0xffffffff);
	assert_u64(vmcs_width_mask(VMCS_WIDTH_64), ~0ull);
	assert_u64(vmcs_width_mask(VMCS_WIDTH_NATURAL), ~0ull);
}

static void exit_reasons_are_found_with_and_without_upper_bits(void **state)
{
	unsigned int defined = 0;

	(void)state;
	for (u32 reason = 0; reason < 200; reason++) {
		const struct vmx_exit *row = vmx_exit_by_reason(reason);

		if (!row)
			continue;
		assert_int_equal(row->number, reason);
		assert_ptr_equal(vmx_exit_by_reason(reason | 0x80000000u), row);
		assert_ptr_equal(vmx_exit_find(row->name), row);
		defined++;
	}
	assert_int_equal(defined, 80);
	assert_null(vmx_exit_by_reason(35));
	assert_null(vmx_exit_by_reason(EXIT_REASON_COUNT));
	assert_null(vmx_exit_by_reason(0xffff));
	assert_null(vmx_exit_find("cpuidd"));
	assert_string_equal(vmx_exit_name(EXIT_CPUID), "cpuid");
	assert_string_equal(vmx_exit_name(38), "unknown");
}

static void exits_name_the_registers_that_instructions_use(void **state)
{
	static const struct {
		const char *name;
		u16 regs, results;
	} rows[] = {
		{ "cpuid", 0x0003, 0x000f },	     { "rdmsr", 0x0002, 0x0005 },
		{ "wrmsr", 0x0007, 0x0000 },	     { "hlt", 0x0000, 0x0000 },
		{ "ept_violation", 0x0000, 0x0000 }, { "io", 0x00c3, 0x00c3 },
		{ "cr_access", 0xffff, 0xffff },     { "rdtscp", 0x0000, 0x0007 },
		{ "xsetbv", 0x0007, 0x0000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct vmx_exit *row = vmx_exit_find(rows[i].name);

		assert_non_null(row);
		assert_row(rows[i].name, row->regs, rows[i].regs);
		assert_row(rows[i].name, row->results, rows[i].results);
	}
}

static void instruction_errors_have_texts_but_the_unused_numbers(void **state)
{
	(void)state;
	for (u32 number = 0; number < 40; number++) {
		const bool unused =
			number == 0 || number == 14 || number == 21 || number == 27 || number > 28;

		assert_int_equal(vmx_insn_error_text(number) == NULL, unused);
	}
	assert_string_equal(vmx_insn_error_text(VMERR_VMRESUME_NOT_LAUNCHED),
			    "VMRESUME with non-launched VMCS");
}

static void msrs_have_names(void **state)
{
	(void)state;
	assert_string_equal(vmx_msr_name(0xc0000080), "ia32_efer");
	assert_string_equal(vmx_msr_name(0x48b), "ia32_vmx_procbased_ctls2");
	assert_null(vmx_msr_name(0x47f));
	assert_null(vmx_msr_title(0x494));
	for (u32 msr = MSR_VMX_BASIC; msr < MSR_VMX_BASIC + VMX_CAP_COUNT; msr++)
		assert_non_null(vmx_msr_name(msr));
	assert_int_equal(VMX_CAP_COUNT, 20);
	assert_string_equal(vmx_reg_name(REG_RBX), "rbx");
	assert_string_equal(vmx_reg_name(16), "?");
}

static void control_names_are_unique_and_short_names_mean_groups(void **state)
{
	const struct vmx_control *control;

	(void)state;
	for (unsigned int i = 0; i < VMX_CONTROL_COUNT; i++) {
		for (unsigned int j = 0; j < i; j++) {
			assert_string_not_equal(vmx_controls[i].name, vmx_controls[j].name);
			assert_false(vmx_controls[i].word == vmx_controls[j].word &&
				     vmx_controls[i].bit == vmx_controls[j].bit);
		}
		assert_ptr_equal(
			vmx_control_at((enum vmx_word)vmx_controls[i].word, vmx_controls[i].bit),
			&vmx_controls[i]);
	}
	control = vmx_control_find("load_efer", NULL);
	assert_string_equal(control->name, "exit_load_efer");
	control = vmx_control_find("load_efer", control);
	assert_string_equal(control->name, "entry_load_efer");
	assert_null(vmx_control_find("load_efer", control));
	control = vmx_control_find("exit_load_efer", NULL);
	assert_int_equal(BIT(control->bit), EXIT_LOAD_EFER);
	assert_null(vmx_control_find("exit_load_efer", control));
	assert_null(vmx_control_find("load_", NULL));
	assert_null(vmx_control_find("", NULL));
}

static void words_belong_to_fields_and_fit_their_layout(void **state)
{
	(void)state;
	for (int word = 0; word < VMX_WORD_COUNT; word++) {
		const struct vmx_control_word *row = &vmx_control_words[word];
		const unsigned int width = vmcs_fields[row->field].width;

		assert_int_equal(vmx_word_of_field(row->field), word);
		assert_int_equal(width, row->layout == VMX_LAYOUT_SPLIT ? 32 : 64);
	}
	assert_int_equal(vmx_word_of_field(VMCS_IX_GUEST_CR0), -1);
	assert_int_equal(vmx_control_words[VMX_WORD_SECONDARY].by_mask, BIT(31));
	assert_int_equal(vmx_control_words[VMX_WORD_TERTIARY].by_mask, BIT(17));
}

static void a_field_is_used_while_one_of_its_controls_is_1(void **state)
{
	static const struct {
		const char *name;
		int field;
		enum vmx_word word;
		u64 value;
		bool used;
	} rows[] = {
		{ "always", VMCS_IX_GUEST_RIP, VMX_WORD_PIN, 0, true },
		{ "i/o bitmap off", VMCS_IX_IO_BITMAP_A, VMX_WORD_PRIMARY, PRIMARY_MSR_BITMAPS,
		  false },
		{ "i/o bitmap on", VMCS_IX_IO_BITMAP_B, VMX_WORD_PRIMARY, PRIMARY_IO_BITMAPS,
		  true },
		{ "executive pointer", VMCS_IX_EXECUTIVE_VMCS_POINTER, VMX_WORD_PIN, 0, true },
		{ "guest efer by entry", VMCS_IX_GUEST_IA32_EFER, VMX_WORD_ENTRY, ENTRY_LOAD_EFER,
		  true },
		{ "guest efer by exit", VMCS_IX_GUEST_IA32_EFER, VMX_WORD_EXIT, EXIT_SAVE_EFER,
		  true },
		{ "guest efer by neither", VMCS_IX_GUEST_IA32_EFER, VMX_WORD_EXIT, EXIT_LOAD_EFER,
		  false },
		{ "ept without secondary controls", VMCS_IX_EPT_POINTER, VMX_WORD_SECONDARY,
		  SECONDARY_EPT, false },
	};
	u64 words[VMX_WORD_COUNT] = { [VMX_WORD_PRIMARY] = PRIMARY_SECONDARY_CONTROLS,
				      [VMX_WORD_SECONDARY] = SECONDARY_EPT,
				      [VMX_WORD_TERTIARY] = TERTIARY_HLAT };

	(void)state;
	vmx_words_settle(words);
	assert_true(vmcs_field_used(VMCS_IX_EPT_POINTER, words));
	assert_false(vmcs_field_used(VMCS_IX_HLAT_POINTER, words));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 alone[VMX_WORD_COUNT] = { 0 };

		alone[rows[i].word] = rows[i].value;
		vmx_words_settle(alone);
		assert_row(rows[i].name, vmcs_field_used(rows[i].field, alone), rows[i].used);
	}
}

static void fields_that_need_a_control_to_exist_are_used_by_controls(void **state)
{
	const u64 none[VMX_WORD_COUNT] = { 0 };

	(void)state;
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const struct vmcs_field *field = &vmcs_fields[ix];

		/*
		 * FRED and APX come from CPUID, and exit information is used by whoever reads it.
		 */
		if (field->exists == VMCS_EXISTS_ALWAYS || field->kind == VMCS_KIND_INFO ||
		    field->exists == VMCS_EXISTS_FRED)
			continue;
		assert_row(field->name, vmcs_field_used(ix, none), false);
	}
}

static void capability_bits_are_unique_and_do_not_overlap(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < VMX_CAPBIT_COUNT; i++) {
		const struct vmx_capbit *a = &vmx_capbits[i];

		assert_true(a->high >= a->low && a->high < 64);
		assert_ptr_equal(vmx_capbit_find(a->name), a);
		assert_null(vmx_control_find(a->name, NULL));
		for (unsigned int j = 0; j < i; j++) {
			const struct vmx_capbit *b = &vmx_capbits[j];

			assert_true(a->cap != b->cap || a->low > b->high || a->high < b->low);
		}
	}
	assert_u64(CAP_EPT_2M, BIT(16));
	assert_u64(CAP_MSEG_REVISION, 0xffffffff00000000);
	assert_u64(CAP_GET(0x600401e0, CR3_TARGETS), 4);
	assert_u64(CAP_GET(0xd810000000002b, REVISION), 0x2b);
	assert_u64(CAP_GET(0xd810000000002b, REGION_SIZE), 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_found_by_its_encoding_and_its_name),
		cmocka_unit_test(no_other_encoding_is_a_field),
		cmocka_unit_test(rows_stand_in_the_order_of_their_encodings),
		cmocka_unit_test(names_are_the_enumerators_in_lower_case),
		cmocka_unit_test(field_lookup_rejects_what_is_no_field),
		cmocka_unit_test(encodings_tell_width_and_kind),
		cmocka_unit_test(exit_reasons_are_found_with_and_without_upper_bits),
		cmocka_unit_test(exits_name_the_registers_that_instructions_use),
		cmocka_unit_test(instruction_errors_have_texts_but_the_unused_numbers),
		cmocka_unit_test(msrs_have_names),
		cmocka_unit_test(control_names_are_unique_and_short_names_mean_groups),
		cmocka_unit_test(words_belong_to_fields_and_fit_their_layout),
		cmocka_unit_test(a_field_is_used_while_one_of_its_controls_is_1),
		cmocka_unit_test(fields_that_need_a_control_to_exist_are_used_by_controls),
		cmocka_unit_test(capability_bits_are_unique_and_do_not_overlap),
	};
	return cmocka_run_group_tests_name("vmx/tables", tests, NULL, NULL);
}
