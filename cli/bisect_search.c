/*
 * cli/bisect_search.c - finding what is needed by halving
 *
 * The method is QuickXplain (U. Junker, AAAI 2004): what is needed of the first half is looked for
 * with the second half kept, and the other way round with what that found. Each question that one
 * half answers alone saves all those about the other.
 */
#include "cli/bisect_search.h"

#define MAX_ASKED 512 /* questions that are remembered */

struct search {
	bisect_works works;
	void *owner;
	size_t asked;
	struct {
		struct bisect_set kept;
		bool works;
	} answers[MAX_ASKED];
};

static bool same(const struct bisect_set *a, const struct bisect_set *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static bool ask(struct search *search, const struct bisect_set *kept)
{
	bool works;

	for (size_t i = 0; i < search->asked; i++)
		if (same(&search->answers[i].kept, kept))
			return search->answers[i].works;
	works = search->works(search->owner, kept);
	if (search->asked < MAX_ASKED) {
		search->answers[search->asked].kept = *kept;
		search->answers[search->asked++].works = works;
	}
	return works;
}

static struct bisect_set join(const struct bisect_set *a, const struct bisect_set *b)
{
	struct bisect_set both = *a;

	for (size_t i = 0; i < ARRAY_SIZE(both.bits); i++)
		both.bits[i] |= b->bits[i];
	return both;
}

static struct bisect_set range(size_t first, size_t end)
{
	struct bisect_set set = { { 0 } };

	for (size_t i = first; i < end; i++)
		bisect_add(&set, i);
	return set;
}

/*
 * Those of the things from @first up to, not including, @end that are needed besides @kept; it
 * works with all of them. @fresh: @kept has more than when it was last known not to be enough.
 */
static struct bisect_set needed_of(struct search *search, const struct bisect_set *kept, bool fresh,
				   size_t first, size_t end)
{
	const size_t middle = first + (end - first) / 2;
	struct bisect_set left, right, with;

	if (fresh && ask(search, kept))
		return range(0, 0);
	if (end - first == 1)
		return range(first, end);
	left = range(first, middle);
	with = join(kept, &left);
	right = needed_of(search, &with, true, middle, end);
	with = join(kept, &right);
	left = needed_of(search, &with, !same(&with, kept), first, middle);
	return join(&left, &right);
}

enum bisect_result bisect_search(size_t count, bisect_works works, void *owner,
				 struct bisect_set *needed)
{
	static struct search search;
	const struct bisect_set all = range(0, count), none = range(0, 0);

	search.works = works;
	search.owner = owner;
	search.asked = 0;
	*needed = none;
	if (!ask(&search, &all))
		return BISECT_NEVER;
	if (!count || ask(&search, &none))
		return BISECT_FOUND;
	*needed = needed_of(&search, &none, false, 0, count);
	return ask(&search, needed) ? BISECT_FOUND : BISECT_UNSTEADY;
}
