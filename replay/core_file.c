#include "replay/core_file.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE	     4096
#define MAX_SEGMENTS 60000
#define MAX_NOTE     (1 << 18)
#define OWNER	     "VMXTAPE"
#define NOTE_TYPE    1	/* of that owner */
#define ZEROS	     16 /* pages of them that are worth a segment of their own */

/* --- writing ---------------------------------------------------------------------------------- */

struct segments {
	Elf64_Phdr *list; /* p_offset is the place in @from until it is known */
	const u8 **from;
	size_t count;
	size_t room;
};

static enum status add(struct segments *segments, u64 address, const u8 *bytes, u64 file_size,
		       u64 size)
{
	if (segments->count == MAX_SEGMENTS)
		return ST_NO_SPACE;
	if (segments->count == segments->room) {
		const size_t room = 2 * segments->room + 64;
		void *const list = realloc(segments->list, room * sizeof(*segments->list));
		void *const from = list ? realloc(segments->from, room * sizeof(u8 *)) : NULL;

		if (list)
			segments->list = list;
		if (!from)
			return ST_NO_MEMORY;
		segments->from = from;
		segments->room = room;
	}
	segments->from[segments->count] = bytes;
	segments->list[segments->count++] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_paddr = address,
		.p_filesz = file_size,
		.p_memsz = size,
		.p_align = 1,
	};
	return ST_OK;
}

static bool is_zero(const u8 *bytes, u64 size)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

/* Bytes from @at on, in whole pages, up to where many zeros begin; then those zeros. */
static void measure(const struct core_range *range, u64 at, u64 *bytes, u64 *size)
{
	u64 end = at, zeros = 0;

	for (*bytes = 0; end < range->size; end += MIN(range->size - end, (u64)PAGE)) {
		const u64 part = MIN(range->size - end, (u64)PAGE);

		if (is_zero(range->bytes + end, part)) {
			zeros++;
		} else if (zeros >= ZEROS) {
			break;
		} else {
			zeros = 0;
			*bytes = end + part - at;
		}
	}
	*size = end - at;
}

static enum status find_segments(struct segments *segments, const struct core_range *range)
{
	enum status status = ST_OK;
	u64 bytes, size;

	for (u64 at = 0; at < range->size && status == ST_OK; at += size) {
		measure(range, at, &bytes, &size);
		status = add(segments, range->address + at, range->bytes + at, bytes, size);
	}
	return status;
}

static bool put(FILE *file, const void *bytes, size_t size)
{
	return !size || fwrite(bytes, 1, size, file) == size;
}

static bool put_all(FILE *file, const struct segments *segments, const char *note)
{
	const size_t note_size = strlen(note) + 1;
	const Elf64_Nhdr head = { sizeof(OWNER), (Elf64_Word)note_size, NOTE_TYPE };
	const size_t padding = ALIGN_UP(note_size, (size_t)4) - note_size;
	const Elf64_Ehdr elf = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)(segments->count + 1),
	};
	const u64 start = sizeof(elf) + (segments->count + 1) * sizeof(Elf64_Phdr);
	const Elf64_Phdr about = { .p_type = PT_NOTE,
				   .p_offset = start,
				   .p_filesz = sizeof(head) + sizeof(OWNER) + note_size + padding,
				   .p_align = 4 };
	u64 at = start + about.p_filesz;
	bool good = put(file, &elf, sizeof(elf)) && put(file, &about, sizeof(about));

	for (size_t i = 0; i < segments->count; i++) {
		segments->list[i].p_offset = at;
		at += segments->list[i].p_filesz;
	}
	good = good && put(file, segments->list, segments->count * sizeof(*segments->list)) &&
	       put(file, &head, sizeof(head)) && put(file, OWNER, sizeof(OWNER)) &&
	       put(file, note, note_size) && put(file, "\0\0\0", padding);
	for (size_t i = 0; good && i < segments->count; i++)
		good = put(file, segments->from[i], segments->list[i].p_filesz);
	return good;
}

enum status core_file_write(const char *path, const char *note, const struct core_range *ranges,
			    unsigned count)
{
	struct segments segments = { 0 };
	enum status status = ST_OK;
	FILE *file;

	for (unsigned i = 0; i < count && status == ST_OK; i++)
		status = find_segments(&segments, &ranges[i]);
	if (status == ST_OK) {
		file = fopen(path, "wbe");
		if (!file || !put_all(file, &segments, note))
			status = ST_IO;
		if (file && fclose(file))
			status = ST_IO;
	}
	free(segments.list);
	free(segments.from);
	return status;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct core_file {
	u8 *bytes; /* mapped */
	size_t size;
	const Elf64_Phdr *segments;
	size_t count;
	char *note;
};

static bool is_inside(const struct core_file *file, u64 offset, u64 size)
{
	return offset <= file->size && size <= file->size - offset;
}

static enum status take_note(struct core_file *file, const Elf64_Phdr *segment)
{
	Elf64_Nhdr head;
	const u64 text = segment->p_offset + sizeof(head) + sizeof(OWNER);

	if (segment->p_filesz < sizeof(head) + sizeof(OWNER))
		return ST_INVALID;
	memcpy(&head, file->bytes + segment->p_offset, sizeof(head));
	if (head.n_namesz != sizeof(OWNER) || head.n_descsz > MAX_NOTE ||
	    head.n_descsz > segment->p_filesz - sizeof(head) - sizeof(OWNER) ||
	    memcmp(file->bytes + segment->p_offset + sizeof(head), OWNER, sizeof(OWNER)))
		return ST_INVALID;
	if (file->note)
		return ST_OK;
	file->note = strndup((const char *)file->bytes + text, head.n_descsz);
	return file->note ? ST_OK : ST_NO_MEMORY;
}

static enum status take_segments(struct core_file *file)
{
	enum status status = ST_OK;
	Elf64_Ehdr elf;

	if (file->size < sizeof(elf))
		return ST_INVALID;
	memcpy(&elf, file->bytes, sizeof(elf));
	if (memcmp(elf.e_ident, ELFMAG, SELFMAG) || elf.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf.e_type != ET_CORE || elf.e_phentsize != sizeof(Elf64_Phdr) ||
	    !IS_ALIGNED(elf.e_phoff, 8) ||
	    !is_inside(file, elf.e_phoff, elf.e_phnum * sizeof(Elf64_Phdr)))
		return ST_INVALID;
	file->segments = (const Elf64_Phdr *)(file->bytes + elf.e_phoff);
	file->count = elf.e_phnum;
	for (size_t i = 0; i < file->count && status == ST_OK; i++) {
		const Elf64_Phdr *const segment = &file->segments[i];

		if (!is_inside(file, segment->p_offset, segment->p_filesz))
			status = ST_INVALID;
		else if (segment->p_type == PT_NOTE)
			status = take_note(file, segment);
	}
	return status == ST_OK && !file->note ? ST_INVALID : status;
}

enum status core_file_open(const char *path, struct core_file **file)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct core_file *const made = calloc(1, sizeof(*made));
	struct stat stat;
	enum status status = made ? ST_IO : ST_NO_MEMORY;

	*file = NULL;
	if (made && fd >= 0 && !fstat(fd, &stat)) {
		made->size = (size_t)stat.st_size;
		made->bytes = mmap(NULL, MAX(made->size, (size_t)1), PROT_READ, MAP_PRIVATE, fd, 0);
		if (made->bytes == MAP_FAILED)
			made->bytes = NULL;
		status = made->bytes ? take_segments(made) : ST_INVALID;
	}
	if (fd >= 0)
		close(fd);
	if (status == ST_OK)
		*file = made;
	else
		core_file_close(made);
	return status;
}

void core_file_close(struct core_file *file)
{
	if (!file)
		return;
	if (file->bytes)
		munmap(file->bytes, MAX(file->size, (size_t)1));
	free(file->note);
	free(file);
}

const char *core_file_note(const struct core_file *file)
{
	return file->note;
}

/* The segment that has @address. */
static const Elf64_Phdr *segment_at(const struct core_file *file, u64 address)
{
	for (size_t i = 0; i < file->count; i++) {
		const Elf64_Phdr *const segment = &file->segments[i];

		if (segment->p_type == PT_LOAD && address >= segment->p_paddr &&
		    address - segment->p_paddr < segment->p_memsz)
			return segment;
	}
	return NULL;
}

size_t core_file_read(const struct core_file *file, u64 address, void *to, size_t size)
{
	const Elf64_Phdr *segment;
	size_t done = 0;

	while (done < size && (segment = segment_at(file, address + done))) {
		const u64 at = address + done - segment->p_paddr;
		const u64 part = MIN(size - done, segment->p_memsz - at);
		const u64 there = at < segment->p_filesz ? MIN(part, segment->p_filesz - at) : 0;

		if (there)
			memcpy((u8 *)to + done, file->bytes + segment->p_offset + at, there);
		memset((u8 *)to + done + there, 0, part - there);
		done += part;
	}
	return done;
}
