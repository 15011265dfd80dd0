#include "hv/guestmem.h"

#include "hv/deep.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/nested/ept12_access.h"
#include "hv/paging.h"
#include "hv/percpu.h"
#include "hv/vmcs01.h"
#include "vmx/qual.h"
#include "vmx/tables.h"

#define PFEC_P	   BIT(0)
#define PFEC_W	   BIT(1)
#define PFEC_U	   BIT(2)
#define PFEC_I	   BIT(4)
#define RFLAGS_AC  BIT(18)
#define VECTOR_GP  13
#define VECTOR_PF  14
#define WALK_TRIES 4

void *guest_ram(u64 gpa1, size_t size)
{
	/* hv's range is not RAM in the map, so this keeps it out as well. */
	return memmap_is_ram(gpa1, size) ? phys_to_virt(gpa1) : NULL;
}

struct __attribute__((packed)) word64 {
	u64 value;
};

struct __attribute__((packed)) word32 {
	u32 value;
};

/*
 * Operands of VMX instructions in 64-bit mode, and entries of tables, have eight bytes; the words
 * of a region that the SDM defines have four. Volatile: another processor may be changing them, and
 * what was judged must not be read again.
 */
static void copy_bytes(void *to, const void *from, size_t size)
{
	if (likely(size == sizeof(u64)))
		((struct word64 *)to)->value = ((const volatile struct word64 *)from)->value;
	else if (size == sizeof(u32))
		((struct word32 *)to)->value = ((const volatile struct word32 *)from)->value;
	else
		memcpy(to, from, size);
}

enum status guest_read_gpa(u64 gpa1, void *to, size_t size)
{
	const void *from = guest_ram(gpa1, size);

	if (!from) {
		memset(to, 0xff, size);
		return ST_RANGE;
	}
	copy_bytes(to, from, size);
	return ST_OK;
}

enum status guest_write_gpa(u64 gpa1, const void *from, size_t size)
{
	void *to = guest_ram(gpa1, size);

	if (!to)
		return ST_RANGE;
	deep_hv_writes(gpa1, size);
	copy_bytes(to, from, size);
	return ST_OK;
}

bool guest_swap_gpa(u64 gpa1, u64 old, u64 value, size_t size)
{
	void *const to = guest_ram(gpa1, size);
	u32 old32 = (u32)old;

	if (!to)
		return true;
	deep_hv_writes(gpa1, size);
	if (size == sizeof(u32))
		return __atomic_compare_exchange_n((u32 *)to, &old32, (u32)value, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return __atomic_compare_exchange_n((u64 *)to, &old, value, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* One walk of the guest's page tables: what it needs of the processor's state. */
struct walk {
	struct guest_paging paging;
	bool set_flags;
	struct nested *nested; /* NULL: addresses that come out are gpa1, else gpa2 ... */
	u64 eptp;	       /* ... and this leads on */
};

/* A physical access of the guest, to a paging structure or at the end. */
struct walk_access {
	u64 linear;
	bool final, write, fetch;
};

static enum status to_gpa1(const struct walk *walk, const struct walk_access *access, u64 gpa,
			   u64 *gpa1, struct guest_fault *fault)
{
	u64 kind = access->write   ? VMX_EPT_VIOLATION_WRITE
		   : access->fetch ? VMX_EPT_VIOLATION_FETCH
				   : VMX_EPT_VIOLATION_READ;
	struct ept12_walk walk12;

	*gpa1 = gpa;
	if (!walk->nested)
		return ST_OK;
	kind = ept12_access_kind(walk->eptp, kind, !access->final);
	ept12_access(walk->nested, walk->eptp, gpa, kind, &walk12);
	*gpa1 = walk12.gpa1;
	if (walk12.result == EPT12_MAPPED)
		return ST_OK;
	*fault = (struct guest_fault){
		.vector = GUEST_FAULT_EPT12,
		.code = (u32)(kind | VMX_EPT_VIOLATION_LINEAR_VALID |
			      (access->final ? VMX_EPT_VIOLATION_FINAL : 0)),
		.address = access->linear,
		.gpa2 = gpa,
	};
	return ST_FAULT;
}

static bool entry_forbids(const struct walk *walk, u64 rights, enum guest_access access)
{
	const bool user_page = rights & PTE_U;

	if (walk->paging.user && !user_page)
		return true;
	if (access == GUEST_WRITE && !(rights & PTE_W) &&
	    (walk->paging.user || walk->paging.cr0 & CR0_WP))
		return true;
	if (access == GUEST_FETCH)
		return (rights & PTE_NX && walk->paging.efer & EFER_NXE) ||
		       (!walk->paging.user && user_page && walk->paging.cr4 & CR4_SMEP);
	return !walk->paging.user && user_page && walk->paging.cr4 & CR4_SMAP &&
	       walk->paging.smap_applies;
}

static enum status page_fault(const struct walk *walk, u64 linear, enum guest_access access,
			      u32 code, struct guest_fault *fault)
{
	if (access == GUEST_WRITE)
		code |= PFEC_W;
	if (walk->paging.user)
		code |= PFEC_U;
	if (access == GUEST_FETCH && (walk->paging.efer & EFER_NXE || walk->paging.cr4 & CR4_SMEP))
		code |= PFEC_I;
	*fault = (struct guest_fault){ .vector = VECTOR_PF, .code = code, .address = linear };
	return ST_FAULT;
}

/* An entry of the guest's tables, and where it stands: for the guest, and for L1. */
struct walk_entry {
	u64 gpa, at, value;
};

static enum status read_entry(const struct walk *walk, const struct paging_mode *mode,
			      unsigned level, u64 table, u64 linear, struct walk_entry *entry,
			      struct guest_fault *fault)
{
	const u64 index = paging_index(mode, level, linear);
	const struct walk_access access = { .linear = linear };

	*entry = (struct walk_entry){ .gpa = table + index * mode->entry_size };
	if (paging_is_register(mode, level)) {
		entry->value = vmread(VMCS_GUEST_PDPTE0 + 2 * (u32)(index & 3));
		return ST_OK;
	}
	if (to_gpa1(walk, &access, entry->gpa, &entry->at, fault) != ST_OK)
		return ST_FAULT;
	guest_read_gpa(entry->at, &entry->value, mode->entry_size);
	return ST_OK;
}

/*
 * SDM "Accessed and Dirty Flags"; PDPTEs that are registers have none. ST_INTERRUPTED: an entry is
 * no longer what was read, and keeps what another processor wrote.
 */
static enum status set_flags(const struct walk *walk, const struct paging_mode *mode,
			     struct walk_entry *entries, unsigned leaf, u64 linear,
			     enum guest_access access, struct guest_fault *fault)
{
	const struct walk_access update = { .linear = linear, .write = true };

	for (unsigned level = leaf; level <= mode->levels; level++) {
		struct walk_entry *entry = &entries[level];
		const u64 flags = PTE_A | (access == GUEST_WRITE && level == leaf ? PTE_D : 0);

		if (paging_is_register(mode, level) || (entry->value & flags) == flags)
			continue;
		if (to_gpa1(walk, &update, entry->gpa, &entry->at, fault) != ST_OK)
			return ST_FAULT;
		if (!guest_swap_gpa(entry->at, entry->value, entry->value | flags,
				    mode->entry_size))
			return ST_INTERRUPTED;
		entry->value |= flags;
	}
	return ST_OK;
}

/* --- walks that were made before -------------------------------------------------------------- */

_Static_assert(GUEST_WALK_LEVELS == PAGING_MAX_LEVELS, "struct walk_memory");

static struct walk_memory *memory_of(struct percpu *cpu, u64 linear)
{
	return &cpu->walks[linear / PAGE_SIZE % ARRAY_SIZE(cpu->walks)];
}

/* The low bits of a key. */
#define KEY_VALID  BIT(0)
#define KEY_ACCESS 1 /* shift */
#define KEY_USER   3
#define KEY_SMAP   4

static u64 key_of(const struct guest_paging *paging, u64 linear, enum guest_access access)
{
	return (linear & ~(PAGE_SIZE - 1)) | KEY_VALID | (u64)access << KEY_ACCESS |
	       (u64)paging->user << KEY_USER | (u64)paging->smap_applies << KEY_SMAP;
}

/*
 * L1 changes its tables without telling hv, so what a walk read is read again: it comes to the same
 * end when everything that it depended on is the same.
 */
static bool recall(const struct walk_memory *memory, const struct guest_paging *paging, u64 linear,
		   enum guest_access access)
{
	u64 changed = memory->key ^ key_of(paging, linear, access);

	changed |= (memory->cr0 ^ paging->cr0) | (memory->cr3 ^ paging->cr3) |
		   (memory->cr4 ^ paging->cr4) | (memory->efer ^ paging->efer);
	if (changed)
		return false;
	for (unsigned i = 0; i < GUEST_WALK_LEVELS; i++)
		changed |= *memory->entry[i] ^ memory->value[i];
	return !changed;
}

void *guest_recall(struct percpu *cpu, const struct guest_paging *paging, u64 linear,
		   enum guest_access access, u64 *gpa1)
{
	const struct walk_memory *const memory = memory_of(cpu, linear);

	if (unlikely(!recall(memory, paging, linear, access)) || unlikely(!memory->ram))
		return NULL;
	*gpa1 = memory->gpa_page | (linear & (PAGE_SIZE - 1));
	return memory->ram + (linear & (PAGE_SIZE - 1));
}

/* Keep a walk of tables in RAM whose entries have eight bytes; it ended at @gpa. */
static void remember(struct walk_memory *memory, const struct guest_paging *paging,
		     const struct walk_entry *entries, unsigned leaf, unsigned levels, u64 linear,
		     enum guest_access access, u64 gpa)
{
	memory->key = 0;
	for (unsigned i = 0; i < GUEST_WALK_LEVELS; i++) {
		const unsigned level = leaf + i;

		memory->entry[i] = &memory->value[i];
		if (level > levels)
			continue;
		memory->value[i] = entries[level].value;
		memory->entry[i] = guest_ram(entries[level].at, sizeof(u64));
		if (!memory->entry[i])
			return;
	}
	memory->gpa_page = gpa & ~(PAGE_SIZE - 1);
	memory->ram = guest_ram(memory->gpa_page, PAGE_SIZE);
	memory->cr0 = paging->cr0;
	memory->cr3 = paging->cr3;
	memory->cr4 = paging->cr4;
	memory->efer = paging->efer;
	memory->key = key_of(paging, linear, access);
}

/*
 * Rights are ANDed over the levels (NX ORed) and judged at the end. Reserved bits are not checked:
 * L1's own access through such an entry has faulted before hv is asked, and hv only reads.
 */
static enum status walk_once(const struct walk *walk, struct walk_memory *memory, u64 linear,
			     enum guest_access access, u64 *gpa, struct guest_fault *fault)
{
	enum status status;
	const struct paging_mode mode = paging_mode(walk->paging.cr4, walk->paging.efer);
	u64 table = paging_root(&mode, walk->paging.cr3);
	u64 rights = PTE_W | PTE_U, entry;
	struct walk_entry entries[PAGING_MAX_LEVELS + 1] = { 0 };
	unsigned level = mode.levels;

	for (;; level--) {
		if (read_entry(walk, &mode, level, table, linear, &entries[level], fault) != ST_OK)
			return ST_FAULT;
		entry = entries[level].value;
		if (!(entry & PTE_P))
			return page_fault(walk, linear, access, 0, fault);
		if (!paging_is_register(&mode, level))
			rights = (rights & entry & (PTE_W | PTE_U)) | ((rights | entry) & PTE_NX);
		if (level == 1 ||
		    (entry & PTE_PS && paging_may_be_large(&mode, walk->paging.cr4, level)))
			break;
		table = paging_table(&mode, entry);
	}
	if (entry_forbids(walk, rights, access))
		return page_fault(walk, linear, access, PFEC_P, fault);
	*gpa = paging_address(&mode, level, entry, linear);
	if (walk->set_flags) {
		status = set_flags(walk, &mode, entries, level, linear, access, fault);
		if (status != ST_OK)
			return status;
	}
	if (memory && walk->paging.efer & EFER_LMA)
		remember(memory, &walk->paging, entries, level, mode.levels, linear, access, *gpa);
	return ST_OK;
}

/* Again while another processor changes the tables, for as long as hv can wait. */
static enum status walk_tables(const struct walk *walk, struct walk_memory *memory, u64 linear,
			       enum guest_access access, u64 *gpa, struct guest_fault *fault)
{
	enum status status = ST_INTERRUPTED;

	for (unsigned i = 0; i < WALK_TRIES && status == ST_INTERRUPTED; i++)
		status = walk_once(walk, memory, linear, access, gpa, fault);
	return status == ST_INTERRUPTED ? ST_OK : status;
}

static struct walk walk_of(struct percpu *cpu)
{
	struct nested *nested = &cpu->nested;
	const bool two = nested->mode == NESTED_L2 && nested_uses_ept(nested->current);
	const bool user = BITS(vmread(VMCS_GUEST_SS_ACCESS_RIGHTS), 6, 5) == 3;

	return (struct walk){
		.paging = {
			.cr0 = vmread(VMCS_GUEST_CR0),
			.cr3 = vmread(VMCS_GUEST_CR3),
			.cr4 = vmread(VMCS_GUEST_CR4),
			.efer = vmread(VMCS_GUEST_IA32_EFER),
			.user = user,
			.smap_applies = !(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_AC),
		},
		.set_flags = true,
		.nested = two ? nested : NULL,
		.eptp = nested->eptp,
	};
}

/* Canonical: the bits above the translated ones are all like the highest of those. */
static bool is_canonical(const struct walk *walk, u64 linear)
{
	const unsigned unused = walk->paging.cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(linear << unused) >> unused) == linear;
}

/* @memory may be NULL: the walk is made anew, and forgotten. */
static enum status translate(const struct walk *walk, struct walk_memory *memory, u64 linear,
			     enum guest_access access, u64 *gpa, struct guest_fault *fault)
{
	if (!(walk->paging.cr0 & CR0_PG)) {
		*gpa = (u32)linear;
		return ST_OK;
	}
	if (walk->paging.efer & EFER_LMA && !is_canonical(walk, linear)) {
		*fault = (struct guest_fault){ .vector = VECTOR_GP };
		return ST_FAULT;
	}
	if (memory && recall(memory, &walk->paging, linear, access)) {
		*gpa = memory->gpa_page | (linear & (PAGE_SIZE - 1));
		return ST_OK;
	}
	return walk_tables(walk, memory, linear, access, gpa, fault);
}

enum status guest_translate(struct percpu *cpu, u64 linear, enum guest_access access, u64 *gpa1,
			    struct guest_fault *fault)
{
	const struct walk walk = walk_of(cpu);
	const struct walk_access last = {
		.linear = linear,
		.final = true,
		.write = access == GUEST_WRITE,
		.fetch = access == GUEST_FETCH,
	};

	if (!walk.nested)
		return translate(&walk, memory_of(cpu, linear), linear, access, gpa1, fault);
	if (translate(&walk, NULL, linear, access, gpa1, fault) != ST_OK)
		return ST_FAULT;
	return to_gpa1(&walk, &last, *gpa1, gpa1, fault);
}

/* Translate every page of the range first, so that a copy is all or nothing. */
static enum status copy(struct percpu *cpu, u64 linear, void *to, const void *from, size_t size,
			struct guest_fault *fault)
{
	const enum guest_access access = from ? GUEST_WRITE : GUEST_READ;
	const size_t first = MIN(size, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
	u64 gpa1[2] = { 0, 0 };
	enum status status = guest_translate(cpu, linear, access, &gpa1[0], fault);

	if (status == ST_OK && first < size)
		status = guest_translate(cpu, linear + first, access, &gpa1[1], fault);
	if (status != ST_OK)
		return status;
	if (from) {
		guest_write_gpa(gpa1[0], from, first);
		if (first < size)
			guest_write_gpa(gpa1[1], (const u8 *)from + first, size - first);
	} else {
		guest_read_gpa(gpa1[0], to, first);
		if (first < size)
			guest_read_gpa(gpa1[1], (u8 *)to + first, size - first);
	}
	return ST_OK;
}

enum status guest_read(struct percpu *cpu, u64 linear, void *to, size_t size,
		       struct guest_fault *fault)
{
	return copy(cpu, linear, to, NULL, size, fault);
}

enum status guest_write(struct percpu *cpu, u64 linear, const void *from, size_t size,
			struct guest_fault *fault)
{
	return copy(cpu, linear, NULL, from, size, fault);
}

unsigned guest_peek_code(struct percpu *cpu, unsigned level, u64 rip, u8 *to, unsigned size)
{
	struct walk walk = walk_of(cpu);
	const bool code64 =
		vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & BIT(13) && walk.paging.efer & EFER_LMA;
	unsigned done = 0;

	/* Only L1's code for now: kinds with code are instructions of L1. */
	if (level != 1 || cpu->hw != &cpu->vmcs01)
		return 0;
	walk.set_flags = false;
	/* L2 may run, but these are L1's own tables. */
	walk.nested = NULL;
	if (!code64)
		rip = (u32)(rip + vmread(VMCS_GUEST_CS_BASE));
	while (done < size) {
		const unsigned part =
			(unsigned)MIN(size - done, PAGE_SIZE - (rip & (PAGE_SIZE - 1)));
		struct guest_fault fault;
		u64 gpa1;

		if (translate(&walk, NULL, rip, GUEST_READ, &gpa1, &fault) != ST_OK ||
		    guest_read_gpa(gpa1, to + done, part) != ST_OK)
			break;
		done += part;
		rip += part;
	}
	return done;
}
