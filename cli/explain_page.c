#include "cli/explain_page.h"

#include <string.h>

#include "cli/explain_parts.h"
#include "cli/out.h"
#include "cli/out_json.h"

#define LABEL_WIDTH 17
#define MAX_COLUMN  100

void explain_paragraph(const char *label, const char *text)
{
	if (!text || !*text)
		return;
	while (*text) {
		size_t length = strlen(text);

		if (length > MAX_COLUMN - LABEL_WIDTH) {
			for (length = MAX_COLUMN - LABEL_WIDTH; length && text[length] != ' ';)
				length--;
			if (!length)
				length = strcspn(text, " ");
		}
		out_format("  %-*s%.*s\n", LABEL_WIDTH - 2, label, (int)length, text);
		text += length + (text[length] == ' ');
		label = "";
	}
}

void explain_json_open(const char *what, const char *name)
{
	json_open(NULL, '{');
	json_number("schema", 1);
	json_text("what", what);
	json_text("name", name);
}

void explain_json_close(void)
{
	json_close('}');
	json_end();
}

unsigned explain_pages(const char *name, bool json)
{
	static explain_kind *const kinds[] = {
		explain_finding_pages, explain_field_pages,	 explain_control_pages,
		explain_capbit_pages,  explain_exit_pages,	 explain_msr_pages,
		explain_check_pages,   explain_exit_check_pages, explain_erratum_pages,
	};
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		count += kinds[i](name, json);
	return count;
}
