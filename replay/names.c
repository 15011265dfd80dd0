#include "replay/names.h"

#include "vmx/tables.h"

static const char *const outcomes[] = {
	[OUTCOME_SUCCEED] = "succeed",
	[OUTCOME_FAIL_INVALID] = "fail_invalid",
	[OUTCOME_FAIL_VALID] = "fail_valid",
	[OUTCOME_FAULT] = "fault",
};

const char *name_outcome(u64 outcome)
{
	return outcome < ARRAY_SIZE(outcomes) ? outcomes[outcome] : "unknown";
}

int name_outcome_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		if (!strcmp(outcomes[i], name))
			return (int)i;
	return -1;
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
