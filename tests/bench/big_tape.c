/*
 * big_tape -r TAPE -o TAPE [-n EVENTS] [-c CPUS] [-v VMCSS] - a large tape, made from a real one
 *
 * What the first VMCS of TAPE went through, from VMCLEAR to its last exit, goes on without end on
 * each of VMCSS VMCSs, which CPUS CPUs share evenly: the addresses of VMCSs are renamed, times stay
 * as far apart as they were. Each CPU goes on with another of its VMCSs every 2,000 events or so,
 * by VMPTRLD, when L1's turn is. Times get a few bits of noise, which the source, if an emulator
 * made it, does not have. CPUs run side by side; the numbers of the hand-over counter are taken in
 * the order of time. Blocks, key frames and packing are those of the recorder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/capture.h"
#include "recorder/emit.h"
#include "replay/model.h"
#include "replay/reader.h"
#include "trace/drain.h"

#define MAX_CPUS     16
#define MAX_VMCSS    1024
#define SWITCH_AFTER 2000
#define MAX_DELTA    500000 /* ticks; what is longer was a pause */
#define RING	     MIB(4)

/* An event of the source, with room of its own. */
struct stored {
	struct trace_event event;
	u64 delta; /* ticks since the one before */
};

static struct {
	struct reader *reader;
	struct stored *list; /* the part that is repeated ... */
	size_t count;
	struct stored *head; /* ... and what comes first on every CPU */
	size_t head_count;
	struct stored vmxon, vmclear, vmptrld;
} source;

struct vmcs {
	u64 pointer;
	size_t at;	 /* in source.list; 0: it begins anew */
	u64 image_used;	 /* region->used at its last image ... */
	u64 image_block; /* ... and its block + 1 */
};

struct cpu {
	u16 number;
	u64 tsc;
	struct rec *rec;
	struct ring *ring;
	u32 sequence;
	struct vmcs *vmcss;
	unsigned current;
	u64 current_pointer;
	unsigned run; /* events since the last switch */
	bool in_l2;
};

static struct cpu cpus[MAX_CPUS];
static struct vmcs vmcss[MAX_VMCSS];
static unsigned cpu_count = 4, vmcs_count = 64;
static struct capture *capture;
static struct model *model;
static u64 emitted, order;

static void fail(const char *what)
{
	fprintf(stderr, "big_tape: %s\n", what);
	exit(1);
}

static void *get(size_t size)
{
	void *const memory = calloc(1, size);

	if (!memory)
		fail("out of memory");
	return memory;
}

static struct stored keep(const struct trace_event *event, u64 delta)
{
	struct stored made = { .event = *event, .delta = MIN(delta, MAX_DELTA) };
	u64 *const col = get(TRACE_MAX_COLUMNS * sizeof(u64));
	struct trace_item *const items = get((event->item_count + 1) * sizeof(*items));
	u8 *const bytes = get(event->byte_count + 1);

	memcpy(col, event->col, TRACE_MAX_COLUMNS * sizeof(u64));
	if (event->item_count)
		memcpy(items, event->items, event->item_count * sizeof(*items));
	if (event->byte_count)
		memcpy(bytes, event->bytes, event->byte_count);
	made.event.col = col;
	made.event.items = items;
	made.event.bytes = bytes;
	return made;
}

static bool is_of_the_middle(const struct trace_event *event)
{
	return (event->kind >= EV_VMPTRST && event->kind <= EV_VMCS12_WRITE &&
		event->kind != EV_CR_WRITE) ||
	       (event->kind >= EV_REGS && event->kind <= EV_PAGE);
}

static void load(const char *path)
{
	const struct trace_event *event;
	char error[256];
	u64 last = 0;

	if (reader_open(path, &source.reader, error, sizeof(error)) != ST_OK)
		fail(error);
	source.list = get(reader_info(source.reader)->events * sizeof(struct stored));
	source.head = get(reader_info(source.reader)->events * sizeof(struct stored));
	for (; reader_next(source.reader, &event) == ST_OK; last = event->tsc) {
		const struct stored one = keep(event, event->tsc - last);

		if (event->kind >= EV_BOOT || event->kind == EV_CLOCK)
			source.head[source.head_count++] = one;
		else if (event->kind == EV_VMXON)
			source.vmxon = one;
		else if (event->kind == EV_VMCLEAR && !source.vmclear.event.kind)
			source.vmclear = one;
		else if (event->kind == EV_VMPTRLD && !source.vmptrld.event.kind)
			source.vmptrld = one;
		else if (source.vmptrld.event.kind && is_of_the_middle(event))
			source.list[source.count++] = one;
	}
	/* It must end where L1 is on turn. */
	while (source.count && source.list[source.count - 1].event.kind != EV_L2_EXIT)
		source.count--;
	if (!source.count || !source.vmclear.event.kind || !source.vmxon.event.kind)
		fail("the source has no VMXON, VMCLEAR, VMPTRLD and exit of L2");
}

/* --- recording -------------------------------------------------------------------------------- */

static void drain(struct cpu *cpu, u8 flags)
{
	u8 frame[DRAIN_HEADER_SIZE + DRAIN_MAX_PAYLOAD];

	while (ring_readable(cpu->ring)) {
		const size_t length =
			ring_read(cpu->ring, frame + DRAIN_HEADER_SIZE, DRAIN_MAX_PAYLOAD);

		drain_frame_header(frame, (u8)cpu->number, ring_readable(cpu->ring) ? 0 : flags,
				   cpu->sequence++, frame + DRAIN_HEADER_SIZE, (u16)length);
		if (capture_feed(capture, frame, DRAIN_HEADER_SIZE + length) != ST_OK)
			fail(capture_error(capture));
	}
}

static unsigned read_code(void *owner, unsigned level, u64 rip, u8 *to)
{
	(void)owner;
	(void)level;
	for (unsigned i = 0; i < TRACE_MAX_CODE; i++)
		to[i] = (u8)(rip >> (i % 4) * 8);
	return TRACE_MAX_CODE;
}

static void emit_frame(struct cpu *cpu, u8 kind, const void *columns, size_t size,
		       const struct trace_item *items, u32 count)
{
	u64 col[TRACE_MAX_COLUMNS] = { 0 };
	const struct trace_event event = { .kind = kind,
					   .cpu = cpu->number,
					   .tsc = cpu->tsc,
					   .col = col,
					   .items = items,
					   .item_count = count };

	memcpy(col, columns, size);
	model_step(model, &event, emitted++);
	rec_emit(cpu->rec, &event);
}

static void image(struct cpu *cpu, struct vmcs *vmcs, u64 block)
{
	const struct model_region *const region = model_region(model, vmcs->pointer);
	struct trace_item items[VMCS_FIELD_COUNT];
	struct ev_vmcs_image columns = { .vmcs = vmcs->pointer,
					 .current = vmcs->pointer == cpu->current_pointer };
	u32 count = 0;

	if (!region || region->active != MODEL_YES)
		return;
	columns.launched = region->launch == LAUNCH_LAUNCHED;
	if (vmcs->image_block && region->used == vmcs->image_used) {
		columns.since_block = vmcs->image_block;
	} else {
		for (; count < VMCS_FIELD_COUNT; count++)
			items[count] = (struct trace_item){ vmcs_fields[count].encoding,
							    region->value[count] };
		vmcs->image_block = block + 1;
	}
	emit_frame(cpu, EV_VMCS_IMAGE, &columns, sizeof(columns), items, count);
	vmcs->image_used = region->used;
}

static void key_frames(void *owner, struct rec *rec, u64 block)
{
	struct cpu *const cpu = owner;
	const struct ev_vmx_state state = {
		.in_vmx = model->cpus[cpu->number].in_vmx == MODEL_YES,
		.vmxon_pointer = model->cpus[cpu->number].vmxon_pointer,
		.vmcs = cpu->current_pointer,
		.level = cpu->in_l2 ? 2 : 1,
	};

	(void)rec;
	emit_frame(cpu, EV_VMX_STATE, &state, sizeof(state), NULL, 0);
	for (unsigned i = 0; i < vmcs_count / cpu_count; i++)
		image(cpu, &cpu->vmcss[i], block);
}

static void boot_record(void *owner, struct rec *rec)
{
	struct cpu *const cpu = owner;

	for (size_t i = 0; i < source.head_count; i++) {
		model_step(model, &source.head[i].event, emitted++);
		rec_emit(rec, &source.head[i].event);
	}
	cpu->rec = rec;
}

static void open_cpu(struct cpu *cpu, u16 number)
{
	static const struct rec_ops ops = { .read_code = read_code, .key_frames = key_frames };

	cpu->number = number;
	cpu->tsc = source.vmxon.event.tsc + 137u * number;
	cpu->current_pointer = MODEL_NO_POINTER;
	cpu->vmcss = &vmcss[number * (vmcs_count / cpu_count)];
	cpu->ring = ring_init(aligned_alloc(4096, RING), RING);
	cpu->rec = rec_init(aligned_alloc(64, ALIGN_UP(rec_size(), 64)), cpu->ring, number, &ops,
			    cpu, true);
	if (rec_head(cpu->rec, boot_record) != ST_OK)
		fail("no room for the head");
}

/* --- events ----------------------------------------------------------------------------------- */

static u64 noise(void)
{
	static u64 state = 1;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 58;
}

/* As the source has it, but on this CPU, now, and about VMCS @operand. */
static void emit(struct cpu *cpu, const struct stored *stored, u64 operand)
{
	const struct trace_kind_info *const kind =
		trace_schema_kind(reader_schema(source.reader), stored->event.kind);
	struct trace_event event = stored->event;
	u64 col[TRACE_MAX_COLUMNS];

	memcpy(col, event.col, sizeof(col));
	for (unsigned i = 0; i < kind->column_count; i++) {
		if (!strcmp(kind->columns[i].name, "vmcs"))
			col[i] = cpu->current_pointer;
		if (!strcmp(kind->columns[i].name, "pointer"))
			col[i] = operand;
	}
	if (kind->order_column != SCHEMA_NONE && col[kind->order_column])
		col[kind->order_column] = ++order;
	cpu->tsc += stored->delta + noise();
	event.col = col;
	event.tsc = cpu->tsc;
	event.cpu = cpu->number;
	model_step(model, &event, emitted++);
	rec_emit(cpu->rec, &event);
	while (rec_pack_urgent(cpu->rec) && rec_pack_slice(cpu->rec))
		;
	if (ring_readable(cpu->ring) > RING / 4)
		drain(cpu, 0);
}

static void switch_to(struct cpu *cpu, unsigned which)
{
	cpu->current = which;
	cpu->run = 0;
	if (!cpu->vmcss[which].at) {
		emit(cpu, &source.vmclear, cpu->vmcss[which].pointer);
		if (cpu->current_pointer == cpu->vmcss[which].pointer)
			cpu->current_pointer = MODEL_NO_POINTER;
	}
	emit(cpu, &source.vmptrld, cpu->vmcss[which].pointer);
	cpu->current_pointer = cpu->vmcss[which].pointer;
}

static void step(struct cpu *cpu)
{
	struct vmcs *vmcs = &cpu->vmcss[cpu->current];
	const struct stored *stored;

	if (cpu->current_pointer == MODEL_NO_POINTER ||
	    (!cpu->in_l2 && (!vmcs->at || cpu->run > SWITCH_AFTER)))
		switch_to(cpu, vmcs->at || cpu->current_pointer == MODEL_NO_POINTER
				       ? (cpu->current + 1) % (vmcs_count / cpu_count)
				       : cpu->current);
	vmcs = &cpu->vmcss[cpu->current];
	stored = &source.list[vmcs->at];
	/* Between the instruction and the entry, L2 is as good as there. */
	cpu->in_l2 = stored->event.kind == EV_L2_ENTRY ||
		     ((stored->event.kind == EV_VMLAUNCH || stored->event.kind == EV_VMRESUME) &&
		      ((const struct ev_insn *)stored->event.col)->outcome == OUTCOME_SUCCEED) ||
		     (cpu->in_l2 && stored->event.kind != EV_L2_EXIT);
	vmcs->at = (vmcs->at + 1) % source.count;
	cpu->run++;
	emit(cpu, stored, 0);
}

static struct cpu *next_cpu(void)
{
	struct cpu *next = &cpus[0];

	for (unsigned i = 1; i < cpu_count; i++)
		if (cpus[i].tsc < next->tsc)
			next = &cpus[i];
	return next;
}

int main(int argc, char **argv)
{
	const char *from = NULL, *to = NULL;
	u64 events = 100000000;
	char error[256];
	int option;

	while ((option = getopt(argc, argv, "r:o:n:c:v:")) != -1) {
		if (option == 'r')
			from = optarg;
		else if (option == 'o')
			to = optarg;
		else if (option == 'n')
			events = strtoull(optarg, NULL, 0);
		else if (option == 'c')
			cpu_count = (unsigned)atoi(optarg);
		else if (option == 'v')
			vmcs_count = (unsigned)atoi(optarg);
		else
			return 2;
	}
	if (!from || !to || !cpu_count || cpu_count > MAX_CPUS || vmcs_count < cpu_count ||
	    vmcs_count > MAX_VMCSS)
		return 2;
	load(from);
	model = model_new();
	if (!model || capture_open(to, NULL, NULL, &capture, error, sizeof(error)) != ST_OK)
		fail("cannot begin");
	for (unsigned i = 0; i < vmcs_count; i++)
		vmcss[i].pointer = 0x10000000 + (u64)i * 0x1000;
	for (u16 i = 0; i < cpu_count; i++) {
		open_cpu(&cpus[i], i);
		emit(&cpus[i], &source.vmxon, 0x1000);
	}
	while (emitted < events)
		step(next_cpu());
	for (unsigned i = 0; i < cpu_count; i++) {
		rec_seal(cpus[i].rec);
		while (rec_pack_slice(cpus[i].rec))
			;
		rec_flush(cpus[i].rec);
		drain(&cpus[i], DRAIN_LAST);
	}
	if (capture_close(capture) != ST_OK)
		fail(capture_error(capture));
	return 0;
}
