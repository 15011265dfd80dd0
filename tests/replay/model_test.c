#include "replay/reader.h"
#include "tests/replay/script.h"

#define PF 14

/* What the model says to the instruction, and that it takes it. */
static enum verdict verdict_of(const struct script *script)
{
	const struct judge_counts *const judged = check_counts(script->check);

	if (!judged->agree && !judged->diverge && !judged->unknown)
		return VERDICT_NONE;
	return judged->diverge	 ? VERDICT_DIVERGE
	       : judged->unknown ? VERDICT_UNKNOWN
				 : VERDICT_AGREE;
}

static void forget_verdicts(struct script *script)
{
	*(struct judge_counts *)check_counts(script->check) = (struct judge_counts){ 0 };
}

enum before { OUTSIDE, ROOT, CURRENT, LAUNCHED, UNKNOWN_CPU };

static struct script prepared(enum before before)
{
	struct script script = before == UNKNOWN_CPU ? script_start_unknown() : script_start();

	if (before == ROOT || before == CURRENT || before == LAUNCHED)
		script_vmxon(&script, 0x1000);
	if (before == CURRENT || before == LAUNCHED) {
		script_vmclear(&script, 0x2000);
		script_vmptrld(&script, 0x2000);
	}
	if (before == LAUNCHED) {
		INSN(&script, VMLAUNCH, vmlaunch, .launched = 0);
		script_l2(&script, EXIT_CPUID);
	}
	forget_verdicts(&script);
	return script;
}

#define GOOD_VMXON .cr0 = 0x80000031, .cr4 = 0x2020, .feature_control = 5, .dword0 = SCRIPT_REVISION

struct judged {
	const char *name;
	enum before before;
	u8 kind;
	enum verdict verdict;
	union {
		struct ev_insn insn;
		struct ev_vmxon vmxon;
		struct ev_vmptrld region;
		struct ev_vmread field;
		struct ev_invept inv;
	};
};

#define FAILS(number)  .outcome = OUTCOME_FAIL_VALID, .error = (number)
#define FAULTS(vector) .outcome = OUTCOME_FAULT, .error = (vector)
#define INVALID	       .outcome = OUTCOME_FAIL_INVALID

#define AGREES	       VERDICT_AGREE
#define DIVERGES       VERDICT_DIVERGE
#define OPEN	       VERDICT_UNKNOWN
#define INSN_ROW(name, before, KIND, verdict, ...) \
	{                                          \
		name, before, EV_##KIND, verdict,  \
		{                                  \
			.insn = { __VA_ARGS__ }    \
		}                                  \
	}
#define VMXON_ROW(name, before, verdict, ...)    \
	{                                        \
		name, before, EV_VMXON, verdict, \
		{                                \
			.vmxon = { __VA_ARGS__ } \
		}                                \
	}
#define REGION_ROW(name, before, KIND, verdict, ...) \
	{                                            \
		name, before, EV_##KIND, verdict,    \
		{                                    \
			.region = { __VA_ARGS__ }    \
		}                                    \
	}
#define FIELD_ROW(name, before, KIND, verdict, ...) \
	{                                           \
		name, before, EV_##KIND, verdict,   \
		{                                   \
			.field = { __VA_ARGS__ }    \
		}                                   \
	}
#define INV_ROW(name, before, KIND, verdict, ...) \
	{                                         \
		name, before, EV_##KIND, verdict, \
		{                                 \
			.inv = { __VA_ARGS__ }    \
		}                                 \
	}

static const struct judged judged[] = {
	/* VMXON */
	VMXON_ROW("vmxon", OUTSIDE, AGREES, .pointer = 0x1000, GOOD_VMXON),
	VMXON_ROW("vmxon without CR4.VMXE", OUTSIDE, AGREES, .mode = SCRIPT_MODE & ~BIT(MODE_VMXE),
		  FAULTS(6)),
	VMXON_ROW("vmxon succeeds without CR4.VMXE", OUTSIDE, DIVERGES,
		  .mode = SCRIPT_MODE & ~BIT(MODE_VMXE), GOOD_VMXON),
	VMXON_ROW("vmxon with CR0.NE clear", OUTSIDE, AGREES, .pointer = 0x1000, .cr0 = 0x80000011,
		  .cr4 = 0x2020, .feature_control = 5, FAULTS(13)),
	VMXON_ROW("vmxon accepts CR0.NE clear", OUTSIDE, DIVERGES, .pointer = 0x1000,
		  .cr0 = 0x80000011, .cr4 = 0x2020, .feature_control = 5,
		  .dword0 = SCRIPT_REVISION),
	VMXON_ROW("vmxon with feature control open", OUTSIDE, AGREES, .pointer = 0x1000,
		  .cr0 = 0x80000031, .cr4 = 0x2020, .feature_control = 4, FAULTS(13)),
	VMXON_ROW("vmxon not aligned", OUTSIDE, AGREES, .pointer = 0x1008, GOOD_VMXON, INVALID),
	VMXON_ROW("vmxon beyond the physical width", OUTSIDE, AGREES, .pointer = BIT(40),
		  GOOD_VMXON, INVALID),
	VMXON_ROW("vmxon of the wrong revision", OUTSIDE, AGREES, .pointer = 0x1000,
		  .cr0 = 0x80000031, .cr4 = 0x2020, .feature_control = 5, .dword0 = 7, INVALID),
	VMXON_ROW("vmxon in root without a VMCS", ROOT, AGREES, .pointer = 0x1000, GOOD_VMXON,
		  INVALID),
	VMXON_ROW("vmxon in root with a VMCS", CURRENT, AGREES, .pointer = 0x1000, GOOD_VMXON,
		  FAILS(15)),
	VMXON_ROW("vmxon in root, the wrong kind of failure", CURRENT, DIVERGES, .pointer = 0x1000,
		  GOOD_VMXON, INVALID),
	VMXON_ROW("vmxon, unknown", UNKNOWN_CPU, OPEN, .pointer = 0x1000, GOOD_VMXON),
	/* What all have in common */
	INSN_ROW("vmxoff", ROOT, VMXOFF, AGREES, .error = 0),
	INSN_ROW("vmxoff outside", OUTSIDE, VMXOFF, AGREES, FAULTS(6)),
	INSN_ROW("vmxoff outside succeeds", OUTSIDE, VMXOFF, DIVERGES, .error = 0),
	INSN_ROW("vmxoff at CPL 3", ROOT, VMXOFF, AGREES, .mode = SCRIPT_MODE | 3, FAULTS(13)),
	INSN_ROW("vmxoff in compatibility mode", ROOT, VMXOFF, AGREES,
		 .mode = SCRIPT_MODE & ~BIT(MODE_CS_L), FAULTS(6)),
	INSN_ROW("vmxoff in virtual-8086 mode", ROOT, VMXOFF, AGREES,
		 .mode = BIT(MODE_PE) | BIT(MODE_VM) | 3, FAULTS(6)),
	INSN_ROW("vmcall without a VMCS", ROOT, VMCALL, AGREES, INVALID),
	INSN_ROW("vmcall with a VMCS", CURRENT, VMCALL, AGREES, FAILS(1)),
	INSN_ROW("vmfunc", ROOT, VMFUNC, AGREES, FAULTS(6)),
	/* VMCLEAR, VMPTRLD, VMPTRST */
	REGION_ROW("vmclear", ROOT, VMCLEAR, AGREES, .pointer = 0x2000),
	REGION_ROW("vmclear not aligned", CURRENT, VMCLEAR, AGREES, .pointer = 0x2001, FAILS(2)),
	REGION_ROW("vmclear not aligned, no VMCS", ROOT, VMCLEAR, AGREES, .pointer = 0x2001,
		   INVALID),
	REGION_ROW("vmclear of the VMXON pointer", CURRENT, VMCLEAR, AGREES, .pointer = 0x1000,
		   FAILS(3)),
	REGION_ROW("vmclear of the VMXON pointer succeeds", CURRENT, VMCLEAR, DIVERGES,
		   .pointer = 0x1000),
	REGION_ROW("vmclear of address 0", ROOT, VMCLEAR, AGREES, .pointer = 0),
	REGION_ROW("vmclear that faults on its operand", ROOT, VMCLEAR, OPEN, FAULTS(PF)),
	REGION_ROW("vmptrld", ROOT, VMPTRLD, AGREES, .pointer = 0x3000, .dword0 = SCRIPT_REVISION),
	REGION_ROW("vmptrld beyond the physical width", CURRENT, VMPTRLD, AGREES,
		   .pointer = BIT(40), FAILS(9)),
	REGION_ROW("vmptrld of the VMXON pointer", CURRENT, VMPTRLD, AGREES, .pointer = 0x1000,
		   .dword0 = SCRIPT_REVISION, FAILS(10)),
	REGION_ROW("vmptrld of the wrong revision", CURRENT, VMPTRLD, AGREES, .pointer = 0x3000,
		   .dword0 = 1, FAILS(11)),
	REGION_ROW("vmptrld of a shadow VMCS without shadowing", CURRENT, VMPTRLD, AGREES,
		   .pointer = 0x3000, .dword0 = SCRIPT_REVISION | BIT(31), FAILS(11)),
	INSN_ROW("vmptrst", ROOT, VMPTRST, AGREES, .error = 0),
	/* VMREAD, VMWRITE */
	FIELD_ROW("vmread", CURRENT, VMREAD, AGREES, .field = VMCS_GUEST_RIP),
	FIELD_ROW("vmread without a VMCS", ROOT, VMREAD, AGREES, .field = VMCS_GUEST_RIP, INVALID),
	FIELD_ROW("vmread of no field", CURRENT, VMREAD, AGREES, .field = 0x6ffe, FAILS(12)),
	FIELD_ROW("vmread of half a 32-bit field", CURRENT, VMREAD, AGREES,
		  .field = VMCS_PIN_BASED_CONTROLS + 1, FAILS(12)),
	FIELD_ROW("vmread of the upper half of a 64-bit field", CURRENT, VMREAD, AGREES,
		  .field = VMCS_TSC_OFFSET + 1),
	FIELD_ROW("vmread of a field whose control is not supported", CURRENT, VMREAD, AGREES,
		  .field = VMCS_PML_ADDRESS, FAILS(12)),
	FIELD_ROW("vmread of a field that does exist fails", CURRENT, VMREAD, DIVERGES,
		  .field = VMCS_GUEST_RIP, FAILS(12)),
	FIELD_ROW("vmread of a field newer than the tables", CURRENT, VMREAD, OPEN,
		  .field = 0x6ffe),
	FIELD_ROW("vmwrite", CURRENT, VMWRITE, AGREES, .field = VMCS_GUEST_RIP),
	FIELD_ROW("vmwrite of an information field, allowed by MISC[29]", CURRENT, VMWRITE, AGREES,
		  .field = VMCS_EXIT_REASON),
	FIELD_ROW("vmwrite of an information field fails all the same", CURRENT, VMWRITE, DIVERGES,
		  .field = VMCS_EXIT_REASON, FAILS(13)),
	FIELD_ROW("vmwrite, unknown", UNKNOWN_CPU, VMWRITE, OPEN, .field = VMCS_GUEST_RIP),
	/* VMLAUNCH, VMRESUME */
	INSN_ROW("vmlaunch without a VMCS", ROOT, VMLAUNCH, AGREES, INVALID),
	INSN_ROW("vmlaunch of a launched VMCS", LAUNCHED, VMLAUNCH, AGREES, FAILS(4)),
	INSN_ROW("vmlaunch of a launched VMCS succeeds", LAUNCHED, VMLAUNCH, DIVERGES, .error = 0),
	INSN_ROW("vmresume of a clear VMCS", CURRENT, VMRESUME, AGREES, FAILS(5)),
	INSN_ROW("vmresume of a launched VMCS fails with 5", LAUNCHED, VMRESUME, DIVERGES,
		 FAILS(5)),
	INSN_ROW("vmlaunch blocked by MOV SS", LAUNCHED, VMLAUNCH, AGREES,
		 .mode = SCRIPT_MODE | BIT(MODE_MOV_SS), FAILS(26)),
	INSN_ROW("vmlaunch blocked by MOV SS, the wrong order", LAUNCHED, VMLAUNCH, DIVERGES,
		 .mode = SCRIPT_MODE | BIT(MODE_MOV_SS), FAILS(4)),
	INSN_ROW("vmlaunch whose VMCS is for others to judge", CURRENT, VMLAUNCH, OPEN, FAILS(7)),
	/* INVEPT, INVVPID */
	INV_ROW("invept of all", CURRENT, INVEPT, AGREES, .type = 2),
	INV_ROW("invept of no type", CURRENT, INVEPT, AGREES, .type = 3, FAILS(28)),
	INV_ROW("invept of a single context", CURRENT, INVEPT, AGREES, .type = 1,
		.descriptor_low = 0x101e),
	INV_ROW("invept of an EPTP that no entry takes", CURRENT, INVEPT, DIVERGES, .type = 1),
	INV_ROW("invept at CPL 3", CURRENT, INVEPT, AGREES, .mode = SCRIPT_MODE | 3, .type = 2,
		FAULTS(13)),
	INV_ROW("invvpid of all", ROOT, INVVPID, AGREES, .type = 2),
	INV_ROW("invvpid of VPID 0", ROOT, INVVPID, AGREES, .type = 1, INVALID),
	INV_ROW("invvpid of VPID 0 succeeds", ROOT, INVVPID, DIVERGES, .type = 1),
	INV_ROW("invvpid of an address", ROOT, INVVPID, AGREES, .type = 0, .descriptor_low = 1,
		.descriptor_high = 0xffff800000000000),
	INV_ROW("invvpid of an address that is not canonical", ROOT, INVVPID, AGREES, .type = 0,
		.descriptor_low = 1, .descriptor_high = 0x800000000000, INVALID),
	INV_ROW("invvpid with reserved bits", ROOT, INVVPID, AGREES, .type = 2,
		.descriptor_low = BIT(16), INVALID),
};

static void each_instruction_ends_as_the_sdm_says_or_diverges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(judged); i++) {
		struct script script = prepared(judged[i].before);
		struct judged row = judged[i];

		row.insn.mode = row.insn.mode ? row.insn.mode : SCRIPT_MODE;
		row.insn.vmcs = script.vmcs;
		script_send(&script, row.kind, 1, &row.vmxon, sizeof(row.vmxon), NULL, 0, NULL);
		if ((row.kind == EV_VMLAUNCH || row.kind == EV_VMRESUME) &&
		    row.insn.outcome == OUTCOME_SUCCEED)
			script_l2(&script, EXIT_CPUID);
		if (verdict_of(&script) != row.verdict)
			fail_msg("%s: verdict %d, not %d", row.name, verdict_of(&script),
				 row.verdict);
		script_free(&script);
	}
}

static u64 field_of(const struct script *script, int index, u64 pointer)
{
	const struct model_region *const region = model_region(check_model(script->check), pointer);
	u64 value;

	assert_non_null(region);
	assert_true(model_field(region, index, ~0ull, &value));
	return value;
}

static void fields_follow_writes_exits_and_memory(void **state)
{
	struct script script = prepared(CURRENT);
	const struct ev_l2_exit exit = { .reason = EXIT_HLT, .vmcs = 0x2000 };
	const struct trace_item items[] = { { VMCS_GUEST_RIP, 0x77 } };
	const struct model_region *region;
	u64 value;

	(void)state;
	script_vmwrite(&script, VMCS_GUEST_RIP, 5);
	assert_u64(field_of(&script, VMCS_IX_GUEST_RIP, 0x2000), 5);
	script_vmwrite(&script, VMCS_TSC_OFFSET, 0x1122334455667788);
	script_vmwrite(&script, VMCS_TSC_OFFSET + 1, 0xaabbccdd);
	assert_u64(field_of(&script, VMCS_IX_TSC_OFFSET, 0x2000), 0xaabbccdd55667788);
	script_vmwrite(&script, VMCS_VPID, 0x12345);
	assert_u64(field_of(&script, VMCS_IX_VPID, 0x2000), 0x2345);
	script_items(&script, EV_L2_EXIT, &exit, sizeof(exit), items, 1);
	assert_u64(field_of(&script, VMCS_IX_GUEST_RIP, 0x2000), 0x77);
	assert_u64(field_of(&script, VMCS_IX_EXIT_REASON, 0x2000), EXIT_HLT);
	OTHER(&script, VMCS12_WRITE, vmcs12_write, .vmcs = 0x2000, .field = VMCS_GUEST_RIP,
	      .value = 8);
	assert_u64(field_of(&script, VMCS_IX_GUEST_RIP, 0x2000), 8);
	region = model_region(check_model(script.check), 0x2000);
	assert_false(model_field(region, VMCS_IX_GUEST_RSP, ~0ull, &value));
	assert_int_equal(region->writer[VMCS_IX_GUEST_RIP].kind, EV_VMCS12_WRITE);
	script_free(&script);
}

static void vmfailvalid_writes_its_error_and_nothing_else_does(void **state)
{
	struct script script = prepared(CURRENT);
	const struct model_region *region;

	(void)state;
	INSN(&script, VMREAD, vmread, .field = 0x7fff, .outcome = OUTCOME_FAIL_VALID, .error = 12);
	assert_u64(field_of(&script, VMCS_IX_VM_INSTRUCTION_ERROR, 0x2000), 12);
	region = model_region(check_model(script.check), 0x2000);
	assert_int_equal(region->writer[VMCS_IX_VM_INSTRUCTION_ERROR].kind, EV_VMREAD);
	INSN(&script, VMPTRLD, vmptrld, .pointer = 0x2001, .outcome = OUTCOME_FAIL_VALID,
	     .error = 9);
	assert_u64(field_of(&script, VMCS_IX_VM_INSTRUCTION_ERROR, 0x2000), 9);
	INSN(&script, VMREAD, vmread, .field = VMCS_GUEST_RIP, .value = 1);
	INSN(&script, VMXOFF, vmxoff, .outcome = OUTCOME_FAULT, .error = 13);
	assert_u64(field_of(&script, VMCS_IX_VM_INSTRUCTION_ERROR, 0x2000), 9);
	script_free(&script);
}

static void
outside_64_bit_mode_a_write_clears_the_upper_half_and_a_read_tells_the_lower(void **state)
{
	struct script script = prepared(CURRENT);
	const u64 mode = SCRIPT_MODE & ~(BIT(MODE_LMA) | BIT(MODE_CS_L));
	u64 value;

	(void)state;
	script_vmwrite(&script, VMCS_GUEST_RIP, ~0ull);
	INSN(&script, VMWRITE, vmwrite, .mode = mode, .field = VMCS_GUEST_RIP, .value = 3);
	assert_u64(field_of(&script, VMCS_IX_GUEST_RIP, 0x2000), 3);
	INSN(&script, VMREAD, vmread, .mode = mode, .field = VMCS_GUEST_RSP, .value = 9);
	assert_false(model_field(model_region(check_model(script.check), 0x2000), VMCS_IX_GUEST_RSP,
				 ~0ull, &value));
	assert_true(model_field(model_region(check_model(script.check), 0x2000), VMCS_IX_GUEST_RSP,
				MASK(31, 0), &value));
	assert_u64(value & MASK(31, 0), 9);
	script_free(&script);
}

static void a_gap_makes_everything_unknown_and_key_frames_bring_it_back(void **state)
{
	struct script script = prepared(LAUNCHED);
	const struct model *const model = check_model(script.check);
	const struct ev_vmcs_image image = { .vmcs = 0x2000, .launched = 1, .current = 1 };
	const struct trace_item items[] = { { VMCS_GUEST_RIP, 0x99 } };
	u64 value;

	(void)state;
	script_vmwrite(&script, VMCS_GUEST_RIP, 5);
	script_gap(&script);
	assert_int_equal(model->cpus[0].in_vmx, MODEL_UNKNOWN);
	assert_false(model->cpus[0].current_known);
	assert_int_equal(model_region(model, 0x2000)->launch, LAUNCH_UNKNOWN);
	assert_false(model_field(model_region(model, 0x2000), VMCS_IX_GUEST_RIP, 1, &value));
	OTHER(&script, VMX_STATE, vmx_state, .in_vmx = 1, .vmxon_pointer = 0x1000, .vmcs = 0x2000,
	      .level = 1);
	script_items(&script, EV_VMCS_IMAGE, &image, sizeof(image), items, 1);
	assert_int_equal(model->cpus[0].in_vmx, MODEL_YES);
	assert_int_equal(model_region(model, 0x2000)->launch, LAUNCH_LAUNCHED);
	assert_u64(field_of(&script, VMCS_IX_GUEST_RIP, 0x2000), 0x99);
	assert_false(model_region(model, 0x2000)->whole);
	script_free(&script);
}

static void more_regions_than_can_be_kept_become_unknown_not_wrong(void **state)
{
	struct script script = prepared(CURRENT);
	const struct model *const model = check_model(script.check);

	(void)state;
	script_vmclear(&script, 0x9000);
	for (u64 i = 0; i < 2 * MODEL_MAX_REGIONS; i++)
		script_vmclear(&script, 0x100000 + 0x1000 * i);
	assert_int_equal(model->region_count, MODEL_MAX_REGIONS);
	assert_true(model->forgot);
	assert_null(model_region(model, 0x9000));
	assert_non_null(model_region(model, 0x2000));
	script_vmptrld(&script, 0x9000);
	assert_int_equal(model_region(model, 0x9000)->cleared, MODEL_UNKNOWN);
	script_free(&script);
}

static void a_control_of_an_inactive_word_counts_as_off(void **state)
{
	struct script script = prepared(CURRENT);
	const struct model_region *const region = model_region(check_model(script.check), 0x2000);

	(void)state;
	assert_int_equal(model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT), MODEL_UNKNOWN);
	script_vmwrite(&script, VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT);
	assert_int_equal(model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT), MODEL_UNKNOWN);
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS, 0);
	assert_int_equal(model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT), MODEL_NO);
	script_vmwrite(&script, VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_SECONDARY_CONTROLS);
	assert_int_equal(model_control(region, VMX_WORD_SECONDARY, SECONDARY_EPT), MODEL_YES);
	script_free(&script);
}

/* --- What changed ----------------------------------------------------------------------------- */

#define KEPT 64

struct kept {
	u64 key; /* of the region, never 0 */
	u64 value[VMCS_FIELD_COUNT], known[VMCS_FIELD_COUNT];
};

static struct kept *kept_of(struct kept *all, u64 pointer)
{
	const u64 key = pointer + 1;
	unsigned i = 0;

	while (all[i].key && all[i].key != key)
		assert_true(++i < KEPT);
	all[i].key = key;
	return &all[i];
}

/* @fields has every field of @region that is not as it was; it is kept. */
static unsigned need_told(struct kept *kept, const struct model_region *region,
			  struct vmcs_set fields)
{
	unsigned count = 0;
	int index;

	while ((index = vmcs_set_take(&fields)) >= 0) {
		count++;
		kept->value[index] = region->value[index];
		kept->known[index] = region->known[index];
	}
	assert_memory_equal(kept->value, region->value, sizeof(kept->value));
	assert_memory_equal(kept->known, region->known, sizeof(kept->known));
	return count;
}

static void every_field_that_changes_is_told(void **state)
{
	static const char *const tapes[] = { "tests/golden/1/kvm.vxt", "tests/golden/1/smp.vxt" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tapes); i++) {
		struct kept *const all = calloc(KEPT, sizeof(*all));
		struct model *const model = model_new();
		const struct trace_event *event;
		struct reader *reader;
		char error[256];
		u64 told = 0;

		assert_int_equal(reader_open(tapes[i], &reader, error, sizeof(error)), ST_OK);
		for (u64 n = 0; reader_next(reader, &event) == ST_OK; n = reader_tell(reader)) {
			struct model_region *region;
			size_t at = 0;

			assert_int_equal(model_step(model, event, n), ST_OK);
			while ((region = (struct model_region *)model_next_region(model, &at)))
				told += need_told(kept_of(all, region->pointer), region,
						  model_take_changes(region, 0));
		}
		/* Not simply all of them each time. */
		assert_in_range(told, 100, 8 * reader_info(reader)->events + 20000);
		reader_close(reader);
		model_free(model);
		free(all);
	}
}

static void another_cpu_is_told_all_fields(void **state)
{
	struct script script = prepared(CURRENT);
	struct model_region *region;
	const struct vmcs_set all = vmcs_set_all(), none = { { 0 } };
	struct vmcs_set told;

	(void)state;
	region = model_region(check_model(script.check), 0x2000);
	told = model_take_changes(region, 0);
	assert_memory_equal(&told, &all, sizeof(all));
	told = model_take_changes(region, 0);
	assert_memory_equal(&told, &none, sizeof(none));
	told = model_take_changes(region, 1);
	assert_memory_equal(&told, &all, sizeof(all));
	told = model_take_changes(region, 0);
	assert_memory_equal(&told, &all, sizeof(all));
	script_free(&script);
}

/* SDM, "Software Use of Virtual-Machine Control Structures". */
static void a_vmcs_that_another_cpu_clears_is_unknown_on_the_one_that_has_it(void **state)
{
	struct script script = prepared(LAUNCHED);
	const struct model_region *region = model_region(check_model(script.check), 0x2000);
	u64 value;

	(void)state;
	script_vmwrite(&script, VMCS_GUEST_RIP, 0x1234);
	assert_true(model_field(region, VMCS_IX_GUEST_RIP, ~0ull, &value));
	script.cpu = 1;
	script.vmcs = NO_VMCS;
	script_vmxon(&script, 0x3000);
	script_vmclear(&script, 0x2000);
	assert_false(model_field(region, VMCS_IX_GUEST_RIP, ~0ull, &value));
	script.cpu = 0;
	script.vmcs = 0x2000;
	forget_verdicts(&script);
	INSN(&script, VMRESUME, vmresume, .outcome = OUTCOME_SUCCEED);
	assert_int_not_equal(verdict_of(&script), VERDICT_DIVERGE);
	script_free(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_instruction_ends_as_the_sdm_says_or_diverges),
		cmocka_unit_test(fields_follow_writes_exits_and_memory),
		cmocka_unit_test(vmfailvalid_writes_its_error_and_nothing_else_does),
		cmocka_unit_test(
			outside_64_bit_mode_a_write_clears_the_upper_half_and_a_read_tells_the_lower),
		cmocka_unit_test(a_gap_makes_everything_unknown_and_key_frames_bring_it_back),
		cmocka_unit_test(more_regions_than_can_be_kept_become_unknown_not_wrong),
		cmocka_unit_test(a_control_of_an_inactive_word_counts_as_off),
		cmocka_unit_test(every_field_that_changes_is_told),
		cmocka_unit_test(another_cpu_is_told_all_fields),
		cmocka_unit_test(a_vmcs_that_another_cpu_clears_is_unknown_on_the_one_that_has_it),
	};

	return cmocka_run_group_tests_name("replay/model", tests, NULL, NULL);
}
