/*
 * replay/memory_index.h - where on a tape memory is told, and what it was before an event
 *
 * The events of a tape are cut into chunks. For each page the index keeps in which chunks it is
 * told, and which words of it: 72 bytes for a page in a chunk. The bytes are read again from the
 * tape when they are asked for; the chunks read last are kept.
 *
 * A word is known from the event that tells it on, until a later event tells it again, or a gap:
 * behind a gap of any CPU nothing is known that was told before it.
 */
#ifndef REPLAY_MEMORY_INDEX_H
#define REPLAY_MEMORY_INDEX_H

#include "replay/memory_event.h"
#include "replay/reader.h"

struct memory_index;

/*
 * Read the tape through for where memory is told. @poll is asked now and then, as that of
 * timeline_on_poll(); it may be NULL. ST_NO_MEMORY; ST_INTERRUPTED when the poll said so. The
 * reader outlives the index, which moves it in every call.
 */
enum status memory_index_new(struct reader *reader, bool (*poll)(void *owner, u64 done, u64 total),
			     void *owner, struct memory_index **index);
void memory_index_free(struct memory_index *index);

/* Memory is told somewhere on the tape. */
bool memory_index_any(const struct memory_index *index);

/*
 * What is known before event @n of [@address, @address + @size), physical addresses of @level: the
 * bytes from the first on, as far as all are known. Returns how many, which are in @to. @seen (may
 * be NULL) is the number of the oldest event that told one of them.
 */
size_t memory_index_read(struct memory_index *index, u64 n, unsigned level, u64 address, void *to,
			 size_t size, u64 *seen);

#endif
