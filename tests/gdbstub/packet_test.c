#include "gdbstub/packet.h"
#include "tests/test.h"

static struct gdb_packet_reader reader;
static struct gdb_packet_writer writer;

static int set_up(void **state)
{
	(void)state;
	gdb_packet_reader_init(&reader);
	return 0;
}

/* Feeds all, and gives the last thing that was not nothing. */
static enum gdb_input feed(const char *bytes, size_t size)
{
	enum gdb_input last = GDB_INPUT_NONE;

	for (size_t i = 0; i < size; i++) {
		const enum gdb_input input = gdb_packet_feed(&reader, (u8)bytes[i]);

		if (input != GDB_INPUT_NONE)
			last = input;
	}
	return last;
}

static void input_is_framed(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		enum gdb_input input;
		const char *payload;
	} rows[] = {
		{ "a packet", "$m0,4#fd", GDB_INPUT_PACKET, "m0,4" },
		{ "no payload", "$#00", GDB_INPUT_PACKET, "" },
		{ "upper case checksum", "$m0,4#FD", GDB_INPUT_PACKET, "m0,4" },
		{ "noise before", "\r\nxyz$?#3f", GDB_INPUT_PACKET, "?" },
		{ "an escaped byte", "$}\x03#80", GDB_INPUT_PACKET, "#" },
		{ "an escaped escape", "$}]#da", GDB_INPUT_PACKET, "}" },
		{ "the end was lost", "$m0,$?#3f", GDB_INPUT_PACKET, "?" },
		{ "Ctrl-C inside is a byte", "$\x03#03", GDB_INPUT_PACKET, "\x03" },
		{ "wrong sum", "$?#3e", GDB_INPUT_BAD, NULL },
		{ "first digit is none", "$?#x", GDB_INPUT_BAD, NULL },
		{ "second digit is none", "$?#3x", GDB_INPUT_BAD, NULL },
		{ "an ack", "+", GDB_INPUT_ACK, NULL },
		{ "a nak", "-", GDB_INPUT_NAK, NULL },
		{ "Ctrl-C", "\x03", GDB_INPUT_INTERRUPT, NULL },
		{ "noise", "#00qwe}", GDB_INPUT_NONE, NULL },
		{ "half a packet", "$m0,4#f", GDB_INPUT_NONE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		gdb_packet_reader_init(&reader);
		assert_row(rows[i].name, feed(rows[i].bytes, strlen(rows[i].bytes)), rows[i].input);
		if (rows[i].payload)
			assert_string_equal((const char *)reader.payload, rows[i].payload);
	}
}

static void packets_after_a_bad_one_are_read(void **state)
{
	(void)state;
	assert_int_equal(feed("$?#00", 5), GDB_INPUT_BAD);
	assert_int_equal(feed("$?#3f", 5), GDB_INPUT_PACKET);
}

static void any_checksum_will_do_once_acks_are_off(void **state)
{
	(void)state;
	reader.check = false;
	assert_int_equal(feed("$?#00", 5), GDB_INPUT_PACKET);
	assert_int_equal(feed("$?#zz", 5), GDB_INPUT_PACKET);
	assert_string_equal((const char *)reader.payload, "?");
}

static void ten_megabytes_are_one_long_packet(void **state)
{
	u8 sum = 0;
	char end[8];

	(void)state;
	assert_int_equal(gdb_packet_feed(&reader, '$'), GDB_INPUT_NONE);
	for (size_t i = 0; i < 10 * MIB(1); i++, sum += 'a')
		assert_int_equal(gdb_packet_feed(&reader, 'a'), GDB_INPUT_NONE);
	assert_int_equal(reader.length, GDB_PACKET_MAX);
	snprintf(end, sizeof(end), "#%02x", sum);
	assert_int_equal(feed(end, 3), GDB_INPUT_LONG);
	assert_int_equal(feed("$?#3f", 5), GDB_INPUT_PACKET);
}

static void the_longest_payload_fits(void **state)
{
	static char bytes[GDB_PACKET_MAX + 8];

	(void)state;
	reader.check = false;
	memset(bytes, 'b', sizeof(bytes));
	bytes[0] = '$';
	memcpy(bytes + 1 + GDB_PACKET_MAX, "#00", 3);
	assert_int_equal(feed(bytes, GDB_PACKET_MAX + 4), GDB_INPUT_PACKET);
	assert_int_equal(reader.length, GDB_PACKET_MAX);
}

static void what_is_written_is_read_again(void **state)
{
	u8 bytes[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)i;
	gdb_packet_begin(&writer);
	gdb_packet_put(&writer, bytes, sizeof(bytes));
	gdb_packet_end(&writer);
	assert_int_equal(feed((const char *)writer.bytes, writer.length), GDB_INPUT_PACKET);
	assert_int_equal(reader.length, sizeof(bytes));
	assert_memory_equal(reader.payload, bytes, sizeof(bytes));
}

static void numbers_and_bytes_are_written_as_text(void **state)
{
	static const u8 bytes[] = { 0x01, 0xab };

	(void)state;
	gdb_packet_begin(&writer);
	gdb_packet_printf(&writer, "T%02x", 5);
	gdb_packet_put_hex(&writer, bytes, sizeof(bytes));
	gdb_packet_end(&writer);
	assert_int_equal(writer.length, 11);
	assert_memory_equal(writer.bytes, "$T0501ab#", 9);
}

static void a_packet_that_is_full_stays_one(void **state)
{
	static u8 bytes[2 * GDB_PACKET_MAX];

	(void)state;
	memset(bytes, '#', sizeof(bytes));
	gdb_packet_begin(&writer);
	gdb_packet_put(&writer, bytes, sizeof(bytes));
	gdb_packet_end(&writer);
	assert_true(writer.is_cut);
	assert_int_equal(writer.length, GDB_PACKET_ROOM);
	assert_int_equal(feed((const char *)writer.bytes, writer.length), GDB_INPUT_PACKET);
	assert_int_equal(reader.length, GDB_PACKET_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(input_is_framed, set_up),
		cmocka_unit_test_setup(packets_after_a_bad_one_are_read, set_up),
		cmocka_unit_test_setup(any_checksum_will_do_once_acks_are_off, set_up),
		cmocka_unit_test_setup(ten_megabytes_are_one_long_packet, set_up),
		cmocka_unit_test_setup(the_longest_payload_fits, set_up),
		cmocka_unit_test_setup(what_is_written_is_read_again, set_up),
		cmocka_unit_test_setup(numbers_and_bytes_are_written_as_text, set_up),
		cmocka_unit_test_setup(a_packet_that_is_full_stays_one, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
