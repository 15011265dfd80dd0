#include "tests/guests/kvm/kvm_load.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER	      "/guests/"
#define HV_FILE	      FOLDER "vmxtape-hv.elf"
#define BOOT_INFO     0x9000 /* of either protocol */
#define BOOT_WORDS    0x9800
#define BOOT_MAX      2048
#define LOW_MEMORY    0x9f000
#define MODULE_PLACE  0x2000000 /* above all that is loaded */

#define BOOT1_MAGIC   0x2badb002
#define BOOT1_MEMORY  1u /* flags: mem_lower and mem_upper are there, cmdline is */
#define BOOT1_COMMAND 4u

#define BOOT2_MAGIC   0x36d76289
#define HV_WORDS      "capture=off"

struct file {
	const char *name;
	uint8_t *bytes;
	size_t size;
};

static bool fail(const char *name, const char *what)
{
	printf("kvmhost: '%s' %s\n", name, what);
	return false;
}

static bool map_file(struct file *file, const char *name)
{
	const int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat stat;

	file->name = name;
	if (fd < 0 || fstat(fd, &stat))
		return fail(name, "cannot be opened");
	file->size = (size_t)stat.st_size;
	file->bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return file->bytes != MAP_FAILED || fail(name, "cannot be read");
}

static bool load_segments(const struct file *file, uint8_t *memory, size_t size, uint32_t *entry)
{
	const Elf64_Ehdr *const elf = (const void *)file->bytes;
	const Elf64_Phdr *const segments = (const void *)(file->bytes + elf->e_phoff);

	if (file->size < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) ||
	    elf->e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->e_phoff + elf->e_phnum * sizeof(*segments) > file->size)
		return fail(file->name, "is no 64-bit ELF file");
	for (unsigned i = 0; i < elf->e_phnum; i++) {
		const Elf64_Phdr *const s = &segments[i];

		if (s->p_type != PT_LOAD)
			continue;
		if (s->p_offset + s->p_filesz > file->size || s->p_filesz > s->p_memsz ||
		    s->p_paddr > size || s->p_memsz > size - s->p_paddr)
			return fail(file->name, "does not fit");
		memcpy(memory + s->p_paddr, file->bytes + s->p_offset, s->p_filesz);
	}
	*entry = (uint32_t)elf->e_entry;
	return true;
}

static void guest_path(char path[64], const char *guest)
{
	snprintf(path, 64, FOLDER "%s.elf", guest);
}

bool kvm_load_guest(uint8_t *memory, size_t size, size_t told, const char *guest, const char *words,
		    struct kvm_entry *entry)
{
	/* flags, mem_lower, mem_upper in KiB, boot_device, cmdline */
	const uint32_t info[] = { BOOT1_MEMORY | BOOT1_COMMAND, 640, (uint32_t)(told >> 10) - 1024,
				  0, BOOT_WORDS };
	struct file file;
	char path[64];

	guest_path(path, guest);
	if (!map_file(&file, path))
		return false;
	memcpy(memory + BOOT_INFO, info, sizeof(info));
	snprintf((char *)memory + BOOT_WORDS, BOOT_MAX, "%s", words);
	entry->eax = BOOT1_MAGIC;
	entry->ebx = BOOT_INFO;
	return load_segments(&file, memory, size, &entry->rip);
}

/* --- multiboot2: tags ------------------------------------------------------------------------- */

struct tag {
	uint32_t type, size;
};

/* Appends a tag of @size bytes and returns the next one's place. */
static uint8_t *put_tag(uint8_t *at, uint32_t type, const void *bytes, size_t size)
{
	const struct tag tag = { type, (uint32_t)(sizeof(tag) + size) };

	memcpy(at, &tag, sizeof(tag));
	memcpy(at + sizeof(tag), bytes, size);
	return at + ((tag.size + 7) & ~7u);
}

static uint8_t *put_module(uint8_t *at, size_t size, const char *words)
{
	const uint32_t range[] = { MODULE_PLACE, (uint32_t)(MODULE_PLACE + size) };
	uint8_t module[sizeof(range) + 256];

	memcpy(module, range, sizeof(range));
	snprintf((char *)module + sizeof(range), sizeof(module) - sizeof(range), "multiboot %s",
		 words);
	return put_tag(at, 3, module, sizeof(range) + strlen((char *)module + sizeof(range)) + 1);
}

static uint8_t *put_memory_map(uint8_t *at, size_t told)
{
	const struct {
		uint32_t entry_size, version;
		struct {
			uint64_t base, size;
			uint32_t type, zero;
		} entries[2];
	} map = { sizeof(map.entries[0]),
		  0,
		  { { 0, LOW_MEMORY, 1, 0 }, { 0x100000, told - 0x100000, 1, 0 } } };

	return put_tag(at, 6, &map, sizeof(map));
}

bool kvm_load_hv(uint8_t *memory, size_t size, size_t told, const char *guest, const char *words,
		 struct kvm_entry *entry)
{
	uint8_t *const info = memory + BOOT_INFO;
	uint8_t *at = info + sizeof(struct tag);
	struct file hv, file;
	char path[64];

	guest_path(path, guest);
	if (!map_file(&hv, HV_FILE) || !map_file(&file, path) ||
	    !load_segments(&hv, memory, size, &entry->rip))
		return false;
	memcpy(memory + MODULE_PLACE, file.bytes, file.size);
	at = put_tag(at, 1, HV_WORDS, sizeof(HV_WORDS));
	at = put_module(at, file.size, words);
	at = put_memory_map(at, told);
	at = put_tag(at, 0, "", 0);
	memcpy(info, &(struct tag){ (uint32_t)(at - info), 0 }, sizeof(struct tag));
	entry->eax = BOOT2_MAGIC;
	entry->ebx = BOOT_INFO;
	return true;
}
