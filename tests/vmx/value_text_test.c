#include "tests/test.h"
#include "vmx/value_text.h"
#include "vmx/vmcs12.h"

struct text_row {
	const char *text;
	enum vmx_value_kind kind;
	u64 value;
	struct vmx_decode_context context;
};

static void assert_texts(const struct text_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[400];
		const size_t length = vmx_decode(text, sizeof(text), rows[i].kind, rows[i].value,
						 &rows[i].context);

		assert_string_equal(text, rows[i].text);
		assert_int_equal(length, strlen(rows[i].text));
	}
}

static void registers_read_as_their_flags(void **state)
{
	static const struct text_row rows[] = {
		{ "pe mp et ne wp am pg", VMX_VALUE_CR0, 0x80050033, { 0 } },
		{ "0", VMX_VALUE_CR0, 0, { 0 } },
		{ "pe reserved=0x100000000", VMX_VALUE_CR0, 0x100000001, { 0 } },
		{ "pse pae mce pge osfxsr osxmmexcpt vmxe pcide osxsave",
		  VMX_VALUE_CR4,
		  0x626f0,
		  { 0 } },
		{ "pcid=0x5 table=0x12345000", VMX_VALUE_CR3, 0x12345005, { 0 } },
		{ "if iopl=3", VMX_VALUE_RFLAGS, 0x3202, { 0 } },
		{ "0", VMX_VALUE_RFLAGS, 2, { 0 } },
		{ "l0 rw_len0=0xd", VMX_VALUE_DR7, 0xd0401, { 0 } },
		{ "sce lme lma nxe", VMX_VALUE_EFER, 0xd01, { 0 } },
		{ "pa0=wb pa1=wc pa2=uc- pa3=uc pa4=wb pa5=wp pa6=uc- pa7=wt",
		  VMX_VALUE_PAT,
		  0x0407050600070106,
		  { 0 } },
		{ "pa0=2 pa1=uc pa2=uc pa3=uc pa4=uc pa5=uc pa6=uc pa7=uc",
		  VMX_VALUE_PAT,
		  2,
		  { 0 } },
		{ "lock vmx_outside_smx", VMX_VALUE_FEATURE_CONTROL, 5, { 0 } },
		{ "rpl=3 index=0x28", VMX_VALUE_SELECTOR, 0x2b, { 0 } },
		{ "type=0xb s p l g", VMX_VALUE_ACCESS_RIGHTS, 0xa09b, { 0 } },
		{ "unusable", VMX_VALUE_ACCESS_RIGHTS, 0x10000, { 0 } },
	};

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

static void controls_read_as_their_names(void **state)
{
	static const struct text_row rows[] = {
		{ "external_interrupt_exiting nmi_exiting virtual_nmis",
		  VMX_VALUE_WORD_PIN,
		  0x3f,
		  { 0 } },
		{ "hlt_exiting cr3_load_exiting cr3_store_exiting",
		  VMX_VALUE_WORD_PRIMARY,
		  0x0401e1f2,
		  { 0 } },
		{ "ept vpid unrestricted_guest", VMX_VALUE_WORD_SECONDARY, 0xa2, { 0 } },
		{ "ipi_virtualization reserved=0x8000000000000000",
		  VMX_VALUE_WORD_TERTIARY,
		  0x8000000000000010,
		  { 0 } },
		{ "exit_save_debug_controls exit_host_address_space_size "
		  "exit_acknowledge_interrupt "
		  "exit_save_efer exit_load_efer",
		  VMX_VALUE_WORD_EXIT,
		  0x33efff,
		  { 0 } },
		{ "exit_load_fred", VMX_VALUE_WORD_EXIT2, 2, { 0 } },
		{ "entry_load_debug_controls entry_ia32e_mode_guest reserved=0x80000000",
		  VMX_VALUE_WORD_ENTRY,
		  0x800013ff,
		  { 0 } },
	};

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

static void states_and_pointers_read_as_such(void **state)
{
	static const struct text_row rows[] = {
		{ "blocking_by_sti", VMX_VALUE_INTERRUPTIBILITY, 1, { 0 } },
		{ "blocking_by_mov_ss blocking_by_nmi reserved=0x20",
		  VMX_VALUE_INTERRUPTIBILITY,
		  0x2a,
		  { 0 } },
		{ "active", VMX_VALUE_ACTIVITY, 0, { 0 } },
		{ "wait_for_sipi", VMX_VALUE_ACTIVITY, 3, { 0 } },
		{ "4", VMX_VALUE_ACTIVITY, 4, { 0 } },
		{ "b0 enabled_breakpoint bs", VMX_VALUE_PENDING_DEBUG, 0x5001, { 0 } },
		{ "memory_type=wb walk=4 ad table=0x10000", VMX_VALUE_EPTP, 0x1005e, { 0 } },
		{ "memory_type=2 walk=1 reserved=0x800", VMX_VALUE_EPTP, 0x802, { 0 } },
		{ "#UD #PF #MC", VMX_VALUE_EXCEPTION_BITMAP, 0x44040, { 0 } },
		{ "rvi=0x31", VMX_VALUE_INTERRUPT_STATUS, 0x31, { 0 } },
	};

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

static void events_read_with_type_and_vector(void **state)
{
	static const struct text_row rows[] = {
		{ "not_valid", VMX_VALUE_EVENT_ENTRY, 0x30e, { 0 } },
		{ "hardware_exception #PF error_code", VMX_VALUE_EVENT_EXIT, 0x80000b0e, { 0 } },
		{ "hardware_exception #PF error_code nmi_unblocking",
		  VMX_VALUE_EVENT_EXIT,
		  0x80001b0e,
		  { 0 } },
		{ "hardware_exception #PF error_code reserved=0x1000",
		  VMX_VALUE_EVENT_ENTRY,
		  0x80001b0e,
		  { 0 } },
		{ "hardware_exception #PF error_code",
		  VMX_VALUE_EVENT_ORIGINAL,
		  0x80001b0e,
		  { 0 } },
		{ "nmi", VMX_VALUE_EVENT_ENTRY, 0x80000202, { 0 } },
		{ "nmi vector=0x3", VMX_VALUE_EVENT_ENTRY, 0x80000203, { 0 } },
		{ "external_interrupt vector=0x21", VMX_VALUE_EVENT_EXIT, 0x80000021, { 0 } },
		{ "software_interrupt vector=0x80", VMX_VALUE_EVENT_ENTRY, 0x80000480, { 0 } },
		{ "privileged_software_exception #DB", VMX_VALUE_EVENT_ENTRY, 0x80000501, { 0 } },
		{ "software_exception #BP", VMX_VALUE_EVENT_ENTRY, 0x80000603, { 0 } },
		{ "other_event mtf", VMX_VALUE_EVENT_ENTRY, 0x80000700, { 0 } },
		{ "other_event vector=0x9", VMX_VALUE_EVENT_ENTRY, 0x80000709, { 0 } },
		{ "type=1 vector=0x5", VMX_VALUE_EVENT_ENTRY, 0x80000105, { 0 } },
		{ "hardware_exception vector=0x1f nested",
		  VMX_VALUE_EVENT_ENTRY,
		  0x8000231f,
		  { 0 } },
		{ "p w", VMX_VALUE_ERROR_CODE, 3, { .interruption_info = 0x80000b0e } },
		{ "ext index=0x5",
		  VMX_VALUE_ERROR_CODE,
		  0x29,
		  { .interruption_info = 0x80000b0d } },
	};

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

static void exit_reasons_read_with_their_flags(void **state)
{
	static const struct text_row rows[] = {
		{ "cpuid", VMX_VALUE_EXIT_REASON, 10, { 0 } },
		{ "invalid_guest_state entry_failure", VMX_VALUE_EXIT_REASON, 0x80000021, { 0 } },
		{ "reason=35", VMX_VALUE_EXIT_REASON, 35, { 0 } },
		{ "hlt enclave reserved=0x10000", VMX_VALUE_EXIT_REASON, 0x0801000c, { 0 } },
	};

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

static void qualifications_read_by_exit_reason(void **state)
{
#define QUAL(text, reason, value)                          \
	{                                                  \
		text, VMX_VALUE_EXIT_QUALIFICATION, value, \
		{                                          \
			.exit_reason = reason              \
		}                                          \
	}
	static const struct text_row rows[] = {
		QUAL("mov cr4, rax", EXIT_CR_ACCESS, 0x4),
		QUAL("mov rdi, cr3", EXIT_CR_ACCESS, 0x713),
		QUAL("mov cr8, r15", EXIT_CR_ACCESS, 0xf08),
		QUAL("clts", EXIT_CR_ACCESS, 0x20),
		QUAL("lmsw 0x31 register", EXIT_CR_ACCESS, 0x310030),
		QUAL("lmsw 0x1 memory", EXIT_CR_ACCESS, 0x10070),
		QUAL("mov dr7, rcx", EXIT_DR_ACCESS, 0x107),
		QUAL("mov rbx, dr6", EXIT_DR_ACCESS, 0x316),
		QUAL("out port=0x3f8 size=1", EXIT_IO, 0x3f80000),
		QUAL("in port=0x71 size=1 immediate", EXIT_IO, 0x710048),
		QUAL("rep outs port=0xe9 size=4", EXIT_IO, 0xe90033),
		QUAL("ins port=0x1f0 size=2", EXIT_IO, 0x1f00019),
		QUAL("out port=0x80 size=0", EXIT_IO, 0x800002),
		QUAL("read linear_valid final", EXIT_EPT_VIOLATION, 0x181),
		QUAL("write readable executable linear_valid", EXIT_EPT_VIOLATION, 0xaa),
		QUAL("tss=0x18 by=task_gate", EXIT_TASK_SWITCH, 0xc0000018),
		QUAL("offset=0xb0 access=linear_write", EXIT_APIC_ACCESS, 0x10b0),
		QUAL("access=linear_read", EXIT_APIC_ACCESS, 0),
		QUAL("access=9", EXIT_APIC_ACCESS, 0x9000),
		QUAL("vector=0x9a", EXIT_SIPI, 0x9a),
		QUAL("vmcs_link_pointer", EXIT_INVALID_GUEST_STATE | 0x80000000u, 4),
		QUAL("unspecified", EXIT_INVALID_GUEST_STATE | 0x80000000u, 0),
		QUAL("3", EXIT_MSR_LOADING | 0x80000000u, 3),
		QUAL("event=miss nmi_unblocking", EXIT_SPP, 0x1800),
		QUAL("context_invalid", EXIT_INSTRUCTION_TIMEOUT, 1),
		QUAL("armed", EXIT_MWAIT, 1),
		QUAL("0xffffffff81000000", EXIT_INVLPG, 0xffffffff81000000),
		QUAL("0x0", EXIT_CPUID, 0),
		QUAL("0x5", 35, 5),
		{ "b1 bs",
		  VMX_VALUE_EXIT_QUALIFICATION,
		  0x4002,
		  { .exit_reason = EXIT_EXCEPTION_NMI, .interruption_info = 0x80000301 } },
		{ "0x7f0000001000",
		  VMX_VALUE_EXIT_QUALIFICATION,
		  0x7f0000001000,
		  { .exit_reason = EXIT_EXCEPTION_NMI, .interruption_info = 0x80000b0e } },
	};
#undef QUAL

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

/* Words of instruction information by the places of their parts. */
#define MEM(scale, size, segment, index, base) \
	((scale) | (size) << 7 | (segment) << 15 | (index) << 18 | (base) << 23)
#define NO_INDEX (1u << 22)
#define NO_BASE	 (1u << 27)

static void instruction_information_reads_as_assembly(void **state)
{
#define INSN(text, reason, info, displacement)                               \
	{                                                                    \
		text, VMX_VALUE_INSN_INFO, info,                             \
		{                                                            \
			.exit_reason = reason, .qualification = displacement \
		}                                                            \
	}
	static const struct text_row rows[] = {
		INSN("vmptrld ds:[rax+rcx*4+0x10]", EXIT_VMPTRLD, MEM(2, 2, 3, 1, 0), 0x10),
		INSN("vmptrld ss:[rsp-0x8]", EXIT_VMPTRLD, MEM(0, 2, 2, 0, 4) | NO_INDEX, -8ull),
		INSN("vmclear ds:[0xffffffff81000000]", EXIT_VMCLEAR,
		     MEM(0, 2, 3, 0, 0) | NO_INDEX | NO_BASE, 0xffffffff81000000),
		INSN("vmxon gs:[eax+r9d*8-0x80000000]", EXIT_VMXON, MEM(3, 1, 5, 9, 0), 0x80000000),
		INSN("vmptrst es:[bx+si+0x7fff]", EXIT_VMPTRST, MEM(0, 0, 0, 6, 3), 0xdead7fff),
		INSN("vmptrst fs:[r13*2]", EXIT_VMPTRST, MEM(1, 2, 4, 13, 0) | NO_BASE, 0),
		INSN("vmread rdx, rsi", EXIT_VMREAD, 0x60000410 | 0 << 3, 0),
		INSN("vmread ds:[rax], r14", EXIT_VMREAD,
		     0xe0000000 | MEM(0, 2, 3, 0, 0) | NO_INDEX, 0),
		INSN("vmwrite rbp, r8", EXIT_VMWRITE, 0x50000440, 0),
		INSN("invept rcx, ss:[rbp-0x20]", EXIT_INVEPT,
		     0x10000000 | MEM(0, 2, 2, 0, 5) | NO_INDEX, -0x20ull),
		INSN("lgdt ds:[rdi]", EXIT_GDTR_IDTR, 2u << 28 | MEM(0, 2, 3, 0, 7) | NO_INDEX, 0),
		INSN("str rdx", EXIT_LDTR_TR, 1u << 28 | 1u << 10 | 2 << 3, 0),
		INSN("lldt ds:[rax]", EXIT_LDTR_TR, 2u << 28 | MEM(0, 2, 3, 0, 0) | NO_INDEX, 0),
		INSN("rdrand eax", EXIT_RDRAND, 1 << 11, 0),
		INSN("rdseed r10w", EXIT_RDSEED, 10 << 3, 0),
		INSN("tpause rbx", EXIT_TPAUSE, 3 << 3, 0),
		INSN("loadiwkey xmm1, xmm15", EXIT_LOADIWKEY, 0xf0000008, 0),
		INSN("address_size=32 segment=es", EXIT_IO, 1 << 7, 0),
		INSN("0x1234", EXIT_CPUID, 0x1234, 0),
		INSN("0x0", 35, 0, 0),
	};
#undef INSN

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

static void ept_entries_read_by_level(void **state)
{
	static const struct text_row rows[] = {
		{ "r w x table=0x5000", VMX_VALUE_EPT_ENTRY, 0x5007, { .ept_level = 4 } },
		{ "r w x a table=0x5000 reserved=0x80",
		  VMX_VALUE_EPT_ENTRY,
		  0x5187,
		  { .ept_level = 4 } },
		{ "r w x memory_type=wb large a d page=0x40000000",
		  VMX_VALUE_EPT_ENTRY,
		  0x400003b7,
		  { .ept_level = 3 } },
		{ "r memory_type=uc ignore_pat page=0xfee00000 suppress_ve",
		  VMX_VALUE_EPT_ENTRY,
		  0x80000000fee00041,
		  { .ept_level = 1 } },
		{ "memory_type=uc", VMX_VALUE_EPT_ENTRY, 0, { .ept_level = 1 } },
		{ "0", VMX_VALUE_EPT_ENTRY, 0, { .ept_level = 2 } },
		{ "0x5007", VMX_VALUE_EPT_ENTRY, 0x5007, { 0 } },
	};

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

static void numbers_read_by_name_where_they_have_one(void **state)
{
	static const struct text_row rows[] = {
		{ "7 (VM entry with invalid control field(s))", VMX_VALUE_INSN_ERROR, 7, { 0 } },
		{ "14", VMX_VALUE_INSN_ERROR, 14, { 0 } },
		{ "0", VMX_VALUE_INSN_ERROR, 0, { 0 } },
		{ "guest_cr4", VMX_VALUE_ENCODING, 0x6804, { 0 } },
		{ "tsc_offset:high", VMX_VALUE_ENCODING, 0x2011, { 0 } },
		{ "0x6805", VMX_VALUE_ENCODING, 0x6805, { 0 } },
		{ "ia32_efer", VMX_VALUE_MSR, 0xc0000080, { 0 } },
		{ "0x1000000000000277", VMX_VALUE_MSR, 0x1000000000000277, { 0 } },
		{ "ept_execute_only ept_walk_4 ept_uc ept_wb ept_2m ept_1g invept ept_ad "
		  "invept_single invept_all invvpid invvpid_address invvpid_single invvpid_all "
		  "invvpid_retain_globals",
		  VMX_VALUE_CAP_EPT_VPID_CAP,
		  0xf0106334141,
		  { 0 } },
		{ "revision=43 region_size=4096 region_memory_type=6 io_instruction_info true_ctls",
		  VMX_VALUE_CAP_BASIC,
		  0xd810000000002b,
		  { 0 } },
		{ "12", VMX_VALUE_DECIMAL, 12, { 0 } },
	};

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

static void short_buffers_hold_the_beginning(void **state)
{
	char whole[200], part[200];
	const struct vmx_decode_context context = { .exit_reason = EXIT_VMPTRLD };
	static const struct {
		enum vmx_value_kind kind;
		u64 value;
	} rows[] = {
		{ VMX_VALUE_CR4, 0x626f0 },
		{ VMX_VALUE_INSN_INFO, MEM(2, 2, 3, 1, 0) },
		{ VMX_VALUE_EXIT_QUALIFICATION, 0x1234 },
		{ VMX_VALUE_EVENT_EXIT, 0x80001b0e },
		{ VMX_VALUE_RFLAGS, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const size_t length =
			vmx_decode(whole, sizeof(whole), rows[i].kind, rows[i].value, &context);

		for (size_t size = 0; size <= length + 1; size++) {
			memset(part, 'z', sizeof(part));
			assert_int_equal(
				vmx_decode(part, size, rows[i].kind, rows[i].value, &context),
				length);
			assert_int_equal(part[size], 'z');
			if (!size)
				continue;
			assert_int_equal(part[size - 1], 0);
			assert_memory_equal(part, whole, size - 1);
		}
	}
}

static void every_kind_decodes_every_single_bit(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind <= VMX_VALUE_KIND_COUNT; kind++) {
		for (unsigned int bit = 0; bit <= 64; bit++) {
			const u64 value = bit < 64 ? BIT(bit) : ~0ull;

			for (u32 reason = 0; reason < EXIT_REASON_COUNT; reason++) {
				const struct vmx_decode_context context = {
					.exit_reason = reason, .ept_level = (u8)(reason % 7)
				};
				char text[2000];
				const size_t length =
					vmx_decode(text, sizeof(text), (enum vmx_value_kind)kind,
						   value, &context);

				assert_true(length > 0 && length < sizeof(text));
				assert_int_equal(strlen(text), length);
				if (kind != VMX_VALUE_EXIT_QUALIFICATION &&
				    kind != VMX_VALUE_INSN_INFO && kind != VMX_VALUE_EPT_ENTRY)
					break;
			}
		}
	}
}

static void no_bit_of_a_kind_has_two_names(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < VMX_VALUE_KIND_COUNT; kind++) {
		const struct vmx_part *parts;
		const size_t count = vmx_parts((enum vmx_value_kind)kind, &parts);
		int last = -1;

		for (size_t i = 0; i < count; i++) {
			assert_true(parts[i].low > last);
			assert_true(parts[i].high >= parts[i].low && parts[i].high < 64);
			assert_null(strchr(parts[i].name, ' '));
			last = parts[i].high;
		}
	}
}

static void every_field_decodes_by_a_kind_of_its_width(void **state)
{
	(void)state;
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const struct vmx_part *parts;
		const size_t count = vmx_parts(vmx_field_kind(ix), &parts);

		for (size_t i = 0; i < count; i++)
			assert_row(vmcs_fields[ix].name,
				   vmx_part_mask(&parts[i]) &
					   ~vmcs_width_mask(vmcs_fields[ix].width),
				   0);
	}
	assert_int_equal(vmx_field_kind(VMCS_IX_GUEST_CR4), VMX_VALUE_CR4);
	assert_int_equal(vmx_field_kind(VMCS_IX_TSC_OFFSET), VMX_VALUE_HEX);
	assert_int_equal(vmx_field_kind(-1), VMX_VALUE_HEX);
	assert_int_equal(vmx_msr_kind(MSR_EFER), VMX_VALUE_EFER);
	assert_int_equal(vmx_msr_kind(0x12345), VMX_VALUE_HEX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_read_as_their_flags),
		cmocka_unit_test(controls_read_as_their_names),
		cmocka_unit_test(states_and_pointers_read_as_such),
		cmocka_unit_test(events_read_with_type_and_vector),
		cmocka_unit_test(exit_reasons_read_with_their_flags),
		cmocka_unit_test(qualifications_read_by_exit_reason),
		cmocka_unit_test(instruction_information_reads_as_assembly),
		cmocka_unit_test(ept_entries_read_by_level),
		cmocka_unit_test(numbers_read_by_name_where_they_have_one),
		cmocka_unit_test(short_buffers_hold_the_beginning),
		cmocka_unit_test(every_kind_decodes_every_single_bit),
		cmocka_unit_test(no_bit_of_a_kind_has_two_names),
		cmocka_unit_test(every_field_decodes_by_a_kind_of_its_width),
	};
	return cmocka_run_group_tests_name("vmx/value_text", tests, NULL, NULL);
}
