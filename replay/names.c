#include "replay/names.h"

#include "vmx/tables.h"

static const char *const outcomes[] = {
	[OUTCOME_SUCCEED] = "succeed",
	[OUTCOME_FAIL_INVALID] = "fail_invalid",
	[OUTCOME_FAIL_VALID] = "fail_valid",
	[OUTCOME_FAULT] = "fault",
};

static const char *pick(const char *const *names, size_t count, u64 number)
{
	return number < count && names[number] ? names[number] : "unknown";
}

const char *name_outcome(u64 outcome)
{
	return pick(outcomes, ARRAY_SIZE(outcomes), outcome);
}

int name_outcome_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		if (!strcmp(outcomes[i], name))
			return (int)i;
	return -1;
}

const char *name_end(u64 why)
{
	static const char *const names[] = {
		[END_POWER_OFF] = "power_off",
		[END_RESET] = "reset",
		[END_TRIPLE_FAULT] = "triple_fault",
		[END_REFUSED_SLEEP] = "refused_sleep",
		[END_PANIC] = "panic",
	};

	return pick(names, ARRAY_SIZE(names), why);
}

const char *name_gap(u64 why)
{
	static const char *const names[] = {
		[GAP_RING_FULL] = "ring_full",
		[GAP_LOST_BLOCK] = "lost_block",
		[GAP_DAMAGED_BLOCK] = "damaged_block",
		[GAP_CUT] = "cut",
	};

	return pick(names, ARRAY_SIZE(names), why);
}

const char *name_origin(u64 origin)
{
	static const char *const names[] = {
		[ORIGIN_MEMORY] = "memory",
		[ORIGIN_ERROR] = "error",
	};

	return pick(names, ARRAY_SIZE(names), origin);
}

s64 name_msr_find(const char *name)
{
	static const struct {
		const char *name;
		u32 index;
	} msrs[] = {
#define MSR(NAME, name, index, title)	  { #name, index },
#define VMX_MSR(NAME, name, index, title) { #name, index },
#include "vmx/msrs.def"
#undef VMX_MSR
#undef MSR
	};

	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		if (!strcmp(msrs[i].name, name))
			return msrs[i].index;
	return -1;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool name_contains(const char *text, const char *part)
{
	for (; *text; text++) {
		size_t i = 0;

		while (part[i] && lower(text[i]) == lower(part[i]))
			i++;
		if (!part[i])
			return true;
	}
	return !*part;
}
