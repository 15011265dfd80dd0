#include "tests/gdbstub/mock_target.h"

static struct mock mock;

#define KNOWS_ALL "qSupported:multiprocess+;swbreak+;hwbreak+"

/* Without acknowledgements, with processes. */
static int set_up(void **state)
{
	(void)state;
	mock_start(&mock);
	mock_ask(&mock, KNOWS_ALL);
	mock_ask(&mock, "QStartNoAckMode");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gdb_session_stop(&mock.session);
	return 0;
}

/* The answer, without its frame, is @expected. */
static void assert_answer(const char *payload, const char *expected)
{
	const char *const sent = mock_ask(&mock, payload);
	const size_t length = strlen(expected);

	if (*sent != '$' || strncmp(sent + 1, expected, length) != 0 || sent[1 + length] != '#')
		fail_msg("'%s' was answered by '%s', not '%s'", payload, sent, expected);
}

static void assert_begins(const char *payload, const char *expected)
{
	const char *const sent = mock_ask(&mock, payload);

	if (*sent != '$' || strncmp(sent + 1, expected, strlen(expected)) != 0)
		fail_msg("'%s' was answered by '%s', not '%s...'", payload, sent, expected);
}

static void assert_answer_has(const char *payload, const char *part)
{
	const char *const sent = mock_ask(&mock, payload);

	if (!strstr(sent, part))
		fail_msg("'%s' was answered by '%s', without '%s'", payload, sent, part);
}

static void simple_packets_are_answered(void **state)
{
	static const struct {
		const char *packet;
		const char *answer;
	} rows[] = {
		{ "qC", "QCp1.1" },
		{ "qAttached", "1" },
		{ "qAttached:2", "1" },
		{ "qSymbol::", "OK" },
		{ "vMustReplyEmpty", "" },
		{ "qTStatus", "" },
		{ "qCRC:0,4", "" },
		{ "jThreadsInfo", "" },
		{ "", "" },
		{ "!", "OK" },
		{ "vCont?", "vCont;c;C;s;S;r" },
		{ "Tp1.2", "OK" },
		{ "Tp1.3", "E16" },
		{ "Tp3.1", "E16" },
		{ "qfThreadInfo", "mp1.1,p1.2" },
		{ "qsThreadInfo", "l" },
		{ "Hgp1.2", "OK" },
		{ "Hgp1.-1", "OK" },
		{ "Hc-1", "OK" },
		{ "Hg", "E16" },
		{ "Hxp1.1", "E16" },
		{ "Hgp1.1;", "E16" },
		{ "m2000,4", "10111213" },
		{ "m2002,8", "1213" },
		{ "m2004,1", "E0e" },
		{ "m2000,0", "" },
		{ "m2000", "E16" },
		{ "m,4", "E16" },
		{ "m10000000000000000,4", "E16" },
		{ "m2000,4,", "E16" },
		{ "M2000,1:00", "E.what was recorded cannot be changed" },
		{ "X2000,0:", "OK" },
		{ "X2000,1:z", "E.what was recorded cannot be changed" },
		{ "G00", "E.what was recorded cannot be changed" },
		{ "P10=00", "E.what was recorded cannot be changed" },
		{ "p10", "0010000000000000" },
		{ "p0", "xxxxxxxxxxxxxxxx" },
		{ "pffff", "E16" },
		{ "Z5,1000,1", "" },
		{ "Z0,1000", "E16" },
		{ "vCont", "" },
		{ "vCont;", "E16" },
		{ "vCont;x", "E16" },
		{ "vCont;s:p9.9", "E16" },
		{ "vCont;r1000", "E16" },
		{ "qRcmd,6", "E16" },
		{ "qRcmd,zz", "E16" },
		{ "qRcmd,00", "E16" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_answer(rows[i].packet, rows[i].answer);
}

static void packets_are_acknowledged_until_gdb_wants_no_more(void **state)
{
	(void)state;
	gdb_session_stop(&mock.session);
	mock_start(&mock);
	assert_string_equal(mock_ask(&mock, "qC"), "+$QC1#c5");
	gdb_session_feed(&mock.session, (const u8 *)"-", 1);
	assert_string_equal(mock.sent, "+$QC1#c5$QC1#c5");
	mock.sent_size = 0;
	gdb_session_feed(&mock.session, (const u8 *)"$qC#00", 6);
	assert_string_equal(mock.sent, "-");
	assert_string_equal(mock_ask(&mock, "QStartNoAckMode"), "+$OK#9a");
	assert_string_equal(mock_ask(&mock, "qC"), "$QC1#c5");
}

static void a_packet_that_is_too_long_is_an_error(void **state)
{
	static u8 byte = 'a';

	(void)state;
	gdb_session_feed(&mock.session, (const u8 *)"$", 1);
	for (unsigned i = 0; i < GDB_PACKET_MAX + 1; i++)
		gdb_session_feed(&mock.session, &byte, 1);
	mock.sent_size = 0;
	gdb_session_feed(&mock.session, (const u8 *)"#00", 3);
	assert_string_equal(mock.sent, "$E07#ac");
}

static void input_waits_while_output_does(void **state)
{
	(void)state;
	mock.full = true;
	assert_int_equal(gdb_session_feed(&mock.session, (const u8 *)"$qC#b4", 6), 0);
	mock.full = false;
	assert_int_equal(gdb_session_feed(&mock.session, (const u8 *)"$qC#b4", 6), 6);
}

static void a_client_without_processes_gets_flat_threads(void **state)
{
	(void)state;
	mock_ask(&mock, "qSupported:swbreak+");
	assert_answer("qfThreadInfo", "m1,2,1001,1002");
	assert_answer("T1002", "OK");
	assert_answer("T1003", "E16");
	mock.place = 3;
	assert_answer("qC", "QC1001");
}

static void memory_is_that_of_the_thread(void **state)
{
	(void)state;
	mock_ask(&mock, "Hgp2.1");
	assert_answer("m2000,2", "2021");
	mock_ask(&mock, "Hgp1.1");
	assert_answer("m2000,2", "1011");
}

static void all_registers_leave_out_the_vmcs(void **state)
{
	size_t digits = 0;
	char packet[16];

	(void)state;
	for (unsigned i = 0; i < GDB_REG_VMCS; i++)
		digits += gdb_reg_info(i).bits / 4;
	assert_int_equal(strlen(mock_ask(&mock, "g")), digits + 4);
	snprintf(packet, sizeof(packet), "p%x", GDB_REG_VMCS + VMCS_IX_GUEST_CR4);
	assert_answer(packet, "2020000000000000");
	snprintf(packet, sizeof(packet), "p%x", GDB_REG_VMCS + VMCS_IX_VPID);
	assert_answer(packet, "xxxx");
}

static void documents_come_in_pieces(void **state)
{
	(void)state;
	assert_begins("qXfer:features:read:target.xml:0,10", "m<?xml version=\"");
	assert_begins("qXfer:features:read:target.xml:fffffff,10", "l#");
	assert_answer("qXfer:features:read:other.xml:0,10", "");
	assert_begins("qXfer:threads:read::0,5", "m<?xml");
	assert_answer_has("qXfer:threads:read::0,fff",
			  "<thread id=\"p1.2\" core=\"1\" name=\"CPU 1 L1\">&}\x03"
			  "60;VMCS&}\x03"
			  "62; ");
}

static void a_step_goes_to_the_next_event_of_its_cpu(void **state)
{
	(void)state;
	assert_begins("vCont;s:p1.1;c:p1.-1", "T05thread:p1.1;core:0;10:1010000000000000;#");
	assert_int_equal(mock.place, 1);
	mock.place = 2;
	assert_begins("vCont;s:p1.2;c", "T05thread:p1.2;core:1;");
	assert_int_equal(mock.place, 6);
	assert_begins("bs", "T05thread:p1.2;core:1;");
	assert_int_equal(mock.place, 2);
}

static void a_step_over_a_range_is_one_event_that_stops_gdb(void **state)
{
	(void)state;
	assert_begins("vCont;r1000,1080:p1.1;c", "T00thread:p1.1;");
	assert_int_equal(mock.place, 1);
}

static void the_other_process_begins_with_an_exec(void **state)
{
	(void)state;
	mock.place = 1;
	assert_answer_has("vCont;s:p1.1;c", "exec:2f4c32;");
	assert_int_equal(mock.place, 3);
	assert_begins("vCont;c:p2.-1", "T00thread:p2.1;core:0;");
	assert_int_equal(mock.place, 3);
	assert_answer("qfThreadInfo", "mp1.1,p1.2,p2.1,p2.2");
	assert_begins("vCont;s:p2.1;c", "T00thread:p1.1;");
	assert_begins("vCont;s:p1.1;c", "T00thread:p2.1;");
}

static void stepping_off_a_breakpoint_is_a_step_of_that_thread(void **state)
{
	(void)state;
	mock.session.shown = 3;
	mock.place = 1;
	assert_begins("vCont;s:p1.1", "T05thread:p1.1;");
	assert_int_equal(mock.place, 4);
}

static void a_breakpoint_that_is_stepped_off_stays_for_others(void **state)
{
	(void)state;
	mock.session.shown = 3;
	mock.place = 1;
	mock_ask(&mock, "Hgp2.1");
	mock_ask(&mock, "Z0,1030,1");
	mock_ask(&mock, "z0,1030,1");
	assert_begins("vCont;s:p1.1", "T05thread:p2.1;");
	assert_int_equal(mock.place, 3);
	/* When all go on it is gone. */
	assert_answer_has("bc", "replaylog:begin;");
	assert_answer_has("vCont;c", "replaylog:end;");
	assert_int_equal(mock.removes, 1);
}

static void breakpoints_stop_both_ways(void **state)
{
	(void)state;
	assert_answer("Z0,1010,1", "OK");
	assert_answer("Z0,1010,1", "OK");
	assert_int_equal(mock.inserts, 1);
	assert_begins("vCont;c", "T05thread:p1.1;");
	assert_answer_has("?", "10:1010000000000000;");
	assert_int_equal(mock.place, 1);
	assert_answer_has("vCont;c", "replaylog:end;");
	assert_answer_has("bc", "swbreak:;");
	assert_int_equal(mock.place, 1);
	assert_answer("z0,1010,1", "OK");
	assert_int_equal(mock.removes, 0);
	assert_answer_has("bc", "replaylog:begin;");
	assert_int_equal(mock.removes, 1);
	mock_ask(&mock, "Z1,1010,1");
	assert_answer_has("c", "hwbreak:;");
}

static void conditions_decide_where_a_breakpoint_stops(void **state)
{
	(void)state;
	/* RIP == 0x1030, and then also RIP == 0x1010 */
	assert_answer("Z0,1010,1;X8,2600102310301327", "OK");
	assert_answer_has("vCont;c", "replaylog:end;");
	assert_answer_has("bc", "replaylog:begin;");
	assert_answer("Z0,1010,1;X8,2600102310301327X8,2600102310101327", "OK");
	assert_answer_has("vCont;c", "swbreak:;");
	assert_int_equal(mock.place, 1);
	/* What cannot be judged stops. */
	mock_ask(&mock, "bc");
	assert_answer("Z0,1010,1;X4,26000027", "OK");
	assert_answer_has("vCont;c", "swbreak:;");
	/* Without one again. */
	mock_ask(&mock, "bc");
	assert_answer("Z0,1010,1", "OK");
	assert_answer_has("vCont;c", "swbreak:;");
}

static void a_step_to_where_a_condition_does_not_hold_is_a_step(void **state)
{
	(void)state;
	assert_answer("Z0,1010,1;X8,2600102310301327", "OK");
	assert_begins("vCont;s", "T05thread:p1.1;");
	assert_int_equal(mock.place, 1);
}

static void damaged_conditions_are_refused(void **state)
{
	static const char *const packets[] = {
		"Z0,1010,1;X",	     "Z0,1010,1;X4",	  "Z0,1010,1;X4,26",
		"Z0,1010,1;X2,zz27", "Z0,1010,1;Y2,2227", "Z0,1010,1;X1,27Xffffffffffffffff,27",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++)
		assert_answer(packets[i], "E16");
}

static void breakpoints_belong_to_a_process(void **state)
{
	(void)state;
	mock.session.shown = 3;
	mock_ask(&mock, "Hgp2.1");
	mock_ask(&mock, "Z0,1010,1");
	mock_ask(&mock, "Z0,1050,1");
	assert_begins("vCont;c", "T05thread:p2.1;");
	assert_int_equal(mock.place, 5);
}

static void watchpoints_name_their_address(void **state)
{
	(void)state;
	mock_ask(&mock, "Z2,1010,8");
	assert_answer_has("vCont;c", "watch:1010;");
	mock_ask(&mock, "Z3,1040,8");
	assert_answer_has("vCont;c", "rwatch:1040;");
}

static void what_a_breakpoint_will_do_is_said_once(void **state)
{
	(void)state;
	mock_ask(&mock, "Z0,1001,1");
	assert_begins("vCont;c", "O766d78746170653a206e6f206576656e74");
	mock_ask(&mock, "z0,1001,1");
	mock_ask(&mock, "Z0,1001,1");
	assert_begins("bc", "T05");
}

static void a_breakpoint_that_nothing_meets_makes_going_on_one_event(void **state)
{
	(void)state;
	mock_ask(&mock, "Z0,a001,1");
	assert_answer_has("vCont;c", "$T00thread:p1.1;");
	assert_int_equal(mock.place, 1);
	mock.place = 0;
	/* In the other process it is met: then it counts there. */
	mock.session.shown = 3;
	mock.points[1] = (struct gdb_point){ .level = 2, .address = 0xa001 };
	mock.session.points[1] = (struct gdb_session_point){
		.point = mock.points[1], .is_used = true, .is_set = true, .number = 1
	};
	mock.is_set[1] = true;
	assert_answer_has("vCont;c", "replaylog:end;");
}

static void finishing_a_function_is_one_event(void **state)
{
	(void)state;
	mock_ask(&mock, "Z0,8001,1");
	assert_answer_has("vCont;c", "$T00thread:p1.1;");
	assert_int_equal(mock.place, 1);
	mock_ask(&mock, "z0,8001,1");
	mock_ask(&mock, "Z0,8002,1");
	assert_answer_has("vCont;c", "replaylog:end;");
}

static void ctrl_c_stops_with_sigint(void **state)
{
	(void)state;
	mock.interrupt = true;
	assert_begins("vCont;c", "T02thread:p1.1;");
	gdb_session_feed(&mock.session, (const u8 *)"\x03", 1);
	assert_answer("qC", "QCp1.1");
}

static void points_beyond_the_last_are_refused_and_others_forgotten(void **state)
{
	char packet[32];

	(void)state;
	for (unsigned i = 0; i < GDB_MAX_POINTS; i++) {
		snprintf(packet, sizeof(packet), "Z0,%x,1", 0x2000 + i);
		assert_answer(packet, "OK");
	}
	assert_answer("Z0,5000,1", "E1c");
	assert_answer("z0,2000,1", "OK");
	assert_answer("Z0,5000,1", "OK");
	gdb_session_stop(&mock.session);
	assert_int_equal(mock.inserts, mock.removes);
}

static void the_users_commands_are_passed_on(void **state)
{
	(void)state;
	/* "you said " and "why" */
	assert_string_equal(mock_ask(&mock, "qRcmd,776879"),
			    "$O796f75207361696420#35$O776879#9b$OK#9a");
}

static void clients_that_are_no_gdb_get_a_number_for_what_cannot_be_done(void **state)
{
	(void)state;
	mock_ask(&mock, "qSupported:multiprocess+");
	assert_answer("P10=00", "E1e");
}

static void gdb_leaves_process_by_process(void **state)
{
	(void)state;
	mock.session.shown = 3;
	assert_answer("D;1", "OK");
	assert_int_equal(mock.session.end, GDB_GOES_ON);
	assert_answer("qfThreadInfo", "mp2.1,p2.2");
	assert_answer("D;2", "OK");
	assert_int_equal(mock.session.end, GDB_DETACHED);
	assert_string_equal(mock_ask(&mock, "qC"), "");
}

static void with_one_process_detaching_it_is_leaving(void **state)
{
	(void)state;
	assert_answer("D;1", "OK");
	assert_int_equal(mock.session.end, GDB_DETACHED);
}

static void killing_ends_the_session(void **state)
{
	(void)state;
	assert_string_equal(mock_ask(&mock, "k"), "");
	assert_int_equal(mock.session.end, GDB_KILLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(simple_packets_are_answered),
		TEST(packets_are_acknowledged_until_gdb_wants_no_more),
		TEST(a_packet_that_is_too_long_is_an_error),
		TEST(input_waits_while_output_does),
		TEST(a_client_without_processes_gets_flat_threads),
		TEST(memory_is_that_of_the_thread),
		TEST(all_registers_leave_out_the_vmcs),
		TEST(documents_come_in_pieces),
		TEST(a_step_goes_to_the_next_event_of_its_cpu),
		TEST(a_step_over_a_range_is_one_event_that_stops_gdb),
		TEST(the_other_process_begins_with_an_exec),
		TEST(stepping_off_a_breakpoint_is_a_step_of_that_thread),
		TEST(a_breakpoint_that_is_stepped_off_stays_for_others),
		TEST(breakpoints_stop_both_ways),
		TEST(conditions_decide_where_a_breakpoint_stops),
		TEST(a_step_to_where_a_condition_does_not_hold_is_a_step),
		TEST(damaged_conditions_are_refused),
		TEST(breakpoints_belong_to_a_process),
		TEST(watchpoints_name_their_address),
		TEST(what_a_breakpoint_will_do_is_said_once),
		TEST(a_breakpoint_that_nothing_meets_makes_going_on_one_event),
		TEST(finishing_a_function_is_one_event),
		TEST(ctrl_c_stops_with_sigint),
		TEST(points_beyond_the_last_are_refused_and_others_forgotten),
		TEST(the_users_commands_are_passed_on),
		TEST(gdb_leaves_process_by_process),
		TEST(clients_that_are_no_gdb_get_a_number_for_what_cannot_be_done),
		TEST(with_one_process_detaching_it_is_leaving),
		TEST(killing_ends_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
