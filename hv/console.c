#include "hv/console.h"

#include "hv/lock.h"
#include "hv/percpu.h"
#include "recorder/emit.h"

#define PORT_COM1 0x3f8
#define LCR_DLAB  BIT(7)

/* The port is one for all processors: a line may come from several, and is recorded by its last. */
static struct {
	struct lock lock;
	u8 text[240];
	u32 length;
	bool divisor_selected;
} line;

/* Takes what there is of the line to @to, which has room for all of it. */
static u32 take_line(u8 *to)
{
	const u32 length = line.length;

	memcpy(to, line.text, length);
	line.length = 0;
	return length;
}

static void record_line(struct percpu *cpu, const u8 *text, u32 length)
{
	const struct ev_console columns = { .port = PORT_COM1 };

	/* An empty line is a line too, but says nothing on a tape. */
	if (length && cpu->rec)
		rec_emit(cpu->rec, &(struct trace_event){
					   .kind = EV_CONSOLE,
					   .level = 1,
					   .tsc = cpu->exit.tsc,
					   .rip = cpu->exit.rip,
					   .col = (const u64 *)&columns,
					   .bytes = text,
					   .byte_count = length,
				   });
}

void console_flush(struct percpu *cpu)
{
	u8 text[sizeof(line.text)];
	u32 length;

	lock_take(&line.lock);
	length = take_line(text);
	lock_release(&line.lock);
	record_line(cpu, text, length);
}

void console_transmit(struct percpu *cpu, u8 byte)
{
	u8 text[sizeof(line.text)];
	u32 length = 0;

	lock_take(&line.lock);
	if (!line.divisor_selected && byte != '\r') {
		if (byte != '\n')
			line.text[line.length++] = byte;
		if (byte == '\n' || line.length == sizeof(line.text))
			length = take_line(text);
	}
	lock_release(&line.lock);
	record_line(cpu, text, length);
}

void console_line_control(u8 value)
{
	lock_take(&line.lock);
	line.divisor_selected = value & LCR_DLAB;
	lock_release(&line.lock);
}
