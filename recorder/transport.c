#include "recorder/transport.h"

#include <errno.h>
#include <unistd.h>

enum status transport_feed(int fd, struct capture *capture, bool *end)
{
	static u8 part[1 << 16];
	const ssize_t got = read(fd, part, sizeof(part));

	*end = false;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? ST_OK : ST_IO;
	*end = got == 0;
	return capture_feed(capture, part, (size_t)got);
}
