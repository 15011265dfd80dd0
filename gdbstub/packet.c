#include "gdbstub/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CTRL_C	   0x03
#define ESCAPE	   '}'
#define ESCAPE_XOR 0x20

enum { BETWEEN, IN_PAYLOAD, FIRST_DIGIT, SECOND_DIGIT };

/* --- reading ---------------------------------------------------------------------------------- */

void gdb_packet_reader_init(struct gdb_packet_reader *reader)
{
	*reader = (struct gdb_packet_reader){ .check = true };
}

int gdb_hex_digit(u8 digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static enum gdb_input begin(struct gdb_packet_reader *reader)
{
	reader->state = IN_PAYLOAD;
	reader->sum = 0;
	reader->escaped = false;
	reader->is_long = false;
	reader->length = 0;
	return GDB_INPUT_NONE;
}

/* Anything but a packet, and the three that are one byte, is noise of the line. */
static enum gdb_input between(struct gdb_packet_reader *reader, u8 byte)
{
	switch (byte) {
	case '$':
		return begin(reader);
	case '+':
		return GDB_INPUT_ACK;
	case '-':
		return GDB_INPUT_NAK;
	case CTRL_C:
		return GDB_INPUT_INTERRUPT;
	default:
		return GDB_INPUT_NONE;
	}
}

/* A $ is never inside a packet: its end was lost, and this is the next one. */
static enum gdb_input take(struct gdb_packet_reader *reader, u8 byte)
{
	if (byte == '$')
		return begin(reader);
	if (byte == '#') {
		reader->state = FIRST_DIGIT;
		return GDB_INPUT_NONE;
	}
	reader->sum = (u8)(reader->sum + byte);
	if (byte == ESCAPE && !reader->escaped) {
		reader->escaped = true;
		return GDB_INPUT_NONE;
	}
	if (reader->length == GDB_PACKET_MAX)
		reader->is_long = true;
	else
		reader->payload[reader->length++] = reader->escaped ? byte ^ ESCAPE_XOR : byte;
	reader->escaped = false;
	return GDB_INPUT_NONE;
}

static enum gdb_input finish(struct gdb_packet_reader *reader, int low)
{
	reader->state = BETWEEN;
	if (reader->check && (low < 0 || (reader->wanted | low) != reader->sum))
		return GDB_INPUT_BAD;
	if (reader->is_long)
		return GDB_INPUT_LONG;
	reader->payload[reader->length] = 0;
	return GDB_INPUT_PACKET;
}

enum gdb_input gdb_packet_feed(struct gdb_packet_reader *reader, u8 byte)
{
	const int digit = gdb_hex_digit(byte);

	switch (reader->state) {
	case IN_PAYLOAD:
		return take(reader, byte);
	case FIRST_DIGIT:
		if (digit < 0 && reader->check) {
			reader->state = BETWEEN;
			return GDB_INPUT_BAD;
		}
		reader->wanted = (u8)(MAX(digit, 0) << 4);
		reader->state = SECOND_DIGIT;
		return GDB_INPUT_NONE;
	case SECOND_DIGIT:
		return finish(reader, digit);
	default:
		return between(reader, byte);
	}
}

/* --- writing ---------------------------------------------------------------------------------- */

void gdb_packet_begin(struct gdb_packet_writer *writer)
{
	writer->sum = 0;
	writer->is_cut = false;
	writer->payload = 0;
	writer->length = 0;
	writer->bytes[writer->length++] = '$';
}

static void put_raw(struct gdb_packet_writer *writer, u8 byte)
{
	writer->sum = (u8)(writer->sum + byte);
	writer->bytes[writer->length++] = byte;
}

void gdb_packet_put(struct gdb_packet_writer *writer, const void *bytes, size_t size)
{
	const u8 *const from = bytes;

	for (size_t i = 0; i < size; i++) {
		if (writer->payload == GDB_PACKET_MAX) {
			writer->is_cut = true;
			return;
		}
		writer->payload++;
		/* In replies * announces a repetition. */
		if (from[i] == '$' || from[i] == '#' || from[i] == ESCAPE || from[i] == '*') {
			put_raw(writer, ESCAPE);
			put_raw(writer, from[i] ^ ESCAPE_XOR);
		} else {
			put_raw(writer, from[i]);
		}
	}
}

void gdb_packet_put_text(struct gdb_packet_writer *writer, const char *text)
{
	gdb_packet_put(writer, text, strlen(text));
}

void gdb_packet_printf(struct gdb_packet_writer *writer, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	gdb_packet_put_text(writer, text);
}

void gdb_packet_put_hex(struct gdb_packet_writer *writer, const void *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *const from = bytes;

	for (size_t i = 0; i < size; i++) {
		gdb_packet_put(writer, &digits[from[i] >> 4], 1);
		gdb_packet_put(writer, &digits[from[i] & 15], 1);
	}
}

void gdb_packet_end(struct gdb_packet_writer *writer)
{
	static const char digits[] = "0123456789abcdef";

	writer->bytes[writer->length++] = '#';
	writer->bytes[writer->length++] = (u8)digits[writer->sum >> 4];
	writer->bytes[writer->length++] = (u8)digits[writer->sum & 15];
}
