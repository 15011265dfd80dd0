#include "hv/console.h"

#include "hv/percpu.h"
#include "recorder/emit.h"

#define PORT_COM1 0x3f8
#define LCR_DLAB  BIT(7)

static u8 line[240];
static u32 length;
static bool divisor_selected;

void console_flush(struct percpu *cpu)
{
	const struct ev_console columns = { .port = PORT_COM1 };

	if (!length)
		return;
	if (cpu->rec)
		rec_emit(cpu->rec, &(struct trace_event){
					   .kind = EV_CONSOLE,
					   .level = 1,
					   .tsc = cpu->exit.tsc,
					   .rip = cpu->exit.rip,
					   .col = (const u64 *)&columns,
					   .bytes = line,
					   .byte_count = length,
				   });
	length = 0;
}

void console_transmit(struct percpu *cpu, u8 byte)
{
	if (divisor_selected || byte == '\r')
		return;
	if (byte == '\n') {
		/* An empty line is a line too, but says nothing on a tape. */
		console_flush(cpu);
		return;
	}
	line[length++] = byte;
	if (length == sizeof(line))
		console_flush(cpu);
}

void console_line_control(u8 value)
{
	divisor_selected = value & LCR_DLAB;
}
