#include "hv/nested/msrlist.h"

#include "hv/deep.h"
#include "hv/exit_l1.h"
#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/hv_time.h"
#include "hv/insn.h"
#include "hv/mtrr.h"
#include "hv/nested/entry_check.h"
#include "hv/nested/nested.h"
#include "hv/percpu.h"
#include "hv/vmcs01.h"
#include "vmx/tables.h"

#define X2APIC_MSRS	 0x800 /* and up to 8FFh */
#define CHUNK		 32    /* entries that are read in one go */
#define ITEMS_LEFT	 32    /* that long lists leave for what is told behind them */
/* Some emulators take the others. */
#define DEBUGCTL_DEFINED (MASK(15, 6) | MASK(2, 0))
#define DEBUGCTL_TR	 BIT(6)
#define EFER_SCE	 BIT(0)
#define EFER_NXE	 BIT(11)

struct list_entry {
	u32 index, reserved;
	u64 value;
};

/* Where the processor loads an MSR from and saves it to in the guest-state area; 0: nowhere. */
static u32 field_of(u32 msr)
{
	switch (msr) {
	case MSR_EFER:
		return VMCS_GUEST_IA32_EFER;
	case MSR_PAT:
		return VMCS_GUEST_IA32_PAT;
	case MSR_DEBUGCTL:
		return VMCS_GUEST_IA32_DEBUGCTL;
	case MSR_SYSENTER_CS:
		return VMCS_GUEST_IA32_SYSENTER_CS;
	case MSR_SYSENTER_ESP:
		return VMCS_GUEST_IA32_SYSENTER_ESP;
	case MSR_SYSENTER_EIP:
		return VMCS_GUEST_IA32_SYSENTER_EIP;
	case MSR_FS_BASE:
		return VMCS_GUEST_FS_BASE;
	case MSR_GS_BASE:
		return VMCS_GUEST_GS_BASE;
	default:
		return 0;
	}
}

/* The index with its reserved half, as it is in memory. */
static void note(struct trace_item *items, u32 *count, u32 id, const struct list_entry *entry)
{
	const u64 index = entry->index | (u64)entry->reserved << 32;

	if (*count + 2 > TRACE_MAX_ITEMS - ITEMS_LEFT)
		return;
	items[(*count)++] = (struct trace_item){ .id = id, .value = index };
	items[(*count)++] = (struct trace_item){ .id = id + 1, .value = entry->value };
}

/* WRMSR of EFER: LMA is not written, and LME must not change while paging is on. */
static bool load_efer(u64 value)
{
	const u64 old = vmread(VMCS_GUEST_IA32_EFER);

	if (value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
		return false;
	if ((value ^ old) & EFER_LME && vmread(VMCS_GUEST_CR0) & CR0_PG)
		return false;
	vmwrite(VMCS_GUEST_IA32_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	return true;
}

/*
 * The processor says; hv itself runs with IA32_DEBUGCTL 0. TR is left out, which every processor
 * has: with BTS it would store hv's next branch where IA32_DS_AREA says.
 */
bool msr_debugctl_is_legal(u64 value)
{
	if (value & ~(u64)DEBUGCTL_DEFINED ||
	    wrmsr_safe(MSR_DEBUGCTL, value & ~DEBUGCTL_TR) != ST_OK)
		return false;
	wrmsr(MSR_DEBUGCTL, 0);
	return true;
}

static bool load_debugctl(u64 value)
{
	if (!msr_debugctl_is_legal(value))
		return false;
	vmwrite(VMCS_GUEST_IA32_DEBUGCTL, value);
	return true;
}

static void remember(struct msr_undo *undo, u32 index)
{
	u64 value;

	/* A time that is put back would be a wrong one; what can't be read can't be put back. */
	if (index == MSR_TSC || undo->count == MSR_LIST_MAX || rdmsr_safe(index, &value) != ST_OK)
		return;
	undo->entry[undo->count].index = index;
	undo->entry[undo->count++].value = value;
}

static bool write_msr(u32 index, u64 value)
{
	const u64 before = rdtsc();
	const bool done = wrmsr_safe(index, value) == ST_OK;

	if (index == MSR_TSC || index == MSR_TSC_ADJUST)
		hv_time_tsc_moved(percpu_this(), before);
	return done;
}

void msr_list_undo(struct msr_undo *undo)
{
	while (undo->count) {
		undo->count--;
		(void)write_msr(undo->entry[undo->count].index, undo->entry[undo->count].value);
		if (mtrr_is_msr(undo->entry[undo->count].index))
			l1_memory_types_changed(percpu_this());
	}
}

static bool load_field(u32 index, u64 value, bool legal)
{
	if (legal)
		vmwrite(field_of(index), value);
	return legal;
}

static bool load_msr(struct percpu *cpu, u32 index, u64 value, struct msr_undo *undo)
{
	if (hv_fault(MSR_LIST_UNCHECKED))
		return true;
	switch (index) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_SMM_MONITOR_CTL:
	case MSR_BIOS_UPDT_TRIG:
	case MSR_FEATURE_CONTROL:
		return false;
	case MSR_EFER:
		return load_efer(value);
	case MSR_DEBUGCTL:
		return load_debugctl(value);
	case MSR_PAT:
		return load_field(index, value, entry_check_pat(value));
	case MSR_SYSENTER_CS:
		return load_field(index, value, true);
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
		return load_field(index, value, nested_is_canonical(&cpu->nested, value));
	default:
		break;
	}
	if (!l1_may_write_msr(index, value))
		return false;
	if (undo)
		remember(undo, index);
	return write_msr(index, value);
}

/* What RDMSR of L2's or L1's would give. */
static bool read_msr(struct percpu *cpu, u32 index, u64 *value)
{
	if (index == MSR_SMBASE)
		return false;
	if (field_of(index)) {
		*value = vmread(field_of(index));
		return true;
	}
	if (index == MSR_FEATURE_CONTROL) {
		*value = cpu->feature_control;
		return true;
	}
	if (MSR_IS_VMX_CAP(index))
		return nested_caps_msr(cpu, index, value);
	return rdmsr_safe(index, value) == ST_OK;
}

static bool never_in_a_list(const struct list_entry *entry)
{
	return entry->reserved || entry->index >> 8 == X2APIC_MSRS >> 8;
}

/* A list of L1's. Each entry is read once, in order. */
struct list_reader {
	u64 address; /* of the next chunk */
	u64 left;    /* entries from there on */
	u8 *ram;     /* of the entries in @chunk; NULL: not all of them are in RAM */
	struct list_entry *next, *end;
	struct list_entry chunk[CHUNK];
};

static NOINLINE void read_chunk(struct list_reader *list)
{
	const u64 count = MIN(list->left, (u64)CHUNK), size = count * sizeof(list->chunk[0]);

	list->ram = guest_ram(list->address, size);
	if (list->ram)
		memcpy(list->chunk, list->ram, size);
	for (u64 i = 0; !list->ram && i < count; i++)
		guest_read_gpa(list->address + i * sizeof(list->chunk[0]), &list->chunk[i],
			       sizeof(list->chunk[0]));
	list->next = list->chunk;
	list->end = list->chunk + count;
	list->address += size;
	list->left -= count;
}

static void begin_list(struct list_reader *list, u64 address, u64 count)
{
	list->address = address;
	list->left = count;
	list->next = list->end = NULL;
}

static ALWAYS_INLINE struct list_entry *next_entry(struct list_reader *list)
{
	if (list->next == list->end)
		read_chunk(list);
	return list->next++;
}

/* The entry that was read last has another value now. */
static ALWAYS_INLINE void write_value(const struct list_reader *list)
{
	const u64 *const value = &list->next[-1].value;
	const size_t offset = (size_t)((const u8 *)value - (const u8 *)list->chunk);
	const size_t size = (size_t)((const u8 *)list->end - (const u8 *)list->chunk);

	if (likely(list->ram && !deep_cpu))
		memcpy(list->ram + offset, value, sizeof(*value));
	else
		guest_write_gpa(list->address - size + offset, value, sizeof(*value));
}

u32 msr_list_load(struct percpu *cpu, u64 address, u64 count, u32 first_item,
		  struct trace_item *items, u32 *item_count, struct msr_undo *undo)
{
	struct list_reader list;

	begin_list(&list, address, count);
	for (u32 i = 0; i < count; i++) {
		const struct list_entry *entry;

		if (i == MSR_LIST_MAX)
			return i + 1;
		entry = next_entry(&list);
		if (i < MSR_LIST_MAX / 2)
			note(items, item_count, first_item + 2 * i, entry);
		if (never_in_a_list(entry) || !load_msr(cpu, entry->index, entry->value, undo))
			return i + 1;
		if (mtrr_is_msr(entry->index))
			l1_memory_types_changed(cpu);
	}
	return 0;
}

u32 msr_list_store(struct percpu *cpu, u64 address, u64 count, struct trace_item *items,
		   u32 *item_count)
{
	struct list_reader list;

	begin_list(&list, address, count);
	for (u32 i = 0; i < count; i++) {
		struct list_entry *entry;

		if (i == MSR_LIST_MAX)
			return i + 1;
		entry = next_entry(&list);
		if (never_in_a_list(entry) || !read_msr(cpu, entry->index, &entry->value))
			return i + 1;
		if (hv_fault(TSC_STORED_WITH_OFFSET) && entry->index == MSR_TSC)
			entry->value += F12(cpu->nested.current, TSC_OFFSET);
		write_value(&list);
		if (i < MSR_LIST_MAX / 2)
			note(items, item_count, ITEM_MSR_STORE + 2 * i, entry);
	}
	return 0;
}
