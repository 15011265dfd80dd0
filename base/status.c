#include "base/status.h"
#include "base/base.h"

const char *status_text(enum status status)
{
	static const char *const texts[] = {
#define STATUS(name, text) [ST_##name] = text,
#include "base/status.def"
#undef STATUS
	};

	if ((unsigned)status >= ARRAY_SIZE(texts))
		return "unknown status";
	return texts[status];
}
