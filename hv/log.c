#include "hv/log.h"

#include "base/fmt.h"
#include "hv/insn.h"

#define COM1	     0x3f8
#define COM1_LSR     (COM1 + 5)
#define LSR_THRE     0x20
#define DEBUG_PORT   0xe9
#define SERIAL_TRIES 100000

static bool serial_is_ours = true;

static void serial_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		/* A port that is not there reads as all ones, so this ends at once. */
		for (unsigned tries = 0; tries < SERIAL_TRIES && !(inb(COM1_LSR) & LSR_THRE);
		     tries++)
			;
		outb(COM1, (u8)text[i]);
	}
}

void log_print(const char *format, ...)
{
	static const char prefix[] = "vmxtape-hv: ";
	char line[256];
	va_list args;
	size_t length = sizeof(prefix) - 1;

	memcpy(line, prefix, length);
	va_start(args, format);
	length += fmt_va(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	length = MIN(length, sizeof(line) - 2);
	line[length++] = '\n';
	if (serial_is_ours)
		serial_write(line, length);
	outsb(DEBUG_PORT, line, length);
}

void log_leave_serial(void)
{
	serial_is_ours = false;
}
