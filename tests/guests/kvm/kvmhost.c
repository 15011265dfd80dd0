/*
 * tests/guests/kvm/kvmhost.c - /init of a Debian system whose KVM is L0 for one of our guests
 *
 * Starts the multiboot kernel /guest.elf in a virtual machine of one processor, as GRUB would start
 * it, and passes its serial line on. So KVM is a second processor beside Bochs: the same guest,
 * with KVM below it. There is no interrupt controller, so the guest must need none.
 *
 * On the kernel's command line: guest=A=1,B=2 gives the guest the words A=1 and B=2.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/guests/kvm/init.h"

/*
 * As far as KVM's own pages below 4 GiB, and only what is touched exists: an L2 that is led astray
 * finds memory, since KVM gives up when it must deliver an event through what is none.
 */
#define MEMORY_SIZE	0xf0000000u
#define MEMORY_TOLD	(64u << 20)
#define TSS_ADDRESS	0xfffbd000ul
#define CPUID_ENTRIES	256
#define GUEST_FILE	"/guest.elf"

#define BOOT_INFO	0x9000 /* struct boot_info */
#define BOOT_WORDS	0x9100 /* the command line */
#define BOOT_WORDS_SIZE 256
#define BOOT_MAGIC	0x2badb002
#define BOOT_MEMORY	1u /* flags: mem_lower and mem_upper are there, cmdline is */
#define BOOT_COMMAND	4u

#define UART		0x3f8
#define UART_LSR	0x3fd
#define LSR_EMPTY	0x60
#define SHUTDOWN_PORT	0x8900

struct boot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
};

struct machine {
	int kvm, vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	uint32_t entry;
};

static bool failed(const char *what)
{
	printf("kvmhost: %s: %s\n", what, strerror(errno));
	return false;
}

/* --- The guest in memory ---------------------------------------------------------------------- */

static bool load_segments(struct machine *m, const uint8_t *file, size_t size)
{
	const Elf64_Ehdr *const elf = (const void *)file;
	const Elf64_Phdr *const segments = (const void *)(file + elf->e_phoff);

	if (size < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) ||
	    elf->e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->e_phoff + elf->e_phnum * sizeof(*segments) > size)
		return false;
	for (unsigned i = 0; i < elf->e_phnum; i++) {
		const Elf64_Phdr *const s = &segments[i];

		if (s->p_type != PT_LOAD)
			continue;
		if (s->p_offset + s->p_filesz > size || s->p_filesz > s->p_memsz ||
		    s->p_paddr > MEMORY_SIZE || s->p_memsz > MEMORY_SIZE - s->p_paddr)
			return false;
		memcpy(m->memory + s->p_paddr, file + s->p_offset, s->p_filesz);
	}
	m->entry = (uint32_t)elf->e_entry;
	return true;
}

static bool load_guest(struct machine *m)
{
	const int fd = open(GUEST_FILE, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	uint8_t *file;
	bool loaded;

	if (fd < 0 || fstat(fd, &stat))
		return failed("cannot open '" GUEST_FILE "'");
	file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return failed("cannot read '" GUEST_FILE "'");
	loaded = load_segments(m, file, (size_t)stat.st_size);
	munmap(file, (size_t)stat.st_size);
	if (!loaded)
		printf("kvmhost: '" GUEST_FILE "' is no multiboot kernel that fits\n");
	return loaded;
}

static void tell_guest(struct machine *m)
{
	struct boot_info *const info = (struct boot_info *)(m->memory + BOOT_INFO);
	char *const words = (char *)m->memory + BOOT_WORDS;

	*info = (struct boot_info){
		.flags = BOOT_MEMORY | BOOT_COMMAND,
		.mem_lower = 640,
		.mem_upper = (MEMORY_TOLD >> 10) - 1024,
		.cmdline = BOOT_WORDS,
	};
	words[0] = 0;
	init_option("guest", words, BOOT_WORDS_SIZE);
	for (char *at = words; *at; at++)
		if (*at == ',')
			*at = ' ';
}

/* --- The machine ------------------------------------------------------------------------------ */

/* All that KVM can give, nested VMX among it. */
static bool set_cpuid(struct machine *m)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	bool set;

	if (!cpuid)
		return false;
	cpuid->nent = CPUID_ENTRIES;
	set = ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0 &&
	      ioctl(m->vcpu, KVM_SET_CPUID2, cpuid) == 0;
	free(cpuid);
	return set;
}

/* SDM has no say in this: it is what multiboot promises, flat segments in protected mode. */
static bool set_registers(struct machine *m)
{
	const struct kvm_segment code = { .limit = 0xffffffff,
					  .selector = 0x10,
					  .type = 11,
					  .present = 1,
					  .db = 1,
					  .s = 1,
					  .g = 1 };
	const struct kvm_regs regs = {
		.rip = m->entry, .rax = BOOT_MAGIC, .rbx = BOOT_INFO, .rflags = 2
	};
	struct kvm_segment data = code;
	struct kvm_sregs sregs;

	if (ioctl(m->vcpu, KVM_GET_SREGS, &sregs))
		return false;
	data.selector = 0x18;
	data.type = 3;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.cr0 |= 1;
	return ioctl(m->vcpu, KVM_SET_SREGS, &sregs) == 0 &&
	       ioctl(m->vcpu, KVM_SET_REGS, &regs) == 0;
}

static bool create_machine(struct machine *m)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };
	int run_size;

	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m->kvm < 0)
		return failed("cannot open '/dev/kvm'");
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	if (m->vm < 0 || ioctl(m->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS))
		return failed("KVM_CREATE_VM");
	m->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	region.userspace_addr = (uintptr_t)m->memory;
	if (m->memory == MAP_FAILED || ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return failed("memory");
	m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
	run_size = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (m->vcpu < 0 || run_size < 0)
		return failed("KVM_CREATE_VCPU");
	m->run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	if (m->run == MAP_FAILED)
		return failed("kvm_run");
	if (!load_guest(m))
		return false;
	tell_guest(m);
	return (set_cpuid(m) && set_registers(m)) || failed("registers");
}

/* False when the guest switched the machine off. */
static bool handle_io(struct machine *m)
{
	struct kvm_run *const run = m->run;
	uint8_t *const data = (uint8_t *)run + run->io.data_offset;

	if (run->io.direction == KVM_EXIT_IO_IN) {
		memset(data, run->io.port == UART_LSR ? LSR_EMPTY : 0xff,
		       run->io.size * run->io.count);
		return true;
	}
	if (run->io.port == UART && *data != '\r')
		fwrite(data, 1, 1, stdout);
	return run->io.port != SHUTDOWN_PORT;
}

static bool run_guest(struct machine *m)
{
	for (;;) {
		if (ioctl(m->vcpu, KVM_RUN, 0))
			return failed("KVM_RUN");
		/* An L2 that halts is woken by its VMX-preemption timer: KVM looks at it again. */
		if (m->run->exit_reason == KVM_EXIT_HLT)
			continue;
		if (m->run->exit_reason != KVM_EXIT_IO) {
			printf("kvmhost: KVM_RUN ended with reason %u\n", m->run->exit_reason);
			return false;
		}
		if (!handle_io(m))
			return true;
	}
}

int main(void)
{
	struct machine m = { .kvm = -1 };

	if (init_mount() && init_load_kvm() && create_machine(&m) && run_guest(&m))
		printf("kvmhost: the guest ended\n");
	init_power_off();
}
