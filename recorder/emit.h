/*
 * recorder/emit.h - from an event to the ring: one recorder for each CPU
 *
 * Events are encoded into the open block. A full block is sealed raw into the ring, and packed there
 * later in slices, when the CPU has time. A block that finds no room is dropped, counted, and told
 * by a gap event at the start of the next one.
 *
 * No function here takes a lock, allocates, or waits; a recorder belongs to its CPU.
 */
#ifndef RECORDER_EMIT_H
#define RECORDER_EMIT_H

#include "recorder/ring.h"
#include "trace/event.h"

struct rec;

/* What the recorder asks its owner for. Every function gets @owner. */
struct rec_ops {
	/*
	 * Read up to TRACE_MAX_CODE instruction bytes at @rip of @level into @to; returns how many
	 * could be read, 0 when none. Called once a block for each site of a kind with CODE.
	 */
	unsigned (*read_code)(void *owner, unsigned level, u64 rip, u8 *to);
	/*
	 * A block was opened: emit its key frames with rec_emit(), EV_VMX_STATE first, then an
	 * EV_VMCS_IMAGE for each active VMCS. @block is the number of the new block.
	 */
	void (*key_frames)(void *owner, struct rec *rec, u64 block);
};

/* Bytes that rec_init() needs, for one CPU. */
size_t rec_size(void);

/*
 * Prepare a recorder in @memory (rec_size() bytes, 64-byte aligned, owned by the caller) that feeds
 * @ring. @tsc is the time of its first event.
 */
struct rec *rec_init(void *memory, struct ring *ring, u16 cpu, const struct rec_ops *ops, void *owner,
		     u64 tsc);

/*
 * Write the pinned head: the schema, then whatever @events emits (the boot record) as one block
 * that the ring keeps. Once, before any other event.
 */
enum status rec_head(struct rec *rec, void (*events)(void *owner, struct rec *rec));

/*
 * Record @event. Its cpu, seq, and code are set here. May call ops->read_code() and, when a new
 * block is needed, ops->key_frames(). Never fails: what has no room becomes a gap.
 */
void rec_emit(struct rec *rec, const struct trace_event *event);

/* Seal the open block now, for the end of a tape or a panic. Does nothing when it is empty. */
void rec_flush(struct rec *rec);

/*
 * Pack the oldest sealed raw block a little further, at most 4 KiB of its bytes. Returns false when
 * there is nothing to pack. The caller has saved the vector registers of the guest.
 */
bool rec_pack_slice(struct rec *rec);

#endif
