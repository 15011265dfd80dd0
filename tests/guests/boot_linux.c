/*
 * tests/guests/boot_linux.c - starts an unpacked Linux kernel (vmlinux) that GRUB cannot load
 *
 * Modules: the vmlinux, whose arguments are the kernel's command line, and the initrd. Most of the
 * time that a packed kernel needs to boot in an emulator goes into unpacking it.
 *
 * Linux: Documentation/x86/boot.rst, "64-bit Boot Protocol", and zero-page.rst.
 */
#include "tests/guests/lib/guest.h"

#define ELF_MAGIC  0x464c457f
#define ELF_LOAD   1
#define ELF_X86_64 62

struct elf_header {
	u32 magic;
	u8 ident[12];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

struct __attribute__((packed)) e820_entry {
	u64 start, size;
	u32 type;
};

#define E820_RAM 1

/* struct boot_params, the fields that a loader of this kind fills. */
struct __attribute__((packed)) boot_params {
	u8 before_e820_entries[0x1e8];
	u8 e820_entries;
	u8 before_boot_flag[0x1fe - 0x1e9];
	u16 boot_flag;
	u16 jump;
	u32 header;
	u16 version;
	u8 before_type_of_loader[0x210 - 0x208];
	u8 type_of_loader;
	u8 loadflags;
	u8 before_ramdisk[0x218 - 0x212];
	u32 ramdisk_image, ramdisk_size;
	u8 before_cmd_line_ptr[0x228 - 0x220];
	u32 cmd_line_ptr;
	u8 before_e820_table[0x2d0 - 0x22c];
	struct e820_entry e820_table[128];
	u8 rest[0x1000 - 0xcd0];
};

_Static_assert(offsetof(struct boot_params, boot_flag) == 0x1fe, "zero page");
_Static_assert(offsetof(struct boot_params, type_of_loader) == 0x210, "zero page");
_Static_assert(offsetof(struct boot_params, cmd_line_ptr) == 0x228, "zero page");
_Static_assert(offsetof(struct boot_params, e820_table) == 0x2d0, "zero page");
_Static_assert(sizeof(struct boot_params) == PAGE_SIZE, "zero page");

#define BOOT_FLAG      0xaa55
#define HEADER_MAGIC   0x53726448 /* "HdrS" */
#define HEADER_VERSION 0x20f
#define LOADER_UNKNOWN 0xff
#define LOADED_HIGH    BIT(0)

static void *pointer(u64 address)
{
	return (void *)(uintptr_t)address;
}

/* Where the kernel ends in memory; fails the guest for what is no kernel. */
static u64 kernel_end(const struct guest_module *kernel)
{
	const struct elf_header *elf = pointer(kernel->start);
	const struct elf_segment *segments = pointer(kernel->start + elf->phoff);
	u64 end = 0;

	if (elf->magic != ELF_MAGIC || elf->machine != ELF_X86_64)
		guest_fail("the first module is no 64-bit ELF file");
	for (unsigned i = 0; i < elf->phnum; i++)
		if (segments[i].type == ELF_LOAD)
			end = MAX(end, segments[i].paddr + segments[i].memsz);
	return end;
}

static void load_kernel(const struct guest_module *kernel)
{
	const struct elf_header *elf = pointer(kernel->start);
	const struct elf_segment *segments = pointer(kernel->start + elf->phoff);

	for (unsigned i = 0; i < elf->phnum; i++) {
		const struct elf_segment *segment = &segments[i];

		if (segment->type != ELF_LOAD)
			continue;
		memcpy(pointer(segment->paddr), pointer(kernel->start + segment->offset),
		       segment->filesz);
		memset(pointer(segment->paddr + segment->filesz), 0,
		       segment->memsz - segment->filesz);
	}
}

/* Moves @module so that it ends below @end and returns its new start. */
static u64 move_up(struct guest_module *module, u64 end)
{
	const u64 start = ALIGN_DOWN(end - module->size, (u64)PAGE_SIZE);

	memmove(pointer(start), pointer(module->start), module->size);
	return module->start = start;
}

static void fill_boot_params(struct boot_params *params, const char *command,
			     const struct guest_module *initrd)
{
	params->boot_flag = BOOT_FLAG;
	params->header = HEADER_MAGIC;
	params->version = HEADER_VERSION;
	params->type_of_loader = LOADER_UNKNOWN;
	params->loadflags = LOADED_HIGH;
	params->cmd_line_ptr = (u32)(uintptr_t)command;
	params->ramdisk_image = (u32)initrd->start;
	params->ramdisk_size = (u32)initrd->size;
	params->e820_entries = 2;
	/* The BIOS's data area is above 639 KiB. */
	params->e820_table[0] = (struct e820_entry){ 0, 0x9fc00, E820_RAM };
	params->e820_table[1] =
		(struct e820_entry){ MIB(1), guest_memory_end() - MIB(1), E820_RAM };
}

void guest_main(void)
{
	struct boot_params *params = guest_pages(1);
	struct guest_module kernel, initrd;
	char *command = guest_pages(1);
	u64 bottom, entry;

	if (!guest_module(0, &kernel) || !guest_module(1, &initrd))
		guest_fail("two modules are needed, the kernel and the initrd");
	memcpy(command, kernel.arguments, MIN(strlen(kernel.arguments), (size_t)PAGE_SIZE - 1));

	/* The modules lie where the kernel belongs: move the upper one first. */
	entry = kernel_end(&kernel);
	if (initrd.start > kernel.start)
		bottom = move_up(&kernel, move_up(&initrd, guest_memory_end()));
	else
		bottom = move_up(&initrd, move_up(&kernel, guest_memory_end()));
	if (bottom < entry)
		guest_fail("'%lu' MiB of memory are too little", guest_memory_end() >> 20);
	load_kernel(&kernel);
	entry = ((const struct elf_header *)pointer(kernel.start))->entry;
	fill_boot_params(params, command, &initrd);
	__asm__ volatile("cli; jmp *%0" : : "r"(entry), "S"(params) : "memory");
}
