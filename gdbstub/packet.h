/*
 * gdbstub/packet.h - frames of gdb's remote protocol: `$payload#checksum`, both ways
 *
 * The reader is fed one byte at a time and keeps at most GDB_PACKET_MAX bytes, whatever the other
 * side sends: of a longer packet the rest is passed over, and its end told as GDB_INPUT_LONG. The
 * writer builds one packet in a buffer of fixed size and keeps it, to be sent again on request.
 *
 * gdb's manual: "Overview" of "GDB Remote Serial Protocol".
 */
#ifndef GDBSTUB_PACKET_H
#define GDBSTUB_PACKET_H

#include "base/base.h"

#define GDB_PACKET_MAX	16384 /* payload bytes of a packet, unescaped; qSupported says so */
#define GDB_PACKET_ROOM (2 * GDB_PACKET_MAX + 4) /* of a whole packet: all escaped, $ # and sum */

/* What a byte completed. */
enum gdb_input {
	GDB_INPUT_NONE,
	GDB_INPUT_PACKET,    /* the payload is in the reader until the next byte is fed */
	GDB_INPUT_BAD,	     /* a packet whose checksum is wrong */
	GDB_INPUT_LONG,	     /* a packet with more than GDB_PACKET_MAX bytes */
	GDB_INPUT_ACK,	     /* + */
	GDB_INPUT_NAK,	     /* -: the last packet is wanted again */
	GDB_INPUT_INTERRUPT, /* Ctrl-C, outside of packets */
};

struct gdb_packet_reader {
	u8 state;			/* enum in packet.c; 0 between packets */
	u8 sum;				/* of the bytes so far */
	u8 wanted;			/* the sum that the packet names */
	bool check;			/* false: any checksum will do, QStartNoAckMode */
	bool escaped;			/* the next byte is behind a } */
	bool is_long;			/* more came than there is room for */
	size_t length;			/* of the payload */
	u8 payload[GDB_PACKET_MAX + 1]; /* ends with a 0 that does not count, when it is whole */
};

void gdb_packet_reader_init(struct gdb_packet_reader *reader);
enum gdb_input gdb_packet_feed(struct gdb_packet_reader *reader, u8 byte);

struct gdb_packet_writer {
	u8 sum;
	bool is_cut;	/* something did not fit and was left out */
	size_t length;	/* of `bytes` */
	size_t payload; /* bytes of the payload so far, unescaped */
	u8 bytes[GDB_PACKET_ROOM];
};

/* Begin a packet; what follows goes into it, up to GDB_PACKET_MAX bytes of payload. */
void gdb_packet_begin(struct gdb_packet_writer *writer);
/* Bytes as they are, escaped where the protocol asks for it. */
void gdb_packet_put(struct gdb_packet_writer *writer, const void *bytes, size_t size);
void gdb_packet_put_text(struct gdb_packet_writer *writer, const char *text);
void gdb_packet_printf(struct gdb_packet_writer *writer, const char *format, ...) printf_like(2, 3);
/* Bytes as two hexadecimal digits each. */
void gdb_packet_put_hex(struct gdb_packet_writer *writer, const void *bytes, size_t size);
/* Close it with its checksum: then `bytes` and `length` are what to send. */
void gdb_packet_end(struct gdb_packet_writer *writer);

/* -1 when @digit is none. */
int gdb_hex_digit(u8 digit);

#endif
