#include "hv/acpi.h"
#include "hv/exit.h"
#include "hv/exit_l1.h"
#include "hv/hv_options.h"
#include "hv/vmcs01.h"
#include "tests/stubs/stub_cpu.h"
#include "tests/stubs/stub_acpi.h"
#include "tests/test.h"
#include "vmx/tables.h"

#define MEMORY	      MIB(64)
#define PORT_COM1     0x3f8
#define PORT_KEYBOARD 0x64
#define PORT_RESET    0xcf9
#define PORT_SYSTEM   0x92
#define PORT_DEBUG    0xe9
#define PORT_SHUTDOWN 0x8900
#define PORT_SLEEP    0x404
#define SLEEP_ENABLE  BIT(13)
#define RFLAGS_DF     BIT(10)
#define BUFFER	      0x30000ull
#define INFO_16	      (0ull << 7)
#define INFO_32	      (1ull << 7)
#define INFO_64	      (2ull << 7)

enum { OUT = 0, IN = 1 << 3, STRING = 1 << 4, REP = 1 << 5 };

static struct percpu *cpu;

static int boot(void **state)
{
	(void)state;
	options.drain = DRAIN_NONE;
	cpu = stub_boot_nested(MEMORY, true, "");
	vmwrite(VMCS_GUEST_RIP, 0x1000);
	/* No paging, so that linear addresses are physical; 64-bit code all the same. */
	vmwrite(VMCS_GUEST_CR0, CR0_PE | CR0_NE);
	return 0;
}

static u64 qualification(u16 port, unsigned size, unsigned flags)
{
	return (u64)port << 16 | flags | (size - 1);
}

static void l1_outs(u16 port, unsigned size, u64 value)
{
	cpu->regs[REG_RAX] = value;
	stub_exit(cpu, EXIT_IO, qualification(port, size, OUT));
}

static const struct stub_port_access *last_access(void)
{
	return &stub_cpu.ports[stub_cpu.port_count - 1];
}

static void outputs_reach_the_device_with_their_size(void **state)
{
	static const struct {
		unsigned size;
		u32 expected;
	} rows[] = { { 1, 0x88 }, { 2, 0x7788 }, { 4, 0x55667788 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		vmwrite(VMCS_GUEST_RIP, 0x1000);
		l1_outs(0x1234, rows[i].size, 0x1122334455667788);
		assert_int_equal(last_access()->port, 0x1234);
		assert_int_equal(last_access()->size, rows[i].size);
		assert_false(last_access()->in);
		assert_u64(last_access()->value, rows[i].expected);
		assert_u64(vmread(VMCS_GUEST_RIP), 0x1003);
	}
}

static void inputs_change_the_part_of_rax_that_they_read(void **state)
{
	static const struct {
		unsigned size;
		u64 expected;
	} rows[] = { { 1, 0x11223344556677ddull },
		     { 2, 0x112233445566ccddull },
		     { 4, 0x00000000aabbccddull } };

	(void)state;
	stub_port_set(0x1234, 0xaabbccdd);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cpu->regs[REG_RAX] = 0x1122334455667788;
		stub_exit(cpu, EXIT_IO, qualification(0x1234, rows[i].size, IN));
		assert_u64(cpu->regs[REG_RAX], rows[i].expected);
	}
}

static void serial_output_goes_on_to_the_port(void **state)
{
	(void)state;
	for (const char *c = "hello\n"; *c; c++)
		l1_outs(PORT_COM1, 1, (u8)*c);
	assert_int_equal(stub_port_outs(PORT_COM1), 6);
}

static void debug_port_is_hv_s_while_it_drains_there(void **state)
{
	(void)state;
	l1_outs(PORT_DEBUG, 1, 'x');
	assert_int_equal(stub_port_outs(PORT_DEBUG), 1);
	options.drain = DRAIN_DEBUGCON;
	l1_outs(PORT_DEBUG, 1, 'x');
	assert_int_equal(stub_port_outs(PORT_DEBUG), 1);
	stub_exit(cpu, EXIT_IO, qualification(PORT_DEBUG, 1, IN));
	assert_int_equal(cpu->regs[REG_RAX] & 0xff, PORT_DEBUG);
	assert_int_equal(stub_port_ins(PORT_DEBUG), 0);
}

/* Only where hv drains to an emulator's port is this one surely an emulator's, too. */
static void shutdown_port_of_a_machine_is_a_device_s(void **state)
{
	(void)state;
	l1_outs(PORT_SHUTDOWN, 4, 0x53535353);
	assert_int_equal(stub_port_outs(PORT_SHUTDOWN), 1);
	assert_u64(last_access()->value, 0x53535353);
}

static void word_shutdown_ends_the_tape_and_nothing_shorter(void **state)
{
	const char *most = "SShutShutdow";

	(void)state;
	options.drain = DRAIN_DEBUGCON;
	for (const char *c = most; *c; c++)
		assert_false(stub_stops(l1_outs(PORT_SHUTDOWN, 1, (u8)*c)));
	assert_int_equal(stub_port_outs(PORT_SHUTDOWN), 0);
	assert_true(stub_stops(l1_outs(PORT_SHUTDOWN, 1, 'n')));
	assert_true(stub_said("power-off by port 8900h"));
	/* hv says the word itself when the tape is safe. */
	assert_int_equal(stub_port_outs(PORT_SHUTDOWN), 8);
}

static void resets_end_the_tape_and_neighbouring_values_do_not(void **state)
{
	static const struct {
		const char *name;
		u16 port;
		u8 value;
		const char *said; /* NULL: goes on */
	} rows[] = {
		{ "keyboard: pulse reset", PORT_KEYBOARD, 0xfe,
		  "reset by the keyboard controller" },
		{ "keyboard: self-test", PORT_KEYBOARD, 0xaa, NULL },
		{ "CF9: reset", PORT_RESET, 0x06, "reset by port CF9h" },
		{ "CF9: full reset", PORT_RESET, 0x0e, "reset by port CF9h" },
		{ "CF9: kind only", PORT_RESET, 0x02, NULL },
		{ "port 92h: reset", PORT_SYSTEM, 0x03, "reset by port 92h" },
		{ "port 92h: A20", PORT_SYSTEM, 0x02, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot(NULL);
		assert_row(rows[i].name, stub_stops(l1_outs(rows[i].port, 1, rows[i].value)),
			   !!rows[i].said);
		if (!rows[i].said) {
			assert_row(rows[i].name, stub_port_outs(rows[i].port), 1);
			continue;
		}
		assert_row(rows[i].name, stub_said(rows[i].said), true);
		/* The tape is safe: the machine may go. */
		assert_row(rows[i].name, stub_port_outs(PORT_SHUTDOWN), 8);
		assert_row(rows[i].name, last_access()->port, PORT_RESET);
		assert_row(rows[i].name, last_access()->value, 6);
	}
}

static void nobody_switches_a20_off(void **state)
{
	static const struct {
		const char *name;
		u16 port;
		unsigned size;
		u32 value, expected;
	} rows[] = {
		{ "off", PORT_SYSTEM, 1, 0xfc, 0xfe },
		{ "on", PORT_SYSTEM, 1, 0x02, 0x02 },
		{ "the low byte of four", PORT_SYSTEM, 4, 0, 0x02 },
		{ "the high byte of two", PORT_SYSTEM - 1, 2, 0, 0x0200 },
		{ "the port below", PORT_SYSTEM - 1, 1, 0, 0 },
		{ "the port above", PORT_SYSTEM + 1, 4, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		l1_outs(rows[i].port, rows[i].size, rows[i].value);
		assert_row(rows[i].name, last_access()->value, rows[i].expected);
	}
}

static void sleep_states_end_the_tape_with_their_name(void **state)
{
	static const struct {
		const char *name;
		u32 value;
		const char *said; /* NULL: goes on */
		unsigned outs;
	} rows[] = {
		{ "S5", SLEEP_ENABLE | 5 << 10, "ACPI power-off", 1 },
		{ "S3", SLEEP_ENABLE | 1 << 10, "sleep state, which hv does not survive", 0 },
		{ "S4", SLEEP_ENABLE | 6 << 10, "sleep state, which hv does not survive", 0 },
		{ "no enable bit", 5 << 10, NULL, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot(NULL);
		stub_acpi_tables(PORT_SLEEP);
		acpi_init(0);
		assert_row(rows[i].name, stub_stops(l1_outs(PORT_SLEEP, 2, rows[i].value)),
			   !!rows[i].said);
		assert_row(rows[i].name, stub_port_outs(PORT_SLEEP), rows[i].outs);
		if (rows[i].outs)
			assert_row(rows[i].name, last_access()->value & (SLEEP_ENABLE | 7 << 10),
				   rows[i].value);
		if (rows[i].said)
			assert_row(rows[i].name, stub_said(rows[i].said), true);
	}
}

static void repeated_string_output_makes_one_step_an_exit(void **state)
{
	(void)state;
	memcpy(stub_at(BUFFER), "abc", 3);
	cpu->regs[REG_RSI] = 0x5000;
	cpu->regs[REG_RCX] = 3;
	for (unsigned i = 0; i < 3; i++) {
		assert_u64(vmread(VMCS_GUEST_RIP), 0x1000);
		stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, BUFFER + i);
		stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, INFO_64);
		stub_exit(cpu, EXIT_IO, qualification(PORT_COM1, 1, OUT | STRING | REP));
		assert_int_equal(last_access()->value, "abc"[i]);
		assert_u64(cpu->regs[REG_RSI], 0x5001 + i);
		assert_u64(cpu->regs[REG_RCX], 2 - i);
	}
	assert_u64(vmread(VMCS_GUEST_RIP), 0x1003);
	assert_int_equal(stub_port_outs(PORT_COM1), 3);
}

static void repeated_string_output_of_nothing_does_nothing(void **state)
{
	(void)state;
	cpu->regs[REG_RSI] = 0x5000;
	cpu->regs[REG_RCX] = 0;
	stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, INFO_64);
	stub_exit(cpu, EXIT_IO, qualification(PORT_COM1, 1, OUT | STRING | REP));
	assert_int_equal(stub_port_outs(PORT_COM1), 0);
	assert_u64(cpu->regs[REG_RSI], 0x5000);
	assert_u64(vmread(VMCS_GUEST_RIP), 0x1003);
}

static void string_registers_move_by_size_direction_and_address_size(void **state)
{
	static const struct {
		const char *name;
		unsigned size, flags;
		u64 info, rflags, index, count, index_after, count_after;
	} rows[] = {
		{ "bytes up", 1, 0, INFO_64, 0, 0x5000, 9, 0x5001, 9 },
		{ "words down", 2, 0, INFO_64, RFLAGS_DF, 0x5000, 9, 0x4ffe, 9 },
		{ "doublewords with REP", 4, REP, INFO_64, 0, 0x5000, 9, 0x5004, 8 },
		{ "16-bit addresses wrap", 1, REP, INFO_16, 0, 0xaaaaffff, 0xbbbb0001, 0xaaaa0000,
		  0xbbbb0000 },
		{ "32-bit addresses clear the upper half", 1, REP, INFO_32, 0, 0xaaaaaaaaffffffff,
		  0xbbbbbbbb00000002, 0, 1 },
		{ "64-bit addresses", 1, REP, INFO_64, 0, 0xaaaaaaaaffffffff, 0x100000000,
		  0xaaaaaaab00000000, 0xffffffff },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		vmwrite(VMCS_GUEST_RFLAGS, 2 | rows[i].rflags);
		cpu->regs[REG_RDI] = rows[i].index;
		cpu->regs[REG_RCX] = rows[i].count;
		stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, BUFFER);
		stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, rows[i].info);
		stub_exit(cpu, EXIT_IO,
			  qualification(0x1234, rows[i].size, IN | STRING | rows[i].flags));
		assert_row(rows[i].name, cpu->regs[REG_RDI], rows[i].index_after);
		assert_row(rows[i].name, cpu->regs[REG_RCX], rows[i].count_after);
	}
}

static void string_input_writes_l1_s_memory(void **state)
{
	(void)state;
	stub_port_set(0x1234, 0xaabbccdd);
	memset(stub_at(BUFFER), 0x11, 8);
	stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, BUFFER);
	stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, INFO_64);
	stub_exit(cpu, EXIT_IO, qualification(0x1234, 2, IN | STRING));
	assert_memory_equal(stub_at(BUFFER), "\xdd\xcc\x11\x11", 4);
}

/* The instruction starts again after the fault: it must not have happened in part. */
static void string_access_that_faults_happens_not_at_all(void **state)
{
	static const unsigned directions[] = { IN, OUT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
		boot(NULL);
		vmwrite(VMCS_GUEST_CR0, CR0_PE | CR0_NE | CR0_PG);
		vmwrite(VMCS_GUEST_CR4, CR4_PAE | CR4_VMXE);
		vmwrite(VMCS_GUEST_CR3, 0x40000); /* an empty table */
		cpu->regs[REG_RSI] = cpu->regs[REG_RDI] = 0x5000;
		cpu->regs[REG_RCX] = 3;
		stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, 0x7000);
		stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, INFO_64);
		stub_exit(cpu, EXIT_IO, qualification(0x1234, 1, directions[i] | STRING | REP));
		assert_true(stub_injects(14));
		assert_u64(stub_cpu.cr2, 0x7000);
		assert_u64(vmread(VMCS_GUEST_RIP), 0x1000);
		assert_u64(cpu->regs[REG_RCX], 3);
		assert_u64(cpu->regs[REG_RSI], 0x5000);
		assert_u64(cpu->regs[REG_RDI], 0x5000);
		assert_int_equal(stub_port_ins(0x1234), 0);
		assert_int_equal(stub_port_outs(0x1234), 0);
	}
}

/* The exit comes before the processor has looked at the operand. */
static void string_access_beyond_canonical_addresses_is_a_gp(void **state)
{
	(void)state;
	vmwrite(VMCS_GUEST_CR0, CR0_PE | CR0_NE | CR0_PG);
	stub_vmcs_set(VMCS_GUEST_LINEAR_ADDRESS, 0x800000000000);
	stub_vmcs_set(VMCS_VM_EXIT_INSTRUCTION_INFO, INFO_64);
	stub_exit(cpu, EXIT_IO, qualification(0x1234, 1, OUT | STRING));
	assert_true(stub_injects(13));
	assert_int_equal(stub_port_outs(0x1234), 0);
}

static void only_watched_ports_exit(void **state)
{
	static const struct {
		u16 port;
		bool exits;
	} rows[] = {
		{ PORT_COM1, true },	  { PORT_COM1 + 3, true }, { PORT_COM1 + 1, false },
		{ PORT_COM1 + 5, false }, { PORT_KEYBOARD, true }, { 0x60, false },
		{ PORT_RESET, true },	  { PORT_SYSTEM, true },   { 0xcf8, false },
		{ 0xcfc, false },	  { PORT_SHUTDOWN, true }, { 0x20, false },
		{ 0x40, false },	  { 0x1234, false },	   { 0xffff, false },
	};
	char name[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(name, sizeof(name), "port %x", rows[i].port);
		assert_row(name, vmcs01_io_bitmap()[rows[i].port / 8] >> rows[i].port % 8 & 1,
			   rows[i].exits);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_watched_ports_exit, boot),
		cmocka_unit_test_setup(outputs_reach_the_device_with_their_size, boot),
		cmocka_unit_test_setup(inputs_change_the_part_of_rax_that_they_read, boot),
		cmocka_unit_test_setup(serial_output_goes_on_to_the_port, boot),
		cmocka_unit_test_setup(debug_port_is_hv_s_while_it_drains_there, boot),
		cmocka_unit_test_setup(shutdown_port_of_a_machine_is_a_device_s, boot),
		cmocka_unit_test_setup(word_shutdown_ends_the_tape_and_nothing_shorter, boot),
		cmocka_unit_test_setup(resets_end_the_tape_and_neighbouring_values_do_not, boot),
		cmocka_unit_test_setup(nobody_switches_a20_off, boot),
		cmocka_unit_test_setup(sleep_states_end_the_tape_with_their_name, boot),
		cmocka_unit_test_setup(repeated_string_output_makes_one_step_an_exit, boot),
		cmocka_unit_test_setup(repeated_string_output_of_nothing_does_nothing, boot),
		cmocka_unit_test_setup(string_registers_move_by_size_direction_and_address_size,
				       boot),
		cmocka_unit_test_setup(string_input_writes_l1_s_memory, boot),
		cmocka_unit_test_setup(string_access_that_faults_happens_not_at_all, boot),
		cmocka_unit_test_setup(string_access_beyond_canonical_addresses_is_a_gp, boot),
	};

	return cmocka_run_group_tests_name("hv/exit_io", tests, NULL, NULL);
}
