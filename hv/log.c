#include "hv/log.h"

#include "base/fmt.h"
#include "hv/debug_port.h"
#include "hv/insn.h"

#define COM1	     0x3f8
#define COM1_IER     (COM1 + 1)
#define COM1_FCR     (COM1 + 2)
#define COM1_LCR     (COM1 + 3)
#define COM1_LSR     (COM1 + 5)
#define LCR_DLAB     0x80
#define LCR_8N1	     0x03
#define FCR_CLEAR    0x07
#define LSR_THRE     0x20
#define LSR_TEMT     0x40
#define SERIAL_TRIES 100000

static bool serial_is_ours = true;

/* 115200 baud, 8 bits, no parity: nobody has set it when the machine boots from its firmware. */
static void serial_init(void)
{
	outb(COM1_IER, 0);
	outb(COM1_LCR, LCR_DLAB | LCR_8N1);
	outb(COM1, 1);
	outb(COM1_IER, 0);
	outb(COM1_LCR, LCR_8N1);
	outb(COM1_FCR, FCR_CLEAR);
}

/* A port that is not there reads as all ones, so this ends at once. */
static void serial_wait(u8 ready)
{
	for (unsigned tries = 0; tries < SERIAL_TRIES && !(inb(COM1_LSR) & ready); tries++)
		;
}

static void serial_write(const char *text, size_t length)
{
	static bool initialised;

	if (!initialised) {
		initialised = true;
		serial_init();
	}
	for (size_t i = 0; i < length; i++) {
		serial_wait(LSR_THRE);
		outb(COM1, (u8)text[i]);
	}
	/* The machine may be switched off behind this line. */
	serial_wait(LSR_TEMT);
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
	debug_port_take();
	debug_port_write(line, length);
	debug_port_release();
}

void log_leave_serial(void)
{
	serial_is_ours = false;
}
