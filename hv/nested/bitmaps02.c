#include "hv/nested/bitmaps02.h"

#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/state.h"
#include "hv/panic.h"
#include "hv/vmcs01.h"

#define BITMAP_WORDS (PAGE_SIZE / sizeof(u64))

/* Remember which words of hv's own bitmap are not 0: few of many. */
static void list_words(struct word_list *list, const u64 *own, unsigned words)
{
	list->count = 0;
	for (unsigned i = 0; i < words; i++) {
		if (!own[i])
			continue;
		hv_assert(list->count < ARRAY_SIZE(list->index));
		list->index[list->count++] = (u16)i;
	}
}

void bitmaps02_init(struct nested *nested)
{
	nested->msr_bitmap = mem_alloc_pages(1);
	nested->io_bitmap = mem_alloc_pages(2);
	nested->ones_bitmap = mem_alloc_pages(1);
	memset(nested->ones_bitmap, 0xff, PAGE_SIZE);
	list_words(&nested->own_msrs, (const u64 *)vmcs01_msr_bitmap(), BITMAP_WORDS);
	list_words(&nested->own_ports, (const u64 *)vmcs01_io_bitmap(), 2 * BITMAP_WORDS);
}

static void add_words(u64 *to, const struct word_list *list, const u64 *own)
{
	for (unsigned i = 0; i < list->count; i++)
		to[list->index[i]] |= own[list->index[i]];
}

static bool uses_io_bitmaps(const struct nested_vmcs *vmcs)
{
	return F12(vmcs, PRIMARY_PROC_BASED_CONTROLS) & PRIMARY_IO_BITMAPS;
}

/* Let VMCS02 have the merged pages, or those of ones. */
static void choose_msrs(struct nested *nested, struct nested_vmcs *vmcs, bool merged)
{
	if (vmcs->msrs02.merged != merged)
		vmwrite(VMCS_MSR_BITMAP,
			virt_to_phys(merged ? nested->msr_bitmap : nested->ones_bitmap));
	vmcs->msrs02.merged = merged;
}

static void choose_ports(struct nested *nested, struct nested_vmcs *vmcs, bool merged)
{
	if (vmcs->ports02.merged != merged) {
		vmcs->ports02.merged = merged;
		bitmaps02_write_ports(nested, vmcs);
	}
}

void bitmaps02_begin(struct nested *nested, struct nested_vmcs *vmcs)
{
	vmcs->msrs02 = vmcs->ports02 = (struct bitmaps02_use){ 0 };
	vmwrite(VMCS_MSR_BITMAP, virt_to_phys(nested->ones_bitmap));
}

void bitmaps02_write_ports(struct nested *nested, struct nested_vmcs *vmcs)
{
	u64 a = virt_to_phys(vmcs01_io_bitmap()), b = a + PAGE_SIZE;

	if (uses_io_bitmaps(vmcs)) {
		a = virt_to_phys(vmcs->ports02.merged ? nested->io_bitmap : nested->ones_bitmap);
		b = vmcs->ports02.merged ? a + PAGE_SIZE : a;
	}
	vmwrite(VMCS_IO_BITMAP_A, a);
	vmwrite(VMCS_IO_BITMAP_B, b);
}

static void merge_msrs(struct nested *nested, struct nested_vmcs *vmcs)
{
	vmcs->msrs_known = false;
	guest_read_gpa(F12(vmcs, MSR_BITMAP), nested->msr_bitmap, PAGE_SIZE);
	add_words(nested->msr_bitmap, &nested->own_msrs, (const u64 *)vmcs01_msr_bitmap());
	choose_msrs(nested, vmcs, true);
}

static void merge_ports(struct nested *nested, struct nested_vmcs *vmcs)
{
	guest_read_gpa(F12(vmcs, IO_BITMAP_A), nested->io_bitmap, PAGE_SIZE);
	guest_read_gpa(F12(vmcs, IO_BITMAP_B), nested->io_bitmap + BITMAP_WORDS, PAGE_SIZE);
	add_words(nested->io_bitmap, &nested->own_ports, (const u64 *)vmcs01_io_bitmap());
	choose_ports(nested, vmcs, true);
}

void bitmaps02_prepare(struct nested *nested, struct nested_vmcs *vmcs)
{
	/* The pages are of the processor: what they hold is the last entry's, whosever that was. */
	if (unlikely(vmcs->msrs02.beforehand)) {
		vmcs->msrs02.beforehand--;
		merge_msrs(nested, vmcs);
	} else {
		choose_msrs(nested, vmcs, false);
	}
	if (unlikely(vmcs->ports02.beforehand) && uses_io_bitmaps(vmcs)) {
		vmcs->ports02.beforehand--;
		merge_ports(nested, vmcs);
	} else {
		choose_ports(nested, vmcs, false);
	}
}

bool bitmaps02_msr_is_hvs(struct nested *nested, u32 index, bool write)
{
	const unsigned bit =
		(write ? 0x4000 : 0) + (index & 0x1fff) + (index & BIT(31) ? 0x2000 : 0);

	if (vmcs01_msr_bitmap()[bit / 8] >> bit % 8 & 1 || hv_fault(GS_BASE_OF_VMCS01))
		return true;
	nested->current->msrs02.beforehand = BITMAPS02_BEFOREHAND;
	merge_msrs(nested, nested->current);
	return false;
}

bool bitmaps02_port_is_hvs(struct nested *nested, unsigned port, unsigned size)
{
	/* Without bitmaps of L1's, hv's own are in use. */
	if (!uses_io_bitmaps(nested->current))
		return true;
	for (unsigned at = port; at < port + size; at++)
		if (vmcs01_io_bitmap()[at / 8] >> at % 8 & 1)
			return true;
	nested->current->ports02.beforehand = BITMAPS02_BEFOREHAND;
	merge_ports(nested, nested->current);
	return false;
}
