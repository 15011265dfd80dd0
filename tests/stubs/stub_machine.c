/*
 * tests/stubs/stub_machine.c - memory, hv's place in it, and the symbols of hv's assembly
 */
#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>

#include "hv/ap_restart.h"
#include "hv/ap_start.h"
#include "hv/ept.h"
#include "hv/insn.h"
#include "hv/mem.h"
#include "hv/multiboot.h"
#include "hv/percpu.h"
#include "hv/processor.h"
#include "hv/traps.h"
#include "hv/vmcs01.h"
#include "tests/stubs/stub_cpu.h"

#define IMAGE_SIZE MIB(1)
#define LOW_RAM	   0x9f000

extern const u8 vmexit_entry[];
const u8 vmexit_entry[1];

void stub_memory_reset(void)
{
	if (!stub_memory) {
		void *memory = mmap(NULL, STUB_MEMORY, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (memory == MAP_FAILED) {
			perror("stub_cpu: cannot reserve 4 GiB of address space");
			abort();
		}
		stub_memory = memory;
		return;
	}
	/* Dropped pages come back as zeros. */
	if (madvise(stub_memory, STUB_MEMORY, MADV_DONTNEED)) {
		perror("stub_cpu: madvise");
		abort();
	}
}

void *stub_at(u64 pa)
{
	return phys_to_virt(pa);
}

void stub_boot(u64 memory)
{
	const u64 hv = memory - STUB_HV_SIZE;
	const struct boot_range ranges[] = {
		{ 0, LOW_RAM, E820_RAM },
		{ LOW_RAM, 0x100000 - LOW_RAM, E820_RESERVED },
		{ MIB(1), hv - MIB(1), E820_RAM },
		{ hv, STUB_HV_SIZE, E820_RESERVED },
	};

	stub_reset(NULL);
	memset(&boot_info, 0, sizeof(boot_info));
	memcpy(boot_info.ranges, ranges, sizeof(ranges));
	boot_info.range_count = ARRAY_SIZE(ranges);
	mem_init(hv, STUB_HV_SIZE, hv + IMAGE_SIZE, memory);
}

struct percpu *stub_boot_l1(u64 memory, bool long_mode)
{
	struct percpu *cpu;

	stub_boot(memory);
	cpu = mem_alloc_pages(ALIGN_UP(sizeof(*cpu), PAGE_SIZE) / PAGE_SIZE);
	cpu->self = cpu;
	cpu->feature_control = rdmsr(0x3a);
	cpu->l1_xcr0 = 1;
	percpu_set_boot(cpu);
	ept01_init();
	if (processor_check() != ST_OK || vmcs01_enter_vmx(cpu) != ST_OK)
		abort();
	vmcs01_init(cpu, long_mode);
	return cpu;
}

/* hv/traps.c loads descriptor tables, which an operating system does not allow. */
u64 traps_gdt_base(const struct percpu *cpu)
{
	return (u64)cpu;
}

u64 traps_tss_base(const struct percpu *cpu)
{
	return (u64)cpu;
}

u64 traps_idt_base(void)
{
	return (u64)vmexit_entry;
}

/* Nor can it reset a processor, or start one. */
_Noreturn void ap_restart(struct percpu *cpu)
{
	(void)cpu;
	halt_forever();
}

void ap_start_again(void)
{
}
