#include "hv/nested/l0_record.h"

#include "hv/ept.h"
#include "hv/guestmem.h"
#include "hv/hv_options.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/nested/ept02.h"
#include "hv/nested/reflect.h"
#include "hv/nested/vmcs02.h"
#include "recorder/emit.h"

#define BITMAP_WORDS (PAGE_SIZE / sizeof(u64))

void l0_record_init(struct nested *nested)
{
	const size_t size = TRACE_MAX_ITEMS * sizeof(struct trace_item);

	if (!options.capture_l0)
		return;
	nested->l0.items = mem_alloc_pages((size + PAGE_SIZE - 1) / PAGE_SIZE);
	nested->l0.page = mem_alloc_pages(1);
	nested->l0.cleared = NESTED_NONE;
}

static void add(struct l0_record *l0, u32 id, u64 value)
{
	if (l0->item_count < TRACE_MAX_ITEMS)
		l0->items[l0->item_count++] = (struct trace_item){ .id = id, .value = value };
}

static void emit(struct percpu *cpu, u8 kind, u8 level, const void *columns, u64 tsc, u64 rip)
{
	const struct l0_record *l0 = &cpu->nested.l0;

	if (cpu->rec)
		rec_emit(cpu->rec, &(struct trace_event){
					   .kind = kind,
					   .level = level,
					   .tsc = tsc,
					   .rip = rip,
					   .col = columns,
					   .items = l0->items,
					   .item_count = l0->item_count,
				   });
}

/* Fields of VMCS02 that are not as L1 has them in VMCS12. */
static void add_differences(struct nested *nested)
{
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const struct vmcs_field *field = &vmcs_fields[ix];
		u64 value;

		if (!vmcs_set_has(&nested->exists, ix) ||
		    (field->kind != VMCS_KIND_CONTROL && field->kind != VMCS_KIND_GUEST))
			continue;
		if (vmread_try(field->encoding, &value) && value != nested->current->field[ix])
			add(&nested->l0, trace_item_id(ITEM_VMCS02, field->encoding), value);
	}
}

/* PDPTEs that hv itself loaded: VMCS12 has none of its own, which may be anything. */
static void add_pdptes(struct nested *nested)
{
	if (!vmcs02_needs_pdptes(nested->current))
		return;
	for (u32 i = 0; i < 4; i++) {
		const u32 encoding = VMCS_GUEST_PDPTE0 + 2 * i;

		add(&nested->l0, trace_item_id(ITEM_VMCS02, encoding), vmread(encoding));
	}
}

static void add_registers(struct percpu *cpu, u16 mask)
{
	for (unsigned reg = 0; reg < REG_COUNT; reg++)
		if (mask >> reg & 1)
			add(&cpu->nested.l0, ITEM_REG + reg, percpu_reg(cpu, reg));
}

/* Where the page of L1's at @address has bits that the one in use, @used, has not. */
static void add_lacks(struct nested *nested, u32 first_item, u64 address, const u64 *used)
{
	guest_read_gpa(address, nested->l0.page, PAGE_SIZE);
	for (u32 i = 0; i < BITMAP_WORDS; i++)
		if (nested->l0.page[i] & ~used[i])
			add(&nested->l0, first_item + i, nested->l0.page[i] & ~used[i]);
}

static const u64 *bitmap_in_use(u32 field)
{
	return phys_to_virt(vmread(field));
}

static void add_bitmaps(struct nested *nested)
{
	const struct nested_vmcs *vmcs = nested->current;
	const u64 primary = F12(vmcs, PRIMARY_PROC_BASED_CONTROLS);
	const u64 primary02 = vmread(VMCS_PRIMARY_PROC_BASED_CONTROLS);

	if (primary & primary02 & PRIMARY_MSR_BITMAPS)
		add_lacks(nested, ITEM_MSR_BITMAP_LACKS, F12(vmcs, MSR_BITMAP),
			  bitmap_in_use(VMCS_MSR_BITMAP));
	if (!(primary & primary02 & PRIMARY_IO_BITMAPS))
		return;
	add_lacks(nested, ITEM_IO_BITMAP_LACKS, F12(vmcs, IO_BITMAP_A),
		  bitmap_in_use(VMCS_IO_BITMAP_A));
	add_lacks(nested, ITEM_IO_BITMAP_LACKS + BITMAP_WORDS, F12(vmcs, IO_BITMAP_B),
		  bitmap_in_use(VMCS_IO_BITMAP_B));
}

/* --- Events ----------------------------------------------------------------------------------- */

void l0_record_entry(struct percpu *cpu)
{
	const struct l0_record *l0 = &cpu->nested.l0;

	if (l0_record_is_on(&cpu->nested))
		emit(cpu, EV_L0_ENTRY, 2, &l0->entry, l0->tsc, l0->rip);
}

void l0_record_exit(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	const struct vmx_exit *row;
	struct ev_l0_exit columns;

	if (!l0_record_is_on(nested))
		return;
	row = vmx_exit_by_reason(cpu->exit.reason);
	columns.reason = cpu->exit.reason;
	columns.vmcs = nested->current_pointer;
	columns.qualification = vmread(VMCS_EXIT_QUALIFICATION);
	columns.insn_length = vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH);
	columns.event_info = vmread(VMCS_VM_EXIT_INTERRUPTION_INFO);
	columns.event_code = vmread(VMCS_VM_EXIT_INTERRUPTION_ERROR_CODE);
	columns.vectoring_info = vmread(VMCS_IDT_VECTORING_INFO);
	columns.vectoring_code = vmread(VMCS_IDT_VECTORING_ERROR_CODE);
	columns.insn_info = vmread(VMCS_VM_EXIT_INSTRUCTION_INFO);
	columns.guest_linear = vmread(VMCS_GUEST_LINEAR_ADDRESS);
	columns.gpa2 = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	nested->l0.item_count = 0;
	add_differences(nested);
	add_registers(cpu, row ? row->regs : 0);
	nested->l0.results = row ? row->results : 0;
	emit(cpu, EV_L0_EXIT, 2, &columns, cpu->exit.tsc, cpu->exit.rip);
}

void l0_record_map(struct percpu *cpu, u64 gpa2, const struct ept12_walk *walk)
{
	struct nested *nested = &cpu->nested;
	struct ept_page page;
	u64 entry;
	unsigned level;

	if (!l0_record_is_on(nested))
		return;
	if (ept01_lookup(walk->gpa1, &page)) {
		level = page.size == PAGE_SIZE ? 1 : page.size == MIB(2) ? 2 : 3;
		entry = (page.pa & ~(page.size - 1)) | page.type << EPT_TYPE_SHIFT | EPT_READ |
			EPT_WRITE | EPT_EXECUTE | (level > 1 ? EPT_LARGE : 0);
		nested_item(nested, ITEM_EPT01 + level, entry);
	}
	if (ept02_find(nested, nested->eptp, gpa2, &level, &entry))
		nested_item(nested, ITEM_EPT02 + level, entry);
}

void l0_record_region(struct nested *nested, u64 pointer)
{
	nested->l0.cleared = pointer;
}

static void tell_region(struct percpu *cpu)
{
	struct l0_record *l0 = &cpu->nested.l0;
	const struct ev_l0_region columns = {
		.pointer = l0->cleared,
		.dword0 = nested_region_revision(l0->cleared),
	};

	l0->item_count = 0;
	emit(cpu, EV_L0_REGION, 0, &columns, rdtsc(), 0);
	l0->cleared = NESTED_NONE;
}

/* VMCS02 is current. */
static void keep_entry(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	struct l0_record *l0 = &nested->l0;

	l0->entry = (struct ev_l0_entry){
		.vmcs = nested->current_pointer,
		.resumed = !nested->entry.waits,
		.flushed = nested->flushed02,
		.ept02_tables =
			nested_uses_ept(nested->current) ? ept02_tables(nested, nested->eptp) : 0,
	};
	l0->tsc = rdtsc();
	l0->rip = vmread(VMCS_GUEST_RIP);
	l0->item_count = 0;
	if (nested->entry.waits)
		add_pdptes(nested);
	add_differences(nested);
	if (nested->entry.waits) {
		add_bitmaps(nested);
		return;
	}
	add_registers(cpu, l0->results);
	for (u32 i = 0; i < nested->item_count; i++)
		add(l0, nested->items[i].id, nested->items[i].value);
}

/* What L1 can tell of VMCS01: guest state, and what is shown of control registers. */
static bool is_l1_state(const struct vmcs_field *field)
{
	switch (field->encoding) {
	case VMCS_VM_ENTRY_CONTROLS:
	case VMCS_CR0_READ_SHADOW:
	case VMCS_CR4_READ_SHADOW:
		return true;
	default:
		return field->kind == VMCS_KIND_GUEST;
	}
}

static void tell_host(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	const struct ev_l0_host columns = {
		.vmcs = nested->current_pointer,
		.flushed = nested->flushed01,
	};

	nested->l0.item_count = 0;
	for (int ix = 0; ix < VMCS_FIELD_COUNT; ix++) {
		const u32 encoding = vmcs_fields[ix].encoding;
		u64 value;

		if (is_l1_state(&vmcs_fields[ix]) && vmread_try(encoding, &value))
			add(&nested->l0, trace_item_id(ITEM_VMCS01, encoding), value);
	}
	emit(cpu, EV_L0_HOST, 1, &columns, rdtsc(), vmread(VMCS_GUEST_RIP));
}

void l0_record_turn(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;

	if (!l0_record_is_on(nested))
		return;
	if (nested->l0.cleared != NESTED_NONE)
		tell_region(cpu);
	if (nested->mode == NESTED_L2) {
		keep_entry(cpu);
		nested->flushed02 = false;
		if (!nested->entry.waits)
			l0_record_entry(cpu);
	} else if (nested->l0.exited) {
		tell_host(cpu);
	}
	nested->flushed01 = false;
	nested->l0.exited = false;
}
