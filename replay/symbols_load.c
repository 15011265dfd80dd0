#include "replay/symbols_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/symbols_parts.h"

#define MAX_FILE MIB(64) /* of text, on disk or on a tape */
#define MAX_PATH 4096

/* --- files ------------------------------------------------------------------------------------ */

static enum status load_text(struct symbols *symbols, const struct symbols_source *source, int file,
			     size_t file_size)
{
	char *const text = malloc(file_size + 1);
	size_t have = 0, count;
	ssize_t got = 1;
	bool hidden;
	enum status status;

	while (text && have < file_size && (got = read(file, text + have, file_size - have)) > 0)
		have += (size_t)got;
	if (!text || got < 0) {
		snprintf(source->error, source->error_size, "'%s': %s", source->path,
			 text ? strerror(errno) : "no memory for it");
		free(text);
		return text ? ST_IO : ST_NO_MEMORY;
	}
	status = symbols_load_lines(symbols, source->level, text, have,
				    source->where == SYMBOLS_ABOVE ? source->value : 0, &count,
				    &hidden);
	free(text);
	if (status != ST_OK)
		snprintf(source->error, source->error_size, "'%s': no memory for its symbols",
			 source->path);
	else if (!count)
		snprintf(source->error, source->error_size,
			 "'%s': neither an ELF file nor lines 'ADDRESS TYPE NAME'", source->path);
	else if (hidden)
		snprintf(source->error, source->error_size,
			 "'%s': all its addresses are 0: copy /proc/kallsyms as root",
			 source->path);
	return status == ST_OK && (!count || hidden) ? ST_INVALID : status;
}

static enum status load_file(struct symbols *symbols, const struct symbols_source *source)
{
	const int file = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum status status = ST_IO;
	struct stat info;
	char magic[4];

	if (file < 0 || fstat(file, &info))
		snprintf(source->error, source->error_size, "'%s': %s", source->path,
			 strerror(errno));
	else if (!S_ISREG(info.st_mode))
		snprintf(source->error, source->error_size, "'%s': it is no file", source->path);
	else if (pread(file, magic, sizeof(magic), 0) == sizeof(magic) &&
		 !memcmp(magic, "\177ELF", sizeof(magic)))
		status = symbols_load_elf(symbols, source, file);
	else if (info.st_size > (off_t)MAX_FILE)
		snprintf(source->error, source->error_size, "'%s': too large for a list of symbols",
			 source->path);
	else /* Files of /proc say that they are empty. */
		status = load_text(symbols, source, file,
				   info.st_size ? (size_t)info.st_size : MAX_FILE);
	if (file >= 0)
		close(file);
	return status;
}

/* Takes "+NUMBER" or "@NUMBER" off the end of @path. */
static void take_place(char *path, struct symbols_source *source)
{
	char *const at = strrchr(path, '@'), *const plus = strrchr(path, '+');
	char *const sign = at && (!plus || at > plus) ? at : plus;
	char *end;
	u64 value;

	if (!sign || sign[1] < '0' || sign[1] > '9')
		return;
	errno = 0;
	value = strtoull(sign + 1, &end, 0);
	if (*end || errno)
		return;
	source->where = *sign == '@' ? SYMBOLS_TEXT : SYMBOLS_ABOVE;
	source->value = value;
	*sign = 0;
}

enum status symbols_load(struct symbols *symbols, const char *spec, struct reader *reader,
			 char *error, size_t size)
{
	struct symbols_source source = { .reader = reader, .error = error, .error_size = size };
	char path[MAX_PATH];
	enum status status;

	if ((strncmp(spec, "l1=", 3) && strncmp(spec, "l2=", 3)) || !spec[3] ||
	    strlen(spec) >= sizeof(path)) {
		snprintf(error, size, "'%s' does not say whose symbols: l1=FILE or l2=FILE", spec);
		return ST_INVALID;
	}
	source.level = (unsigned)(spec[1] - '0');
	strcpy(path, spec + 3);
	/* A file whose name looks like one with a place is that file. */
	if (access(path, F_OK))
		take_place(path, &source);
	source.path = path;
	status = load_file(symbols, &source);
	symbols_seal(symbols);
	return status;
}

/* --- the tape --------------------------------------------------------------------------------- */

struct sent {
	u64 what;
	char *text;
	size_t size;
	bool no_memory;
};

static void take_part(void *owner, const struct trace_event *event)
{
	const struct ev_file *const file = (const struct ev_file *)event->col;
	struct sent *const sent = owner;
	char *more;
	size_t end;

	if (file->what != sent->what || file->offset > MAX_FILE || sent->no_memory)
		return;
	end = (size_t)file->offset + event->byte_count;
	if (end > sent->size) {
		more = realloc(sent->text, end + 1);
		sent->no_memory = !more;
		if (!more)
			return;
		/* What was lost of a file is no text, so that no line is made of two. */
		memset(more + sent->size, 0, end + 1 - sent->size);
		sent->text = more;
		sent->size = end;
	}
	memcpy(sent->text + file->offset, event->bytes, event->byte_count);
}

static struct sent sent_file(struct reader *reader, enum trace_file what)
{
	struct sent sent = { .what = what };

	reader_visit(reader, EV_FILE, take_part, &sent);
	return sent;
}

enum status symbols_load_tape(struct symbols *symbols, struct reader *reader, char *error,
			      size_t size)
{
	const struct sent sent = sent_file(reader, FILE_KALLSYMS);
	enum status status = sent.no_memory ? ST_NO_MEMORY : ST_OK;
	bool hidden = false;
	size_t count;

	if (status == ST_OK && sent.text)
		status = symbols_load_lines(symbols, 1, sent.text, sent.size, 0, &count, &hidden);
	free(sent.text);
	symbols_seal(symbols);
	if (status != ST_OK)
		snprintf(error, size, "no memory for the symbols on the tape");
	if (hidden)
		snprintf(error, size,
			 "L1 sent /proc/kallsyms without addresses: it must be sent by root");
	return hidden ? ST_INVALID : status;
}

bool symbols_tape_module(struct reader *reader, const char *module, u64 *address)
{
	const struct sent sent = sent_file(reader, FILE_MODULES);
	bool found = false;
	char *rest = sent.text, *line;

	/* "kvm_intel 380928 0 - Live 0xffffffffc0a00000" */
	while (!found && (line = strsep(&rest, "\n"))) {
		const char *const name = strsep(&line, " ");
		const char *const hex = line ? strstr(line, " 0x") : NULL;

		found = !strcmp(name, module) && hex && (*address = strtoull(hex, NULL, 0));
	}
	free(sent.text);
	return found;
}
