#include "tests/bench/kvm_stream.h"

#include <string.h>

#include "vmx/tables.h"

#define VMCS_POINTER 0x12345000ull
#define L1_CR3	     0x1a2b3000ull
#define L1_TEXT	     0xffffffff81050000ull
#define MAX_PATH     24

/* What KVM touches for every exit, and what else for a reason. */
static const u16 reads_always[] = { VMCS_EXIT_REASON,
				    VMCS_EXIT_QUALIFICATION,
				    VMCS_GUEST_RIP,
				    VMCS_GUEST_RFLAGS,
				    VMCS_IDT_VECTORING_INFO,
				    VMCS_VM_EXIT_INTERRUPTION_INFO,
				    VMCS_GUEST_RSP,
				    VMCS_GUEST_CR3,
				    VMCS_GUEST_INTERRUPTIBILITY_STATE,
				    VMCS_GUEST_CR0,
				    VMCS_GUEST_CS_ACCESS_RIGHTS,
				    VMCS_VM_EXIT_INSTRUCTION_LENGTH };
static const u16 writes_always[] = { VMCS_GUEST_RIP, VMCS_VM_ENTRY_INTERRUPTION_INFO,
				     VMCS_GUEST_INTERRUPTIBILITY_STATE, VMCS_HOST_RSP,
				     VMCS_TSC_OFFSET };

struct reason {
	u16 number;
	u16 weight; /* of 1000 */
	u16 reads[8];
	u16 writes[6];
};

static const struct reason reasons[] = {
	{ EXIT_CPUID, 100, { VMCS_GUEST_CS_SELECTOR, VMCS_GUEST_SS_ACCESS_RIGHTS }, { 0 } },
	{ EXIT_IO, 250, { VMCS_GUEST_ES_BASE, VMCS_GUEST_CS_BASE }, { 0 } },
	{ EXIT_EPT_VIOLATION,
	  300,
	  { VMCS_GUEST_PHYSICAL_ADDRESS, VMCS_GUEST_LINEAR_ADDRESS, VMCS_GUEST_CR4,
	    VMCS_GUEST_ES_BASE, VMCS_GUEST_DS_BASE, VMCS_GUEST_SS_ACCESS_RIGHTS, VMCS_GUEST_FS_BASE,
	    VMCS_GUEST_GS_BASE },
	  { VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE } },
	{ EXIT_HLT, 80, { VMCS_GUEST_ACTIVITY_STATE }, { VMCS_PRIMARY_PROC_BASED_CONTROLS } },
	{ EXIT_EXTERNAL_INTERRUPT,
	  150,
	  { VMCS_GUEST_GS_BASE },
	  { VMCS_PRIMARY_PROC_BASED_CONTROLS, VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE } },
	{ EXIT_WRMSR, 100, { VMCS_GUEST_IA32_EFER, VMCS_GUEST_CR4 }, { VMCS_GUEST_DR7 } },
	{ EXIT_INTERRUPT_WINDOW, 20, { VMCS_GUEST_CR4 }, { VMCS_PRIMARY_PROC_BASED_CONTROLS } },
};

static u64 next_random(struct kvm_stream *stream)
{
	stream->random ^= stream->random << 13;
	stream->random ^= stream->random >> 7;
	stream->random ^= stream->random << 17;
	return stream->random;
}

/* Small numbers far more often than large ones, below @count. */
static u64 skewed(struct kvm_stream *stream, u64 count)
{
	const u64 value = next_random(stream) % count;

	return value * (next_random(stream) % count) / count;
}

static void pass_time(struct kvm_stream *stream, u64 base)
{
	stream->tsc += base + next_random(stream) % 64;
	if (next_random(stream) % 64 == 0)
		stream->tsc += next_random(stream) % 5000;
}

void kvm_stream_start(struct kvm_stream *stream, u64 seed)
{
	memset(stream, 0, sizeof(*stream));
	stream->random = seed * 2 + 1;
	stream->tsc = 1000000000;
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		stream->vmcs[vmcs_fields[i].encoding] =
			next_random(stream) & vmcs_width_mask(vmcs_fields[i].width);
}

static void emit(struct kvm_stream *stream, kvm_on_event on_event, void *owner, u8 kind,
		 const void *columns, u64 rip, const struct trace_item *items, u32 count)
{
	on_event(owner,
		 &(struct trace_event){ .kind = kind,
					.level = kind == EV_L2_ENTRY || kind == EV_L2_EXIT ? 2 : 1,
					.tsc = stream->tsc,
					.rip = rip,
					.col = columns,
					.items = items,
					.item_count = count });
}

/* Changes a field as an exit does, and tells it. */
static void set(struct kvm_stream *stream, struct trace_item *items, u32 *count, u16 field,
		u64 value)
{
	if (stream->vmcs[field] == value)
		return;
	stream->vmcs[field] = value;
	items[(*count)++] = (struct trace_item){ .id = field, .value = value };
}

static void reg(struct kvm_stream *stream, struct trace_item *items, u32 *count, unsigned number,
		u64 value)
{
	stream->reg[number] = value;
	items[(*count)++] = (struct trace_item){ .id = ITEM_REG + number, .value = value };
}

static u32 exit_items(struct kvm_stream *stream, const struct reason *reason,
		      struct trace_item *items)
{
	u64 qualification = 0;
	u32 count = 0;

	set(stream, items, &count, VMCS_EXIT_REASON, reason->number);
	set(stream, items, &count, VMCS_GUEST_RIP,
	    0xffffffffa0000000ull + reason->number * 0x1000 + skewed(stream, 24) * 0x35);
	set(stream, items, &count, VMCS_GUEST_RSP,
	    0xffffc90000003f00ull - skewed(stream, 40) * 0x18);
	set(stream, items, &count, VMCS_GUEST_RFLAGS, next_random(stream) % 4 ? 0x246 : 0x202);
	if (next_random(stream) % 32 == 0)
		set(stream, items, &count, VMCS_GUEST_CR3, 0x100000 + skewed(stream, 8) * 0x1000);
	switch (reason->number) {
	case EXIT_IO:
		qualification =
			0x3f80000 + skewed(stream, 6) * 0x10000 + 8 * (next_random(stream) & 1);
		reg(stream, items, &count, REG_RAX, next_random(stream) & 0xff);
		break;
	case EXIT_EPT_VIOLATION:
		qualification = 0x181 + skewed(stream, 3);
		set(stream, items, &count, VMCS_GUEST_PHYSICAL_ADDRESS,
		    0xfee00000 + skewed(stream, 16) * 0x10);
		set(stream, items, &count, VMCS_GUEST_LINEAR_ADDRESS,
		    0xffffffffff5fc000ull + skewed(stream, 16) * 0x10);
		items[count++] = (struct trace_item){ ITEM_EPT12 + 1, 0x8000000000000000ull };
		break;
	case EXIT_CPUID:
		reg(stream, items, &count, REG_RAX, skewed(stream, 12));
		reg(stream, items, &count, REG_RCX, skewed(stream, 3));
		break;
	case EXIT_WRMSR:
		reg(stream, items, &count, REG_RCX, 0x6e0);
		reg(stream, items, &count, REG_RAX, stream->tsc & 0xffffffff);
		reg(stream, items, &count, REG_RDX, stream->tsc >> 32);
		break;
	}
	set(stream, items, &count, VMCS_EXIT_QUALIFICATION, qualification);
	set(stream, items, &count, VMCS_VM_EXIT_INSTRUCTION_LENGTH, 1 + reason->number % 3);
	set(stream, items, &count, VMCS_VM_EXIT_INTERRUPTION_INFO,
	    reason->number == EXIT_EXTERNAL_INTERRUPT ? 0x800000ec : 0);
	return count;
}

static void access(struct kvm_stream *stream, kvm_on_event on_event, void *owner, bool write,
		   u16 field, unsigned site)
{
	const u64 rip = L1_TEXT + (field * 0x11u + write * 0x4000u + site * 0x10000u);
	struct ev_vmwrite columns = { .mode = 0xb6,
				      .rflags = 0x46,
				      .rflags_after = 0x2,
				      .cr3 = L1_CR3,
				      .vmcs = VMCS_POINTER,
				      .length = 3,
				      .info = 0x1800 + (field & 0xf0),
				      .field = field };

	pass_time(stream, 120 + (rip & 0x3f));
	if (write)
		switch (field) {
		case VMCS_GUEST_RIP:
			stream->vmcs[field] += stream->vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH];
			break;
		case VMCS_TSC_OFFSET:
			break;
		case VMCS_VM_ENTRY_INTERRUPTION_INFO:
			stream->vmcs[field] = next_random(stream) % 8 ? 0 : 0x800000ec;
			break;
		case VMCS_PRIMARY_PROC_BASED_CONTROLS:
			stream->vmcs[field] ^= 4;
			break;
		}
	columns.value = stream->vmcs[field];
	emit(stream, on_event, owner, write ? EV_VMWRITE : EV_VMREAD, &columns, rip, NULL, 0);
}

void kvm_stream_exit(struct kvm_stream *stream, kvm_on_event on_event, void *owner)
{
	const struct reason *reason = reasons;
	struct trace_item items[24];
	unsigned draw = (unsigned)(next_random(stream) % 1000);
	struct ev_l2_exit exit = { .vmcs = VMCS_POINTER };
	struct ev_vmresume resume = { .mode = 0xb6,
				      .rflags = 0x46,
				      .rflags_after = 0x46,
				      .cr3 = L1_CR3,
				      .vmcs = VMCS_POINTER,
				      .length = 3,
				      .launched = 1 };
	struct ev_l2_entry entry = { .vmcs = VMCS_POINTER };
	u32 count;

	while (draw >= reason->weight)
		draw -= reason++->weight;
	pass_time(stream, 900 + reason->number * 100);
	stream->tsc += next_random(stream) % 2048;
	count = exit_items(stream, reason, items);
	exit.reason = reason->number;
	exit.hv_ticks = 3000 + next_random(stream) % 512;
	emit(stream, on_event, owner, EV_L2_EXIT, &exit, stream->vmcs[VMCS_GUEST_RIP], items,
	     count);
	for (unsigned i = 0; i < ARRAY_SIZE(reads_always); i++)
		access(stream, on_event, owner, false, reads_always[i], 0);
	for (unsigned i = 0; i < ARRAY_SIZE(reason->reads) && reason->reads[i]; i++)
		access(stream, on_event, owner, false, reason->reads[i], 1);
	for (unsigned i = 0; i < ARRAY_SIZE(reason->writes) && reason->writes[i]; i++)
		access(stream, on_event, owner, true, reason->writes[i], 1);
	for (unsigned i = 0; i < ARRAY_SIZE(writes_always); i++)
		if (writes_always[i] != VMCS_GUEST_RIP || reason->number != EXIT_EXTERNAL_INTERRUPT)
			access(stream, on_event, owner, true, writes_always[i], 0);
	pass_time(stream, 300);
	emit(stream, on_event, owner, EV_VMRESUME, &resume, L1_TEXT + 0x9000, NULL, 0);
	pass_time(stream, 400);
	count = 0;
	if (reason->number == EXIT_CPUID)
		for (unsigned i = 0; i < 4; i++)
			reg(stream, items, &count, i, stream->reg[REG_RAX] * 0x1111 + i);
	entry.injected = stream->vmcs[VMCS_VM_ENTRY_INTERRUPTION_INFO];
	entry.hv_ticks = 380 + next_random(stream) % 64;
	emit(stream, on_event, owner, EV_L2_ENTRY, &entry, stream->vmcs[VMCS_GUEST_RIP], items,
	     count);
	stream->exits++;
}

void kvm_stream_key_frames(struct kvm_stream *stream, kvm_on_event on_event, void *owner)
{
	const struct ev_vmx_state state = { .in_vmx = 1,
					    .vmxon_pointer = VMCS_POINTER + 0x1000,
					    .vmcs = VMCS_POINTER,
					    .level = 1 };
	const struct ev_vmcs_image image = { .vmcs = VMCS_POINTER, .launched = 1, .current = 1 };
	struct trace_item items[VMCS_FIELD_COUNT];

	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++)
		items[i] = (struct trace_item){ vmcs_fields[i].encoding,
						stream->vmcs[vmcs_fields[i].encoding] };
	emit(stream, on_event, owner, EV_VMX_STATE, &state, 0, NULL, 0);
	emit(stream, on_event, owner, EV_VMCS_IMAGE, &image, 0, items, VMCS_FIELD_COUNT);
}
