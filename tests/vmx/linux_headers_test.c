/*
 * The tables against the numbers of Linux's headers, parsed when the test runs.
 *
 * Linux has its own names. The tables below say which of ours each one is; what is not listed must
 * have our name. A number that means something else in the two fails, and so does a header of which
 * nothing could be parsed.
 */
#include "tests/test.h"

#include <ctype.h>
#include <glob.h>
#include <strings.h>

#include "vmx/cpuid.h"
#include "vmx/tables.h"

struct alias {
	const char *linux_name, *our_name;
};

static const struct alias field_aliases[] = {
	{ "VIRTUAL_PROCESSOR_ID", "vpid" },
	{ "POSTED_INTR_NV", "posted_interrupt_notification_vector" },
	{ "GUEST_INTR_STATUS", "guest_interrupt_status" },
	{ "GUEST_PML_INDEX", "pml_index" },
	{ "VM_EXIT_MSR_STORE_ADDR", "vm_exit_msr_store_address" },
	{ "VM_EXIT_MSR_LOAD_ADDR", "vm_exit_msr_load_address" },
	{ "VM_ENTRY_MSR_LOAD_ADDR", "vm_entry_msr_load_address" },
	{ "VIRTUAL_APIC_PAGE_ADDR", "virtual_apic_address" },
	{ "APIC_ACCESS_ADDR", "apic_access_address" },
	{ "POSTED_INTR_DESC_ADDR", "posted_interrupt_descriptor_address" },
	{ "VM_FUNCTION_CONTROL", "vm_function_controls" },
	{ "EOI_EXIT_BITMAP0", "eoi_exit_bitmap_0" },
	{ "EOI_EXIT_BITMAP1", "eoi_exit_bitmap_1" },
	{ "EOI_EXIT_BITMAP2", "eoi_exit_bitmap_2" },
	{ "EOI_EXIT_BITMAP3", "eoi_exit_bitmap_3" },
	{ "VMREAD_BITMAP", "vmread_bitmap_address" },
	{ "VMWRITE_BITMAP", "vmwrite_bitmap_address" },
	{ "XSS_EXIT_BITMAP", "xss_exiting_bitmap" },
	{ "TERTIARY_VM_EXEC_CONTROL", "tertiary_proc_based_controls" },
	{ "PID_POINTER_TABLE", "pid_pointer_table_address" },
	{ "GUEST_PDPTR0", "guest_pdpte0" },
	{ "GUEST_PDPTR1", "guest_pdpte1" },
	{ "GUEST_PDPTR2", "guest_pdpte2" },
	{ "GUEST_PDPTR3", "guest_pdpte3" },
	{ "GUEST_BNDCFGS", "guest_ia32_bndcfgs" },
	{ "PIN_BASED_VM_EXEC_CONTROL", "pin_based_controls" },
	{ "CPU_BASED_VM_EXEC_CONTROL", "primary_proc_based_controls" },
	{ "VM_ENTRY_INTR_INFO_FIELD", "vm_entry_interruption_info" },
	{ "VM_ENTRY_INSTRUCTION_LEN", "vm_entry_instruction_length" },
	{ "SECONDARY_VM_EXEC_CONTROL", "secondary_proc_based_controls" },
	{ "NOTIFY_WINDOW", "instruction_timeout_control" },
	{ "VM_EXIT_REASON", "exit_reason" },
	{ "VM_EXIT_INTR_INFO", "vm_exit_interruption_info" },
	{ "VM_EXIT_INTR_ERROR_CODE", "vm_exit_interruption_error_code" },
	{ "IDT_VECTORING_INFO_FIELD", "idt_vectoring_info" },
	{ "VM_EXIT_INSTRUCTION_LEN", "vm_exit_instruction_length" },
	{ "VMX_INSTRUCTION_INFO", "vm_exit_instruction_info" },
	{ "GUEST_ES_AR_BYTES", "guest_es_access_rights" },
	{ "GUEST_CS_AR_BYTES", "guest_cs_access_rights" },
	{ "GUEST_SS_AR_BYTES", "guest_ss_access_rights" },
	{ "GUEST_DS_AR_BYTES", "guest_ds_access_rights" },
	{ "GUEST_FS_AR_BYTES", "guest_fs_access_rights" },
	{ "GUEST_GS_AR_BYTES", "guest_gs_access_rights" },
	{ "GUEST_LDTR_AR_BYTES", "guest_ldtr_access_rights" },
	{ "GUEST_TR_AR_BYTES", "guest_tr_access_rights" },
	{ "GUEST_INTERRUPTIBILITY_INFO", "guest_interruptibility_state" },
	{ "GUEST_SYSENTER_CS", "guest_ia32_sysenter_cs" },
	{ "GUEST_SYSENTER_ESP", "guest_ia32_sysenter_esp" },
	{ "GUEST_SYSENTER_EIP", "guest_ia32_sysenter_eip" },
	{ "GUEST_PENDING_DBG_EXCEPTIONS", "guest_pending_debug_exceptions" },
	{ "CR3_TARGET_VALUE0", "cr3_target_value_0" },
	{ "CR3_TARGET_VALUE1", "cr3_target_value_1" },
	{ "CR3_TARGET_VALUE2", "cr3_target_value_2" },
	{ "CR3_TARGET_VALUE3", "cr3_target_value_3" },
	/* Of headers newer than 6.1: */
	{ "SHARED_EPT_POINTER", "seam_shared_ept_pointer" },
	{ "GUEST_S_CET", "guest_ia32_s_cet" },
	{ "GUEST_INTR_SSP_TABLE", "guest_ia32_interrupt_ssp_table_addr" },
	{ "HOST_S_CET", "host_ia32_s_cet" },
	{ "HOST_INTR_SSP_TABLE", "host_ia32_interrupt_ssp_table_addr" },
};

static const struct alias exit_aliases[] = {
	{ "INIT_SIGNAL", "init" },
	{ "SIPI_SIGNAL", "sipi" },
	{ "VMOFF", "vmxoff" },
	{ "VMON", "vmxon" },
	{ "IO_INSTRUCTION", "io" },
	{ "MSR_READ", "rdmsr" },
	{ "MSR_WRITE", "wrmsr" },
	{ "INVALID_STATE", "invalid_guest_state" },
	{ "MSR_LOAD_FAIL", "msr_loading" },
	{ "MWAIT_INSTRUCTION", "mwait" },
	{ "MONITOR_INSTRUCTION", "monitor" },
	{ "PAUSE_INSTRUCTION", "pause" },
	{ "MCE_DURING_VMENTRY", "entry_machine_check" },
	{ "EOI_INDUCED", "virtualized_eoi" },
	{ "EPT_MISCONFIG", "ept_misconfiguration" },
	{ "NOTIFY", "instruction_timeout" },
	/* Of headers newer than 6.1: */
	{ "MSR_READ_IMM", "rdmsr_immediate" },
	{ "MSR_WRITE_IMM", "wrmsrns_immediate" },
};

static const struct alias control_aliases[] = {
	{ "INTR_EXITING", "external_interrupt_exiting" },
	{ "POSTED_INTR", "posted_interrupts" },
	{ "INTR_WINDOW_EXITING", "interrupt_window_exiting" },
	{ "USE_TSC_OFFSETTING", "tsc_offsetting" },
	{ "VIRTUAL_TPR", "tpr_shadow" },
	{ "UNCOND_IO_EXITING", "unconditional_io_exiting" },
	{ "USE_IO_BITMAPS", "io_bitmaps" },
	{ "USE_MSR_BITMAPS", "msr_bitmaps" },
	{ "SEC_CONTROLS", "secondary_controls" },
	{ "VIRT_APIC_ACCESSES", "virtualize_apic_accesses" },
	{ "DESC_EXITING", "descriptor_table_exiting" },
	{ "VIRTUAL_X2APIC", "virtualize_x2apic_mode" },
	{ "APIC_REGISTER_VIRT", "apic_register_virtualization" },
	{ "VIRT_INTR_DELIVERY", "virtual_interrupt_delivery" },
	{ "VMFUNC", "vm_functions" },
	{ "SHADOW_VMCS", "vmcs_shadowing" },
	{ "PAGE_MOD_LOGGING", "pml" },
	{ "PT_CONCEAL_VMX", "conceal_vmx_from_pt" },
	{ "MODE_BASED_EPT_EXEC", "mode_based_execute" },
	{ "PT_USE_GPA", "pt_uses_gpa" },
	{ "USR_WAIT_PAUSE", "user_wait_pause" },
	{ "NOTIFY_VM_EXITING", "instruction_timeout" },
	{ "IPI_VIRT", "ipi_virtualization" },
	{ "EXIT_HOST_ADDR_SPACE_SIZE", "exit_host_address_space_size" },
	{ "EXIT_LOAD_IA32_PERF_GLOBAL_CTRL", "exit_load_perf_global_ctrl" },
	{ "EXIT_ACK_INTR_ON_EXIT", "exit_acknowledge_interrupt" },
	{ "EXIT_SAVE_IA32_PAT", "exit_save_pat" },
	{ "EXIT_LOAD_IA32_PAT", "exit_load_pat" },
	{ "EXIT_SAVE_IA32_EFER", "exit_save_efer" },
	{ "EXIT_LOAD_IA32_EFER", "exit_load_efer" },
	{ "EXIT_SAVE_VMX_PREEMPTION_TIMER", "exit_save_preemption_timer" },
	{ "EXIT_PT_CONCEAL_PIP", "exit_conceal_vmx_from_pt" },
	{ "EXIT_CLEAR_IA32_RTIT_CTL", "exit_clear_rtit_ctl" },
	{ "ENTRY_IA32E_MODE", "entry_ia32e_mode_guest" },
	{ "ENTRY_SMM", "entry_to_smm" },
	{ "ENTRY_DEACT_DUAL_MONITOR", "entry_deactivate_dual_monitor" },
	{ "ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL", "entry_load_perf_global_ctrl" },
	{ "ENTRY_LOAD_IA32_PAT", "entry_load_pat" },
	{ "ENTRY_LOAD_IA32_EFER", "entry_load_efer" },
	{ "ENTRY_PT_CONCEAL_PIP", "entry_conceal_vmx_from_pt" },
	{ "ENTRY_LOAD_IA32_RTIT_CTL", "entry_load_rtit_ctl" },
	/* Of headers newer than 6.1: */
	{ "EXIT_LOAD_CET_STATE", "exit_load_cet" },
	{ "EXIT_SAVE_IA32_PERF_GLOBAL_CTRL", "exit_save_perf_global_ctrl" },
	{ "EXIT_ACTIVATE_SECONDARY_CONTROLS", "exit_secondary_controls" },
	{ "ENTRY_LOAD_CET_STATE", "entry_load_cet" },
	{ "ENTRY_LOAD_IA32_FRED", "entry_load_fred" },
};

static const struct alias cpuid_aliases[] = {
	{ "XMM3", "sse3" },
	{ "MWAIT", "monitor" },
	{ "XMM4_1", "sse4_1" },
	{ "XMM4_2", "sse4_2" },
	{ "TSC_DEADLINE_TIMER", "tsc_deadline" },
	{ "CLFLUSH", "clfsh" },
	{ "XMM", "sse" },
	{ "XMM2", "sse2" },
	{ "SELFSNOOP", "ss" },
	{ "HT", "htt" },
	{ "ACC", "tm" },
	{ "DTHERM", "digital_thermal_sensor" },
	{ "IDA", "turbo" },
	{ "AVX512IFMA", "avx512_ifma" },
	{ "SHA_NI", "sha" },
	{ "AVX512VBMI", "avx512_vbmi" },
	{ "INTEL_STIBP", "stibp" },
	{ "FLUSH_L1D", "l1d_flush" },
	{ "SPEC_CTRL_SSBD", "ssbd" },
	{ "LAHF_LM", "lahf" },
	{ "ABM", "lzcnt" },
	{ "3DNOWPREFETCH", "prefetchw" },
	{ "GBPAGES", "pdpe1gb" },
};

/* Names of MSRs as Linux has them, behind "MSR_" or "MSR_IA32_". */
static const struct alias msr_aliases[] = {
	{ "TSC", "ia32_time_stamp_counter" },
	{ "APICBASE", "ia32_apic_base" },
	{ "FEAT_CTL", "ia32_feature_control" },
	{ "UCODE_WRITE", "ia32_bios_updt_trig" },
	{ "UCODE_REV", "ia32_bios_sign_id" },
	{ "DEBUGCTLMSR", "ia32_debugctl" },
	{ "CR_PAT", "ia32_pat" },
	{ "MTRRdefType", "ia32_mtrr_def_type" },
	{ "CORE_PERF_GLOBAL_CTRL", "ia32_perf_global_ctrl" },
	{ "INT_SSP_TAB", "ia32_interrupt_ssp_table_addr" },
	{ "ARCH_LBR_CTL", "ia32_lbr_ctl" },
	{ "SYSCALL_MASK", "ia32_fmask" },
};

static bool same(const char *linux_name, const char *our_name, const struct alias *aliases,
		 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(aliases[i].linux_name, linux_name))
			return !strcmp(aliases[i].our_name, our_name);
	}
	return !strcasecmp(linux_name, our_name);
}

#define SAME(linux_name, our_name, aliases) same(linux_name, our_name, aliases, ARRAY_SIZE(aliases))

/* --- Reading the headers ---------------------------------------------------------------------- */

static FILE *open_header(const char *name)
{
	static const char pattern[] = "/usr/src/linux-headers-*-common/arch/x86/include/";
	char path[256];
	glob_t found;
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", pattern, name);
	if (glob(path, 0, NULL, &found)) {
		fail_msg("no file matches %s: install the package linux-headers-amd64", path);
		return NULL;
	}
	file = fopen(found.gl_pathv[found.gl_pathc - 1], "r");
	if (!file)
		fail_msg("'%s' cannot be read", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return file;
}

/* The name behind "#define @prefix" on @line, and what follows it; NULL when it is another line. */
static const char *defined(const char *line, const char *prefix, char name[64])
{
	size_t length = 0;

	if (strncmp(line, "#define ", 8))
		return NULL;
	line += 8;
	if (strncmp(line, prefix, strlen(prefix)))
		return NULL;
	line += strlen(prefix);
	while ((isalnum((unsigned char)line[length]) || line[length] == '_') && length < 63)
		length++;
	memcpy(name, line, length);
	name[length] = 0;
	line += length;
	return *line == '(' ? NULL : line + strspn(line, " \t");
}

/* "( word*32+ bit)" */
static bool word_and_bit(const char *text, unsigned int *word, unsigned int *bit)
{
	return sscanf(text, "( %u * 32 + %u )", word, bit) == 2;
}

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) > strlen(end) && !strcmp(text + strlen(text) - strlen(end), end);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void fields_have_linux_encodings_and_widths(void **state)
{
	char line[256], name[64];
	unsigned int fields = 0, highs = 0, wide = 0;
	FILE *file = open_header("asm/vmx.h");

	(void)state;
	while (fgets(line, sizeof(line), file)) {
		unsigned int encoding;
		int ix;

		if (sscanf(line, "\t%63[A-Z0-9_] = 0x%8x,", name, &encoding) != 2 &&
		    sscanf(line, "\t%63[A-Z0-9_]= 0x%8x,", name, &encoding) != 2)
			continue;
		ix = vmcs_field_index(encoding & ~1u);
		if (ix < 0)
			fail_msg("%s (0x%x) is no row of fields.def", name, encoding);
		if (ends_with(name, "_HIGH")) {
			assert_row(name, encoding & 1, 1);
			assert_row(name, vmcs_fields[ix].width, VMCS_WIDTH_64);
			highs++;
			continue;
		}
		if (!SAME(name, vmcs_fields[ix].name, field_aliases))
			fail_msg("0x%x is %s in Linux, not %s", encoding, name,
				 vmcs_fields[ix].name);
		wide += vmcs_fields[ix].width == VMCS_WIDTH_64;
		fields++;
	}
	fclose(file);
	assert_true(fields >= 140);
	assert_int_equal(highs, wide);
}

static void exit_reasons_have_linux_numbers(void **state)
{
	char line[256], name[64];
	unsigned int exits = 0;
	FILE *file = open_header("uapi/asm/vmx.h");

	(void)state;
	while (fgets(line, sizeof(line), file)) {
		const char *number = defined(line, "EXIT_REASON_", name);
		const struct vmx_exit *row;

		if (!number)
			continue;
		row = vmx_exit_by_reason((u32)atoi(number));
		if (!row || !SAME(name, row->name, exit_aliases))
			fail_msg("%s is not %s", name, row ? row->name : "a row of exits.def");
		exits++;
	}
	fclose(file);
	assert_true(exits >= 60);
}

static void instruction_errors_are_defined_where_linux_has_them(void **state)
{
	char line[256], name[64];
	unsigned int number, errors = 0, ours = 0;
	FILE *file = open_header("asm/vmx.h");

	(void)state;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "\tVMXERR_%63[A-Z_] = %u,", name, &number) != 2)
			continue;
		if (!vmx_insn_error_text(number))
			fail_msg("%s (%u) is no row of insn_errors.def", name, number);
		errors++;
	}
	fclose(file);
	for (number = 0; number < 64; number++)
		ours += vmx_insn_error_text(number) != NULL;
	assert_int_equal(errors, ours);
}

static void execution_controls_have_linux_bits(void **state)
{
	char line[256], name[64];
	unsigned int word, bit, controls = 0;
	FILE *file = open_header("asm/vmxfeatures.h");

	(void)state;
	while (fgets(line, sizeof(line), file)) {
		const char *value = defined(line, "VMX_FEATURE_", name);
		const struct vmx_control *row;

		if (!value || !word_and_bit(value, &word, &bit))
			continue;
		/* Bits 16 and up of word 0 are Linux's own: EPT and VPID capabilities. */
		if (word == VMX_WORD_PIN && bit >= 16)
			continue;
		row = vmx_control_at((enum vmx_word)word, bit);
		if (!row || !SAME(name, row->name, control_aliases))
			fail_msg("%s is not %s", name, row ? row->name : "a row of controls.def");
		controls++;
	}
	fclose(file);
	assert_true(controls >= 55);
}

static void check_transition_control(enum vmx_word word, const char *name, u32 mask)
{
	const struct vmx_control *row;
	char full[80];

	snprintf(full, sizeof(full), "%s_%s", word == VMX_WORD_EXIT ? "EXIT" : "ENTRY", name);
	if (!strcmp(name, "ALWAYSON_WITHOUT_TRUE_MSR")) {
		assert_row(full, vmx_control_words[word].default1, mask);
		return;
	}
	row = vmx_control_at(word, (unsigned int)__builtin_ctz(mask));
	assert_row(full, mask & (mask - 1), 0);
	if (!row || !SAME(full, row->name, control_aliases))
		fail_msg("%s is not %s", full, row ? row->name : "a row of controls.def");
}

static void entry_and_exit_controls_have_linux_bits(void **state)
{
	char line[256], name[64];
	unsigned int controls = 0;
	FILE *file = open_header("asm/vmx.h");

	(void)state;
	while (fgets(line, sizeof(line), file)) {
		const char *value;

		if ((value = defined(line, "VM_EXIT_", name)) && !strncmp(value, "0x", 2))
			check_transition_control(VMX_WORD_EXIT, name,
						 (u32)strtoul(value, NULL, 16));
		else if ((value = defined(line, "VM_ENTRY_", name)) && !strncmp(value, "0x", 2))
			check_transition_control(VMX_WORD_ENTRY, name,
						 (u32)strtoul(value, NULL, 16));
		else if ((value = defined(line, "PIN_BASED_ALWAYSON_WITHOUT_TRUE_MSR", name)))
			assert_u64(vmx_control_words[VMX_WORD_PIN].default1,
				   strtoul(value, NULL, 16));
		else if ((value = defined(line, "CPU_BASED_ALWAYSON_WITHOUT_TRUE_MSR", name)))
			assert_u64(vmx_control_words[VMX_WORD_PRIMARY].default1,
				   strtoul(value, NULL, 16));
		else
			continue;
		controls++;
	}
	fclose(file);
	assert_true(controls >= 25);
}

static void ept_and_vpid_capabilities_have_linux_bits(void **state)
{
	static const struct {
		const char *linux_name, *our_name;
	} rows[] = {
		{ "EPT_EXECUTE_ONLY_BIT", "ept_execute_only" },
		{ "EPT_PAGE_WALK_4_BIT", "ept_walk_4" },
		{ "EPT_PAGE_WALK_5_BIT", "ept_walk_5" },
		{ "EPTP_UC_BIT", "ept_uc" },
		{ "EPTP_WB_BIT", "ept_wb" },
		{ "EPT_2MB_PAGE_BIT", "ept_2m" },
		{ "EPT_1GB_PAGE_BIT", "ept_1g" },
		{ "EPT_INVEPT_BIT", "invept" },
		{ "EPT_AD_BIT", "ept_ad" },
		{ "EPT_EXTENT_CONTEXT_BIT", "invept_single" },
		{ "EPT_EXTENT_GLOBAL_BIT", "invept_all" },
		{ "VPID_INVVPID_BIT", "invvpid" },
		{ "VPID_EXTENT_INDIVIDUAL_ADDR_BIT", "invvpid_address" },
		{ "VPID_EXTENT_SINGLE_CONTEXT_BIT", "invvpid_single" },
		{ "VPID_EXTENT_GLOBAL_CONTEXT_BIT", "invvpid_all" },
		{ "VPID_EXTENT_SINGLE_NON_GLOBAL_BIT", "invvpid_retain_globals" },
	};
	char line[256], name[64];
	unsigned int seen = 0;
	FILE *file = open_header("asm/vmx.h");

	(void)state;
	while (fgets(line, sizeof(line), file)) {
		const char *value = defined(line, "VMX_", name);
		unsigned int bit = 0;

		if (!value ||
		    (strncmp(value, "(1ull)", 6) && sscanf(value, "(1ull << %u)", &bit) != 1))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			if (strcmp(rows[i].linux_name, name))
				continue;
			/* Linux counts the bits of the upper half from 0. */
			if (!strncmp(name, "VPID", 4))
				bit += 32;
			assert_row(name, vmx_capbit_find(rows[i].our_name)->low, bit);
			seen++;
		}
	}
	fclose(file);
	assert_int_equal(seen, ARRAY_SIZE(rows));
}

static void msrs_have_linux_indices(void **state)
{
	char line[256], name[64];
	unsigned int msrs = 0;
	FILE *file = open_header("asm/msr-index.h");

	(void)state;
	while (fgets(line, sizeof(line), file)) {
		const char *value = defined(line, "MSR_", name);
		const char *bare = strncmp(name, "IA32_", 5) ? name : name + 5;

		if (!value || strncmp(value, "0x", 2))
			continue;
#define MSR(NAME, name, index, title)                                               \
	if (SAME(bare, &#name[5], msr_aliases) || SAME(bare, #name, msr_aliases)) { \
		assert_row(#name, strtoul(value, NULL, 16), index);                 \
		msrs++;                                                             \
	}
#define VMX_MSR MSR
#include "vmx/msrs.def"
#undef VMX_MSR
#undef MSR
	}
	fclose(file);
	assert_true(msrs >= 60);
}

static void cpuid_features_have_linux_bits(void **state)
{
	static const struct {
		unsigned int word; /* Linux's number */
		u32 leaf, subleaf;
		enum vmx_cpuid_reg reg;
	} words[] = {
		{ 0, 1, CPUID_SUBLEAF_ANY, CPUID_EDX },
		{ 1, 0x80000001, CPUID_SUBLEAF_ANY, CPUID_EDX },
		{ 4, 1, CPUID_SUBLEAF_ANY, CPUID_ECX },
		{ 6, 0x80000001, CPUID_SUBLEAF_ANY, CPUID_ECX },
		{ 9, 7, 0, CPUID_EBX },
		{ 10, 0xd, 1, CPUID_EAX },
		{ 12, 7, 1, CPUID_EAX },
		{ 13, 0x80000008, CPUID_SUBLEAF_ANY, CPUID_EBX },
		{ 14, 6, CPUID_SUBLEAF_ANY, CPUID_EAX },
		{ 16, 7, 0, CPUID_ECX },
		{ 18, 7, 0, CPUID_EDX },
	};
	char line[256], name[64];
	unsigned int word, bit, features = 0;
	FILE *file = open_header("asm/cpufeatures.h");

	(void)state;
	while (fgets(line, sizeof(line), file)) {
		const char *value = defined(line, "X86_FEATURE_", name);
		size_t at = 0;

		if (!value || !word_and_bit(value, &word, &bit))
			continue;
		while (at < ARRAY_SIZE(words) && words[at].word != word)
			at++;
		if (at == ARRAY_SIZE(words))
			continue;
		for (size_t i = 0; i < vmx_cpuid_row_count; i++) {
			const struct vmx_cpuid *row = &vmx_cpuid_rows[i];
			const bool same_place = row->leaf == words[at].leaf &&
						row->subleaf == words[at].subleaf &&
						row->reg == words[at].reg && row->mask == 1u << bit;

			if (same_place != SAME(name, row->name, cpuid_aliases))
				fail_msg("%s and %s differ in %s", name, row->name,
					 same_place ? "name" : "place");
			features += same_place;
		}
	}
	fclose(file);
	assert_true(features >= 110);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_have_linux_encodings_and_widths),
		cmocka_unit_test(exit_reasons_have_linux_numbers),
		cmocka_unit_test(instruction_errors_are_defined_where_linux_has_them),
		cmocka_unit_test(execution_controls_have_linux_bits),
		cmocka_unit_test(entry_and_exit_controls_have_linux_bits),
		cmocka_unit_test(ept_and_vpid_capabilities_have_linux_bits),
		cmocka_unit_test(msrs_have_linux_indices),
		cmocka_unit_test(cpuid_features_have_linux_bits),
	};
	return cmocka_run_group_tests_name("vmx against linux-headers", tests, NULL, NULL);
}
