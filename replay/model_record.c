#include "replay/model_record.h"

#define REGION_HEAD (offsetof(struct model_region, value) / sizeof(u64))
#define CPU_HEAD    (offsetof(struct model_cpu, region) / sizeof(u64))
#define REST_HEAD   (offsetof(struct model, cpus) / sizeof(u64))

_Static_assert(offsetof(struct model_region, value) % sizeof(u64) == 0 &&
		       offsetof(struct model_cpu, region) % sizeof(u64) == 0 &&
		       offsetof(struct model, cpus) % sizeof(u64) == 0,
	       "heads are whole words");

/* cursor_varint() where ten bytes are certainly left, and numbers are mostly short. */
static inline u64 take_fast(struct cursor *in)
{
	const u8 *at = in->at;
	u64 value = *at++;

	if (unlikely(value >= 0x80)) {
		value &= 0x7f;
		for (unsigned shift = 7; shift < 64; shift += 7) {
			const u64 byte = *at++;

			value |= (byte & 0x7f) << shift;
			if (byte < 0x80)
				break;
		}
	}
	in->at = at;
	return value;
}

/* --- words, those that differ ----------------------------------------------------------------- */

static u64 word_at(const void *at, size_t i)
{
	u64 word;

	memcpy(&word, (const u8 *)at + i * sizeof(word), sizeof(word));
	return word;
}

/* Groups of 32: which differ, and by how much. @base may be NULL: zeros. */
static u8 *put_words(u8 *to, const void *words, const void *base, size_t count)
{
	for (size_t first = 0; first < count; first += 32) {
		const size_t end = MIN(count, first + 32);
		u64 mask = 0;

		for (size_t i = first; i < end; i++)
			if (word_at(words, i) != (base ? word_at(base, i) : 0))
				mask |= BIT(i - first);
		to = varint_put(to, mask);
		for (size_t i = first; i < end; i++)
			if (mask >> (i - first) & 1)
				to = varint_put(to, zigzag(word_at(words, i) -
							   (base ? word_at(base, i) : 0)));
	}
	return to;
}

static void take_words(struct cursor *in, void *words, size_t count)
{
	for (size_t first = 0; first < count; first += 32) {
		u64 mask = cursor_varint(in);

		for (; mask; mask &= mask - 1) {
			const size_t i = first + (size_t)__builtin_ctzll(mask);
			u64 word;

			if (i >= count) {
				in->status = ST_CORRUPT;
				return;
			}
			word = word_at(words, i) + unzigzag(cursor_varint(in));
			memcpy((u8 *)words + i * sizeof(word), &word, sizeof(word));
		}
	}
}

/* A byte that is no truth value must not get into a bool, whatever a record says. */
static void make_bool(bool *truth)
{
	u8 byte;

	memcpy(&byte, truth, sizeof(byte));
	*truth = byte != 0;
}

/* --- fields ----------------------------------------------------------------------------------- */

/* What of a field differs. All its bits are known, mostly, or none. */
enum { FIELD_VALUE = 1, FIELD_KNOWN = 2, FIELD_ALL = 4, FIELD_NONE = 8, FIELD_BITS = 4 };

/* Bytes that a field takes at most: with less left, each number is taken with care. */
#define FIELD_MAX 80

/* Number 0 is the base's; the others in the order of their first use. */
struct places {
	unsigned count;
	struct model_place list[VMCS_FIELD_COUNT];
};

static bool same_place(const struct model_place *a, const struct model_place *b)
{
	return a->n == b->n && a->kind == b->kind && a->cpu == b->cpu && a->seq == b->seq &&
	       a->rip == b->rip;
}

static u64 number_of(struct places *places, const struct model_place *place, bool *is_new)
{
	/* Fields are often written together. */
	for (unsigned i = places->count; i--;)
		if (same_place(&places->list[i], place)) {
			*is_new = false;
			return i + 1;
		}
	*is_new = true;
	places->list[places->count++] = *place;
	return places->count;
}

static u8 *put_place(u8 *to, const struct places *places)
{
	static const struct model_place nowhere;
	const struct model_place *const place = &places->list[places->count - 1];
	const struct model_place *const last = places->count > 1 ? place - 1 : &nowhere;

	to = varint_put(to, place->kind | (u64)place->cpu << 8);
	to = varint_put(to, zigzag(place->n - last->n));
	to = varint_put(to, zigzag(place->seq - last->seq));
	return varint_put(to, zigzag(place->rip - last->rip));
}

static inline const struct model_place *take_place(struct cursor *in, struct places *places,
						   u64 (*take)(struct cursor *in))
{
	static const struct model_place nowhere;
	struct model_place *const place = &places->list[places->count];
	const struct model_place *const last = places->count ? place - 1 : &nowhere;
	const u64 who = take(in);

	place->kind = (u8)who;
	place->cpu = (u16)(who >> 8);
	place->n = last->n + unzigzag(take(in));
	place->seq = last->seq + unzigzag(take(in));
	place->rip = last->rip + unzigzag(take(in));
	places->count++;
	return place;
}

/* The next field; false behind the last one, or when it makes no sense. */
static inline bool take_field(struct cursor *in, struct places *places, u64 *index,
			      struct model_region *region, u64 changed[RECORD_SET_WORDS],
			      u64 (*take)(struct cursor *in))
{
	const u64 step = take(in);
	u64 what, place, at;

	if (!step || in->status != ST_OK)
		return false;
	at = *index += step;
	what = take(in);
	place = what >> FIELD_BITS;
	if (step > VMCS_FIELD_COUNT || at >= VMCS_FIELD_COUNT || place > places->count + 1) {
		in->status = ST_CORRUPT;
		return false;
	}
	changed[at / 64] |= BIT(at % 64);
	if (place)
		region->writer[at] = place > places->count ? *take_place(in, places, take)
							   : places->list[place - 1];
	if (what & FIELD_VALUE)
		region->value[at] += unzigzag(take(in));
	if (what & FIELD_ALL)
		region->known[at] = vmcs_width_mask(vmcs_fields[at].width);
	else if (what & FIELD_NONE)
		region->known[at] = 0;
	else if (what & FIELD_KNOWN)
		region->known[at] += unzigzag(take(in));
	return true;
}

u8 *record_region(u8 *to, const struct model_region *region, const struct model_region *base)
{
	struct places places = { 0 };
	int last = -1;

	to = put_words(to, region, base, REGION_HEAD);
	for (int i = 0; i < VMCS_FIELD_COUNT; i++) {
		const u64 value = region->value[i] - base->value[i];
		const u64 known = region->known[i] - base->known[i];
		const bool moved = !same_place(&region->writer[i], &base->writer[i]);
		const u64 all = vmcs_width_mask(vmcs_fields[i].width);
		bool is_new = false;
		u64 place = 0, what;

		if (!value && !known && !moved)
			continue;
		to = varint_put(to, (u64)(i - last));
		last = i;
		if (moved)
			place = number_of(&places, &region->writer[i], &is_new);
		what = value ? FIELD_VALUE : 0;
		if (known)
			what |= region->known[i] == all ? FIELD_ALL
				: region->known[i]	? FIELD_KNOWN
							: FIELD_NONE;
		to = varint_put(to, place << FIELD_BITS | what);
		if (is_new)
			to = put_place(to, &places);
		if (value)
			to = varint_put(to, zigzag(value));
		if (what & FIELD_KNOWN)
			to = varint_put(to, zigzag(known));
	}
	return varint_put(to, 0);
}

enum status record_apply_region(struct cursor *in, struct model_region *region,
				u64 changed[RECORD_SET_WORDS])
{
	struct places places;
	u64 index = (u64)-1;
	bool more;

	places.count = 0;
	take_words(in, region, REGION_HEAD);
	make_bool(&region->whole);
	make_bool(&region->dword0_known);
	do {
		more = cursor_left(in) >= FIELD_MAX
			       ? take_field(in, &places, &index, region, changed, take_fast)
			       : take_field(in, &places, &index, region, changed, cursor_varint);
	} while (more);
	return in->status;
}

/* --- the others ------------------------------------------------------------------------------- */

u8 *record_cpu(u8 *to, const struct model_cpu *cpu, const struct model_cpu *base)
{
	return put_words(to, cpu, base, CPU_HEAD);
}

enum status record_apply_cpu(struct cursor *in, struct model_cpu *cpu)
{
	take_words(in, cpu, CPU_HEAD);
	make_bool(&cpu->seen);
	make_bool(&cpu->vmxon_known);
	make_bool(&cpu->current_known);
	return in->status;
}

u8 *record_rest(u8 *to, const struct model *model)
{
	return put_words(to, model, NULL, REST_HEAD);
}

enum status record_apply_rest(struct cursor *in, struct model *model)
{
	memset(model, 0, offsetof(struct model, cpus));
	take_words(in, model, REST_HEAD);
	make_bool(&model->from_start);
	make_bool(&model->forgot);
	return in->status;
}
