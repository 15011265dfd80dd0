/*
 * tests/hv/nested_play.h - a test plays L1 and L2 on the processor made of arrays
 *
 * L1 is 64-bit code with linear addresses equal to physical ones, CR4.VMXE set, at CPL 0. Its
 * events are kept as they are emitted. Definitions, for the one test that includes it.
 */
#ifndef TESTS_HV_NESTED_PLAY_H
#define TESTS_HV_NESTED_PLAY_H

#include "hv/nested/nested.h"
#include "hv/vmcs01.h"
#include "recorder/emit.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"

enum {
	PLAY_MEMORY = MIB(64),
	PLAY_VMXON = 0x200000,
	PLAY_VMCS = 0x201000,
	PLAY_VMCS2 = 0x202000,
	PLAY_OPERAND = 0x203000, /* what memory operands point to */
	PLAY_TABLES = 0x210000,	 /* page tables of L1 */
	PLAY_EPT12 = 0x220000,	 /* EPT of L2, one page for each level */
	PLAY_PAGE = 0x230000,	 /* bitmaps, MSR lists: some pages */
	PLAY_CODE = 0x100000,	 /* RIP of L1 */
	PLAY_HOST_RIP = 0x108000,
	PLAY_L2_RIP = 0x5000,
};

#define PLAY_RFLAGS	   0x202
#define PLAY_RFLAGS_BITS   (BIT(0) | BIT(2) | BIT(4) | BIT(6) | BIT(7) | BIT(11))
#define PLAY_EVENTS	   64
#define NOT_CANONICAL	   0x8000000000000000 /* a linear address */
#define PLAY_INFO_NO_BASE  BIT(27)
#define PLAY_INFO_NO_INDEX BIT(22)

/* A test, from a state that one of the functions below makes. */
#define IN(state, test)	   cmocka_unit_test_setup(test, state)

static struct percpu *cpu;

/* --- The tape --------------------------------------------------------------------------------- */

struct play_event {
	u8 kind, level;
	u64 rip;
	u64 col[TRACE_MAX_COLUMNS];
	u32 item_count, byte_count;
	struct trace_item items[TRACE_MAX_ITEMS];
	u8 bytes[TRACE_MAX_BYTES];
};

static struct play_event play_events[PLAY_EVENTS];
static unsigned play_event_count;
static unsigned play_event_total; /* also those that are forgotten */

static inline const struct play_event *last_event(void)
{
	assert_true(play_event_count > 0);
	return &play_events[play_event_count - 1];
}

/* The last event of @kind, NULL when there was none. */
static inline const struct play_event *event_of(u8 kind)
{
	for (unsigned i = play_event_count; i-- > 0;)
		if (play_events[i].kind == kind)
			return &play_events[i];
	return NULL;
}

static inline bool event_item(const struct play_event *event, u32 id, u64 *value)
{
	*value = 0;
	for (u32 i = 0; i < event->item_count; i++)
		if (event->items[i].id == id) {
			*value = event->items[i].value;
			return true;
		}
	return false;
}

void rec_emit(struct rec *rec, const struct trace_event *event)
{
	static const size_t sizes[] = {
#define EVENT(KIND, name, ...) [EV_##KIND] = sizeof(struct ev_##name),
#include "trace/events.def"
#undef EVENT
	};
	struct play_event *to;

	(void)rec;
	/* An event is large, and who fuzzes makes many. */
	if (play_event_count == PLAY_EVENTS) {
		play_event_count /= 2;
		memcpy(play_events, play_events + play_event_count,
		       play_event_count * sizeof(*play_events));
	}
	play_event_total++;
	to = &play_events[play_event_count++];
	*to = (struct play_event){ .kind = event->kind, .level = event->level, .rip = event->rip };
	memcpy(to->col, event->col, sizes[event->kind]);
	to->item_count = event->item_count;
	for (u32 i = 0; i < event->item_count; i++)
		to->items[i] = event->items[i];
	to->byte_count = event->byte_count;
	if (event->byte_count)
		memcpy(to->bytes, event->bytes, event->byte_count);
}

u64 rec_last_seq(const struct rec *rec)
{
	(void)rec;
	return 0;
}

void rec_reserve(struct rec *rec, u32 bytes)
{
	(void)rec, (void)bytes;
}

size_t rec_size(void)
{
	return 1;
}

struct rec *rec_init(void *memory, struct ring *ring, u16 number, const struct rec_ops *ops,
		     void *owner, bool pack)
{
	(void)ring, (void)number, (void)ops, (void)owner, (void)pack;
	return memory;
}

enum status rec_head(struct rec *rec, void (*events)(void *owner, struct rec *rec))
{
	(void)rec, (void)events;
	return ST_OK;
}

void rec_open(struct rec *rec)
{
	(void)rec;
}

void rec_flush(struct rec *rec)
{
	(void)rec;
}

void rec_seal(struct rec *rec)
{
	(void)rec;
}

bool rec_image_holds(const struct rec *rec, u64 block)
{
	(void)rec;
	(void)block;
	return true;
}

bool rec_pack_urgent(const struct rec *rec)
{
	(void)rec;
	return false;
}

bool rec_pack_slice(struct rec *rec)
{
	(void)rec;
	return false;
}

bool rec_push(struct rec *rec)
{
	(void)rec;
	return false;
}

/* --- Instructions of L1 ----------------------------------------------------------------------- */

static inline void play_paging(void)
{
	u64 *pml4 = stub_at(PLAY_TABLES), *pdpt = stub_at(PLAY_TABLES + 0x1000);

	pml4[0] = (PLAY_TABLES + 0x1000) | 0x63;
	for (u64 i = 0; i < 4; i++)
		pdpt[i] = GIB(i) | 0xe3;
	vmwrite(VMCS_GUEST_CR3, PLAY_TABLES);
}

/* Option caps= of the next boot. */
static const char *play_masked = "";

static int play_boot_with(const char *masked)
{
	static char recorder;

	cpu = stub_boot_nested(PLAY_MEMORY, true, masked);
	cpu->rec = (struct rec *)&recorder;
	cpu->feature_control = 5;
	play_event_count = 0;
	play_paging();
	vmwrite(VMCS_CR4_READ_SHADOW, vmread(VMCS_CR4_READ_SHADOW) | CR4_VMXE);
	vmwrite(VMCS_GUEST_RIP, PLAY_CODE);
	vmwrite(VMCS_GUEST_RFLAGS, PLAY_RFLAGS);
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) | CR0_NE);
	vmwrite(VMCS_CR0_READ_SHADOW, vmread(VMCS_CR0_READ_SHADOW) | CR0_NE);
	return 0;
}

static inline int play_boot(void **state)
{
	(void)state;
	return play_boot_with(play_masked);
}

/* L1 is as if it had entered VMX operation without IA-32e mode; CS is for the test to say. */
static inline void play_legacy_mode(void)
{
	vmwrite(VMCS_GUEST_IA32_EFER, 0);
	cpu->nested.long_mode = false;
}

/* An exit of L1 with an instruction whose information is @info. */
static inline void play(u32 reason, u64 info, u64 qualification)
{
	stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, info);
	stub_exit(cpu, reason, qualification);
}

/* [RAX] in DS with 64-bit addresses; @reg2 in the instruction. */
static inline u64 info_at_rax(unsigned reg2)
{
	return 2 << 7 | 3 << 15 | PLAY_INFO_NO_INDEX | (u64)REG_RAX << 23 | (u64)reg2 << 28;
}

/* Registers only. */
static inline u64 info_regs(unsigned reg1, unsigned reg2)
{
	return reg1 << 3 | BIT(10) | (u64)reg2 << 28;
}

static inline const struct ev_insn *insn(void)
{
	return (const struct ev_insn *)last_event()->col;
}

/* An instruction with a 64-bit pointer in memory: VMXON, VMCLEAR, VMPTRLD. */
static inline void play_pointer(u32 reason, u64 pointer)
{
	memcpy(stub_at(PLAY_OPERAND), &pointer, sizeof(pointer));
	cpu->regs[REG_RAX] = PLAY_OPERAND;
	play(reason, info_at_rax(0), 0);
}

static inline void play_revision(u64 region, u32 revision)
{
	memcpy(stub_at(region), &revision, sizeof(revision));
}

/* INVEPT, INVVPID. */
static inline void play_invalidate(u32 reason, u64 type, u64 low, u64 high)
{
	const u64 descriptor[2] = { low, high };

	memcpy(stub_at(PLAY_OPERAND), descriptor, sizeof(descriptor));
	cpu->regs[REG_RAX] = PLAY_OPERAND;
	cpu->regs[REG_RCX] = type;
	play(reason, info_at_rax(REG_RCX), 0);
}

static inline void play_vmread(u64 encoding)
{
	cpu->regs[REG_RCX] = encoding;
	play(EXIT_VMREAD, info_regs(REG_RAX, REG_RCX), 0);
}

static inline void play_vmwrite(u64 encoding, u64 value)
{
	cpu->regs[REG_RCX] = encoding;
	cpu->regs[REG_RAX] = value;
	play(EXIT_VMWRITE, info_regs(REG_RAX, REG_RCX), 0);
}

static inline const char *field_name(u32 field)
{
	const int ix = vmcs_field_index(field);

	return ix < 0 ? "unknown" : vmcs_fields[ix].name;
}

/* The same, which must succeed. */
static inline void set12(u32 field, u64 value)
{
	play_vmwrite(field, value);
	assert_row(field_name(field), insn()->outcome, OUTCOME_SUCCEED);
}

static inline u64 get12(u32 field)
{
	return cpu->nested.current->field[vmcs_field_index(field)];
}

static inline void add12(u32 field, u64 more)
{
	set12(field, get12(field) | more);
}

/* --- States ----------------------------------------------------------------------------------- */

/* In VMX operation. */
static inline int play_vmxon(void **state)
{
	play_boot(state);
	play_revision(PLAY_VMXON, VMCS12_REVISION);
	play_revision(PLAY_VMCS, VMCS12_REVISION);
	play_revision(PLAY_VMCS2, VMCS12_REVISION);
	play_pointer(EXIT_VMXON, PLAY_VMXON);
	assert_int_equal(insn()->outcome, OUTCOME_SUCCEED);
	return 0;
}

/* With a current VMCS. */
static inline int play_vmptrld(void **state)
{
	play_vmxon(state);
	play_pointer(EXIT_VMCLEAR, PLAY_VMCS);
	play_pointer(EXIT_VMPTRLD, PLAY_VMCS);
	assert_int_equal(insn()->outcome, OUTCOME_SUCCEED);
	return 0;
}

static inline u64 must_be_1(enum vmx_word word)
{
	return vmx_caps_must_be_1(&cpu->nested.shown, word);
}

static const struct {
	u32 field;
	u64 value;
} play_good_state[] = {
	{ VMCS_VMCS_LINK_POINTER, ~0ull },
	{ VMCS_HOST_CR0, 0x80000031 },
	{ VMCS_HOST_CR3, PLAY_TABLES },
	{ VMCS_HOST_CR4, 0x2020 },
	{ VMCS_HOST_CS_SELECTOR, 0x10 },
	{ VMCS_HOST_SS_SELECTOR, 0x18 },
	{ VMCS_HOST_DS_SELECTOR, 0x18 },
	{ VMCS_HOST_TR_SELECTOR, 0x20 },
	{ VMCS_HOST_FS_BASE, 0x1111 },
	{ VMCS_HOST_GS_BASE, 0xffff800000002222 },
	{ VMCS_HOST_TR_BASE, 0x3333 },
	{ VMCS_HOST_GDTR_BASE, 0x4444 },
	{ VMCS_HOST_IDTR_BASE, 0x5555 },
	{ VMCS_HOST_RIP, PLAY_HOST_RIP },
	{ VMCS_HOST_RSP, 0x109000 },
	{ VMCS_HOST_IA32_EFER, 0x501 },
	{ VMCS_HOST_IA32_PAT, 0x0606060606060606 },
	{ VMCS_GUEST_CR0, 0x80000031 },
	{ VMCS_GUEST_CR4, 0x2020 },
	{ VMCS_GUEST_RIP, PLAY_L2_RIP },
	{ VMCS_GUEST_RFLAGS, 2 },
	{ VMCS_GUEST_IA32_PAT, 0x0007040600070406 },
	{ VMCS_GUEST_IA32_EFER, 0x500 },
	{ VMCS_GUEST_DR7, 0x400 },
};

/* The current VMCS can be entered: 64-bit L1, no EPT, no VPID. */
static inline void play_fill_vmcs(void)
{
	set12(VMCS_PIN_BASED_CONTROLS, must_be_1(VMX_WORD_PIN));
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      must_be_1(VMX_WORD_PRIMARY) | PRIMARY_SECONDARY_CONTROLS);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, 0);
	set12(VMCS_VM_EXIT_CONTROLS, must_be_1(VMX_WORD_EXIT) | EXIT_HOST_ADDRESS_SPACE_SIZE);
	set12(VMCS_VM_ENTRY_CONTROLS, must_be_1(VMX_WORD_ENTRY) | ENTRY_IA32E_MODE_GUEST);
	for (size_t i = 0; i < ARRAY_SIZE(play_good_state); i++)
		set12(play_good_state[i].field, play_good_state[i].value);
}

static inline int play_good_vmcs(void **state)
{
	play_vmptrld(state);
	play_fill_vmcs();
	return 0;
}

/* 1 to 1 for the first GiB of L2, in 4 KiB pages for the first 2 MiB. */
static inline u64 play_ept12(void)
{
	u64 *pml4 = stub_at(PLAY_EPT12), *pdpt = stub_at(PLAY_EPT12 + 0x1000);
	u64 *pd = stub_at(PLAY_EPT12 + 0x2000), *pt = stub_at(PLAY_EPT12 + 0x3000);

	pml4[0] = (PLAY_EPT12 + 0x1000) | 7;
	pdpt[0] = (PLAY_EPT12 + 0x2000) | 7;
	pd[0] = (PLAY_EPT12 + 0x3000) | 7;
	for (u64 i = 1; i < 512; i++)
		pd[i] = MIB(2) * i | 0xb7;
	for (u64 i = 0; i < 512; i++)
		pt[i] = i << 12 | 0x37;
	return PLAY_EPT12 | 3 << 3 | 6;
}

static inline int play_good_ept_vmcs(void **state)
{
	play_good_vmcs(state);
	set12(VMCS_SECONDARY_PROC_BASED_CONTROLS, SECONDARY_EPT | SECONDARY_VPID);
	set12(VMCS_EPT_POINTER, play_ept12());
	set12(VMCS_VPID, 5);
	return 0;
}

static inline void play_enter(u32 reason)
{
	play(reason, 0, 0);
}

/* L2 runs. */
static inline int play_l2(void **state)
{
	play_good_vmcs(state);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	return 0;
}

/* The same with other controls than a good VMCS has; or again, with other controls than before. */
static inline void play_with(u64 pin, u64 primary)
{
	set12(VMCS_PIN_BASED_CONTROLS, must_be_1(VMX_WORD_PIN) | pin);
	set12(VMCS_PRIMARY_PROC_BASED_CONTROLS,
	      must_be_1(VMX_WORD_PRIMARY) | PRIMARY_SECONDARY_CONTROLS | primary);
	play_enter(cpu->nested.current->launched ? EXIT_VMRESUME : EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

static inline int play_l2_with_ept(void **state)
{
	play_good_ept_vmcs(state);
	play_enter(EXIT_VMLAUNCH);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
	return 0;
}

/* L1, before it enters L2, leaves all MSRs to it. */
static inline void play_give_msrs(void)
{
	add12(VMCS_PRIMARY_PROC_BASED_CONTROLS, PRIMARY_MSR_BITMAPS);
	set12(VMCS_MSR_BITMAP, PLAY_PAGE);
}

/* L2 writes one of them, and from then on writes others without an exit. */
static inline void play_l2_writes_msrs(void)
{
	cpu->regs[REG_RCX] = MSR_STAR;
	stub_exit(cpu, EXIT_WRMSR, 0);
	assert_int_equal(cpu->nested.mode, NESTED_L2);
}

/* Whether an access of L2 to MSR @index, below 2000H, exits, by the bitmap of VMCS02. */
static inline bool play_msr_exits(u32 index, bool write)
{
	const u8 *bitmap = (const u8 *)stub_at(vmread(VMCS_MSR_BITMAP)) + (write ? 2048 : 0);

	return bitmap[index / 8] >> index % 8 & 1;
}

/* L1 has the last exit. */
static inline bool l1_got(u32 reason)
{
	return cpu->nested.mode == NESTED_ROOT && last_event()->kind == EV_L2_EXIT &&
	       last_event()->col[0] == reason && get12(VMCS_EXIT_REASON) == reason;
}

#endif
