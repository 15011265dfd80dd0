#include "cli/elf_trim.h"

#include <elf.h>
#include <stdlib.h>

#define MAX_SEGMENTS 64
#define PAGE	     4096

bool elf_is_executable(const void *data, size_t size)
{
	Elf64_Ehdr header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, data, sizeof(header));
	return !memcmp(header.e_ident, ELFMAG, SELFMAG) && header.e_ident[EI_CLASS] == ELFCLASS64 &&
	       header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_machine == EM_X86_64 &&
	       header.e_type == ET_EXEC;
}

static bool in_file(u64 offset, u64 length, u64 size)
{
	return offset <= size && length <= size - offset;
}

static u64 without_zeros(const u8 *data, u64 length)
{
	while (length && !data[length - 1])
		length--;
	return length;
}

/* Reads the loadable segments into @segments; 0 when the headers make no sense. */
static unsigned read_segments(const u8 *data, size_t size, const Elf64_Ehdr *header,
			      Elf64_Phdr *segments)
{
	unsigned count = 0;

	if (header->e_phentsize != sizeof(Elf64_Phdr) ||
	    !in_file(header->e_phoff, (u64)header->e_phnum * sizeof(Elf64_Phdr), size))
		return 0;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr *const segment = &segments[count];

		memcpy(segment, data + header->e_phoff + i * sizeof(*segment), sizeof(*segment));
		if (segment->p_type != PT_LOAD)
			continue;
		if (!in_file(segment->p_offset, segment->p_filesz, size) ||
		    segment->p_filesz > segment->p_memsz || ++count == MAX_SEGMENTS)
			return 0;
	}
	return count;
}

enum status elf_trim(const void *data, size_t size, u8 **trimmed, size_t *trimmed_size)
{
	const u8 *const from = data;
	Elf64_Phdr segments[MAX_SEGMENTS];
	u64 offsets[MAX_SEGMENTS];
	Elf64_Ehdr header;
	unsigned count;
	u64 end;

	if (!elf_is_executable(data, size))
		return ST_INVALID;
	memcpy(&header, data, sizeof(header));
	count = read_segments(from, size, &header, segments);
	if (!count)
		return ST_CORRUPT;
	end = sizeof(header) + count * sizeof(Elf64_Phdr);
	for (unsigned i = 0; i < count; i++) {
		/* A segment lies in the file as it does in its page. */
		end += (segments[i].p_vaddr - end) & (PAGE - 1);
		offsets[i] = end;
		segments[i].p_filesz =
			without_zeros(from + segments[i].p_offset, segments[i].p_filesz);
		end += segments[i].p_filesz;
	}
	*trimmed = calloc(1, end);
	if (!*trimmed)
		return ST_NO_MEMORY;
	for (unsigned i = 0; i < count; i++) {
		memcpy(*trimmed + offsets[i], from + segments[i].p_offset, segments[i].p_filesz);
		segments[i].p_offset = offsets[i];
		segments[i].p_align = PAGE;
	}
	header.e_phoff = sizeof(header);
	header.e_phnum = (Elf64_Half)count;
	header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
	memcpy(*trimmed, &header, sizeof(header));
	memcpy(*trimmed + sizeof(header), segments, count * sizeof(*segments));
	*trimmed_size = end;
	return ST_OK;
}
