/*
 * replay/timeline_cache.c - where the index of a tape is kept
 *
 * Beside the tape as T.vxt.idx; where that cannot be, below $XDG_CACHE_HOME/vmxtape under a name
 * made of the tape's; else, and for small tapes, in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "replay/timeline_parts.h"

#define KEPT_FROM 500000 /* events: fewer are read again in no time */

/* The place in the cache for the tape @path; false when there is no cache. */
static bool cache_path(const char *path, char *to, size_t size)
{
	const char *const cache = getenv("XDG_CACHE_HOME");
	const char *const home = getenv("HOME");
	char *const whole = realpath(path, NULL);
	const char *const name = whole ? strrchr(whole, '/') : NULL;
	int length = -1;

	if (name && cache && *cache == '/')
		length = snprintf(to, size, "%s/vmxtape", cache);
	else if (name && home && *home == '/')
		length = snprintf(to, size, "%s/.cache/vmxtape", home);
	if (length >= 0 && (size_t)length < size)
		length += snprintf(to + length, size - (size_t)length, "/%08x-%s.idx",
				   crc32c(0, whole, strlen(whole)), name + 1);
	free(whole);
	return length >= 0 && (size_t)length < size;
}

/* The folders that @path is in, as far as they are missing. */
static void make_folders(char *path)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
}

static bool index_path(const struct timeline *timeline, bool beside, char *to, size_t size)
{
	if (!timeline->path)
		return false;
	if (!beside)
		return cache_path(timeline->path, to, size);
	return (size_t)snprintf(to, size, "%s.idx", timeline->path) < size;
}

static bool load(struct timeline *timeline, bool beside)
{
	char path[4096];
	enum status status;
	int fd;

	if (!index_path(timeline, beside, path, sizeof(path)))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	status = index_load(&timeline->index, timeline->look, fd);
	close(fd);
	return status == ST_OK;
}

/* A new file beside @path, whose name becomes @temporary; below 0: it cannot be. */
static int create(char *path, bool beside, char *temporary, size_t size)
{
	mode_t mask;
	int fd;

	if ((size_t)snprintf(temporary, size, "%s.XXXXXX", path) >= size)
		return -1;
	if (!beside)
		make_folders(path);
	fd = mkostemp(temporary, O_CLOEXEC);
	/* As any file that is made here. */
	mask = umask(0);
	umask(mask);
	if (fd >= 0)
		fchmod(fd, 0666 & ~mask);
	return fd;
}

/* Makes it in @fd; then it is loaded. */
static enum status build(struct timeline *timeline, int fd)
{
	const struct index_poll poll = { timeline->poll, timeline->poll_owner };
	enum status status = index_build(timeline->look, fd, timeline->interval, &poll);

	if (status == ST_OK)
		status = index_load(&timeline->index, timeline->look, fd);
	close(fd);
	return status;
}

/* ST_IO: it cannot be kept there. */
static enum status build_file(struct timeline *timeline, bool beside)
{
	char path[4096], temporary[4096 + 8];
	enum status status;
	int fd;

	if (!index_path(timeline, beside, path, sizeof(path)))
		return ST_IO;
	fd = create(path, beside, temporary, sizeof(temporary));
	if (fd < 0)
		return ST_IO;
	status = build(timeline, fd);
	/* The headers of a tape don't tell of damage in its blocks: what has some is not kept. */
	if (status != ST_OK || reader_info(timeline->look)->bad_blocks || rename(temporary, path))
		unlink(temporary);
	return status;
}

static enum status build_memory(struct timeline *timeline)
{
	const int fd = memfd_create("vmxtape-index", MFD_CLOEXEC);

	return fd < 0 ? ST_IO : build(timeline, fd);
}

static enum status make(struct timeline *timeline)
{
	const bool kept = timeline->path && timeline_events(timeline) >= KEPT_FROM;
	enum status status = ST_IO;

	if (kept)
		status = build_file(timeline, true);
	if (kept && status == ST_IO)
		status = build_file(timeline, false);
	if (status == ST_IO)
		status = build_memory(timeline);
	return status;
}

static void use(struct timeline *timeline)
{
	const struct timeline_index *const index = &timeline->index;
	const u64 *const marks = index_at(index, 0)->mark;

	timeline->has = INDEX_READY;
	timeline->bad_blocks = reader_info(timeline->look)->bad_blocks;
	reader_use_marks(timeline->reader, marks, index->count, index->stride);
	reader_use_marks(timeline->look, marks, index->count, index->stride);
	reader_use_states(timeline->reader, &index->states);
	reader_use_states(timeline->look, &index->states);
}

const struct timeline_index *timeline_find_index(struct timeline *timeline)
{
	/* One that was dropped would only be found again. */
	if (timeline->has == INDEX_UNTRIED && !timeline->bad_blocks &&
	    (load(timeline, true) || load(timeline, false)))
		use(timeline);
	return timeline->has == INDEX_READY ? &timeline->index : NULL;
}

enum status timeline_get_index(struct timeline *timeline, const struct timeline_index **index)
{
	enum status status;

	*index = NULL;
	if (!timeline_find_index(timeline) && timeline->has == INDEX_UNTRIED) {
		status = make(timeline);
		if (status == ST_INTERRUPTED)
			return status;
		if (status == ST_OK)
			use(timeline);
		else
			timeline->has = INDEX_NONE;
	}
	if (timeline->has == INDEX_READY)
		*index = &timeline->index;
	return ST_OK;
}

void timeline_drop_index(struct timeline *timeline, enum timeline_has has)
{
	static const struct lane_states no_states;

	index_state_free(timeline->state);
	timeline->state = NULL;
	if (has == INDEX_READY)
		return;
	if (timeline->has == INDEX_READY) {
		timeline->bad_blocks = reader_info(timeline->reader)->bad_blocks;
		reader_use_marks(timeline->reader, NULL, 0, 0);
		reader_use_marks(timeline->look, NULL, 0, 0);
		reader_use_states(timeline->reader, &no_states);
		reader_use_states(timeline->look, &no_states);
		index_unload(&timeline->index);
	}
	timeline->has = has;
}
