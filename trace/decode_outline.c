/*
 * trace/decode_outline.c - events, passed over by their times
 */
#include "trace/decode_parts.h"
#include "trace/outline.h"

/* Whether the stream of @column has misses of its like alone, of which a kind has one. */
static bool is_alone(const struct trace_schema *schema, const struct trace_column *column)
{
	for (unsigned i = 0; i < schema->column_count; i++) {
		const struct trace_column *const other = &schema->columns[i];

		if (other->stream == column->stream &&
		    (decoder_predictor(other) != decoder_predictor(column) ||
		     other->cell != column->cell || strcmp(other->name, column->name) != 0))
			return false;
	}
	return true;
}

bool decoder_has_outlines(const struct trace_schema *schema)
{
	for (unsigned id = 0; id < SCHEMA_MAX_KINDS; id++) {
		const struct trace_kind_info *const kind = trace_schema_kind(schema, id);

		for (unsigned i = 0; kind && i < kind->column_count; i++) {
			const struct trace_column *const column = &kind->columns[i];

			if (i == kind->current_column && i != kind->pointer_column)
				return false;
			if ((i == kind->order_column || i == kind->pointer_column ||
			     (column->cell == schema->vmcs_cell &&
			      column->predictor == PREDICTOR_LAST)) &&
			    !is_alone(schema, column))
				return false;
		}
	}
	return schema->vmcs_cell != SCHEMA_NONE;
}

void decoder_prepare_outline(const struct trace_schema *schema, struct site *site)
{
	const struct trace_kind_info *const kind = site->kind;

	site->turns = kind->key == KEY_COL0;
	site->names = kind->order_column != SCHEMA_NONE || kind->pointer_column != SCHEMA_NONE ||
		      (site->turns && kind->key_cell == schema->vmcs_cell);
	site->tells = site->names;
	for (unsigned i = 0; i < kind->last_count; i++)
		if (kind->last_cell[i] == schema->vmcs_cell)
			site->vmcs_bit = 1u << kind->last[i];
}

static u64 take_missing(struct trace_decoder *decoder, const struct site *site, unsigned column)
{
	if (!(site->mask >> column & 1))
		return 0;
	return unzigzag(take_number(decoder, site->kind->columns[column].stream));
}

/* Whether the next event, at @site, stops an outline by its number. */
static bool has_order(struct trace_decoder *decoder, struct trace_outline *outline,
		      const struct site *site)
{
	const unsigned column = site->kind->order_column;

	if (column == SCHEMA_NONE)
		return false;
	/* It is the one that has stopped it. */
	if (outline->order) {
		outline->order = 0;
		return false;
	}
	outline->order = decoder->order + 1 + take_missing(decoder, site, column);
	if (!outline->order)
		return false;
	decoder->order = outline->order;
	return true;
}

static void tell_region(const struct trace_outline *outline, u64 pointer)
{
	if (outline->at_region)
		outline->at_region(outline->owner, pointer);
}

static void tell_vmcs(struct trace_decoder *decoder, const struct trace_outline *outline,
		      const struct site *site)
{
	u64 *const cell = &decoder->cells[decoder->schema->vmcs_cell];

	if (site->turns && site->kind->key_cell == decoder->schema->vmcs_cell)
		*cell = site->values[0];
	else if (site->mask & site->vmcs_bit)
		*cell += take_missing(decoder, site, (unsigned)__builtin_ctz(site->vmcs_bit));
	else
		return;
	tell_region(outline, *cell);
}

static void tell_pointer(struct trace_decoder *decoder, const struct trace_outline *outline,
			 struct site *site)
{
	const unsigned column = site->kind->pointer_column;

	if (column == SCHEMA_NONE)
		return;
	site->values[column] += take_missing(decoder, site, column);
	if (column == site->kind->current_column)
		decoder->cells[decoder->schema->vmcs_cell] = site->values[column];
	tell_region(outline, site->values[column]);
}

/* What the next event, at @site, tells; false: it is not to be passed. */
static NOINLINE bool tell(struct trace_decoder *decoder, struct trace_outline *outline,
			  struct site *site)
{
	if (site == &decoder->start)
		decoder->bad = true;
	if (decoder->bad || has_order(decoder, outline, site))
		return false;
	tell_vmcs(decoder, outline, site);
	tell_pointer(decoder, outline, site);
	return !decoder->bad;
}

/* Of at most @most events that are expected, those that are early enough. */
static u64 pass_expected(struct trace_decoder *decoder, struct trace_outline *outline, u64 most)
{
	struct stream times = decoder->streams[STREAM_TSC];
	struct site *previous = decoder->previous;
	const u64 before = outline->before;
	u64 now = decoder->tsc + outline->shift, time = outline->time, done = 0;
	u32 turn = decoder->turn;

	for (; done < most; done++) {
		struct site *const site = previous->next[turn];
		const u8 *const behind = times.at;
		u64 delta, then;

		if (unlikely(times.end - behind < 2 || !take_short(&times, &delta))) {
			delta = decoder_take_long(decoder, &times);
			if (decoder->bad)
				break;
		}
		delta = site->delta + unzigzag(delta);
		then = now + delta;
		then = then < time ? time : then;
		if (unlikely(then >= before)) {
			times.at = behind;
			break;
		}
		if (unlikely(site->tells) && !tell(decoder, outline, site)) {
			outline->order_time = then;
			times.at = behind;
			break;
		}
		site->delta = delta;
		now += delta;
		time = then;
		turn = site->turns ? site->turn : turn;
		previous = site;
	}
	decoder->streams[STREAM_TSC] = times;
	decoder->previous = previous;
	decoder->turn = turn;
	decoder->tsc = now - outline->shift;
	outline->time = time;
	return done;
}

enum status trace_decoder_outline(struct trace_decoder *decoder, struct trace_outline *outline)
{
	u64 some;

	outline->count = 0;
	if (!decoder->has_outlines)
		return ST_UNSUPPORTED;
	while (decoder->left) {
		/* What ends a run is taken, though the event behind it is perhaps too late. */
		if (!decoder->run && !decoder_take_op(decoder))
			return decoder_fail(decoder);
		some = pass_expected(decoder, outline, MIN(decoder->run, decoder->left));
		if (decoder->bad)
			return decoder_fail(decoder);
		outline->count += some;
		decoder->run -= some;
		decoder->left -= (u32)some;
		decoder->seq += some;
		if (decoder->run && decoder->left)
			return ST_OK;
	}
	return ST_END;
}
