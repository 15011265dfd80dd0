#include "tests/guests/kvm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/guests/kvm/kvm_cpuid.h"

#define MEMORY_SIZE  (2u << 20)
#define TSS_ADDRESS  0xfffbd000ul
#define RFLAGS_FIXED 2

static bool failed(const char *what)
{
	printf("kvmtest: %s: %s\n", what, strerror(errno));
	return false;
}

static bool set_registers(struct vm *vm)
{
	const struct kvm_regs regs = { .rflags = RFLAGS_FIXED };
	struct kvm_sregs sregs;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &sregs))
		return false;
	sregs.cs.selector = L2_CODE >> 4;
	sregs.cs.base = L2_CODE;
	return ioctl(vm->vcpu, KVM_SET_SREGS, &sregs) == 0 &&
	       ioctl(vm->vcpu, KVM_SET_REGS, &regs) == 0;
}

static bool map_memory(struct vm *vm)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };

	vm->memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->memory == MAP_FAILED)
		return false;
	/*
	 * Small pages that exist and are written: KVM then takes exactly one EPT violation for each
	 * page that L2 touches. (Not supporting huge pages at all does no harm.)
	 */
	madvise(vm->memory, MEMORY_SIZE, MADV_NOHUGEPAGE);
	memset(vm->memory, 0xcc, MEMORY_SIZE);
	memcpy(vm->memory + L2_IMAGE, l2_image, (size_t)(l2_image_end - l2_image));
	vm->parameters = (struct l2_parameters *)(vm->memory + L2_PARAMETERS);
	region.userspace_addr = (uintptr_t)vm->memory;
	return mlock(vm->memory, MEMORY_SIZE) == 0 &&
	       ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

bool vm_create(struct vm *vm)
{
	int run_size;

	memset(vm, 0, sizeof(*vm));
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return failed("cannot open '/dev/kvm'");
	vm->vm = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->vm < 0)
		return failed("KVM_CREATE_VM");
	if (ioctl(vm->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS))
		return failed("KVM_SET_TSS_ADDR");
	if (!map_memory(vm))
		return failed("memory");
	vm->vcpu = ioctl(vm->vm, KVM_CREATE_VCPU, 0);
	run_size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vm->vcpu < 0 || run_size < 0)
		return failed("KVM_CREATE_VCPU");
	vm->run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	if (vm->run == MAP_FAILED)
		return failed("kvm_run");
	/* L2 goes to 64-bit mode: KVM refuses that to a processor without CPUID. */
	if (!kvm_cpuid_give_all(vm->kvm, vm->vcpu) || !set_registers(vm))
		return failed("registers");
	return true;
}

/* The value of an access, as both sides know it: @number counts the accesses of its loop. */
static uint64_t pattern(uint64_t number, unsigned size)
{
	const uint64_t value = number * L2_PATTERN;

	return size == 8 ? value : value & ((1ull << size * 8) - 1);
}

/* Answers a read, or looks at what was written. */
static void transfer(struct vm *vm, void *data, unsigned size, bool write, uint64_t number)
{
	const uint64_t expected = pattern(number, size);

	if (write)
		vm->mistakes += memcmp(data, &expected, size) != 0;
	else
		memcpy(data, &expected, size);
}

static bool inject(struct vm *vm)
{
	const struct kvm_interrupt interrupt = { .irq = L2_VECTOR };

	if (!vm->run->ready_for_interrupt_injection)
		vm->mistakes++;
	return ioctl(vm->vcpu, KVM_INTERRUPT, &interrupt) == 0 || failed("KVM_INTERRUPT");
}

/* False when L2 asked to end. */
static bool handle_io(struct vm *vm)
{
	struct kvm_run *run = vm->run;
	void *data = (uint8_t *)run + run->io.data_offset;

	if (run->io.port == L2_PORT_END)
		return false;
	if (run->io.port == L2_PORT_IRQ) {
		/* L2 cannot take it now; KVM tells when it can. */
		vm->irq_requests++;
		run->request_interrupt_window = 1;
		return true;
	}
	vm->mistakes += run->io.port != L2_PORT || run->io.count != 1;
	transfer(vm, data, run->io.size, run->io.direction == KVM_EXIT_IO_OUT, vm->io++);
	return true;
}

static void handle_mmio(struct vm *vm)
{
	struct kvm_run *run = vm->run;

	vm->mistakes += (run->mmio.phys_addr & ~0xfffull) != L2_MMIO;
	transfer(vm, run->mmio.data, run->mmio.len, run->mmio.is_write, vm->mmio++);
}

bool vm_run(struct vm *vm)
{
	struct kvm_run *run = vm->run;

	for (;;) {
		if (ioctl(vm->vcpu, KVM_RUN, 0))
			return failed("KVM_RUN");
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			if (!handle_io(vm))
				return true;
			break;
		case KVM_EXIT_MMIO:
			handle_mmio(vm);
			break;
		case KVM_EXIT_HLT:
			vm->hlt++;
			if (!inject(vm))
				return false;
			break;
		case KVM_EXIT_IRQ_WINDOW_OPEN:
			vm->irq_windows++;
			run->request_interrupt_window = 0;
			if (!inject(vm))
				return false;
			break;
		default:
			printf("kvmtest: KVM_RUN ended with reason %u\n", run->exit_reason);
			return false;
		}
	}
}
