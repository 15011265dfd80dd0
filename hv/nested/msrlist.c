#include "hv/nested/msrlist.h"

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

#define X2APIC_FIRST	 0x800
#define X2APIC_LAST	 0x8ff
#define CHUNK		 32 /* entries that are read in one go */
#define ITEMS_LEFT	 32 /* that long lists leave for what is told behind them */
/* Some emulators take the others. */
#define DEBUGCTL_DEFINED (MASK(15, 6) | MASK(2, 0))
#define DEBUGCTL_TR	 BIT(6)
#define EFER_SCE	 BIT(0)
#define EFER_NXE	 BIT(11)

struct list_entry {
	u32 index, reserved;
	u64 value;
};

/* MSRs that the processor loads from and saves to the guest-state area. */
static const struct {
	u32 msr, field;
} in_vmcs[] = {
	{ MSR_EFER, VMCS_GUEST_IA32_EFER },
	{ MSR_PAT, VMCS_GUEST_IA32_PAT },
	{ MSR_DEBUGCTL, VMCS_GUEST_IA32_DEBUGCTL },
	{ MSR_SYSENTER_CS, VMCS_GUEST_IA32_SYSENTER_CS },
	{ MSR_SYSENTER_ESP, VMCS_GUEST_IA32_SYSENTER_ESP },
	{ MSR_SYSENTER_EIP, VMCS_GUEST_IA32_SYSENTER_EIP },
	{ MSR_FS_BASE, VMCS_GUEST_FS_BASE },
	{ MSR_GS_BASE, VMCS_GUEST_GS_BASE },
};

static u32 field_of(u32 msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(in_vmcs); i++)
		if (in_vmcs[i].msr == msr)
			return in_vmcs[i].field;
	return 0;
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
	bool types = false;

	while (undo->count) {
		undo->count--;
		(void)write_msr(undo->entry[undo->count].index, undo->entry[undo->count].value);
		types |= mtrr_is_msr(undo->entry[undo->count].index);
	}
	if (types)
		l1_take_memory_types(percpu_this());
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
		if (!entry_check_pat(value))
			return false;
		break;
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
		if (!nested_is_canonical(&cpu->nested, value))
			return false;
		break;
	default:
		break;
	}
	if (field_of(index)) {
		vmwrite(field_of(index), value);
		return true;
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
	return entry->reserved || (entry->index >= X2APIC_FIRST && entry->index <= X2APIC_LAST);
}

struct list_reader {
	u64 address, count;
	struct list_entry chunk[CHUNK];
};

/* Entry @i, in order: each is read once. Valid up to the next call. */
static struct list_entry *read_entry(struct list_reader *list, u32 i)
{
	const u64 at = list->address + i * sizeof(struct list_entry);
	const u64 count = MIN(list->count - i, (u64)CHUNK);

	if (i % CHUNK == 0 &&
	    guest_read_gpa(at, list->chunk, count * sizeof(struct list_entry)) != ST_OK)
		for (u64 j = 0; j < count; j++)
			guest_read_gpa(at + j * sizeof(struct list_entry), &list->chunk[j],
				       sizeof(struct list_entry));
	return &list->chunk[i % CHUNK];
}

u32 msr_list_load(struct percpu *cpu, u64 address, u64 count, u32 first_item,
		  struct trace_item *items, u32 *item_count, struct msr_undo *undo)
{
	struct list_reader list;
	bool types = false;
	u32 bad = 0;

	list.address = address;
	list.count = count;
	for (u32 i = 0; i < count && !bad; i++) {
		const struct list_entry *entry;

		if (i == MSR_LIST_MAX) {
			bad = i + 1;
			break;
		}
		entry = read_entry(&list, i);
		if (i < MSR_LIST_MAX / 2)
			note(items, item_count, first_item + 2 * i, entry);
		if (never_in_a_list(entry) || !load_msr(cpu, entry->index, entry->value, undo))
			bad = i + 1;
		else
			types |= mtrr_is_msr(entry->index);
	}
	/* For all MTRRs of the list at once. */
	if (types)
		l1_take_memory_types(cpu);
	return bad;
}

u32 msr_list_store(struct percpu *cpu, u64 address, u64 count, struct trace_item *items,
		   u32 *item_count)
{
	struct list_reader list;

	list.address = address;
	list.count = count;
	for (u32 i = 0; i < count; i++) {
		struct list_entry *entry;

		if (i == MSR_LIST_MAX)
			return i + 1;
		entry = read_entry(&list, i);
		if (never_in_a_list(entry) || !read_msr(cpu, entry->index, &entry->value))
			return i + 1;
		if (hv_fault(TSC_STORED_WITH_OFFSET) && entry->index == MSR_TSC)
			entry->value += F12(cpu->nested.current, TSC_OFFSET);
		guest_write_gpa(address + i * sizeof(*entry) + offsetof(struct list_entry, value),
				&entry->value, sizeof(entry->value));
		if (i < MSR_LIST_MAX / 2)
			note(items, item_count, ITEM_MSR_STORE + 2 * i, entry);
	}
	return 0;
}
