#include "tests/hv/nested_play.h"

#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14
#define CODE64	  0xa09b
#define CODE32	  0xc09b
#define DATA32	  0xc093
#define READ_ONLY 0xc091
#define EXPAND	  0xc097 /* down, writable, 32-bit */
#define EXPAND16  0x8097 /* down, writable, 16-bit */
#define EXEC_ONLY 0xc099
#define UNUSABLE  0x10000

enum { ES, CS, SS, DS, FS, GS };

/* The instruction-information word of a memory operand. */
#define INFO(scale, size, segment, index, base) \
	((scale) | (size) << 7 | (segment) << 15 | (index) << 18 | (u64)(base) << 23)
#define NO_INDEX (PLAY_INFO_NO_INDEX >> 18)
#define NO_BASE	 (PLAY_INFO_NO_BASE >> 23)

static void set_segment(unsigned segment, u64 base, u64 limit, u64 rights)
{
	vmwrite(VMCS_GUEST_ES_BASE + 2 * segment, base);
	vmwrite(VMCS_GUEST_ES_LIMIT + 2 * segment, limit);
	vmwrite(VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * segment, rights);
}

/* VMPTRST writes to the operand: where did it go? */
static const struct ev_vmptrst *play_store(u64 info, u64 displacement)
{
	play(EXIT_VMPTRST, info, displacement);
	return (const struct ev_vmptrst *)last_event()->col;
}

static void addresses_are_made_of_base_index_scale_and_displacement(void **state)
{
	static const struct {
		const char *name;
		u64 info, displacement, linear;
	} rows[] = {
		{ "displacement", INFO(0, 2, DS, NO_INDEX, NO_BASE), 0x300000, 0x300000 },
		{ "base", INFO(0, 2, DS, NO_INDEX, REG_RBX), 0, 0x301000 },
		{ "base and displacement", INFO(0, 2, DS, NO_INDEX, REG_RBX), -8ull, 0x300ff8 },
		{ "index * 1", INFO(0, 2, DS, REG_RSI, REG_RBX), 0, 0x301010 },
		{ "index * 2", INFO(1, 2, DS, REG_RSI, REG_RBX), 0, 0x301020 },
		{ "index * 4", INFO(2, 2, DS, REG_RSI, REG_RBX), 0, 0x301040 },
		{ "index * 8", INFO(3, 2, DS, REG_RSI, REG_RBX), 8, 0x301088 },
		{ "index alone", INFO(3, 2, DS, REG_RSI, NO_BASE), 0x300000, 0x300080 },
		{ "stack pointer", INFO(0, 2, SS, NO_INDEX, REG_RSP), 8, 0x302008 },
		{ "r15", INFO(0, 2, DS, NO_INDEX, REG_R15), 0, 0x303000 },
		{ "32-bit address", INFO(0, 1, DS, NO_INDEX, REG_RDI), 0x10, 0x304010 },
		{ "32-bit wrap", INFO(0, 1, DS, REG_RSI, REG_RDX), 0x304000, 0x304000 },
		{ "fs", INFO(0, 2, FS, NO_INDEX, REG_RBX), 0, 0x301100 },
		{ "gs", INFO(0, 2, GS, NO_INDEX, REG_RBX), 0, 0x301200 },
		{ "fs, 32-bit address", INFO(0, 1, FS, NO_INDEX, REG_RDI), 0, 0x304100 },
		{ "es base is 0", INFO(0, 2, ES, NO_INDEX, REG_RBX), 0, 0x301000 },
		{ "cs base is 0", INFO(0, 2, CS, NO_INDEX, REG_RBX), 0, 0x301000 },
	};

	(void)state;
	cpu->regs[REG_RBX] = 0x301000;
	cpu->regs[REG_RSI] = 0x10;
	cpu->regs[REG_R15] = 0x303000;
	cpu->regs[REG_RDI] = 0xffffffff00304000;
	cpu->regs[REG_RDX] = 0xfffffff0;
	vmwrite(VMCS_GUEST_RSP, 0x302000);
	set_segment(ES, 0x1000, 0, UNUSABLE);
	vmwrite(VMCS_GUEST_CS_BASE, 0x1000);
	set_segment(FS, 0x100, 0, UNUSABLE);
	set_segment(GS, 0x200, 0, UNUSABLE);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct ev_vmptrst *event = play_store(rows[i].info, rows[i].displacement);
		u64 stored = 0;

		assert_row(rows[i].name, event->outcome, OUTCOME_SUCCEED);
		assert_row(rows[i].name, event->linear, rows[i].linear);
		assert_row(rows[i].name, event->gpa, rows[i].linear);
		memcpy(&stored, stub_at(rows[i].linear), sizeof(stored));
		assert_row(rows[i].name, stored, PLAY_VMCS);
		memset(stub_at(rows[i].linear), 0, sizeof(stored));
	}
}

static void addresses_that_are_not_canonical_fault(void **state)
{
	static const struct {
		const char *name;
		u64 info, address;
		unsigned vector;
	} rows[] = {
		{ "ds", INFO(0, 2, DS, NO_INDEX, REG_RBX), 0x0000800000000000, VECTOR_GP },
		{ "ss", INFO(0, 2, SS, NO_INDEX, REG_RBX), 0x0000800000000000, VECTOR_SS },
		{ "last byte", INFO(0, 2, DS, NO_INDEX, REG_RBX), 0x00007ffffffffffc, VECTOR_GP },
		{ "by the base of fs", INFO(0, 2, FS, NO_INDEX, REG_RBX), 0x00007fffffffff00,
		  VECTOR_GP },
	};

	(void)state;
	set_segment(FS, 0x100, 0, UNUSABLE);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cpu->regs[REG_RBX] = rows[i].address;
		assert_row(rows[i].name, play_store(rows[i].info, 0)->outcome, OUTCOME_FAULT);
		assert_row(rows[i].name, insn()->error, rows[i].vector);
		assert_row(rows[i].name, insn()->fault_code, 0);
		assert_true(stub_injects(rows[i].vector));
	}
}

/* L1 in protected mode without paging. */
static int play_protected(void **state)
{
	play_vmptrld(state);
	play_legacy_mode();
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) & ~CR0_PG);
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, CODE32);
	return 0;
}

static void segments_matter_outside_64_bit_mode(void **state)
{
	static const struct {
		const char *name;
		u64 info, offset;
		u64 base, limit, rights;
		u64 linear;
		unsigned vector; /* 0: none */
	} rows[] = {
		{ "base", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0x1000, 0x300000, 0xffffffff, DATA32,
		  0x301000, 0 },
		{ "base wraps", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0x302000, 0xfffff000, 0xffffffff,
		  DATA32, 0x301000, 0 },
		{ "16-bit address", INFO(0, 0, DS, NO_INDEX, REG_RBX), 0x51000, 0x300000, 0xffff,
		  DATA32, 0x301000, 0 },
		{ "at the limit", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0xff8, 0x300000, 0xfff, DATA32,
		  0x300ff8, 0 },
		{ "beyond the limit", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0xff9, 0x300000, 0xfff,
		  DATA32, 0, VECTOR_GP },
		{ "stack beyond the limit", INFO(0, 1, SS, NO_INDEX, REG_RBX), 0xff9, 0x300000,
		  0xfff, DATA32, 0, VECTOR_SS },
		{ "offset wraps", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0xfffffffc, 0x300000,
		  0xffffffff, DATA32, 0, VECTOR_GP },
		{ "unusable", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0, 0x300000, 0xffffffff,
		  DATA32 | UNUSABLE, 0, VECTOR_GP },
		{ "read-only", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0, 0x300000, 0xffffffff,
		  READ_ONLY, 0, VECTOR_GP },
		{ "code", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0, 0x300000, 0xffffffff, CODE32, 0,
		  VECTOR_GP },
		{ "expand-down, above", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0x1000, 0x300000, 0xfff,
		  EXPAND, 0x301000, 0 },
		{ "expand-down, below", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0xfff, 0x300000, 0xfff,
		  EXPAND, 0, VECTOR_GP },
		{ "expand-down, 16-bit top", INFO(0, 1, DS, NO_INDEX, REG_RBX), 0xfff9, 0x300000,
		  0xfff, EXPAND16, 0, VECTOR_GP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const unsigned segment = (unsigned)BITS(rows[i].info, 17, 15);
		const struct ev_vmptrst *event;

		set_segment(segment, rows[i].base, rows[i].limit, rows[i].rights);
		cpu->regs[REG_RBX] = rows[i].offset;
		event = play_store(rows[i].info, 0);
		assert_row(rows[i].name, event->outcome,
			   rows[i].vector ? OUTCOME_FAULT : OUTCOME_SUCCEED);
		assert_row(rows[i].name, event->linear, rows[i].linear);
		assert_row(rows[i].name, event->error, rows[i].vector);
	}
}

static void code_segments_can_be_read_if_they_say_so(void **state)
{
	(void)state;
	play_revision(0x301000, VMCS12_REVISION);
	set_segment(CS, 0x300000, 0xffffffff, CODE32);
	cpu->regs[REG_RBX] = 0x1000;
	play(EXIT_VMCLEAR, INFO(0, 1, CS, NO_INDEX, REG_RBX), 0);
	assert_u64(insn()->outcome, OUTCOME_FAIL_VALID); /* it read the revision as an address */
	set_segment(CS, 0x300000, 0xffffffff, EXEC_ONLY);
	play(EXIT_VMCLEAR, INFO(0, 1, CS, NO_INDEX, REG_RBX), 0);
	assert_u64(insn()->outcome, OUTCOME_FAULT);
	assert_u64(insn()->error, VECTOR_GP);
}

static void page_faults_tell_address_and_access(void **state)
{
	u64 *pdpt = stub_at(PLAY_TABLES + 0x1000);

	(void)state;
	pdpt[1] = GIB(1) | 0xe1; /* read-only; CR0.WP decides */
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) | BIT(16));
	cpu->regs[REG_RBX] = GIB(1) + 0x10;
	play_store(INFO(0, 2, DS, NO_INDEX, REG_RBX), 0);
	assert_u64(insn()->outcome, OUTCOME_FAULT);
	assert_u64(insn()->error, VECTOR_PF);
	assert_u64(insn()->fault_code, 3);
	assert_u64(insn()->cr2, GIB(1) + 0x10);
	assert_true(stub_injects(VECTOR_PF));
	assert_u64(vmread(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE), 3);
	assert_u64(vmread(VMCS_GUEST_RIP), last_event()->rip);
}

static void an_operand_may_cross_into_the_next_page(void **state)
{
	u64 *pml4 = stub_at(PLAY_TABLES), *pdpt = stub_at(PLAY_TABLES + 0x1000);
	u64 *pd = stub_at(PLAY_TABLES + 0x2000), *pt = stub_at(PLAY_TABLES + 0x3000);
	const u64 pointer = PLAY_VMCS2;

	(void)state;
	(void)pml4;
	pdpt[3] = (PLAY_TABLES + 0x2000) | 0x63;
	pd[0] = (PLAY_TABLES + 0x3000) | 0x63;
	pt[0] = 0x300000 | 0x63;
	pt[1] = 0x310000 | 0x63;
	memcpy(stub_at(0x300ffc), &pointer, 4);
	memcpy(stub_at(0x310000), (const u8 *)&pointer + 4, 4);
	cpu->regs[REG_RBX] = GIB(3) + 0xffc;
	play(EXIT_VMPTRLD, INFO(0, 2, DS, NO_INDEX, REG_RBX), 0);
	assert_u64(insn()->outcome, OUTCOME_SUCCEED);
	assert_u64(cpu->nested.current_pointer, PLAY_VMCS2);

	/* The second page is not there: its address is in CR2, and nothing was written. */
	pt[1] = 0;
	memset(stub_at(0x300ffc), 0x55, 4);
	play_store(INFO(0, 2, DS, NO_INDEX, REG_RBX), 0);
	assert_u64(insn()->outcome, OUTCOME_FAULT);
	assert_u64(insn()->cr2, GIB(3) + 0x1000);
	assert_u64(*(u8 *)stub_at(0x300ffc), 0x55);
}

static void pointers_in_registers_are_undefined(void **state)
{
	static const u32 reasons[] = { EXIT_VMCLEAR, EXIT_VMPTRLD, EXIT_VMPTRST, EXIT_INVEPT,
				       EXIT_INVVPID };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		cpu->regs[REG_RCX] = 2;
		play(reasons[i], info_regs(REG_RAX, REG_RCX), 0);
		assert_row(vmx_exit_name(reasons[i]), insn()->outcome, OUTCOME_FAULT);
		assert_row(vmx_exit_name(reasons[i]), insn()->error, 6);
	}
}

static void what_is_not_ram_reads_as_ones(void **state)
{
	(void)state;
	cpu->regs[REG_RBX] = PLAY_MEMORY - MIB(2); /* hv's */
	memset(stub_at(PLAY_MEMORY - MIB(2)), 0x11, 8);
	play(EXIT_VMPTRLD, INFO(0, 2, DS, NO_INDEX, REG_RBX), 0);
	assert_u64(((const struct ev_vmptrld *)insn())->pointer, ~0ull);
	assert_u64(insn()->error, VMERR_VMPTRLD_ADDRESS);
	play_store(INFO(0, 2, DS, NO_INDEX, REG_RBX), 0);
	assert_u64(insn()->outcome, OUTCOME_SUCCEED);
	assert_u64(*(u8 *)stub_at(PLAY_MEMORY - MIB(2)), 0x11);
}

static void vmread_to_memory_stores_as_much_as_the_mode_says(void **state)
{
	u64 stored;

	(void)state;
	set12(VMCS_TSC_OFFSET, 0x1122334455667788);
	memset(stub_at(PLAY_OPERAND), 0xee, 16);
	cpu->regs[REG_RAX] = PLAY_OPERAND;
	cpu->regs[REG_RCX] = VMCS_TSC_OFFSET;
	play(EXIT_VMREAD, info_at_rax(REG_RCX), 0);
	memcpy(&stored, stub_at(PLAY_OPERAND), sizeof(stored));
	assert_u64(stored, 0x1122334455667788);

	play_legacy_mode();
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) & ~CR0_PG);
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, CODE32);
	memset(stub_at(PLAY_OPERAND), 0xee, 16);
	play(EXIT_VMREAD, (info_at_rax(REG_RCX) & ~(7ull << 7)) | 1 << 7, 0);
	memcpy(&stored, stub_at(PLAY_OPERAND), sizeof(stored));
	assert_u64(stored, 0xeeeeeeee55667788);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(play_vmptrld, addresses_are_made_of_base_index_scale_and_displacement),
		IN(play_vmptrld, addresses_that_are_not_canonical_fault),
		IN(play_protected, segments_matter_outside_64_bit_mode),
		IN(play_protected, code_segments_can_be_read_if_they_say_so),
		IN(play_vmptrld, page_faults_tell_address_and_access),
		IN(play_vmptrld, an_operand_may_cross_into_the_next_page),
		IN(play_vmptrld, pointers_in_registers_are_undefined),
		IN(play_vmptrld, what_is_not_ram_reads_as_ones),
		IN(play_vmptrld, vmread_to_memory_stores_as_much_as_the_mode_says),
	};

	return cmocka_run_group_tests_name("hv/nested/operand", tests, NULL, NULL);
}
