#include "tests/stubs/stub_cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <cmocka.h>

#include "tests/stubs/stub_parts.h"

#define MAX_LEAVES 64

struct leaf {
	u32 leaf, subleaf;
	struct cpuid_result result;
};

struct stub_cpu stub_cpu;
u8 *stub_memory;

static struct leaf leaves[MAX_LEAVES];
static unsigned leaf_count;

_Noreturn void stub_misuse(const char *what, u64 value)
{
	fprintf(stderr, "stub_cpu: %s (0x%llx)\n", what, (unsigned long long)value);
	fail();
	abort();
}

void stub_cpuid_set(u32 leaf, u32 subleaf, struct cpuid_result result)
{
	for (unsigned i = 0; i < leaf_count; i++)
		if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf) {
			leaves[i].result = result;
			return;
		}
	if (leaf_count == MAX_LEAVES)
		stub_misuse("too many CPUID leaves", leaf);
	leaves[leaf_count++] = (struct leaf){ leaf, subleaf, result };
}

struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
	for (unsigned i = 0; i < leaf_count; i++)
		if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
			return leaves[i].result;
	return (struct cpuid_result){ 0 };
}

u64 rdtsc(void)
{
	const u64 tsc = stub_cpu.tsc;

	stub_cpu.tsc += stub_cpu.tsc_step;
	return tsc;
}

#define WRITE_ONLY(name)               \
	void write_##name(u64 value)   \
	{                              \
		stub_cpu.name = value; \
	}
#define CONTROL_REGISTER(name)         \
	u64 read_##name(void)          \
	{                              \
		return stub_cpu.name;  \
	}                              \
	void write_##name(u64 value)   \
	{                              \
		stub_cpu.name = value; \
	}
CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
CONTROL_REGISTER(dr7)
WRITE_ONLY(dr0)
WRITE_ONLY(dr1)
WRITE_ONLY(dr2)
WRITE_ONLY(dr3)
WRITE_ONLY(dr6)
#undef WRITE_ONLY
#undef CONTROL_REGISTER

void unblock_nmis(void)
{
	stub_cpu.nmi_unblocks++;
}

void *gs_self(void)
{
	return stub_cpu.gs_self;
}

void wbinvd(void)
{
	stub_cpu.wbinvds++;
}

_Noreturn void halt_forever(void)
{
	if (stub_cpu.catching)
		longjmp(stub_cpu.stopped, 1);
	stub_misuse(stub_cpu.text_length ? stub_cpu.text : "hv stopped the machine without a word",
		    0);
}

static void reset_cpuid(void)
{
	leaf_count = 0;
	stub_cpuid_set(0, 0, (struct cpuid_result){ 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 });
	stub_cpuid_set(1, 0, (struct cpuid_result){ 0x50654, 0x10800, 0xfffaf3bf, 0xbfebfbff });
	stub_cpuid_set(7, 0, (struct cpuid_result){ 0, 0xd39ffffb, 0x8, 0 });
	stub_cpuid_set(0xd, 0, (struct cpuid_result){ 7, 0x340, 0x340, 0 });
	stub_cpuid_set(0x80000000, 0, (struct cpuid_result){ 0x80000008, 0, 0, 0 });
	stub_cpuid_set(0x80000001, 0, (struct cpuid_result){ 0, 0, 0x121, 0x2c100800 });
	stub_cpuid_set(0x80000008, 0, (struct cpuid_result){ 0x3000 | STUB_PHYS_WIDTH, 0, 0, 0 });
}

int stub_reset(void **state)
{
	(void)state;
	stub_cpu = (struct stub_cpu){
		.cr0 = 0x80000033,
		.cr4 = 0x20,
		.dr7 = 0x400,
		.xcr0 = 1,
		.xcr0_valid = 7,
		.tsc = 1000,
		.tsc_step = 100,
		.timer_polls = 1,
		.current_vmcs = STUB_NO_VMCS,
	};
	stub_reset_vmx();
	stub_reset_ports();
	stub_reset_msrs();
	reset_cpuid();
	stub_memory_reset();
	return 0;
}
