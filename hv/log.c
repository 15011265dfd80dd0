#include "hv/log.h"

#include "base/fmt.h"
#include "hv/debug_port.h"
#include "hv/hv_options.h"
#include "hv/screen.h"
#include "hv/serial.h"

static bool serial_is_ours = true;

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
	screen_write(line, length);
	debug_port_take();
	debug_port_write(line, length);
	debug_port_release();
}

void log_leave_serial(void)
{
	serial_is_ours = false;
}

void log_take_serial(void)
{
	if (options.drain == DRAIN_DEBUGCON)
		return;
	serial_is_ours = true;
	serial_reset();
}
