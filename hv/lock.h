/*
 * hv/lock.h - for the few things that processors share while L1 runs
 *
 * None of them is on the way of an event into its ring. Whoever holds a lock is in hv, where
 * nothing interrupts but NMIs, and does not wait for anything.
 */
#ifndef HV_LOCK_H
#define HV_LOCK_H

#include "base/base.h"

struct lock {
	bool taken;
};

static inline bool lock_try(struct lock *lock)
{
	return !__atomic_test_and_set(&lock->taken, __ATOMIC_ACQUIRE);
}

/* False: it was not free at any of @tries. */
static inline bool lock_wait(struct lock *lock, u32 tries)
{
	while (!lock_try(lock)) {
		if (!tries--)
			return false;
		__builtin_ia32_pause();
	}
	return true;
}

static inline void lock_take(struct lock *lock)
{
	while (!lock_wait(lock, ~0u))
		;
}

static inline void lock_release(struct lock *lock)
{
	__atomic_clear(&lock->taken, __ATOMIC_RELEASE);
}

#endif
