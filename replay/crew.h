/*
 * replay/crew.h - parts of a piece of work that does not take long, on several processors
 *
 * Threads that help are kept, asleep, since to start one takes as long as the work that it could
 * do.
 */
#ifndef REPLAY_CREW_H
#define REPLAY_CREW_H

/*
 * Call @part with @owner and each number below @count, in any order, some of them at the same time
 * where there are processors for it; returns when all have returned.
 */
void crew_run(unsigned count, void (*part)(void *owner, unsigned number), void *owner);

#endif
