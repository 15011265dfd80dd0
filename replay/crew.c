#include "replay/crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/base.h"

#define MAX_HELPERS 7u

static struct {
	pthread_mutex_t lock;
	pthread_cond_t begins;
	pthread_cond_t ended;
	pid_t process; /* that has the helpers; a fork() of it has none */
	unsigned helpers;
	bool busy;

	/* The work, and how many helpers are at it; NULL: there is none. */
	void (*part)(void *owner, unsigned number);
	void *owner;
	unsigned count;
	unsigned next; /* number that nobody has taken yet */
	unsigned active;
	unsigned turn; /* grows with each work */
} crew = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void take_parts(void)
{
	unsigned number;

	while ((number = __atomic_fetch_add(&crew.next, 1, __ATOMIC_RELAXED)) < crew.count)
		crew.part(crew.owner, number);
}

static void *help(void *unused)
{
	unsigned seen = 0;

	pthread_mutex_lock(&crew.lock);
	for (;;) {
		while (!crew.part || crew.turn == seen)
			pthread_cond_wait(&crew.begins, &crew.lock);
		seen = crew.turn;
		crew.active++;
		pthread_mutex_unlock(&crew.lock);
		take_parts();
		pthread_mutex_lock(&crew.lock);
		if (!--crew.active)
			pthread_cond_signal(&crew.ended);
	}
	return unused;
}

static unsigned processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

/* Helpers for all processors but one; false without any. */
static bool gather(void)
{
	const unsigned wanted = MIN(processors() - 1, MAX_HELPERS);
	pthread_t thread;

	if (crew.process != getpid()) {
		crew.process = getpid();
		crew.helpers = crew.active = 0;
		pthread_mutex_init(&crew.lock, NULL);
		pthread_cond_init(&crew.begins, NULL);
		pthread_cond_init(&crew.ended, NULL);
	}
	while (crew.helpers < wanted && !pthread_create(&thread, NULL, help, NULL)) {
		pthread_detach(thread);
		crew.helpers++;
	}
	return wanted && crew.helpers;
}

static void run_alone(unsigned count, void (*part)(void *owner, unsigned number), void *owner)
{
	for (unsigned i = 0; i < count; i++)
		part(owner, i);
}

static void run_together(unsigned count, void (*part)(void *owner, unsigned number), void *owner)
{
	pthread_mutex_lock(&crew.lock);
	crew.part = part;
	crew.owner = owner;
	crew.count = count;
	crew.next = 0;
	crew.turn++;
	pthread_cond_broadcast(&crew.begins);
	pthread_mutex_unlock(&crew.lock);
	take_parts();
	pthread_mutex_lock(&crew.lock);
	while (crew.active)
		pthread_cond_wait(&crew.ended, &crew.lock);
	/* Who wakes up now has come too late. */
	crew.part = NULL;
	pthread_mutex_unlock(&crew.lock);
}

void crew_run(unsigned count, void (*part)(void *owner, unsigned number), void *owner)
{
	/* A second thread that asks, or a part that does, works alone. */
	if (count < 2 || __atomic_exchange_n(&crew.busy, true, __ATOMIC_ACQUIRE)) {
		run_alone(count, part, owner);
		return;
	}
	if (gather())
		run_together(count, part, owner);
	else
		run_alone(count, part, owner);
	__atomic_store_n(&crew.busy, false, __ATOMIC_RELEASE);
}
