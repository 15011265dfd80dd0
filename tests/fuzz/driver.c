/*
 * fuzz_TARGET [-n STEPS] [-s SEED] FILE... - a fuzz target without libFuzzer
 *
 * Gives each FILE to the target, then STEPS (default 0) mutations of them: bytes changed, taken
 * out, put in, copied from elsewhere, numbers at their limits. The same SEED gives the same steps.
 * The input of the step that is under way is in ./fuzz-input when the target crashes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "tests/fuzz/fuzz.h"

#define MAX_FILES 256
#define MAX_SIZE  (1 << 20)

static struct {
	u8 *bytes;
	size_t size;
} files[MAX_FILES];
static unsigned file_count;
static u64 random_state;
static u8 input[MAX_SIZE];
static size_t input_size;

static u64 next_random(u64 below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

static void load(const char *path)
{
	FILE *const file = fopen(path, "rb");

	if (!file || file_count == MAX_FILES) {
		fprintf(stderr, "fuzz: cannot read '%s'\n", path);
		exit(2);
	}
	files[file_count].bytes = malloc(MAX_SIZE);
	files[file_count].size = fread(files[file_count].bytes, 1, MAX_SIZE, file);
	file_count++;
	fclose(file);
}

static void keep_input(int number)
{
	const int fd = open("fuzz-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0 && write(fd, input, input_size) == (ssize_t)input_size)
		close(fd);
	signal(number, SIG_DFL);
	raise(number);
}

static void cut_out(size_t at, size_t size)
{
	memmove(input + at, input + at + size, input_size - at - size);
	input_size -= size;
}

static void put_in(size_t at, const u8 *from, size_t size)
{
	if (input_size + size > MAX_SIZE)
		return;
	memmove(input + at + size, input + at, input_size - at);
	memmove(input + at, from, size);
	input_size += size;
}

static void mutate(void)
{
	static const u64 limits[] = { 0,	  1,	  0x7f,	      0x80,	  0xff,
				      0x100,	  0x7fff, 0x8000,     0xffff,	  0x10000,
				      0x7fffffff, ~0ull,  0x80000000, 0xffffffff, 1ull << 63 };
	const size_t at = next_random(input_size);
	const size_t run = next_random(MIN(input_size - at, 64)) + 1;
	const u64 limit = limits[next_random(ARRAY_SIZE(limits))];
	const size_t width = (size_t)1 << next_random(4);
	u8 copy[64];

	switch (next_random(7)) {
	case 0:
		input[at] ^= (u8)(1u << next_random(8));
		break;
	case 1:
		input[at] = (u8)next_random(256);
		break;
	case 2:
		input[at] += (u8)(next_random(2) ? 1 : 255);
		break;
	case 3:
		memcpy(input + at, &limit, MIN(width, input_size - at));
		break;
	case 4:
		if (input_size > run)
			cut_out(at, run);
		break;
	case 5:
		memcpy(copy, input + at, MIN(run, sizeof(copy)));
		put_in(next_random(input_size), copy, MIN(run, sizeof(copy)));
		break;
	case 6:
		memcpy(copy, input + at, MIN(run, sizeof(copy)));
		memcpy(input + next_random(input_size - MIN(run, sizeof(copy)) + 1), copy,
		       MIN(run, sizeof(copy)));
		break;
	}
}

static void step(void)
{
	const unsigned which = (unsigned)next_random(file_count);

	input_size = files[which].size;
	memcpy(input, files[which].bytes, input_size);
	for (u64 i = 0; i <= next_random(6) && input_size; i++)
		mutate();
	LLVMFuzzerTestOneInput(input, input_size);
}

int main(int argc, char **argv)
{
	u64 steps = 0, seed = 1;
	int option;

	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n')
			steps = strtoull(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	random_state = seed * 0x9e3779b97f4a7c15ull | 1;
	for (; optind < argc; optind++)
		load(argv[optind]);
	signal(SIGABRT, keep_input);
	signal(SIGSEGV, keep_input);
	signal(SIGILL, keep_input);
	signal(SIGTRAP, keep_input);
	for (unsigned i = 0; i < file_count; i++) {
		input_size = files[i].size;
		memcpy(input, files[i].bytes, input_size);
		LLVMFuzzerTestOneInput(input, input_size);
	}
	for (u64 i = 0; i < steps && file_count; i++)
		step();
	printf("%u files, %llu steps\n", file_count, (unsigned long long)steps);
	return 0;
}
