/*
 * cli/sent_blocks.h - whether a machine that runs again sends what it sent when it was recorded
 */
#ifndef CLI_SENT_BLOCKS_H
#define CLI_SENT_BLOCKS_H

#include "base/base.h"

struct sent_blocks {
	unsigned same; /* blocks that are as on the tape, to the byte */
	bool differ;   /* the next one is not */
	u64 offset;    /* where that is on the tape; 0: the tape has no more */
};

/*
 * Compare the blocks of the tape @sent, which is being written, with the first ones of @tape. Dies
 * when one cannot be read.
 */
void sent_blocks_compare(const char *tape, const char *sent, struct sent_blocks *blocks);

/*
 * How many first blocks of @tape there are up to the last that has events of before @tsc and must
 * come again to the byte. Where the recording was stopped, the last block of a processor need not.
 * Dies when it cannot be read.
 */
unsigned sent_blocks_until(const char *tape, u64 tsc);

#endif
