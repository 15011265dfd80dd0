#include "hv/fault.h"

#define MARK_PREFIX "fault "
#define MAX_MARK    32

static const char *const names[] = {
#define FAULT(NAME, name, ...) #name,
#include "hv/nested/faults.def"
#undef FAULT
};

_Static_assert(ARRAY_SIZE(names) <= 64, "fault_set");

#define FAULT(NAME, name, ...) \
	_Static_assert(sizeof(MARK_PREFIX #name) <= MAX_MARK + 1, "a mark holds " #name);
#include "hv/nested/faults.def"
#undef FAULT

u64 fault_set;

static int find(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == length && !strncmp(names[i], name, length))
			return (int)i;
	return -1;
}

bool fault_choose(const char *list)
{
	u64 set = 0;

	while (*list) {
		size_t length = 0;
		int fault;

		while (list[length] && list[length] != ',')
			length++;
		fault = find(list, length);
		if (fault < 0)
			return false;
		set |= BIT(fault);
		list += length + (list[length] == ',');
	}
	fault_set = set;
	return true;
}

void fault_choose_by_mark(const void *text, u32 length)
{
	const size_t prefix = sizeof(MARK_PREFIX) - 1;
	char list[MAX_MARK + 1];

	if (length < prefix || length > MAX_MARK || strncmp(text, MARK_PREFIX, prefix))
		return;
	memcpy(list, (const char *)text + prefix, length - prefix);
	list[length - prefix] = 0;
	(void)fault_choose(list);
}
