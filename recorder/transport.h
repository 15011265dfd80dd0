/*
 * recorder/transport.h - where the bytes of a capture come from: a pipe, a line, a file
 */
#ifndef RECORDER_TRANSPORT_H
#define RECORDER_TRANSPORT_H

#include "recorder/capture.h"

/*
 * Read once from @fd, as much as is there, and feed it to @capture. *@end is set at the end of the
 * file. ST_OK also when a non-blocking @fd has nothing now; ST_IO with capture_error(), or, where
 * that is NULL, with errno about @fd.
 */
enum status transport_feed(int fd, struct capture *capture, bool *end);

#endif
