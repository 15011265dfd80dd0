#include "cli/record_from.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/stop_signals.h"
#include "recorder/capture.h"
#include "recorder/transport.h"

static int open_source(const char *source)
{
	const int fd =
		strcmp(source, "-") ? open(source, O_RDONLY | O_NOCTTY | O_CLOEXEC) : STDIN_FILENO;

	if (fd < 0)
		die_errno("cannot read '%s'", source);
	return fd;
}

/* False: the tape cannot be written. */
static bool feed_all(int fd, const char *source, struct capture *capture)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = stop_signals_catch(false), .events = POLLIN },
	};
	bool end = false;

	while (!end && !stop_signals_came()) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			die_errno("cannot wait for '%s'", source);
		if (!fds[0].revents || transport_feed(fd, capture, &end) == ST_OK)
			continue;
		if (capture_error(capture))
			return false;
		message("'%s': %s: the tape has what came before", source, strerror(errno));
		end = true;
	}
	return true;
}

static int finish(struct capture *capture, const char *source, const char *tape)
{
	const struct capture_stats *const stats = capture_stats(capture);

	if (!stats->head) {
		message("nothing was recorded: '%s' has no tape's beginning; give what was taken "
			"first, first",
			source);
		output_remove(tape);
		return EXIT_USAGE;
	}
	message("'%s': %llu events, %llu bytes", tape, (unsigned long long)stats->events,
		(unsigned long long)stats->tape_bytes);
	if (!stats->last)
		message("the end is missing: it comes over the machine's serial port");
	if (!stats->lost_events && !stats->lost_frames && !stats->bad_chunks)
		return EXIT_CLEAN;
	message("lost: %llu events, %llu frames, %llu damaged chunks",
		(unsigned long long)stats->lost_events, (unsigned long long)stats->lost_frames,
		(unsigned long long)stats->bad_chunks);
	return stats->lost_frames || (stats->bad_chunks && stats->last) ? EXIT_DAMAGED : EXIT_CLEAN;
}

int record_from(const char *source, const char *tape)
{
	const int fd = open_source(source);
	struct capture *capture;
	char error[512];
	bool written;
	int result;

	output_rotate(tape);
	if (capture_open(tape, NULL, NULL, &capture, error, sizeof(error)) != ST_OK)
		die("%s", error);
	written = feed_all(fd, source, capture);
	if (capture_close(capture) != ST_OK || !written) {
		message("%s", capture_error(capture));
		result = EXIT_USAGE;
	} else {
		result = finish(capture, source, tape);
	}
	capture_free(capture);
	if (fd != STDIN_FILENO)
		close(fd);
	return result;
}
