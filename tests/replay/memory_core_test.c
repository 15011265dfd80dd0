#include "tests/test.h"

#include "replay/memory.h"
#include "replay/memory_core.h"
#include "replay/memory_state.h"
#include "replay/registers_core.h"
#include "tests/replay/dialogue.h"

#define N 500

static char folder[] = "/tmp/vmxtape-memory-core-XXXXXX";
static char tape[64], core[64];

static int make_tape(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(tape, sizeof(tape), "%s/t.vxt", folder);
	assert_true(memory_core_path(tape, N, core, sizeof(core)));
	dialogue_record(tape, 1, 2000, 200, 1);
	return 0;
}

static int remove_tape(void **state)
{
	(void)state;
	unlink(tape);
	unlink(core);
	return rmdir(folder);
}

static struct timeline *open_tape(void)
{
	struct timeline *timeline;
	char error[256];

	if (timeline_open(tape, &timeline, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	return timeline;
}

static void write_core(const char *head, u64 address, const u8 *bytes, u64 size)
{
	const struct core_range range = { address, size, bytes };

	assert_int_equal(core_file_write(core, head, &range, 1), ST_OK);
}

static size_t read_at(struct timeline *timeline, u64 n, u64 address, u8 *to, size_t size)
{
	assert_int_equal(timeline_seek(timeline, n), ST_OK);
	return memory_read(timeline, 0, MEMORY_L1_PHYSICAL, address, to, size);
}

static void memory_is_known_at_its_moment_alone(void **state)
{
	struct timeline *const timeline = open_tape();
	u8 bytes[5000], back[6000];
	char head[80];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 7);
	memory_core_head(timeline_reader(timeline), N, head, sizeof(head));
	write_core(head, 0x500000, bytes, sizeof(bytes));
	assert_int_equal(read_at(timeline, N, 0x500000, back, sizeof(back)), sizeof(bytes));
	assert_memory_equal(back, bytes, sizeof(bytes));
	assert_int_equal(read_at(timeline, N, 0x600000, back, 8), 0);
	assert_int_equal(read_at(timeline, N + 1, 0x500000, back, 8), 0);
	assert_int_equal(read_at(timeline, N, 0x500001, back, 8), 8);
	assert_memory_equal(back, bytes + 1, 8);
	timeline_close(timeline);
}

static u64 stack_at(struct timeline *timeline, u64 n)
{
	struct registers registers;

	assert_int_equal(timeline_seek(timeline, n), ST_OK);
	registers_at(timeline, 0, 1, &registers);
	return registers.stack;
}

static void its_stack_is_that_of_the_moment(void **state)
{
	struct timeline *const timeline = open_tape();
	char head[80];

	(void)state;
	memory_core_head(timeline_reader(timeline), N, head, sizeof(head));
	write_core(head, 0x500000, (const u8 *)"", 1);
	assert_u64(stack_at(timeline, N), ~0ull);
	assert_u64(stack_at(timeline, N + 1), 0);
	timeline_close(timeline);
}

/* Memory is its address, in bytes. */
static size_t read_made_up(void *owner, u64 address, void *to, size_t size)
{
	(void)owner;
	if (address >= 0x1000000)
		return 0;
	memset(to, (int)(address >> 16), size);
	return size;
}

static const char *made_up_registers(void *owner)
{
	(void)owner;
	return "rip: 00000000_00001234\nCR0=0x80010013: PG\nEFER=0x00000500: ffxsr\n";
}

static void a_machine_tells_of_the_level_that_runs(void **state)
{
	const struct memory_machine machine = { .level = 1,
						.read = read_made_up,
						.registers = made_up_registers };
	struct timeline *const timeline = open_tape();
	struct registers registers;
	u8 back[8];
	u64 value;

	(void)state;
	memory_state_set_machine(timeline, &machine);
	assert_int_equal(read_at(timeline, N, 0x420000, back, 8), 8);
	assert_u64(back[7], 0x42);
	assert_int_equal(read_at(timeline, N, 0x1000000, back, 8), 0);
	registers_at(timeline, 0, 1, &registers);
	assert_true(registers.runs);
	assert_u64(registers.stack, ~0ull);
	assert_true(register_known(&registers, REGISTER_RIP, &value));
	assert_u64(value, 0x1234);
	/* What is not in the text is not known, whatever the event at the cursor tells. */
	assert_u64(registers.reg[REGISTER_CR3].known, 0);
	registers_at(timeline, 0, 2, &registers);
	assert_false(registers.runs);
	memory_state_set_machine(timeline, NULL);
	assert_int_equal(read_at(timeline, N, 0x420000, back, 8), 0);
	timeline_close(timeline);
}

static void one_of_another_tape_or_moment_does_not_count(void **state)
{
	struct timeline *timeline;
	u8 bytes[100] = { 1 }, back[8];
	char head[80];

	(void)state;
	timeline = open_tape();
	memory_core_head(timeline_reader(timeline), N + 1, head, sizeof(head));
	write_core(head, 0, bytes, sizeof(bytes));
	assert_int_equal(read_at(timeline, N, 0, back, 8), 0);
	timeline_close(timeline);
	timeline = open_tape();
	write_core("tape 12345678\nn 500\n", 0, bytes, sizeof(bytes));
	assert_int_equal(read_at(timeline, N, 0, back, 8), 0);
	timeline_close(timeline);
}

static void registers_are_those_of_the_note(void **state)
{
	static const char note[] = "rax: 00000001_00000002\nr8 : 00000000_00000007\n"
				   "rip: 00000000_00001234\neflags 0x00000046: id vip\n"
				   "cs:0x0010, dh=0x00af9b00, dl=0x0000ffff, valid=1\n"
				   "fs:0x0000, dh=0x00000000, dl=0x00000000, valid=0\n"
				   "CR0=0x80010033: PG\nCR3=0x000001415000\n"
				   "CR4=0x00002020: pks\nEFER=0x00000500: ffxsr\n";
	static const struct {
		enum register_name reg;
		u64 value, known;
	} rows[] = {
		{ REGISTER_RAX, 0x100000002, ~0ull },
		{ REGISTER_R8, 7, ~0ull },
		{ REGISTER_RIP, 0x1234, ~0ull },
		{ REGISTER_RFLAGS, 0x46, ~0ull },
		{ REGISTER_CR3, 0x1415000, ~0ull },
		{ REGISTER_CR0, 0x80010013, ~BIT(5) },
		{ REGISTER_CR4, 0x20, ~BIT(13) },
		{ REGISTER_EFER, 0x500, ~0ull },
		{ REGISTER_CS, 0x10, ~0ull },
		{ REGISTER_CS_RIGHTS, 0xa09b, ~0ull },
		{ REGISTER_FS_RIGHTS, BIT(16), ~0ull },
		/* In 64-bit mode Bochs does not print all of a base. */
		{ REGISTER_CS_LIMIT, 0xffffffff, ~0ull },
		{ REGISTER_CS_BASE, 0, 0 },
	};
	const struct core_range range = { 0, 1, (const u8 *)"" };
	struct registers registers = { .seen = MEMORY_NEVER };
	struct core_file *file;

	(void)state;
	assert_int_equal(core_file_write(core, note, &range, 1), ST_OK);
	assert_int_equal(core_file_open(core, &file), ST_OK);
	registers_from_text(core_file_note(file), 1, N, &registers);
	core_file_close(file);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct word *const word = &registers.reg[rows[i].reg];

		assert_row(register_info(rows[i].reg)->name, word->known, rows[i].known);
		assert_row(register_info(rows[i].reg)->name, word->value & word->known,
			   rows[i].value);
	}
	assert_u64(registers.reg[REGISTER_RBX].known, 0);
	assert_u64(registers.seen, N);
}

static u64 rax_of(struct timeline *timeline, u16 cpu, unsigned level)
{
	struct registers registers;
	u64 value = 0;

	registers_at(timeline, cpu, level, &registers);
	return register_known(&registers, REGISTER_RAX, &value) ? value : 0;
}

static void each_processor_has_the_registers_of_its_part(void **state)
{
	struct timeline *timeline;
	char path[64], file[64], head[80], note[400], error[256];
	const struct trace_event *event;
	u16 other;

	(void)state;
	snprintf(path, sizeof(path), "%s/2.vxt", folder);
	dialogue_record(path, 2, 2000, 200, 1);
	assert_int_equal(timeline_open(path, &timeline, error, sizeof(error)), ST_OK);
	assert_int_equal(timeline_seek(timeline, N), ST_OK);
	event = timeline_event(timeline);
	other = 1 - event->cpu;
	memory_core_head(timeline_reader(timeline), N, head, sizeof(head));
	snprintf(note, sizeof(note),
		 "%srax: 0_1\nrip: 0_1\n" MEMORY_CORE_CPU "%u\nrax: 0_2\nrip: 0_2\n", head, other);
	assert_true(memory_core_path(path, N, file, sizeof(file)));
	assert_int_equal(
		core_file_write(file, note, &(struct core_range){ 0, 1, (const u8 *)"" }, 1),
		ST_OK);
	assert_int_equal(timeline_seek(timeline, N + 1), ST_OK);
	assert_int_equal(timeline_seek(timeline, N), ST_OK);
	event = timeline_event(timeline);
	assert_u64(rax_of(timeline, event->cpu, event->level), 1);
	assert_u64(rax_of(timeline, other, 1) + rax_of(timeline, other, 2), 2);
	timeline_close(timeline);
	unlink(path);
	unlink(file);
}

static void bases_and_tables_are_told_outside_of_64_bit_mode(void **state)
{
	static const char text[] = "rip: 00000000_00001234\n"
				   "cs:0xf000, dh=0x0000930f, dl=0x0000ffff, valid=1\n"
				   "\tData segment, base=0x000f0000, limit=0x0000ffff\n"
				   "ds:0x0018, dh=0x12cf9334, dl=0x56780fff, valid=1\n"
				   "ldtr:0x0000, dh=0x00008200, dl=0x0000ffff, valid=1\n"
				   "gdtr:base=0x0000000001016660, limit=0x47\n"
				   "idtr:base=0x000000000141a100, limit=0xfff\n"
				   "EFER=0x00000000: ffxsr\nDR7=0x00000400: DR3\n";
	static const struct {
		enum register_name reg;
		u64 value;
	} rows[] = {
		{ REGISTER_CS_BASE, 0xf0000 },
		{ REGISTER_CS_LIMIT, 0xffff },
		{ REGISTER_DS_BASE, 0x12345678 },
		{ REGISTER_DS_LIMIT, 0xf0fff << 12 | 0xfff },
		{ REGISTER_LDTR, 0 },
		{ REGISTER_LDTR_LIMIT, 0xffff },
		{ REGISTER_GDTR_BASE, 0x1016660 },
		{ REGISTER_GDTR_LIMIT, 0x47 },
		{ REGISTER_IDTR_BASE, 0x141a100 },
		{ REGISTER_IDTR_LIMIT, 0xfff },
		{ REGISTER_DR7, 0x400 },
	};
	struct registers registers = { .seen = MEMORY_NEVER };

	(void)state;
	registers_from_text(text, 1, N, &registers);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 value;

		assert_row(register_info(rows[i].reg)->name,
			   register_known(&registers, rows[i].reg, &value), true);
		assert_row(register_info(rows[i].reg)->name, value, (u32)rows[i].value);
	}
}

static void what_l1_sees_of_cr0_and_cr4_is_told(void **state)
{
	static const char text[] =
		"rip: 00000000_00001234\nCR0=0x80010033: PG\nCR4=0x00002020: pks\n"
		"EFER=0x00000500: ffxsr\ncs.base=0x123456789\n"
		"cr0.mask=0x80000021\ncr0.shadow=0x80010013\ncr4.mask=0x2000\n"
		"cr4.shadow=0x20\n";
	struct registers of_l1 = { .seen = MEMORY_NEVER }, of_l2 = { .seen = MEMORY_NEVER };
	u64 value;

	(void)state;
	registers_from_text(text, 1, N, &of_l1);
	assert_true(register_known(&of_l1, REGISTER_CR0, &value));
	assert_u64(value, 0x80010013);
	assert_true(register_known(&of_l1, REGISTER_CR4, &value));
	assert_u64(value, 0x20);
	assert_true(register_known(&of_l1, REGISTER_CS_BASE, &value));
	assert_u64(value, 0x123456789);
	registers_from_text(text, 2, N, &of_l2);
	assert_false(register_known(&of_l2, REGISTER_CR0, &value));
	assert_u64(of_l2.reg[REGISTER_CR4].known, ~BIT(13));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_known_at_its_moment_alone),
		cmocka_unit_test(its_stack_is_that_of_the_moment),
		cmocka_unit_test(a_machine_tells_of_the_level_that_runs),
		cmocka_unit_test(one_of_another_tape_or_moment_does_not_count),
		cmocka_unit_test(registers_are_those_of_the_note),
		cmocka_unit_test(each_processor_has_the_registers_of_its_part),
		cmocka_unit_test(what_l1_sees_of_cr0_and_cr4_is_told),
		cmocka_unit_test(bases_and_tables_are_told_outside_of_64_bit_mode),
	};

	return cmocka_run_group_tests_name("replay/memory_core", tests, make_tape, remove_tape);
}
