#include "tui/index_job.h"

#include <errno.h>
#include <unistd.h>

#include "replay/timeline.h"

#define LONG_FROM 500000 /* events: shorter ones take no time */

/* In the copy: where to write the progress, and the last that was written. */
struct progress {
	int fd;
	u8 percent;
};

static bool tell(void *owner, u64 done, u64 total)
{
	struct progress *const progress = owner;
	const u8 percent = total ? (u8)(100 * done / total) : 0;

	if (percent == progress->percent)
		return false;
	progress->percent = percent;
	/* Nobody is there to read it: nobody needs the index. */
	return write(progress->fd, &percent, 1) < 0 && errno == EPIPE;
}

static void make_index(void *path, int fd)
{
	struct progress progress = { .fd = fd };
	struct timeline *timeline;
	char error[256];

	if (timeline_open(path, &timeline, error, sizeof(error)) != ST_OK)
		return;
	timeline_on_poll(timeline, tell, &progress);
	timeline_seek(timeline, timeline_events(timeline) / 2);
}

void index_job_start(struct index_job *job, const char *path, u64 events)
{
	*job = (struct index_job){ 0 };
	if (events >= LONG_FROM)
		child_fork(&job->child, make_index, (void *)path);
}

bool index_job_work(struct index_job *job)
{
	char percents[128];
	size_t count;

	while ((count = child_read(&job->child, percents, sizeof(percents))))
		job->percent = (u8)percents[count - 1];
	return child_is_running(&job->child);
}
