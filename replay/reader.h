/*
 * replay/reader.h - the events of a tape, in order
 *
 * The events of all CPUs come as one sequence: docs/trace-format.md, "Order of the CPUs". Gaps,
 * drops, bad blocks and cut ends become EV_GAP events at the place where the missing events would
 * stand; their seq is the first one missing.
 *
 * Position @N is the number of an event in that sequence, from 0. A block whose content is damaged
 * keeps its numbers: its EV_GAP has the first of them, and the event after it follows the last.
 */
#ifndef REPLAY_READER_H
#define REPLAY_READER_H

#include "replay/event_names.h"
#include "trace/event.h"

struct reader;

/*
 * Open the tape @path. On failure @error (of @size bytes) holds one line that names the file, what
 * is wrong and, where something can be done, what to do; *@reader is NULL then.
 *
 * ST_IO it cannot be read; ST_INVALID it is no tape; ST_NEWER the version or a feature of it is
 * unknown to this program; ST_CORRUPT its header is damaged, or nothing tells its schema;
 * ST_UNSUPPORTED its schema contradicts the built-in one. A tape that is merely cut or damaged
 * further on opens with ST_OK: see reader_damage().
 */
enum status reader_open(const char *path, struct reader **reader, char *error, size_t size);
enum status reader_open_memory(const char *name, const void *bytes, size_t size,
			       struct reader **reader, char *error, size_t error_size);
void reader_close(struct reader *reader);

/*
 * The next event, ST_END behind the last. *@event and all it points to belong to the reader and
 * hold until the next call of reader_next() or reader_seek(). For a kind of trace/events.def, @col
 * has at least the columns of struct ev_<kind>; those that the tape does not have are 0. A kind or
 * column that this program does not know is described by reader_schema().
 */
enum status reader_next(struct reader *reader, const struct trace_event **event);

/* @N of the event that reader_next() returns next. */
u64 reader_tell(const struct reader *reader);

/* Make @N the next event; within a damaged block, the one after it. ST_RANGE when @n > events. */
enum status reader_seek(struct reader *reader, u64 n);

/* The same; calls @beside with @owner meanwhile, on another processor if there is one. */
enum status reader_seek_beside(struct reader *reader, u64 n, void (*beside)(void *owner),
			       void *owner);

/*
 * The same in steps, for callers that cannot wait: on tapes of several CPUs that were not read so
 * far yet, all events up to @n have to be merged. Takes at most @most of them; true when @n is the
 * next event. Called again it goes on, also when the reader was elsewhere in between, if @most is
 * READER_STEP or more.
 */
#define READER_STEP 100000
bool reader_approach(struct reader *reader, u64 n, u64 most);

/* What @from, of the same tape, knows of where events are, @reader knows too. */
void reader_learn(struct reader *reader, const struct reader *from);

/* @N of event @seq of @cpu. ST_NOT_FOUND when the tape does not have it. Moves the position. */
enum status reader_find(struct reader *reader, u16 cpu, u64 seq, u64 *n);

/*
 * Marks: where the reader was before some events, kept so that it comes there without reading from
 * the start. A mark is reader_mark_words() numbers, the first its @N; a reader of the same tape may
 * use it. reader_mark() makes one of the place before the next event; an event that was given does
 * not hold any longer.
 */
size_t reader_mark_words(const struct reader *reader);
void reader_mark(struct reader *reader, u64 *words);

/* When the mark was made: the time that the merge was at. */
u64 reader_mark_time(const struct reader *reader, const u64 *words);

/*
 * Use the @count marks at @marks, each @stride numbers behind the last, with ascending @N; they
 * stay the caller's. Marks of another tape make the order wrong, nothing worse.
 */
void reader_use_marks(struct reader *reader, const u64 *marks, size_t count, size_t stride);

/* Likewise states of decoders between them: of all tracks, by track and then by number. */
struct lane_states;
void reader_use_states(struct reader *reader, const struct lane_states *states);

/*
 * What the tape says of the machine it was recorded from: *@size bytes of text, which are the
 * tape's. NULL when it does not. docs/trace-format.md, "MACH".
 */
const char *reader_machine(const struct reader *reader, size_t *size);

/* A CRC of the headers of all chunks, which have CRCs of their payloads. */
u32 reader_fingerprint(const struct reader *reader);

/*
 * Call @visit for every event of @kind, by CPU and then by seq; blocks whose headers say that they
 * have none are passed over. Makes @0 the next event.
 */
void reader_visit(struct reader *reader, u8 kind,
		  void (*visit)(void *owner, const struct trace_event *event), void *owner);

/* Whether the header of a block says that it has events of @kind. Reads no block. */
bool reader_has(const struct reader *reader, u8 kind);

const struct trace_schema *reader_schema(const struct reader *reader);

/* What names the numbers of this tape: its schema, and the symbols that were set, which stay the
 * caller's. */
const struct event_names *reader_names(const struct reader *reader);
void reader_set_symbols(struct reader *reader, const struct symbols *symbols);

/* What is known without reading the blocks. Damage inside blocks is added as it is met. */
struct reader_info {
	const char *path;
	u64 bytes;     /* of the file */
	u64 events;    /* the end of @N */
	u64 counted;   /* VMX instructions, L2 entries and L2 exits: for "bytes per event" */
	u64 lost;      /* events known to be missing */
	u64 first_tsc; /* 0 when there is no event */
	u64 last_tsc;
	u64 tsc_hz; /* 0: unknown */
	unsigned version;
	unsigned cpus;
	unsigned blocks;
	unsigned packed; /* blocks of these that are compressed */
	unsigned gaps;
	unsigned bad_blocks;	 /* met so far */
	unsigned unknown_chunks; /* of a type that this program does not know, passed over */
	bool finished; /* the file is whole; false: it was cut, or its recorder was killed */
	bool complete; /* the recording ended by itself; false: it was stopped from outside */
};

const struct reader_info *reader_info(const struct reader *reader);

/*
 * One line about the first damage met so far (cut, bad block, bytes that are no chunk), NULL when
 * there was none: verbs exit with status 3 then. Losses during the recording are no damage.
 */
const char *reader_damage(const struct reader *reader);

/* The boot record of a CPU, from the pinned head. */
struct reader_boot {
	bool present;
	struct ev_boot processor;
	char hv_version[64];
	struct ev_clock clock;
	const struct ev_capability *capabilities;
	const struct ev_cpuid *cpuids;
	const struct ev_memory *memory;
	unsigned capability_count;
	unsigned cpuid_count;
	unsigned memory_count;
	const char *texts[TEXT_L1_NAME + 1]; /* by enum trace_text; NULL: not recorded */
};

/* Never NULL; all zero when the tape has none for @cpu. */
const struct reader_boot *reader_boot(const struct reader *reader, u16 cpu);

#endif
