/*
 * tests/guests/kvm/kvmhost.c - /init of a Debian system whose KVM is L0 for our guests
 *
 * Starts multiboot kernels in virtual machines of one processor, as GRUB would start them, and
 * passes their serial lines on. So KVM is a second processor beside Bochs: the same guest, with KVM
 * below it, or hv on KVM.
 *
 * On the kernel's command line: runs=RUN:RUN..., where a RUN is GUEST,WORD,WORD... or
 * hv/GUEST,WORD...; /guests has GUEST.elf and vmxtape-hv.elf. Each run is between a line
 * "kvmhost: begin GUEST" or "kvmhost: begin hv/GUEST", and one "kvmhost: end".
 */
#define PAGE_SIZE 4096 /* <linux/kvm.h> asks for it */

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guests/kvm/init.h"
#include "tests/guests/kvm/kvm_cpuid.h"
#include "tests/guests/kvm/kvm_load.h"

/*
 * As far as KVM's own pages below 4 GiB, and only what is touched exists: an L2 that is led astray
 * finds memory, since KVM gives up when it must deliver an event through what is none.
 */
#define MEMORY_SIZE	    0xf0000000u
#define MEMORY_TOLD	    (128u << 20)
#define TSS_ADDRESS	    0xfffbd000ul

#define UART		    0x3f8
#define UART_LCR	    0x3fb
#define LCR_DIVISOR	    0x80
#define UART_LSR	    0x3fd
#define LSR_EMPTY	    0x60
#define DEBUG_PORT	    0xe9
#define SHUTDOWN_PORT	    0x8900

#define MSR_FEATURE_CONTROL 0x3a
#define FEATURE_CONTROL_VMX 5 /* locked, VMXON allowed */
#define MSR_MTRR_DEF_TYPE   0x2ff
#define MTRR_ALL_WB	    0x806

/* Of the machine's own time: a guest that says nothing for so long is stuck. */
static unsigned quiet_seconds;

struct machine {
	int kvm, vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	struct kvm_coalesced_mmio_ring *ring; /* bytes for the UART */
	struct kvm_entry entry;
};

static bool failed(const char *what)
{
	printf("kvmhost: %s: %s\n", what, strerror(errno));
	return false;
}

/* --- The machine ------------------------------------------------------------------------------ */

/* What firmware would have done. */
static bool set_msrs(struct machine *m)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = MSR_FEATURE_CONTROL, .data = FEATURE_CONTROL_VMX },
		{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ALL_WB },
	};
	struct kvm_msrs *const msrs = calloc(1, sizeof(*msrs) + sizeof(entries));
	bool set;

	if (!msrs)
		return false;
	msrs->nmsrs = sizeof(entries) / sizeof(entries[0]);
	memcpy(msrs->entries, entries, sizeof(entries));
	set = ioctl(m->vcpu, KVM_SET_MSRS, msrs) == (int)msrs->nmsrs;
	free(msrs);
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
		.rip = m->entry.rip, .rax = m->entry.eax, .rbx = m->entry.ebx, .rflags = 2
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

/* What the guest sends to the UART waits in a ring until KVM comes back for another reason. */
static bool share_ring(struct machine *m)
{
	const struct kvm_coalesced_mmio_zone zone = { .addr = UART, .size = 1, .pio = 1 };
	const int page = ioctl(m->kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);

	m->ring = (void *)((uint8_t *)m->run + page * PAGE_SIZE);
	return page > 0 && ioctl(m->vm, KVM_REGISTER_COALESCED_MMIO, &zone) == 0;
}

static bool create_machine(struct machine *m)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };
	int run_size;

	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m->kvm < 0)
		return failed("cannot open '/dev/kvm'");
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	if (m->vm < 0 || ioctl(m->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS) ||
	    ioctl(m->vm, KVM_CREATE_IRQCHIP, 0))
		return failed("KVM_CREATE_VM");
	region.userspace_addr = (uintptr_t)m->memory;
	if (ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return failed("memory");
	m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
	run_size = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (m->vcpu < 0 || run_size < 0)
		return failed("KVM_CREATE_VCPU");
	m->run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	if (m->run == MAP_FAILED)
		return failed("kvm_run");
	if (!share_ring(m))
		return failed("KVM_REGISTER_COALESCED_MMIO");
	return (kvm_cpuid_give_all(m->kvm, m->vcpu) && set_msrs(m) && set_registers(m)) ||
	       failed("registers");
}

/* --- The guest -------------------------------------------------------------------------------- */

static uint8_t line_control;

/* The divisor may be in the place of the transmitter. */
static void transmit(uint8_t byte)
{
	if (byte != '\r' && !(line_control & LCR_DIVISOR))
		putchar(byte);
}

static void drain_ring(struct machine *m)
{
	struct kvm_coalesced_mmio_ring *const ring = m->ring;

	if (ring->first != ring->last)
		alarm(quiet_seconds);
	while (ring->first != ring->last) {
		transmit(ring->coalesced_mmio[ring->first].data[0]);
		ring->first = (ring->first + 1) % KVM_COALESCED_MMIO_MAX;
	}
}

static uint8_t read_port(uint16_t port)
{
	switch (port) {
	case UART_LCR:
		return line_control;
	case UART_LSR:
		return LSR_EMPTY;
	default:
		return 0xff;
	}
}

/* False when the guest switched the machine off. */
static bool handle_io(struct machine *m)
{
	struct kvm_run *const run = m->run;
	uint8_t *const data = (uint8_t *)run + run->io.data_offset;
	const size_t size = (size_t)run->io.size * run->io.count;

	if (run->io.direction == KVM_EXIT_IO_IN) {
		memset(data, read_port(run->io.port), size);
		return true;
	}
	if (run->io.port == UART_LCR)
		line_control = data[size - 1];
	for (size_t i = 0; i < size; i++)
		if (run->io.port == UART || run->io.port == DEBUG_PORT)
			transmit(data[i]);
	return run->io.port != SHUTDOWN_PORT;
}

static void say_where(struct machine *m)
{
	struct kvm_regs regs = { 0 };
	struct kvm_sregs sregs = { 0 };

	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	ioctl(m->vcpu, KVM_GET_SREGS, &sregs);
	printf("kvmhost: RIP %llx, RSP %llx, CS %x, CR0 %llx, CR3 %llx, CR4 %llx, EFER %llx\n",
	       regs.rip, regs.rsp, sregs.cs.selector, sregs.cr0, sregs.cr3, sregs.cr4, sregs.efer);
}

static void run_guest(struct machine *m)
{
	for (;;) {
		/* KVM need not say why it came back. */
		m->run->exit_reason = KVM_EXIT_UNKNOWN;
		if (ioctl(m->vcpu, KVM_RUN, 0)) {
			drain_ring(m);
			failed(errno == EINTR ? "the guest says nothing any more" : "KVM_RUN");
			break;
		}
		drain_ring(m);
		if (m->run->exit_reason == KVM_EXIT_HLT)
			continue;
		if (m->run->exit_reason != KVM_EXIT_IO) {
			printf("\nkvmhost: KVM_RUN ended with reason %u\n", m->run->exit_reason);
			break;
		}
		if (!handle_io(m))
			return;
	}
	say_where(m);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* In a process of its own, which has an end. */
static void run_one(const char *guest, const char *words, bool on_hv)
{
	struct machine m = { .kvm = -1 };
	const pid_t child = fork();
	int status = 0;

	if (child) {
		waitpid(child, &status, 0);
		if (WIFSIGNALED(status))
			printf("\nkvmhost: ended by signal %d\n", WTERMSIG(status));
		return;
	}
	/* It ends KVM_RUN. */
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	quiet_seconds = on_hv ? 20 : 5;
	alarm(quiet_seconds);
	m.memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m.memory == MAP_FAILED)
		failed("memory");
	else if ((on_hv ? kvm_load_hv : kvm_load_guest)(m.memory, MEMORY_SIZE, MEMORY_TOLD, guest,
							words, &m.entry) &&
		 create_machine(&m))
		run_guest(&m);
	fflush(stdout);
	_exit(0);
}

static void run_all(void)
{
	static char runs[2048];
	char *rest = runs, *run;

	init_option("runs", runs, sizeof(runs));
	while ((run = strsep(&rest, ":"))) {
		char *words = run;
		const char *const name = strsep(&words, ",");
		const bool on_hv = !strncmp(name, "hv/", 3);

		for (char *at = words; at && *at; at++)
			if (*at == ',')
				*at = ' ';
		printf("kvmhost: begin %s\n", name);
		fflush(stdout);
		run_one(on_hv ? name + 3 : name, words ? words : "", on_hv);
		printf("kvmhost: end\n");
		fflush(stdout);
	}
}

int main(void)
{
	if (init_mount() && init_load_kvm())
		run_all();
	init_power_off();
}
