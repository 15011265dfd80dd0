/*
 * tests/replay/dialogue.h - a tape of an L1 that does not exist, for tests of moving through it
 *
 * Several CPUs with a few VMCSs each that now and then move to another CPU, recorded as hv does:
 * boot record, blocks with key frames, merged by time. Every kind of state changes: VMX operation,
 * launch states, fields by VMWRITE, exits, entries, memory and errors, capability MSRs read; marks,
 * pages and failures are among it. The same seed gives the same tape.
 */
#ifndef TESTS_REPLAY_DIALOGUE_H
#define TESTS_REPLAY_DIALOGUE_H

#include <unistd.h>

#include "recorder/capture.h"
#include "tests/recorder/recording.h"
#include "vmx/vmcs12.h"

#define DIALOGUE_CPUS	 4
#define DIALOGUE_REGIONS 12

struct dialogue_region {
	struct vmcs12 vmcs;
	int cpu; /* it is active there, -1: nowhere */
};

struct dialogue_cpu {
	struct dialogue *owner;
	struct recording recording; /* without its recorder's callbacks */
	bool in_vmx;
	bool in_l2;
	int current; /* region, -1: none */
	u16 number;
	u64 tsc;
};

struct dialogue {
	unsigned cpus;
	u64 random;
	u64 tsc;
	u64 order;	       /* of the hand-over counter ... */
	u64 lag;	       /* ... and how late it is taken, at most; 0: there is none */
	bool apart;	       /* CPUs have VMCSs of their own, and nothing is about all of them */
	unsigned block_events; /* a block is sealed after about as many */
	struct dialogue_cpu cpu[DIALOGUE_CPUS];
	struct dialogue_region region[DIALOGUE_REGIONS];
};

static inline u64 dialogue_pointer(int region)
{
	return region < 0 ? ~0ull : 0x10000 + (u64)region * 0x1000;
}

/* When an event began, and the number that it took of the counter. */
static inline u64 dialogue_begin(struct dialogue_cpu *cpu, u8 kind, u64 *col)
{
	const struct trace_kind_info *const info = trace_schema_kind(trace_schema_builtin(), kind);
	struct dialogue *const all = cpu->owner;
	u64 late;

	if (!all->lag)
		return all->tsc;
	if (info->order_column != SCHEMA_NONE)
		col[info->order_column] = ++all->order;
	late = test_random(&all->random) % all->lag;
	cpu->tsc = MAX(cpu->tsc, all->tsc - MIN(all->tsc, late));
	return cpu->tsc;
}

static inline void dialogue_emit(struct dialogue_cpu *cpu, u8 kind, u8 level, u64 rip,
				 const void *columns, size_t size, const struct trace_item *items,
				 u32 count, const char *text)
{
	u64 col[TRACE_MAX_COLUMNS] = { 0 };
	struct trace_event event = {
		.kind = kind,
		.level = level,
		.rip = rip,
		.col = col,
		.items = items,
		.item_count = count,
		.bytes = (const u8 *)text,
		.byte_count = text ? (u32)strlen(text) : 0,
	};

	memcpy(col, columns, size);
	event.tsc = dialogue_begin(cpu, kind, col);
	rec_emit(cpu->recording.rec, &event);
}

static inline void dialogue_key_frames(void *owner, struct rec *rec, u64 block)
{
	struct dialogue_cpu *const cpu = owner;
	struct dialogue *const all = cpu->owner;
	const struct ev_vmx_state state = { .in_vmx = cpu->in_vmx,
					    .vmxon_pointer = cpu->in_vmx ? 0x1000u : ~0ull,
					    .vmcs = dialogue_pointer(cpu->current),
					    .level = cpu->in_l2 ? 2 : 1 };
	static struct trace_item items[VMCS_FIELD_COUNT];

	(void)rec;
	(void)block;
	dialogue_emit(cpu, EV_VMX_STATE, 0, 0, &state, sizeof(state), NULL, 0, NULL);
	for (int i = 0; i < DIALOGUE_REGIONS; i++) {
		const struct dialogue_region *const region = &all->region[i];
		const struct ev_vmcs_image image = { .vmcs = dialogue_pointer(i),
						     .launched = region->vmcs.launched,
						     .current = i == cpu->current };

		if (region->cpu != cpu->number)
			continue;
		for (int f = 0; f < VMCS_FIELD_COUNT; f++)
			items[f] = (struct trace_item){ vmcs_fields[f].encoding,
							region->vmcs.value[f] };
		dialogue_emit(cpu, EV_VMCS_IMAGE, 0, 0, &image, sizeof(image), items,
			      VMCS_FIELD_COUNT, NULL);
	}
}

#define DIALOGUE_MODE                                                                    \
	(BIT(MODE_PE) | BIT(MODE_PG) | BIT(MODE_LMA) | BIT(MODE_CS_L) | BIT(MODE_VMXE) | \
	 BIT(MODE_VMX_ROOT))

#define DIALOGUE_INSN(cpu, KIND, name, site, ...)                                          \
	do {                                                                               \
		const struct ev_##name insn_ = { .mode = DIALOGUE_MODE,                    \
						 .vmcs = dialogue_pointer((cpu)->current), \
						 __VA_ARGS__ };                            \
		dialogue_emit((cpu), EV_##KIND, 1,                                         \
			      0xffffffff81000000ull + EV_##KIND * 256 + (site)*8, &insn_,  \
			      sizeof(insn_), NULL, 0, NULL);                               \
	} while (0)

static inline int dialogue_field(struct dialogue *all)
{
	/* Some are written often, the others now and then. */
	return (int)(test_random(&all->random) %
		     (test_random(&all->random) % 8 ? 12 : VMCS_FIELD_COUNT));
}

static inline u64 dialogue_value(struct dialogue *all, int field)
{
	return test_value(&all->random, 7) & vmcs_width_mask(vmcs_fields[field].width);
}

/* L2 runs, or exits. */
static inline void dialogue_l2(struct dialogue_cpu *cpu)
{
	struct dialogue *const all = cpu->owner;
	struct vmcs12 *const vmcs = &all->region[cpu->current].vmcs;
	struct trace_item items[8];
	u32 count = 0;

	for (u64 n = test_random(&all->random) % ARRAY_SIZE(items); count < n; count++) {
		const int field = dialogue_field(all);

		vmcs->value[field] = dialogue_value(all, field);
		items[count] =
			(struct trace_item){ vmcs_fields[field].encoding, vmcs->value[field] };
	}
	if (cpu->in_l2) {
		const u64 reason = test_random(&all->random) % 16 ? test_random(&all->random) % 50
								  : 33 | BIT(31);
		const struct ev_l2_exit exit = { .reason = reason,
						 .vmcs = dialogue_pointer(cpu->current) };

		vmcs->value[VMCS_IX_EXIT_REASON] = reason;
		dialogue_emit(cpu, EV_L2_EXIT, 2, 0x400000 + reason, &exit, sizeof(exit), items,
			      count, NULL);
	} else {
		const struct ev_l2_entry entry = { .vmcs = dialogue_pointer(cpu->current) };

		vmcs->launched = 1;
		dialogue_emit(cpu, EV_L2_ENTRY, 2, 0x400000, &entry, sizeof(entry), items, count,
			      NULL);
	}
	cpu->in_l2 = !cpu->in_l2;
}

static inline void dialogue_switch(struct dialogue_cpu *cpu)
{
	struct dialogue *const all = cpu->owner;
	const int any = (int)(test_random(&all->random) % DIALOGUE_REGIONS);
	const int i = all->apart ? any / (int)all->cpus * (int)all->cpus + cpu->number : any;
	struct dialogue_region *const region = &all->region[i];

	if (region->cpu != cpu->number && region->cpu >= 0) {
		struct dialogue_cpu *const old = &all->cpu[region->cpu];

		if (old->in_l2)
			return;
		DIALOGUE_INSN(old, VMCLEAR, vmclear, 1, .pointer = dialogue_pointer(i));
		if (old->current == i)
			old->current = -1;
		region->vmcs.launched = 0;
		region->cpu = -1;
		all->tsc += 100;
	}
	if (test_random(&all->random) % 4 == 0) {
		DIALOGUE_INSN(cpu, VMCLEAR, vmclear, 0, .pointer = dialogue_pointer(i));
		if (cpu->current == i)
			cpu->current = -1;
		region->vmcs.launched = 0;
		region->cpu = -1;
		return;
	}
	DIALOGUE_INSN(cpu, VMPTRLD, vmptrld, 0, .pointer = dialogue_pointer(i));
	cpu->current = i;
	region->cpu = cpu->number;
}

/* What has no instruction that explains it. */
static inline void dialogue_other(struct dialogue_cpu *cpu)
{
	struct dialogue *const all = cpu->owner;
	const struct ev_page page = { .gpa = test_random(&all->random) % 8 * 4096, .level = 1 };
	const struct ev_mark mark = { .level = 1 };
	const int field = dialogue_field(all);
	const struct ev_vmcs12_write write = {
		.origin = test_random(&all->random) % 2,
		.vmcs = dialogue_pointer(cpu->current),
		.field = vmcs_fields[field].encoding,
		.value = dialogue_value(all, field),
	};
	char name[16];

	switch (test_random(&all->random) % 4) {
	case 0:
		if (all->apart)
			break;
		DIALOGUE_INSN(cpu, MSR_READ, msr_read, 0,
			      .msr = MSR_VMX_BASIC + test_random(&all->random) % 4, .value = 77);
		break;
	case 1:
		snprintf(name, sizeof(name), "m%d", (int)(test_random(&all->random) % 20));
		dialogue_emit(cpu, EV_MARK, 0, 0, &mark, sizeof(mark), NULL, 0, name);
		break;
	case 2:
		dialogue_emit(cpu, EV_PAGE, 0, 0, &page, sizeof(page), NULL, 0,
			      test_random(&all->random) % 3 ? "what it holds..."
							    : "what it HELD....");
		break;
	case 3:
		if (cpu->current < 0)
			break;
		all->region[cpu->current].vmcs.value[field] = write.value;
		dialogue_emit(cpu, EV_VMCS12_WRITE, 0, 0, &write, sizeof(write), NULL, 0, NULL);
	}
}

static inline void dialogue_in_vmx(struct dialogue_cpu *cpu)
{
	struct dialogue *const all = cpu->owner;
	struct vmcs12 *const vmcs = cpu->current < 0 ? NULL : &all->region[cpu->current].vmcs;
	const u64 choice = test_random(&all->random) % 64;
	const int field = dialogue_field(all);
	const u64 value = dialogue_value(all, field);

	if (choice == 0 && !all->apart) {
		DIALOGUE_INSN(cpu, VMXOFF, vmxoff, 0);
		for (int i = 0; i < DIALOGUE_REGIONS; i++)
			if (all->region[i].cpu == cpu->number)
				all->region[i].cpu = -1;
		cpu->in_vmx = false;
		cpu->current = -1;
	} else if (choice < 6 || !vmcs) {
		dialogue_switch(cpu);
	} else if (choice < 10) {
		dialogue_other(cpu);
	} else if (choice < 20) {
		if (vmcs->launched)
			DIALOGUE_INSN(cpu, VMRESUME, vmresume, 0, .launched = 1);
		else
			DIALOGUE_INSN(cpu, VMLAUNCH, vmlaunch, 0, .launched = 0);
		all->tsc += 10;
		dialogue_l2(cpu);
	} else if (choice < 24) {
		DIALOGUE_INSN(cpu, VMWRITE, vmwrite, 9, .field = 0x7ffe, .value = value,
			      .outcome = OUTCOME_FAIL_VALID, .error = 12);
	} else if (choice < 44) {
		DIALOGUE_INSN(cpu, VMREAD, vmread, field % 16, .field = vmcs_fields[field].encoding,
			      .value = vmcs->value[field]);
	} else {
		DIALOGUE_INSN(cpu, VMWRITE, vmwrite, field % 16,
			      .field = vmcs_fields[field].encoding, .value = value);
		vmcs->value[field] = value;
	}
}

static inline void dialogue_step(struct dialogue_cpu *cpu)
{
	struct dialogue *const all = cpu->owner;

	all->tsc += test_random(&all->random) % 50;
	if (cpu->in_l2) {
		dialogue_l2(cpu);
	} else if (cpu->in_vmx) {
		dialogue_in_vmx(cpu);
	} else {
		DIALOGUE_INSN(cpu, VMXON, vmxon, 0, .pointer = 0x1000);
		cpu->in_vmx = true;
	}
	if (test_random(&all->random) % all->block_events == 0)
		rec_seal(cpu->recording.rec);
}

static inline void dialogue_start(struct dialogue *all, unsigned cpus, unsigned block_events,
				  u64 seed)
{
	static const struct rec_ops ops = { .read_code = test_read_code,
					    .key_frames = dialogue_key_frames };

	*all = (struct dialogue){ .cpus = cpus, .random = seed, .block_events = block_events };
	for (int i = 0; i < DIALOGUE_REGIONS; i++)
		all->region[i].cpu = -1;
	for (u16 i = 0; i < cpus; i++) {
		struct dialogue_cpu *const cpu = &all->cpu[i];
		struct recording *const recording = &cpu->recording;

		*cpu = (struct dialogue_cpu){ .owner = all, .current = -1, .number = i };
		recording->cpu = i;
		recording->ring_memory = aligned_alloc(4096, MIB(8));
		recording->rec_memory = aligned_alloc(64, ALIGN_UP(rec_size(), 64));
		recording->ring = ring_init(recording->ring_memory, MIB(8));
		recording->rec =
			rec_init(recording->rec_memory, recording->ring, i, &ops, cpu, true);
		assert_int_equal(rec_head(recording->rec, recording_boot_record), ST_OK);
	}
}

/* A tape of @steps steps at @path; with @lag, CPUs are apart, and have numbers of the counter. */
static inline void dialogue_record_cpus(const char *path, unsigned cpus, bool apart, u64 lag,
					unsigned steps, unsigned block_events, u64 seed)
{
	struct dialogue *const all = malloc(sizeof(*all));
	struct capture *capture;
	char error[256];

	dialogue_start(all, cpus, block_events, seed);
	all->apart = apart;
	all->lag = lag;
	for (unsigned i = 0; i < steps; i++)
		dialogue_step(&all->cpu[test_random(&all->random) % cpus]);
	assert_int_equal(capture_open(path, NULL, NULL, &capture, error, sizeof(error)), ST_OK);
	for (unsigned i = 0; i < cpus; i++) {
		struct recording *const recording = &all->cpu[i].recording;

		recording_end(recording);
		assert_int_equal(capture_feed(capture, recording->line, recording->line_size),
				 ST_OK);
		recording_free(recording);
	}
	assert_int_equal(capture_close(capture), ST_OK);
	capture_free(capture);
	free(all);
}

static inline void dialogue_record(const char *path, unsigned cpus, unsigned steps,
				   unsigned block_events, u64 seed)
{
	dialogue_record_cpus(path, cpus, false, 0, steps, block_events, seed);
}

#endif
