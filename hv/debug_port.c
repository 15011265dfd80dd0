#include "hv/debug_port.h"

#include "hv/insn.h"
#include "hv/lock.h"

#define DEBUG_PORT 0xe9
#define TRIES	   (1u << 22)

static struct lock lock;

void debug_port_write(const void *bytes, size_t size)
{
	outsb(DEBUG_PORT, bytes, size);
}

bool debug_port_try(void)
{
	return lock_try(&lock);
}

void debug_port_take(void)
{
	(void)lock_wait(&lock, TRIES);
}

void debug_port_release(void)
{
	lock_release(&lock);
}
