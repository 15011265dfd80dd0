#include "cli/place_arg.h"

#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/options.h"
#include "cli/tape_arg.h"
#include "replay/event_text.h"
#include "replay/memory_text.h"
#include "replay/symbols.h"

void place_open(const char *path, const char *position, struct place *place)
{
	const struct trace_event *event;
	const struct model *model;
	enum status status;
	char error[512];

	*place = (struct place){ .reader = moment_open_tape(path) };
	place->n = moment_position(place->reader, position);
	status = timeline_open(reader_info(place->reader)->path, &place->timeline, error,
			       sizeof(error));
	if (status != ST_OK)
		die("%s", error);
	status = timeline_seek(place->timeline, place->n);
	if (status != ST_OK)
		die("the state at '%s': %s", position, status_text(status));
	event = timeline_event(place->timeline);
	model = timeline_model(place->timeline);
	place->cpu = event ? event->cpu : 0;
	snprintf(place->name, sizeof(place->name), "%s", place_name(place, place->n));
	if (event && event->level)
		place->level = event->level;
	else if (place->cpu < MODEL_MAX_CPUS && model->cpus[place->cpu].level)
		place->level = model->cpus[place->cpu].level;
	else
		place->level = 1;
}

int place_close(struct place *place, int status)
{
	timeline_close(place->timeline);
	return tape_arg_close(place->reader, status);
}

const char *place_name(struct place *place, u64 n)
{
	static char name[40];
	const struct trace_event *event;

	if (n == MEMORY_NEVER)
		return "?";
	if (reader_seek(place->reader, n) != ST_OK || reader_next(place->reader, &event) != ST_OK)
		snprintf(name, sizeof(name), "@%llu", (unsigned long long)n);
	else
		*event_text_position(name, event->cpu, event->seq) = 0;
	return name;
}

static bool find_register(const char *name, enum register_name *reg)
{
	for (unsigned i = 0; i < REGISTER_COUNT; i++)
		if (!strcmp(register_info((enum register_name)i)->name, name)) {
			*reg = (enum register_name)i;
			return true;
		}
	return false;
}

static u64 read_register(struct place *place, enum memory_space space, enum register_name reg)
{
	const bool linear = space == MEMORY_L1_LINEAR || space == MEMORY_L2_LINEAR;
	const unsigned level = space == MEMORY_L2_LINEAR || space == MEMORY_L2_PHYSICAL ? 2 : 1;
	struct registers registers;
	enum register_name missing = reg;
	u64 value;
	bool known;

	registers_at(place->timeline, place->cpu, level, &registers);
	known = linear && (reg == REGISTER_RIP || reg == REGISTER_RSP)
			? register_linear(&registers, reg, &value, &missing)
			: register_known(&registers, reg, &value);
	if (!known)
		die("%s of L%u is unknown at %s: 'vmxtape regs' shows what is known",
		    register_info(missing)->name, level, place->name);
	return value;
}

u64 place_address(struct place *place, enum memory_space space, const char *text)
{
	const struct symbols *const symbols = reader_names(place->reader)->symbols;
	const bool l2 = space == MEMORY_L2_LINEAR || space == MEMORY_L2_PHYSICAL;
	const struct symbol *symbol;
	enum register_name reg;
	u64 value;

	if (options_number(text, &value))
		return value;
	if (find_register(text, &reg))
		return read_register(place, space, reg);
	symbol = symbols ? symbols_named(symbols, l2 ? 2 : 1, text) : NULL;
	if (symbol)
		return symbol->address;
	die("'%s' is no address: give a number, a register such as rsp, or a symbol", text);
}

enum memory_space place_space(const struct place *place, const char *name)
{
	enum memory_space space = place->level == 2 ? MEMORY_L2_LINEAR : MEMORY_L1_LINEAR;

	if (name && !memory_space_find(name, &space))
		die("'%s' is no space: l1 and l2 are linear addresses, l1p and l2p physical ones",
		    name);
	return space;
}
