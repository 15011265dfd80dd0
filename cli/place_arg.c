#include "cli/place_arg.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/options.h"
#include "cli/tape_arg.h"
#include "replay/event_text.h"
#include "replay/memory_text.h"
#include "replay/symbols.h"

static bool show_progress(void *owner, u64 done, u64 total)
{
	static time_t start, shown;
	const time_t now = time(NULL);

	(void)owner;
	start = start ? start : now;
	if (now - start > 1 && now != shown && isatty(STDERR_FILENO)) {
		shown = now;
		fprintf(stderr, "\r\033[Kvmxtape: reading the tape, %llu %%",
			(unsigned long long)(100 * done / MAX(total, 1ull)));
		if (done == total)
			fputs("\r\033[K", stderr);
	}
	return false;
}

static void resolve(struct place *place, const char *position)
{
	char error[512];

	if (timeline_resolve(place->timeline, position, &place->n, error, sizeof(error)) != ST_OK)
		die("%s", error);
}

void place_find(const char *path, const char *position, struct place *place)
{
	enum status status;
	char error[512];

	*place = (struct place){ 0 };
	status = timeline_open(path ? path : TAPE_DEFAULT, &place->timeline, error, sizeof(error));
	if (status != ST_OK)
		tape_arg_fail(status, error);
	timeline_on_poll(place->timeline, show_progress, NULL);
	place->reader = timeline_reader(place->timeline);
	tape_arg_symbols(place->reader);
	resolve(place, position);
}

/* To where @position was found. */
static void go(struct place *place, const char *position)
{
	const struct trace_event *event;
	const struct model *model;
	enum status status;

	status = timeline_seek(place->timeline, place->n);
	if (status != ST_OK)
		die("the state at '%s': %s", position, status_text(status));
	event = timeline_event(place->timeline);
	model = timeline_model(place->timeline);
	place->at = event ? model_place_of(event, place->n) : (struct model_place){ 0 };
	place->cpu = place->at.cpu;
	snprintf(place->name, sizeof(place->name), "%s", place_name(place, place->n));
	if (event && event->level)
		place->level = event->level;
	else if (place->cpu < MODEL_MAX_CPUS && model->cpus[place->cpu].level)
		place->level = model->cpus[place->cpu].level;
	else
		place->level = 1;
}

void place_open(const char *path, const char *position, struct place *place)
{
	place_find(path, position, place);
	go(place, position);
}

void place_go(struct place *place, const char *position)
{
	resolve(place, position);
	go(place, position);
}

int place_close(struct place *place, int status)
{
	status = tape_arg_status(place->reader, status);
	timeline_close(place->timeline);
	return status;
}

const struct model_region *place_vmcs(const struct place *place, const char *text)
{
	const struct model *const model = timeline_model(place->timeline);
	const struct model_region *region;
	u64 pointer;

	if (!text) {
		region = model_current(model, place->cpu);
		if (!region)
			die("%s: the CPU has no current VMCS, or it is unknown; name one by --vmcs",
			    place->name);
		return region;
	}
	if (!options_number(text, &pointer))
		die("'%s' is no address of a VMCS: give a number such as 0x2000", text);
	region = model_region(model, pointer);
	if (!region)
		die("the tape has shown no VMCS at '%s' by %s", text, place->name);
	return region;
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
