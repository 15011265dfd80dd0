/*
 * recorder/emit.h - from an event to the ring: one recorder for each CPU
 *
 * Events are encoded into the open block. A full block is sealed and waits in one of a few buffers
 * to be packed in slices, when the CPU has time; packed, or raw when the buffers run out, it enters
 * the ring. A block that finds no room there is dropped and counted: the header of the next one
 * tells, and a reader makes a gap event of it.
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
	 *
	 * That is at the end of rec_head(), rec_seal(), or a rec_emit() that filled the block
	 * before, so the frames show the state after the last event. Only an event with more than
	 * 128 items or more than 1,600 bytes, or the first one after rec_flush(), can find the
	 * frames before it that were made after it happened.
	 */
	void (*key_frames)(void *owner, struct rec *rec, u64 block);
};

/* Bytes that rec_init() needs, for one CPU. */
size_t rec_size(void);

/*
 * Prepare a recorder in @memory (rec_size() bytes, 64-byte aligned, owned by the caller) that feeds
 * @ring. Without vector registers and zstd, or where whoever takes the tape packs it (@packs
 * false), all blocks stay raw.
 */
struct rec *rec_init(void *memory, struct ring *ring, u16 cpu, const struct rec_ops *ops,
		     void *owner, bool packs);

/*
 * Write the pinned head: the schema, then whatever @events emits (the boot record) as one block
 * that the ring keeps. Once, before any other event. ST_NO_SPACE: the ring is too small.
 */
enum status rec_head(struct rec *rec, void (*events)(void *owner, struct rec *rec));

/*
 * Record @event. Its cpu, seq, and code are set here. May call ops->read_code() and, when a new
 * block is needed, ops->key_frames(). Never fails: what has no room becomes a gap.
 */
void rec_emit(struct rec *rec, const struct trace_event *event);

/* The seq of the event that was last recorded by rec_emit(), key frames aside. */
u64 rec_last_seq(const struct rec *rec);

/*
 * Events with @bytes together are to stand in one block, behind key frames that show the state
 * before the first of them: begin a new block now if they might not fit.
 */
void rec_reserve(struct rec *rec, u32 bytes);

/*
 * Seal the open block and open the next, so that its events get to the reader soon. Does nothing
 * while it holds key frames alone.
 */
void rec_seal(struct rec *rec);

/*
 * Seal the open block and put everything that waits into the ring as it is, for the end of a tape
 * or a panic. No block is open then. Where the ring has no room for everything, drain it and call
 * this again. For a small tape, rec_seal() and rec_pack_slice() first.
 */
void rec_flush(struct rec *rec);

/*
 * Open a block if there is none, so that its key frames show what is now: after rec_flush(), where
 * more is to come.
 */
void rec_open(struct rec *rec);

/*
 * Whether the key frames of block @block can still be referred to: not when it was given up, or
 * soon will be overwritten. For ops->key_frames().
 */
bool rec_image_holds(const struct rec *rec, u64 block);

/*
 * Pack the oldest sealed raw block a little further, at most 4 KiB of its bytes; once it is packed,
 * or where all stay raw, the next call puts it into the ring. Returns false when there is nothing
 * to pack. The caller has saved the vector registers of the guest.
 */
bool rec_pack_slice(struct rec *rec);

/*
 * Put the oldest sealed block into the ring as it is. Returns false when there is none, or no room
 * for it.
 */
bool rec_push(struct rec *rec);

/*
 * Whether the buffers of sealed blocks are nearly used up: without rec_pack_slice() soon, blocks
 * will go into the ring raw, about four times as long.
 */
bool rec_pack_urgent(const struct rec *rec);

#endif
