#include "hv/record_boot.h"

#include "hv/exit_l1.h"
#include "hv/hv_options.h"
#include "hv/insn.h"
#include "hv/multiboot.h"
#include "hv/nested/nested.h"
#include "hv/processor.h"
#include "hv/record.h"
#include "hv/tsc_clock.h"

/* Leaves that the boot record keeps; those with subleaves end by the rule of their own. */
#define CPUID_MAX_SUBLEAF 8

/* Of processor 0. */
static u64 tsc_hz;

void record_boot_init(void)
{
	tsc_hz = tsc_clock_measure();
}

static void emit_cpuid_leaf(struct percpu *cpu, u32 leaf, u32 subleaf)
{
	const struct cpuid_result real = cpuid(leaf, subleaf);
	const struct cpuid_result shown = l1_cpuid(leaf, subleaf, 0);
	const struct ev_cpuid columns = {
		.leaf = leaf,
		.subleaf = subleaf,
		.real_ab = real.eax | (u64)real.ebx << 32,
		.real_cd = real.ecx | (u64)real.edx << 32,
		.shown_ab = shown.eax | (u64)shown.ebx << 32,
		.shown_cd = shown.ecx | (u64)shown.edx << 32,
	};

	record_emit(cpu, EV_CPUID, &columns, NULL, 0);
}

static void emit_cpuid(struct percpu *cpu)
{
	static const u32 with_subleaves[] = { 4, 7, 0xb, 0xd, 0x14, 0x18, 0x19, 0x1f };

	for (u32 base = 0; base <= 0x80000000; base += 0x80000000) {
		const u32 last = MIN(cpuid(base, 0).eax, base + 0x20);

		for (u32 leaf = base; leaf <= last; leaf++) {
			u32 subleaves = 1;

			for (size_t i = 0; i < ARRAY_SIZE(with_subleaves); i++)
				if (with_subleaves[i] == leaf)
					subleaves = CPUID_MAX_SUBLEAF;
			for (u32 subleaf = 0; subleaf < subleaves; subleaf++)
				emit_cpuid_leaf(cpu, leaf, subleaf);
		}
		if (base)
			break;
	}
}

static void emit_capabilities(struct percpu *cpu)
{
	for (u32 i = 0; i < VMX_CAP_COUNT; i++) {
		struct ev_capability columns = { .msr = MSR_VMX_BASIC + i };

		/* This processor's own, which may be more than all of them have. */
		(void)rdmsr_safe(MSR_VMX_BASIC + i, &columns.real);
		columns.exists = nested_caps_msr(cpu, MSR_VMX_BASIC + i, &columns.shown);
		record_emit(cpu, EV_CAPABILITY, &columns, NULL, 0);
	}
}

static void emit_text(struct percpu *cpu, enum trace_text what, const char *text)
{
	const struct ev_option columns = { .what = what };

	record_emit(cpu, EV_OPTION, &columns, text, (u32)strlen(text));
}

void record_boot_tell(struct percpu *cpu)
{
	const u32 widths = cpuid(0x80000008, 0).eax;
	u64 microcode = 0;
	struct ev_boot boot = {
		.signature = cpuid(1, 0).eax,
		.physical_width = widths & 0xff,
		.linear_width = widths >> 8 & 0xff,
		.feature_control = rdmsr(MSR_FEATURE_CONTROL),
		.cpus = percpu_count(),
		.capture = options.capture,
	};
	const struct ev_clock clock = {
		.tsc_hz = tsc_hz,
		.uncertainty = cpu->tsc_uncertainty,
		.offset = cpu->tsc_offset,
	};

	/* Not every emulator has the MSR. */
	if (rdmsr_safe(MSR_BIOS_SIGN_ID, &microcode) == ST_OK)
		boot.microcode = microcode >> 32;
	record_emit(cpu, EV_BOOT, &boot, VERSION, sizeof(VERSION) - 1);
	record_emit(cpu, EV_CLOCK, &clock, NULL, 0);
	emit_capabilities(cpu);
	emit_cpuid(cpu);
	/* The rest is the machine's, and told once. */
	if (cpu->id)
		return;
	for (unsigned i = 0; i < boot_info.range_count; i++) {
		const struct ev_memory memory = {
			.base = boot_info.ranges[i].base,
			.size = boot_info.ranges[i].size,
			.type = boot_info.ranges[i].type,
		};

		record_emit(cpu, EV_MEMORY, &memory, NULL, 0);
	}
	emit_text(cpu, TEXT_HV_OPTIONS, boot_info.options);
	if (boot_info.module_count)
		emit_text(cpu, TEXT_L1_COMMAND_LINE, boot_info.modules[0].text);
}
