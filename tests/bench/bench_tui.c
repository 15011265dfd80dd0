/*
 * bench_tui TAPE - how long the terminal UI keeps a user waiting
 *
 * From opening the tape to the first screen, then for keys of each kind: from the key to the screen
 * that answers it, in CPU time. Work in the background goes on between keys, as it does in use.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app.h"
#include "tui/clock.h"

#define ROUNDS	 5
#define MAX_KEYS 4096
#define SETTLE	 2000000 /* microseconds of work between rounds */

static const char keys[] =
	"j j pagedown G k pageup g v tab 5 0 0 0 0 g j pagedown d b tab * # } } { ) ] F q G pageup "
	"f g u e s t _ c r 4 = = 1 enter j j j pagedown pagedown G g f ctrl-u enter / c p u i d "
	"enter n n N S q r q D q w q";

/* Of this process, in microseconds: what a machine with other work to do adds is not the UI's. */
static u64 cpu_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (u64)time.tv_sec * 1000000 + (u64)time.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
	const u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return (left > right) - (left < right);
}

static u64 press(struct app *app, u32 key)
{
	const struct input_event event = { .key = key };
	const u64 start = cpu_time();
	u64 end;

	app_input(app, &event);
	app_draw(app);
	end = cpu_time();
	app_work(app);
	return end - start;
}

static unsigned press_all(struct app *app, u64 *times)
{
	unsigned count = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		const u64 end = clock_microseconds() + SETTLE;
		const char *at = keys;

		while (*at && count < MAX_KEYS) {
			const size_t size = strcspn(at, " ");

			times[count++] = press(app, input_find(at, size));
			at += size + (at[size] == ' ');
		}
		while (clock_microseconds() < end && app_work(app))
			;
	}
	return count;
}

int main(int argc, char **argv)
{
	const struct app_options options = { .path = argc > 1 ? argv[1] : "vmxtape.vxt",
					     .unicode = true };
	static u64 times[MAX_KEYS];
	const u64 start = cpu_time();
	struct app *app;
	char error[512];
	unsigned count;

	setlocale(LC_CTYPE, "C.UTF-8");
	app = app_new(&options, error, sizeof(error));
	if (!app) {
		fprintf(stderr, "bench_tui: %s\n", error);
		return 1;
	}
	app_input(app, &(struct input_event){ .key = INPUT_RESIZE, .row = 50, .column = 160 });
	app_draw(app);
	printf("first screen        %10.1f ms\n", (double)(cpu_time() - start) / 1000);
	count = press_all(app, times);
	qsort(times, count, sizeof(*times), compare);
	printf("a key, median       %10.1f ms\n", (double)times[count / 2] / 1000);
	printf("a key, 99 of 100    %10.1f ms\n", (double)times[count * 99 / 100] / 1000);
	printf("a key, worst of %-4u%10.1f ms\n", count, (double)times[count - 1] / 1000);
	app_free(app);
	return 0;
}
