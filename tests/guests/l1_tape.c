/*
 * tests/guests/l1_tape.c - an L1 that takes the tape out of the recorder below, by drain=l1
 *
 * As vmxtape-mark --tape does on a real machine; in the place of a file, frames go to port E9h.
 * What happens behind the last request is left to the recorder. Before that several blocks wait for
 * it, which are not to come all in one exit: tests/e2e/run looks at the longest.
 */
#include "base/hv_leaf.h"
#include "tests/guests/lib/guest_vmx.h"

#define DEBUG_PORT 0xe9
#define ROUNDS	   20
#define MANY	   24000 /* VMWRITEs whose values nobody can predict: some blocks of the tape */

static u8 page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static u32 take(void *to, u64 how)
{
	u64 leaf = HV_LEAF, call = HV_TAPE, address = (u64)to;

	__asm__ volatile("cpuid" : "+a"(leaf), "+c"(call), "+b"(address), "+d"(how) : : "memory");
	return (u32)leaf;
}

static u64 take_all(void)
{
	u64 taken = 0;
	u32 size = take(page, HV_TAPE_ALL);

	while (size && size <= sizeof(page)) {
		for (u32 i = 0; i < size; i++)
			outb(DEBUG_PORT, page[i]);
		taken += size;
		size = take(page, 0);
	}
	guest_check(!size, "the recorder said %x", size);
	return taken;
}

static void use_vmcs(u64 region)
{
	guest_check(vmclear(region) == VMX_SUCCEED, "VMCLEAR");
	guest_check(vmptrld(region) == VMX_SUCCEED, "VMPTRLD");
	for (u64 i = 0; i < 100; i++)
		guest_check(vmwrite(VMCS_GUEST_RIP, i) == VMX_SUCCEED, "VMWRITE");
}

static void fill_blocks(void)
{
	u64 number = 1;

	for (unsigned i = 0; i < MANY; i++) {
		number = number * 6364136223846793005ull + 1442695040888963407ull;
		guest_check(vmwrite(VMCS_GUEST_RIP, number) == VMX_SUCCEED, "VMWRITE");
	}
}

void guest_main(void)
{
	u64 taken = 0;
	void *vmxon_region, *region;

	guest_vmx_init();
	vmxon_region = guest_region();
	region = guest_region();
	guest_check(take(page + 8, 0) == HV_TAPE_REFUSED, "an address between pages");
	guest_check(vmxon(physical(vmxon_region)) == VMX_SUCCEED, "VMXON");
	for (unsigned i = 0; i < ROUNDS; i++) {
		use_vmcs(physical(region));
		taken += take_all();
	}
	fill_blocks();
	taken += take_all();
	guest_check(taken > PAGE_SIZE, "%lu bytes were taken", taken);
	guest_mark("left behind");
	use_vmcs(physical(region));
	guest_check(vmclear(physical(region)) == VMX_SUCCEED, "VMCLEAR");
	guest_check(vmxoff() == VMX_SUCCEED, "VMXOFF");
	guest_check_end();
}
