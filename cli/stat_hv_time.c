#include "cli/stat_hv_time.h"

#include <stdlib.h>

#include "cli/out.h"
#include "cli/out_json.h"

#define ROWS (2 * (STAT_REASONS + 1))

struct row {
	unsigned level;
	const char *reason;
	const struct stat_hv *hv;
};

static int by_ticks(const void *a, const void *b)
{
	const struct stat_hv *const x = ((const struct row *)a)->hv;
	const struct stat_hv *const y = ((const struct row *)b)->hv;

	if (x->ticks != y->ticks)
		return x->ticks < y->ticks ? 1 : -1;
	return x < y ? -1 : x > y; /* both are of one table */
}

static unsigned pick(const struct stat *stat, struct row *rows)
{
	unsigned count = 0;

	for (unsigned level = 1; level <= 2; level++)
		for (unsigned reason = 0; reason <= STAT_REASONS; reason++) {
			const struct stat_hv *const hv = &stat->hv[level - 1][reason];

			if (hv->exits)
				rows[count++] =
					(struct row){ level,
						      reason < STAT_REASONS ? vmx_exit_name(reason)
									    : "unknown",
						      hv };
		}
	qsort(rows, count, sizeof(*rows), by_ticks);
	return count;
}

static void put_json(const struct stat_hv *hv)
{
	json_number("exits", hv->exits);
	json_number("ticks", hv->ticks);
	json_number("longest", hv->longest);
	json_hex("longest_tsc", hv->longest_tsc);
	json_close('}');
}

static void put_text(const char *name, const char *level, const struct stat_hv *hv, u64 ticks)
{
	out_format("%-22s%-5s%11llu%10.0f%9.2f %%%12llu  @tsc:0x%llx\n", name, level,
		   (unsigned long long)hv->exits, (double)hv->ticks / (double)hv->exits,
		   ticks ? 100 * (double)hv->ticks / (double)ticks : 0,
		   (unsigned long long)hv->longest, (unsigned long long)hv->longest_tsc);
}

void stat_print_hv_time(const struct stat *stat, bool json)
{
	static const char *const levels[] = { "", "L1", "L2" };
	struct row rows[ROWS];
	const unsigned count = pick(stat, rows);

	if (json)
		json_open("hv_time", '[');
	else if (count)
		out_format("\n%-22s%-5s%11s%10s%11s%12s\n", "time of L0, by exit", "of", "exits",
			   "ticks", "of all", "longest");
	for (unsigned i = 0; i < count; i++) {
		if (!json) {
			put_text(rows[i].reason, levels[rows[i].level], rows[i].hv, stat->ticks);
			continue;
		}
		json_open(NULL, '{');
		json_number("level", rows[i].level);
		json_text("reason", rows[i].reason);
		put_json(rows[i].hv);
	}
	if (json) {
		json_close(']');
		json_open("packing", '{');
		put_json(&stat->packing);
	} else if (stat->packing.exits) {
		put_text("packing, sending", "", &stat->packing, stat->ticks);
	}
}
