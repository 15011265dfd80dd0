#include "base/fmt.h"

struct sink {
	char *to;
	size_t size, length;
};

struct spec {
	bool left, zero, wide;
	unsigned width;
};

static void sink_char(struct sink *sink, char c)
{
	if (sink->length + 1 < sink->size)
		sink->to[sink->length] = c;
	sink->length++;
}

static void sink_text(struct sink *sink, const char *text, size_t length, const struct spec *spec)
{
	const size_t pad = spec->width > length ? spec->width - length : 0;

	for (size_t i = 0; !spec->left && i < pad; i++)
		sink_char(sink, ' ');
	for (size_t i = 0; i < length; i++)
		sink_char(sink, text[i]);
	for (size_t i = 0; spec->left && i < pad; i++)
		sink_char(sink, ' ');
}

static void sink_number(struct sink *sink, u64 value, unsigned base, const char *digits,
			bool negative, const struct spec *spec)
{
	char text[64];
	size_t at = sizeof(text);
	const size_t fill = spec->zero && !spec->left ? MIN(spec->width, sizeof(text) - 1) : 0;

	do {
		text[--at] = digits[value % base];
		value /= base;
	} while (value);
	while (sizeof(text) - at + negative < fill)
		text[--at] = '0';
	if (negative)
		text[--at] = '-';
	sink_text(sink, text + at, sizeof(text) - at, spec);
}

static const char *parse_spec(const char *format, struct spec *spec)
{
	for (;; format++)
		if (*format == '-')
			spec->left = true;
		else if (*format == '0')
			spec->zero = true;
		else
			break;
	for (; *format >= '0' && *format <= '9'; format++)
		if (spec->width < 1000)
			spec->width = spec->width * 10 + (unsigned)(*format - '0');
	for (; *format == 'l' || *format == 'z'; format++)
		spec->wide = true;
	return format;
}

size_t fmt_va(char *to, size_t size, const char *format, va_list args)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
	struct sink sink = { .to = to, .size = size };

	for (; *format; format++) {
		struct spec spec = { 0 };
		u64 number;

		if (*format != '%') {
			sink_char(&sink, *format);
			continue;
		}
		format = parse_spec(format + 1, &spec);
		switch (*format) {
		case 's': {
			const char *text = va_arg(args, const char *);

			if (!text)
				text = "(null)";
			sink_text(&sink, text, strlen(text), &spec);
			break;
		}
		case 'c': {
			const char c = (char)va_arg(args, int);

			sink_text(&sink, &c, 1, &spec);
			break;
		}
		case 'd':
		case 'i': {
			const s64 value = spec.wide ? va_arg(args, s64) : va_arg(args, int);

			sink_number(&sink, value < 0 ? 0 - (u64)value : (u64)value, 10, lower,
				    value < 0, &spec);
			break;
		}
		case 'u':
		case 'x':
		case 'X':
			number = spec.wide ? va_arg(args, u64) : va_arg(args, unsigned);
			sink_number(&sink, number, *format == 'u' ? 10 : 16,
				    *format == 'X' ? upper : lower, false, &spec);
			break;
		case 'p':
			number = (u64)(uintptr_t)va_arg(args, void *);
			sink_text(&sink, "0x", 2, &(struct spec){ 0 });
			sink_number(&sink, number, 16, lower, false, &spec);
			break;
		case '%':
			sink_char(&sink, '%');
			break;
		default:
			sink_char(&sink, '%');
			format--;
			break;
		}
	}
	if (size)
		to[MIN(sink.length, size - 1)] = 0;
	return sink.length;
}

size_t fmt(char *to, size_t size, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = fmt_va(to, size, format, args);
	va_end(args);
	return length;
}
