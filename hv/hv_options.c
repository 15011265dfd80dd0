#include "hv/hv_options.h"

#include "hv/fault.h"
#include "hv/log.h"

struct options options = { .ring = MIB(4),
			   .flush = GIB(1),
			   .capture = CAPTURE_LEAN,
			   .deep_from = 1,
			   .deep_count = 100,
			   .deep_pages = 512 };

/* A number like 4096, 64K, 16M or 1G; 0 when it is none. */
static u64 parse_size(const char *text)
{
	u64 value = 0;

	/* Saturates far above what is accepted, so that no unit can make it overflow. */
	for (; *text >= '0' && *text <= '9'; text++)
		value = MIN(value * 10 + (u64)(*text - '0'), GIB(4));
	if (*text == 'K')
		value = KIB(value), text++;
	else if (*text == 'M')
		value = MIB(value), text++;
	else if (*text == 'G')
		value = GIB(value), text++;
	return *text ? 0 : value;
}

static bool set_caps(const char *value)
{
	if (strlen(value) >= sizeof(options.caps))
		return false;
	memcpy(options.caps, value, strlen(value) + 1);
	return true;
}

static bool set_ring(const char *value)
{
	const u64 size = parse_size(value);

	if (size < MIB(1) || size > GIB(2))
		return false;
	options.ring = ALIGN_UP(size, 4096);
	return true;
}

static bool set_flush(const char *value)
{
	const u64 ticks = parse_size(value);

	if (ticks < MIB(1))
		return false;
	options.flush = ticks;
	return true;
}

static bool set_drain(const char *value)
{
	static const char *const names[] = {
		[DRAIN_NONE] = "ring",
		[DRAIN_DEBUGCON] = "debugcon",
		[DRAIN_SERIAL] = "serial",
		[DRAIN_L1] = "l1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(value, names[i])) {
			options.drain = (enum drain_port)i;
			return true;
		}
	return false;
}

static bool set_ring_mode(const char *value)
{
	if (!strcmp(value, "overwrite"))
		options.ring_mode = RING_OVERWRITE;
	else if (!strcmp(value, "stop"))
		options.ring_mode = RING_STOP;
	else
		return false;
	return true;
}

/* A profile, then what is captured besides. */
static bool set_capture(const char *value)
{
	static const struct {
		const char *name;
		enum trace_capture capture;
	} profiles[] = {
#define CAPTURE(NAME, name, number, title) { #name, CAPTURE_##NAME },
#include "trace/captures.def"
#undef CAPTURE
	};

	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		const size_t length = strlen(profiles[i].name);
		const char *const more = value + length;

		if (strncmp(value, profiles[i].name, length) || (*more && strcmp(more, "+l0")))
			continue;
		/* What EPT02 is like in a window, rules about it do not know. */
		if (*more &&
		    (profiles[i].capture == CAPTURE_OFF || profiles[i].capture == CAPTURE_DEEP))
			return false;
		options.capture = profiles[i].capture;
		options.capture_l0 = *more;
		return true;
	}
	return false;
}

/*
 * The number that *@text begins with, which ends at a colon, behind which *@text is then, or at the
 * end.
 */
static bool take_number(const char **text, u64 *number)
{
	const char *at = *text;

	for (*number = 0; *at >= '0' && *at <= '9'; at++)
		*number = MIN(*number * 10 + (u64)(*at - '0'), GIB(4));
	if (at == *text || (*at && *at != ':') || (*at && !at[1]))
		return false;
	*text = at + (*at == ':');
	return true;
}

/* FROM:COUNT[:PAGES], or mark:NAME for FROM */
static bool set_deep(const char *value)
{
	u64 from = 0, count, pages = options.deep_pages;
	const char *name = "";
	size_t length = 0;

	if (!strncmp(value, "mark:", 5)) {
		name = value + 5;
		while (name[length] && name[length] != ':')
			length++;
		if (!length || length >= sizeof(options.deep_mark) || !name[length])
			return false;
		value = name + length + 1;
	} else if (!take_number(&value, &from)) {
		return false;
	}
	if (!take_number(&value, &count) || (*value && !take_number(&value, &pages)) || *value ||
	    !count || !pages || pages > DEEP_MAX_PAGES)
		return false;
	memcpy(options.deep_mark, name, length);
	options.deep_mark[length] = 0;
	options.deep_from = length ? DEEP_AT_MARK : from;
	options.deep_count = count;
	options.deep_pages = pages;
	return true;
}

static bool set_cpuid(const char *value)
{
	options.hypervisor_bit = !strcmp(value, "hypervisor");
	return options.hypervisor_bit;
}

static bool set_log(const char *value)
{
	options.quiet = !strcmp(value, "quiet");
	return options.quiet || !strcmp(value, "normal");
}

static const struct {
	const char *name;
	bool (*set)(const char *value);
} table[] = {
	{ "caps", set_caps },	   { "ring", set_ring },   { "ring_mode", set_ring_mode },
	{ "flush", set_flush },	   { "drain", set_drain }, { "capture", set_capture },
	{ "deep", set_deep },	   { "cpuid", set_cpuid }, { "log", set_log },
#ifdef HV_FAULTS
	{ "fault", fault_choose },
#endif
};

static bool set_option(char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const size_t length = strlen(table[i].name);

		if (!strncmp(word, table[i].name, length) && word[length] == '=')
			return table[i].set(word + length + 1);
	}
	return false;
}

enum status options_parse(const char *text)
{
	enum status status = ST_OK;
	static char word[sizeof(options.caps) + 16]; /* the longest option with its name */

	while (*text) {
		size_t length = 0;

		for (; *text == ' '; text++)
			;
		for (; *text && *text != ' '; text++)
			if (length < sizeof(word) - 1)
				word[length++] = *text;
		word[length] = 0;
		if (length && !set_option(word)) {
			log_print("option '%s' is unknown or has a bad value", word);
			status = ST_INVALID;
		}
	}
	if (options.ring_mode == RING_OVERWRITE && !drain_waits(options.drain)) {
		log_print("option ring_mode=overwrite needs drain=ring or drain=serial: it is "
			  "ignored");
		options.ring_mode = RING_AUTO;
		status = ST_INVALID;
	}
	return status;
}
