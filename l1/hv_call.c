#include "l1/hv_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hv_leaf.h"

#define PAGE 4096

struct registers {
	u64 rax, rbx, rcx, rdx, rsi, rdi;
};

static void call(enum hv_call what, struct registers *r)
{
	r->rax = HV_LEAF;
	r->rcx = what;
	__asm__ volatile("cpuid"
			 : "+a"(r->rax), "+b"(r->rbx), "+c"(r->rcx), "+d"(r->rdx), "+S"(r->rsi),
			   "+D"(r->rdi)
			 :
			 : "memory");
}

bool hv_present(void)
{
	struct registers r = { 0 };

	call(HV_DETECT, &r);
	return (u32)r.rax == HV_LEAF && (u32)r.rbx == HV_PRESENT;
}

void hv_mark(const char *text)
{
	char padded[HV_MARK_MAX] = "";
	struct registers r = { 0 };

	memcpy(padded, text, MIN(strlen(text), sizeof(padded)));
	memcpy(&r.rbx, padded, 8);
	memcpy(&r.rdx, padded + 8, 8);
	memcpy(&r.rsi, padded + 16, 8);
	memcpy(&r.rdi, padded + 24, 8);
	call(HV_MARK, &r);
}

int hv_take_frame(void *page, bool all)
{
	struct registers r = { .rbx = (u64)(uintptr_t)page, .rdx = all ? HV_TAPE_ALL : 0 };

	/* hv does not bring in a page that is missing, or may not be written yet. */
	*(volatile char *)page = 0;
	call(HV_TAPE, &r);
	return (u32)r.rax == HV_TAPE_REFUSED ? -1 : (int)r.rax;
}

/* --- files ------------------------------------------------------------------------------------ */

/* A page of lines that waits to be sent. hv reads it where it is, so it is aligned. */
struct outgoing {
	enum trace_file what;
	size_t used;
	struct hv_sent *sent;
	char page[PAGE] __attribute__((aligned(PAGE)));
};

static bool flush(struct outgoing *out)
{
	struct registers r = { .rbx = (u64)(uintptr_t)out->page,
			       .rdx = out->used,
			       .rsi = out->what,
			       .rdi = out->sent->bytes };

	if (!out->used)
		return true;
	call(HV_FILE, &r);
	if (r.rax != out->used) {
		errno = EIO;
		return false;
	}
	out->sent->bytes += out->used;
	out->used = 0;
	return true;
}

static bool add(struct outgoing *out, const char *line, size_t length)
{
	while (length) {
		const size_t part = MIN(length, PAGE - out->used);

		memcpy(out->page + out->used, line, part);
		out->used += part;
		line += part;
		length -= part;
		if (out->used == PAGE && !flush(out))
			return false;
	}
	return true;
}

static bool send_all(FILE *file, struct outgoing *out, bool (*wanted)(const char *line))
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	bool good = true;

	while (good && (length = getline(&line, &room, file)) >= 0)
		if (!wanted || wanted(line)) {
			good = add(out, line, (size_t)length);
			out->sent->lines++;
		}
	free(line);
	return good && !ferror(file) && flush(out);
}

int hv_send_lines(enum trace_file what, const char *path, bool (*wanted)(const char *line),
		  struct hv_sent *sent)
{
	static struct outgoing out;
	FILE *const file = fopen(path, "r");
	bool good;

	*sent = (struct hv_sent){ 0 };
	if (!file)
		return -1;
	out.what = what;
	out.used = 0;
	out.sent = sent;
	good = send_all(file, &out, wanted);
	fclose(file);
	return good ? 0 : -1;
}
