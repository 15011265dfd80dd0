#include "tests/cli/verb_run.h"
#include "tests/replay/memory_tape.h"

#define CR3 0x3000

static char at[32];

/* One instruction of L1 with tables, code and a stack at linear 0x7ff8; @at is its position. */
static void make_tape(void)
{
	struct memory_tape *const tape = memory_tape_start();

	memory_put(tape, CR3, 0x4067);
	memory_put(tape, 0x4000, 0x5067);
	memory_put(tape, 0x5000, 0x6067);
	memory_put(tape, 0x6028, 0x9067); /* 5000h, where RSP is */
	memory_put(tape, 0x9550, 0x4847464544434241);
	memory_put(tape, 0x9560, 0xff);
	snprintf(at, sizeof(at), "@%llu", (unsigned long long)memory_insn(tape, &memory_64, CR3));
	timeline_close(memory_tape_end(tape));
}

static void mem_marks_what_is_unknown(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(mem, at, "rsp,24", QUERY_TAPE), EXIT_CLEAN);
	assert_printed("0000000000005550  41 42 43 44 45 46 47 48 ?? ?? ?? ?? ?? ?? ?? ??  "
		       "|ABCDEFGH????????|  @c0:");
	assert_printed("0000000000005560  ff 00 00 00 00 00 00 00 ");
	assert_int_equal(VERB(mem, at, "0x9553,2", "--space", "l1p", QUERY_TAPE), EXIT_CLEAN);
	assert_printed("          44 45 ");
	assert_int_equal(VERB(mem, at, "0x6000", QUERY_TAPE), EXIT_CLEAN);
	assert_printed("0x6000: the last entry is not on the tape");
	assert_int_equal(VERB(mem, at, "rsp,24", "--json", QUERY_TAPE), EXIT_CLEAN);
	assert_printed(
		"\"space\":\"l1\",\"address\":\"0x5550\",\"length\":24,\"known\":16,\"runs\":[{"
		"\"address\":\"0x5550\",\"bytes\":\"4142434445464748\",\"seen\":\"@c0:");
}

static void walk_shows_every_level(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(walk, at, "rsp", QUERY_TAPE), EXIT_CLEAN);
	assert_printed("PML4E        gpa1 0x3000");
	assert_printed("PTE          gpa1 0x6028                           0x0000000000009067  "
		       "write user accessed dirty page  @c0:");
	assert_printed("l1 0x5550: gpa1 0x9550, in 4 KiB, tables: read write user execute");
	assert_int_equal(VERB(walk, at, "0x6000", QUERY_TAPE), EXIT_CLEAN);
	assert_printed("PTE          gpa1 0x6030                           ?");
	assert_printed("l1 0x6000: the last entry is not on the tape");
	assert_int_equal(VERB(walk, at, "0x6000", "--space", "l2", QUERY_TAPE), EXIT_CLEAN);
	assert_printed("l2 0x6000: cr0 is unknown here");
	assert_int_equal(VERB(walk, at, "rsp", "-j", QUERY_TAPE), EXIT_CLEAN);
	assert_printed("\"end\":\"mapped\",\"steps\":[{\"table\":\"l1\",\"level\":4,");
	assert_printed("\"gpa1\":\"0x9550\",\"page_size\":\"0x1000\",\"write\":true,\"user\":true,"
		       "\"execute\":true}");
}

static void regs_shows_what_is_known(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(regs, at, QUERY_TAPE), EXIT_CLEAN);
	assert_printed("L1 at @c0:");
	assert_printed("rsp          0x5550");
	assert_printed("cr3          0x3000");
	assert_printed("cs_rights    0x2000 of 0x6000");
	assert_not_printed("gs_base");
	assert_int_equal(VERB(regs, at, "--level", "2", QUERY_TAPE), EXIT_CLEAN);
	assert_printed("which does not run");
	assert_printed("rax          ?");
	assert_int_equal(VERB(regs, at, "--json", QUERY_TAPE), EXIT_CLEAN);
	assert_printed("\"level\":1,\"runs\":true,\"seen\":\"@c0:");
	assert_printed("\"rsp\":\"0x5550\"");
	assert_not_printed("gs_base");
}

static void wrong_words_are_named(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(mem, at, QUERY_TAPE), EXIT_USAGE);
	assert_int_equal(VERB(mem, at, "nowhere", QUERY_TAPE), EXIT_USAGE);
	assert_printed("'nowhere' is no address");
	assert_int_equal(VERB(mem, at, "rsp,100K", QUERY_TAPE), EXIT_USAGE);
	assert_printed("'100K' is no length");
	assert_int_equal(VERB(mem, at, "0xfffffffffffffff8,64", QUERY_TAPE), EXIT_USAGE);
	assert_printed("beyond the last address");
	assert_int_equal(VERB(mem, at, "rsp", "--space", "l3", QUERY_TAPE), EXIT_USAGE);
	assert_printed("'l3' is no space");
	assert_int_equal(VERB(mem, at, "gs_base", QUERY_TAPE), EXIT_USAGE);
	assert_printed("gs_base of L1 is unknown at @c0:");
	assert_int_equal(VERB(walk, "0x1000", QUERY_TAPE), EXIT_USAGE);
	assert_printed("which moment?");
	assert_int_equal(VERB(regs, at, "--level", "3", QUERY_TAPE), EXIT_USAGE);
	assert_printed("'3' is no level");
}

static void scrub_says_what_it_did(void **state)
{
	(void)state;
	make_tape();
	assert_int_equal(VERB(scrub, QUERY_TAPE, "-o", "s.vxt"), EXIT_CLEAN);
	assert_printed("48 bytes removed");
	assert_int_equal(VERB(mem, at, "rsp", "s.vxt"), EXIT_USAGE);
	assert_printed("rsp of L1 is unknown");
	assert_int_equal(VERB(mem, at, "0x9550", "--space", "l1p", "s.vxt"), EXIT_CLEAN);
	assert_printed("the tape has no memory: record with --hv capture=default");
	assert_int_equal(VERB(scrub, QUERY_TAPE, "-o", QUERY_TAPE), EXIT_USAGE);
	assert_printed("is the tape itself");
	assert_int_equal(VERB(scrub, QUERY_TAPE), EXIT_USAGE);
	assert_printed("where to?");
	remove("s.vxt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mem_marks_what_is_unknown),
		cmocka_unit_test(walk_shows_every_level),
		cmocka_unit_test(regs_shows_what_is_known),
		cmocka_unit_test(wrong_words_are_named),
		cmocka_unit_test(scrub_says_what_it_did),
	};
	return cmocka_run_group_tests_name("cli/memory", tests, query_tape_folder,
					   query_tape_remove);
}
