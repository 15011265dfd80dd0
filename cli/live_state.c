#include "cli/live_state.h"

#include <stdio.h>
#include <string.h>

#include "cli/debugger_state.h"

#define E820_RAM 1

void live_state_forget(struct live_machine *live)
{
	live->has_rsp = live->has_registers = false;
	for (unsigned i = 0; i < live->cpus; i++)
		live->others[i].is_asked = false;
	for (unsigned i = 0; i < LIVE_PAGES; i++)
		live->pages[i].address = ~0ull;
}

/* --- registers ------------------------------------------------------------------------------- */

const char *live_state_registers(void *owner)
{
	struct live_machine *const live = owner;

	if (!live->has_registers &&
	    debugger_read_registers(&live->walk.machine.now, live->memory.cpu, live->registers,
				    sizeof(live->registers)) != ST_OK)
		return "";
	live->has_registers = true;
	return live->registers;
}

/* Where hv runs, it is at what led there. */
static bool ask_other(struct live_machine *live, unsigned cpu, struct live_other *other)
{
	struct debugger *const now = &live->walk.machine.now;
	bool in_guest;

	/* It has never been in L1. */
	if (!timeline_model(live->timeline)->cpus[cpu].level ||
	    debugger_in_guest(now, cpu, &in_guest) != ST_OK)
		return false;
	other->tick = now->place.round;
	if (in_guest)
		return debugger_read_registers(now, cpu, other->registers,
					       sizeof(other->registers)) == ST_OK;
	return machine_time_registers(&live->walk.machine, cpu, other->registers,
				      sizeof(other->registers), &other->tick) == ST_OK &&
	       other->tick;
}

const char *live_state_others(void *owner, u16 cpu, u8 *level)
{
	struct live_machine *const live = owner;
	struct live_other *const other = &live->others[cpu];

	if (cpu >= live->walk.machine.now.cpus)
		return NULL;
	if (!other->is_asked)
		other->is_known = ask_other(live, cpu, other);
	other->is_asked = true;
	*level = live_machine_level(live, cpu, other->tick);
	return other->is_known ? other->registers : NULL;
}

bool live_machine_rsp(struct live_machine *live, u64 *rsp)
{
	struct debugger *const now = &live->walk.machine.now;

	if (!live->has_rsp)
		live->has_rsp = debugger_ask(now, "r") == ST_OK &&
				bochs_text_register(now->text, "rsp", &live->rsp);
	*rsp = live->rsp;
	return live->has_rsp;
}

/* --- memory ---------------------------------------------------------------------------------- */

/* Only what L1 was told is RAM: the rest is hv's or of devices, and Bochs ends where nothing is. */
static u64 ram_end(const struct live_machine *live, u64 address)
{
	const struct reader_boot *const boot = reader_boot(timeline_reader(live->timeline), 0);

	for (unsigned i = 0; i < boot->memory_count; i++) {
		const struct ev_memory *const range = &boot->memory[i];

		if (range->type == E820_RAM && address - range->base < range->size)
			return range->base + range->size;
	}
	return address;
}

static const struct live_page *read_page(struct live_machine *live, u64 address)
{
	struct live_page *const page = &live->pages[(address >> 12) % LIVE_PAGES];
	struct debugger *const now = &live->walk.machine.now;
	const u64 end = MIN(ram_end(live, address), address + sizeof(page->bytes));
	char command[64];
	u64 words[sizeof(page->bytes) / sizeof(u64)];
	const size_t count = (end - address) / sizeof(u64);

	if (page->address == address)
		return page;
	if (!count)
		return NULL;
	memset(words, 0, sizeof(words));
	snprintf(command, sizeof(command), "xp /%zugx 0x%llx", count, (unsigned long long)address);
	if (debugger_ask(now, command) != ST_OK ||
	    bochs_text_words(now->text, words, count) != count)
		return NULL;
	memcpy(page->bytes, words, sizeof(words));
	page->address = address;
	return page;
}

size_t live_state_memory(void *owner, u64 address, void *to, size_t size)
{
	struct live_machine *const live = owner;
	size_t done = 0;

	while (done < size) {
		const u64 at = address + done, offset = at % sizeof(live->pages[0].bytes);
		const size_t part = MIN(size - done, sizeof(live->pages[0].bytes) - offset);
		const u64 end = ram_end(live, at);
		const struct live_page *const page =
			end - at >= part ? read_page(live, at - offset) : NULL;

		if (!page)
			break;
		memcpy((u8 *)to + done, page->bytes + offset, part);
		done += part;
	}
	return done;
}
