/*
 * hv/hv_main.c - from the boot loader to L1, in order
 */
#include "hv/acpi.h"
#include "hv/ap_start.h"
#include "hv/ept.h"
#include "hv/exit_l1.h"
#include "hv/hv_options.h"
#include "hv/insn.h"
#include "hv/loader.h"
#include "hv/log.h"
#include "hv/mem.h"
#include "hv/memmap.h"
#include "hv/multiboot.h"
#include "hv/nested/nested.h"
#include "hv/processor.h"
#include "hv/record.h"
#include "hv/record_end.h"
#include "hv/relocate.h"
#include "hv/screen.h"
#include "hv/traps.h"
#include "hv/tsc_clock.h"
#include "hv/vmcs01.h"
#include "vmx/tables.h"

/* Besides the ring: image, page tables, EPTs, VMCSs, recorder. */
#define FIXED_MEMORY MIB(16)

/* The same for each processor but the first. */
#define OTHER_MEMORY MIB(8)

_Noreturn void hv_main(u32 magic, u64 boot_information);
_Noreturn void vm_run(void *stack_top);

/* Nothing runs yet that would notice: say why on the console, and stop. */
static _Noreturn void refuse(const char *what)
{
	log_print("%s; L1 is not started", what);
	record_power_off();
}

static void enter_vmx(struct percpu *cpu)
{
	if (vmcs01_enter_vmx(cpu) != ST_OK)
		refuse("this machine can't run hv");
	if (nested_caps_init(cpu, options.caps) != ST_OK)
		refuse("option caps= names an unknown capability");
	nested_init(cpu);
}

static void start_l1(struct percpu *cpu, const struct l1_entry *entry)
{
	vmcs01_init(cpu, entry->long_mode);
	vmwrite(VMCS_GUEST_RIP, entry->rip);
	vmwrite(VMCS_GUEST_CR3, entry->cr3);
	if (entry->gdt_base) {
		vmwrite(VMCS_GUEST_GDTR_BASE, entry->gdt_base);
		vmwrite(VMCS_GUEST_GDTR_LIMIT, entry->gdt_limit);
	}
	cpu->regs[REG_RAX] = entry->rax;
	cpu->regs[REG_RBX] = entry->rbx;
	cpu->regs[REG_RSI] = entry->rsi;
}

/* What each of the other processors does, when it is its turn. */
static void run_other(struct percpu *cpu)
{
	enter_vmx(cpu);
	vmcs01_init(cpu, false);
	l1_wait_for_sipi(cpu);
	record_init(cpu);
	ap_is_ready();
	vm_run(cpu->stack_top);
}

static u64 memory_needed(void)
{
	return FIXED_MEMORY + options.ring + (ap_processors() - 1) * (OTHER_MEMORY + options.ring);
}

_Noreturn void hv_main(u32 magic, u64 boot_information)
{
	struct l1_entry entry = { 0 };
	struct percpu *cpu;

	if (multiboot_parse(magic, boot_information) != ST_OK)
		refuse("the boot loader gave no multiboot2 memory map");
	options_parse(boot_info.options);
	acpi_init(boot_info.rsdp);
	if (relocate_image(ALIGN_UP(memory_needed(), MIB(2))) != ST_OK) {
		log_print("hv needs %lu MiB in one piece below 4 GiB, with a ring of %lu MiB for "
			  "each of %u processors: choose less by ring=",
			  memory_needed() / MIB(1), options.ring / MIB(1), ap_processors());
		refuse("there is too little memory for hv");
	}
	screen_begin();
	log_print("version " VERSION ", %lu KiB at 0x%lx", hv_range_size / 1024, hv_range_base);

	cpu = percpu_create();
	percpu_set_boot(cpu);
	traps_init(cpu);
	tsc_clock_begin();
	/* It does not exist without VT-x; L1 sees it as the firmware left it. */
	(void)rdmsr_safe(MSR_FEATURE_CONTROL, &cpu->feature_control);
	if (processor_check() != ST_OK)
		refuse("this machine can't run hv");
	if (ap_start_all() != ST_OK)
		refuse("hv can't have all processors");
	if (loader_load_l1(&entry) != ST_OK)
		refuse("L1 can't be loaded");
	ept01_init();
	l1_cpuid_init();
	l1_intercept_msrs();
	l1_intercept_ports();
	enter_vmx(cpu);
	start_l1(cpu, &entry);
	record_init(cpu);
	ap_run_all(run_other);
	mem_share(percpu_count());
	log_leave_serial();
	screen_leave();
	vm_run(cpu->stack_top);
}
