/*
 * Ports: the debug console, a serial line, the timer; every access is in a log.
 */
#include <string.h>

#include "tests/stubs/stub_parts.h"

#define DEBUG_PORT	  0xe9

#define TIMER_COUNTER	  0x42
#define TIMER_OUTPUT	  0x61
#define TIMER_OUTPUT_HIGH 0x20u

#define SERIAL		  0x3f8
#define SERIAL_LCR	  (SERIAL + 3)
#define SERIAL_DLAB	  0x80u

static u32 port_values[0x10000];
static unsigned timer_counts;
static bool divisor_selected;

static void serial_out(u16 port, u32 value)
{
	if (port == SERIAL_LCR)
		divisor_selected = value & SERIAL_DLAB;
	if (port == SERIAL && !divisor_selected && stub_cpu.serial_length < STUB_TEXT_MAX)
		stub_cpu.serial[stub_cpu.serial_length++] = (char)value;
}

static void log_port(u16 port, u8 size, bool in, u32 value)
{
	if (stub_cpu.port_count < STUB_LOG_MAX)
		stub_cpu.ports[stub_cpu.port_count++] =
			(struct stub_port_access){ port, size, in, value };
}

static u32 port_in(u16 port, u8 size)
{
	u32 value = port_values[port] & (u32)MASK(size * 8 - 1, 0);

	if (port == TIMER_OUTPUT && timer_counts) {
		timer_counts--;
		value &= ~TIMER_OUTPUT_HIGH;
	}
	log_port(port, size, true, value);
	return value;
}

#define PORT(type, size, suffix)                             \
	type in##suffix(u16 port)                            \
	{                                                    \
		return (type)port_in(port, size);            \
	}                                                    \
	void out##suffix(u16 port, type value)               \
	{                                                    \
		if (port == TIMER_COUNTER)                   \
			timer_counts = stub_cpu.timer_polls; \
		serial_out(port, value);                     \
		log_port(port, size, false, value);          \
	}
PORT(u8, 1, b)
PORT(u16, 2, w)
PORT(u32, 4, l)
#undef PORT

void outsb(u16 port, const void *from, size_t size)
{
	const size_t room = sizeof(stub_cpu.text) - 1 - stub_cpu.text_length;

	if (port != DEBUG_PORT)
		stub_misuse("string output to a port that is not the debug console", port);
	size = MIN(size, room);
	memcpy(stub_cpu.text + stub_cpu.text_length, from, size);
	stub_cpu.text_length += size;
	stub_cpu.text[stub_cpu.text_length] = 0;
}

void stub_port_set(u16 port, u32 value)
{
	port_values[port] = value;
}

static unsigned count_port(u16 port, bool in)
{
	unsigned count = 0;

	for (unsigned i = 0; i < stub_cpu.port_count; i++)
		count += stub_cpu.ports[i].port == port && stub_cpu.ports[i].in == in;
	return count;
}

unsigned stub_port_outs(u16 port)
{
	return count_port(port, false);
}

unsigned stub_port_ins(u16 port)
{
	return count_port(port, true);
}

bool stub_said(const char *text)
{
	return strstr(stub_cpu.text, text);
}

void stub_reset_ports(void)
{
	memset(port_values, 0xff, sizeof(port_values));
	timer_counts = 0;
	divisor_selected = false;
}
