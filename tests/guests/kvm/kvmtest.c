/*
 * tests/guests/kvm/kvmtest.c - /init of the Debian system that runs as L1
 *
 * Loads KVM, runs an L2 that makes a known number of exits of each kind, and prints what it counted
 * and what exit reasons it expects a tape to hold. On the kernel's command line:
 *
 *	kvmtest=off	says a line and powers off, without KVM
 *	symbols=on	sends the addresses of the kernel and its modules to the tape
 *	exits=N		about N exits (5000), 40 % CPUID, 20 % port I/O, 20 % MMIO, 10 % HLT, 10 %
 *for interrupts into a guest that cannot take them at once (two exits each) cpuid=N io=N mmio=N
 *hlt=N irq=N		one kind by itself work=N		rounds of work in L2 between exits
 *(1)
 *	vms=N		as many L2s at once, with that many exits each, on a processor each (1)
 *
 * Lines for programs to read, in this order; numbers are decimal:
 *
 *	kvmtest: KIND N		what was done, by both sides' count: cpuid, io, mmio, hlt, irq
 *	kvmtest: exit R N	exits with basic reason R, exactly
 *	kvmtest: exit R any TEXT	exits that do occur and whose number this program cannot
 *know kvmtest: kvm NAME N	KVM's counters in debugfs, those that are not 0 kvmtest: passed |
 *failed
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "l1/hv_call.h"
#include "tests/guests/kvm/init.h"
#include "tests/guests/kvm/vm.h"
#include "vmx/tables.h"

#define KVM_COUNTERS "/sys/kernel/debug/kvm"

static uint64_t option_number(const char *name, uint64_t otherwise)
{
	char text[32];

	return init_option(name, text, sizeof(text)) ? strtoull(text, NULL, 10) : otherwise;
}

static void set_parameters(struct l2_parameters *p)
{
	const uint64_t exits = option_number("exits", 5000);

	p->want_cpuid = option_number("cpuid", exits * 40 / 100);
	p->want_io = option_number("io", exits * 20 / 100);
	p->want_mmio = option_number("mmio", exits * 20 / 100);
	p->want_hlt = option_number("hlt", exits * 10 / 100);
	p->want_irq = option_number("irq", exits * 5 / 100);
	p->work = option_number("work", 1);
	p->want_io -= p->want_io % L2_IO_ROUND;
	p->want_mmio -= p->want_mmio % L2_MMIO_ROUND;
}

/* Whether both sides counted what was asked for. */
static bool check_counts(const struct vm *vm, bool print)
{
	const struct l2_parameters *p = vm->parameters;
	const struct {
		const char *name;
		uint64_t want, l2, l1;
	} kinds[] = {
		{ "cpuid", p->want_cpuid, p->done_cpuid, p->done_cpuid },
		{ "io", p->want_io, p->done_io, vm->io },
		{ "mmio", p->want_mmio, p->done_mmio, vm->mmio },
		{ "hlt", p->want_hlt, p->done_hlt, vm->hlt },
		{ "irq", p->want_irq, p->done_irq, vm->irq_windows },
	};
	const uint64_t interrupts = p->want_hlt + p->want_irq;
	bool passed = p->mistakes == 0 && vm->mistakes == 0 && p->interrupts == interrupts;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (print)
			printf("kvmtest: %s %" PRIu64 "\n", kinds[i].name, kinds[i].l2);
		if (kinds[i].l2 != kinds[i].want || kinds[i].l1 != kinds[i].want) {
			printf("kvmtest: %" PRIu64 " were asked for, %" PRIu64 " seen outside\n",
			       kinds[i].want, kinds[i].l1);
			passed = false;
		}
	}
	if (print) {
		printf("kvmtest: interrupts %" PRIu64 "\n", p->interrupts);
		printf("kvmtest: mistakes %" PRIu64 "\n", p->mistakes + vm->mistakes);
	}
	return passed;
}

static uint64_t vms(void)
{
	return option_number("vms", 1);
}

/* @count is what one L2 makes, and they are all alike. */
static void print_exit(unsigned reason, uint64_t count)
{
	printf("kvmtest: exit %u %" PRIu64 "\n", reason, count * vms());
}

static bool uses_preemption_timer(void)
{
	char value[8];

	return init_kvm_parameter("preemption_timer", value, sizeof(value)) && value[0] == 'Y';
}

/*
 * With Debian's defaults (EPT, unrestricted guest, no interrupt controller in the kernel), and
 * memory as vm.c prepares it:
 * - the way to 64-bit mode takes MOV to CR4, WRMSR of EFER and MOV to CR0;
 * - the first MMIO access is an EPT violation like the first touch of any page, and leaves an entry
 *   that makes the others EPT misconfigurations; the MMIO page directory, the buffer of the work
 * and the IDT are touched only when there is something to do with them;
 * - every interrupt of the irq loop takes an OUT and an interrupt window; one more OUT ends the
 * run;
 * - KVM takes an interrupt that userspace gives it for one to inject and one more to wait for, and
 *   asks to come back as soon as the first is injected: by the preemption timer where it uses that,
 *   else by an interrupt to itself;
 * - L1's own interrupts, mostly its timer, exit from L2 whenever they come.
 */
static void print_expected_exits(const struct vm *vm)
{
	const struct l2_parameters *p = vm->parameters;
	const uint64_t first_mmio = p->want_mmio > 0;
	const uint64_t untouched = !first_mmio + !p->work + !p->interrupts;

	printf("kvmtest: exit %u any interrupts of L1 that came while L2 ran\n",
	       EXIT_EXTERNAL_INTERRUPT);
	print_exit(EXIT_INTERRUPT_WINDOW, p->want_irq);
	print_exit(EXIT_CPUID, p->want_cpuid);
	print_exit(EXIT_HLT, p->want_hlt);
	print_exit(EXIT_CR_ACCESS, 2);
	print_exit(EXIT_IO, p->want_io + p->want_irq + 1);
	print_exit(EXIT_WRMSR, 1);
	print_exit(EXIT_EPT_VIOLATION, L2_PAGES - untouched + first_mmio);
	print_exit(EXIT_EPT_MISCONFIGURATION, p->want_mmio - first_mmio);
	if (uses_preemption_timer())
		print_exit(EXIT_PREEMPTION_TIMER, p->interrupts);
}

static void print_counter(const char *name)
{
	char path[512];
	uint64_t value;
	FILE *file;

	snprintf(path, sizeof(path), KVM_COUNTERS "/%s", name);
	file = fopen(path, "r");
	if (!file)
		return;
	if (fscanf(file, "%" SCNu64, &value) == 1 && value)
		printf("kvmtest: kvm %s %" PRIu64 "\n", name, value);
	fclose(file);
}

/* While the VM exists: KVM forgets its counters with it. */
static void print_counters(void)
{
	struct dirent **entries;
	const int count = scandir(KVM_COUNTERS, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		if (entries[i]->d_type == DT_REG)
			print_counter(entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static bool send_symbols(void)
{
	struct hv_sent modules, symbols;

	if (hv_send_lines(FILE_MODULES, "/proc/modules", NULL, &modules) ||
	    hv_send_lines(FILE_KALLSYMS, "/proc/kallsyms", NULL, &symbols)) {
		perror("kvmtest: cannot send symbols");
		return false;
	}
	printf("kvmtest: sent %zu modules, %zu symbols\n", modules.lines, symbols.lines);
	return true;
}

/* One more L2, without a word unless something is wrong. */
static bool run_another(void)
{
	struct vm vm;

	if (!vm_create(&vm))
		return false;
	set_parameters(vm.parameters);
	return vm_run(&vm) && check_counts(&vm, false);
}

static bool test(void)
{
	char symbols[8] = "off";
	struct vm vm;
	bool passed;

	if (!init_load_kvm())
		return false;
	for (unsigned i = 1; i < vms(); i++)
		init_start(i, run_another);
	if ((vms() > 1 && !init_use_processor(0)) || !vm_create(&vm))
		return false;
	init_option("symbols", symbols, sizeof(symbols));
	if (!strcmp(symbols, "on") && !send_symbols())
		return false;
	set_parameters(vm.parameters);
	printf("kvmtest: started\n");
	if (!vm_run(&vm))
		return false;
	passed = check_counts(&vm, true);
	for (unsigned i = 1; i < vms(); i++)
		passed = init_join() && passed;
	print_expected_exits(&vm);
	print_counters();
	return passed;
}

int main(void)
{
	char mode[16] = "on";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!init_mount())
		init_power_off();
	init_option("kvmtest", mode, sizeof(mode));
	if (!strcmp(mode, "off"))
		printf("kvmtest: hello from userspace\n");
	else
		printf("kvmtest: %s\n", test() ? "passed" : "failed");
	init_power_off();
}
