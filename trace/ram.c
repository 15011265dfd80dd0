#include "trace/ram.h"

void ram_put(struct ram_writer *writer, u64 address, const void *words, u32 count)
{
	u8 *to = writer->to + writer->size;

	to = varint_put(to, zigzag(address / RAM_WORD - writer->address / RAM_WORD));
	to = varint_put(to, count);
	memcpy(to, words, count * RAM_WORD);
	to += count * RAM_WORD;
	writer->size = (u32)(to - writer->to);
	writer->address = address + count * RAM_WORD;
}

enum status ram_next(struct ram_reader *reader, struct ram_run *run)
{
	struct cursor *const in = &reader->in;
	u64 word, count;

	if (!cursor_left(in))
		return ST_END;
	word = reader->address / RAM_WORD + unzigzag(cursor_varint(in));
	count = cursor_varint(in);
	if (in->status != ST_OK || !count || count > cursor_left(in) / RAM_WORD ||
	    word >= RAM_END / RAM_WORD || count > RAM_END / RAM_WORD - word)
		return ST_CORRUPT;
	run->address = word * RAM_WORD;
	run->size = (u32)count * RAM_WORD;
	run->bytes = cursor_take(in, run->size);
	reader->address = run->address + run->size;
	return ST_OK;
}
