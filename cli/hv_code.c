#include "cli/hv_code.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/message.h"

/* Bytes of an instruction may also stand inside of others: a break there is met by nobody. */
static void find_entries(const u8 *bytes, u64 size, u64 address, struct hv_code *code)
{
	static const u8 instructions[][3] = { { 0x0f, 0x01, 0xc2 }, { 0x0f, 0x01, 0xc3 } };

	for (u64 i = 0; i + 3 <= size; i++)
		for (size_t which = 0; which < ARRAY_SIZE(instructions); which++)
			if (!memcmp(bytes + i, instructions[which], 3) &&
			    code->entry_count < HV_MAX_ENTRIES)
				code->entries[code->entry_count++] = address + i;
}

/* The segment that does not run where it is loaded: the other one is left once hv has moved. */
static void read_segment(const u8 *bytes, u64 size, const Elf64_Phdr *segment, struct hv_code *code)
{
	if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) ||
	    segment->p_vaddr == segment->p_paddr || segment->p_offset > size ||
	    segment->p_filesz > size - segment->p_offset)
		return;
	code->start = segment->p_vaddr;
	code->end = segment->p_vaddr + segment->p_memsz;
	find_entries(bytes + segment->p_offset, segment->p_filesz, segment->p_vaddr, code);
}

static void read_image(const u8 *bytes, u64 size, struct hv_code *code)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (size < sizeof(header))
		return;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_phentsize != sizeof(segment))
		return;
	for (u64 i = 0; i < header.e_phnum && !code->entry_count; i++) {
		const u64 at = header.e_phoff + i * sizeof(segment);

		if (at > size || sizeof(segment) > size - at)
			return;
		memcpy(&segment, bytes + at, sizeof(segment));
		read_segment(bytes, size, &segment, code);
	}
}

void hv_code_read(const char *path, struct hv_code *code)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *bytes;

	*code = (struct hv_code){ 0 };
	if (fd < 0 || fstat(fd, &status))
		die_errno("cannot read '%s'", path);
	bytes = mmap(NULL, (size_t)MAX(status.st_size, 1), PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		die_errno("cannot read '%s'", path);
	close(fd);
	read_image(bytes, (u64)status.st_size, code);
	munmap(bytes, (size_t)MAX(status.st_size, 1));
	if (!code->entry_count)
		die("'%s' is no hypervisor image: nothing in it enters a guest", path);
}
