#include "hv/serial.h"

#include "hv/insn.h"

#define COM1	     0x3f8
#define COM1_IER     (COM1 + 1)
#define COM1_FCR     (COM1 + 2)
#define COM1_LCR     (COM1 + 3)
#define COM1_MCR     (COM1 + 4)
#define COM1_LSR     (COM1 + 5)
#define LCR_DLAB     0x80
#define LCR_8N1	     0x03
#define FCR_CLEAR    0x07
#define MCR_DTR_RTS  0x03
#define LSR_THRE     0x20
#define LSR_TEMT     0x40
#define SERIAL_TRIES 100000

static bool initialised;

/* 115200 baud, 8 bits, no parity: nobody has set it when the machine boots from its firmware. */
static void set_up(void)
{
	outb(COM1_IER, 0);
	outb(COM1_LCR, LCR_DLAB | LCR_8N1);
	outb(COM1, 1);
	outb(COM1_IER, 0);
	outb(COM1_LCR, LCR_8N1);
	outb(COM1_FCR, FCR_CLEAR);
	/* Some receivers listen only to who is ready. */
	outb(COM1_MCR, MCR_DTR_RTS);
}

/* A port that is not there reads as all ones, so this ends at once. */
static void wait_until(u8 ready)
{
	for (unsigned tries = 0; tries < SERIAL_TRIES && !(inb(COM1_LSR) & ready); tries++)
		;
}

void serial_write(const void *bytes, size_t size)
{
	const u8 *const from = bytes;

	if (!initialised) {
		initialised = true;
		set_up();
	}
	for (size_t i = 0; i < size; i++) {
		wait_until(LSR_THRE);
		outb(COM1, from[i]);
	}
	/* The machine may be switched off behind this. */
	wait_until(LSR_TEMT);
}

void serial_reset(void)
{
	initialised = false;
}
