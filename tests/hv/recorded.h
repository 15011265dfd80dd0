/*
 * tests/hv/recorded.h - an hv that has been recording, and what comes out of it, as a host reads it
 */
#ifndef TESTS_HV_RECORDED_H
#define TESTS_HV_RECORDED_H

#include <unistd.h>

#include "hv/hv_options.h"
#include "hv/log.h"
#include "hv/multiboot.h"
#include "hv/record.h"
#include "recorder/capture.h"
#include "recorder/emit.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY	 MIB(64)
#define MAX_SEEN 4096

static struct percpu *cpu;

/* What came out of the debug console port, as the host's capture understands it. */
static struct {
	struct {
		u8 kind, level;
		u64 col[TRACE_MAX_COLUMNS];
		char text[64];
	} events[MAX_SEEN];
	unsigned count;
	struct capture_stats stats;
} seen;

static inline int boot(void **state)
{
	(void)state;
	options = (struct options){ .ring = MIB(1), .flush = GIB(1), .drain = DRAIN_DEBUGCON };
	cpu = stub_boot_nested(MEMORY, true, "-load_efer");
	strcpy(boot_info.options, "caps=-load_efer");
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	record_init(cpu);
	return 0;
}

static inline void on_event(void *owner, const struct trace_schema *schema,
			    const struct trace_event *event)
{
	const u32 length = MIN(event->byte_count, (u32)sizeof(seen.events[0].text) - 1);

	(void)owner;
	(void)schema;
	assert_true(seen.count < MAX_SEEN);
	seen.events[seen.count].kind = event->kind;
	seen.events[seen.count].level = event->level;
	memcpy(seen.events[seen.count].col, event->col, 8 * sizeof(u64));
	if (length)
		memcpy(seen.events[seen.count].text, event->bytes, length);
	seen.count++;
}

/* A tape from what came this way and that. */
static inline void capture_from(const void *first, size_t first_size, const void *second,
				size_t second_size)
{
	char path[] = "/tmp/vmxtape-test-XXXXXX", error[200] = "";
	const int file = mkstemp(path);
	struct capture *capture;

	memset(&seen, 0, sizeof(seen));
	assert_true(file >= 0);
	close(file);
	if (capture_open(path, on_event, NULL, &capture, error, sizeof(error)) != ST_OK)
		fail_msg("%s", error);
	assert_int_equal(capture_feed(capture, first, first_size), ST_OK);
	assert_int_equal(capture_feed(capture, second, second_size), ST_OK);
	assert_int_equal(capture_close(capture), ST_OK);
	seen.stats = *capture_stats(capture);
	capture_free(capture);
	unlink(path);
}

static inline void capture(void)
{
	capture_from(stub_cpu.text, stub_cpu.text_length, NULL, 0);
}

/* Index of the @nth event of @kind, or fails. */
static inline unsigned find(u8 kind, unsigned nth)
{
	for (unsigned i = 0; i < seen.count; i++)
		if (seen.events[i].kind == kind && !nth--)
			return i;
	fail_msg("there is no such event of kind %u", kind);
	return 0;
}

static inline unsigned count(u8 kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < seen.count; i++)
		n += seen.events[i].kind == kind;
	return n;
}

static inline void assert_whole(void)
{
	assert_true(seen.stats.head);
	assert_true(seen.stats.last);
	assert_u64(seen.stats.lost_events, 0);
	assert_u64(seen.stats.lost_frames, 0);
	assert_u64(seen.stats.bad_chunks, 0);
	assert_int_equal(count(EV_END), 1);
}

static inline void let_l1_have_serial_port(void)
{
	log_leave_serial();
	stub_cpu.serial_length = 0;
}

/* With a mark on its part of the tape that is in its ring, and one that is not yet. */
static inline struct percpu *boot_second_processor(void)
{
	struct percpu *other = percpu_create();

	percpu_add(other);
	other->parked = true;
	record_init(other);
	record_mark(other, "in the ring", 11);
	rec_flush(other->rec);
	record_mark(other, "not yet", 7);
	stub_cpu.gs_self = cpu;
	return other;
}

static inline bool has_mark(const char *text)
{
	for (unsigned i = 0; i < seen.count; i++)
		if (seen.events[i].kind == EV_MARK && !strcmp(seen.events[i].text, text))
			return true;
	return false;
}

#endif
