/*
 * hv/exit_io.c - the ports that hv watches: L1's console, power-off and reset, the debug console
 *
 * Everything is passed on to the device but what would end the machine before the tape is safe.
 */
#include "hv/acpi.h"
#include "hv/console.h"
#include "hv/exit_l1.h"
#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/hv_options.h"
#include "hv/insn.h"
#include "hv/nested/nested.h"
#include "hv/nested/reflect.h"
#include "hv/record_end.h"
#include "hv/vmcs01.h"
#include "vmx/tables.h"

#define PORT_COM1      0x3f8
#define PORT_COM1_LCR  (PORT_COM1 + 3)
#define PORT_KEYBOARD  0x64
#define PORT_DEBUG     0xe9
#define PORT_RESET     0xcf9
#define PORT_SYSTEM    0x92   /* system control port A */
#define PORT_SHUTDOWN  0x8900 /* Bochs and QEMU's firmware: the bytes of "Shutdown" */
#define KEYBOARD_RESET 0xfe
#define RESET_CPU      BIT(2)
#define FAST_RESET     BIT(0)
#define A20_ON	       BIT(1)
#define SLEEP_ENABLE   BIT(13)
#define VECTOR_PF      14

struct io_access {
	u16 port;
	u8 size;
	bool in;
	u32 value; /* written, or to be returned */
};

void l1_intercept_ports(void)
{
	vmcs01_intercept_port(PORT_COM1);
	vmcs01_intercept_port(PORT_COM1_LCR);
	vmcs01_intercept_port(PORT_KEYBOARD);
	vmcs01_intercept_port(PORT_RESET);
	vmcs01_intercept_port(PORT_SYSTEM);
	vmcs01_intercept_port(PORT_SHUTDOWN);
	if (options.drain == DRAIN_DEBUGCON)
		vmcs01_intercept_port(PORT_DEBUG);
	for (unsigned i = 0; i < 2; i++)
		if (acpi_sleep_port(i))
			vmcs01_intercept_port(acpi_sleep_port(i));
}

static u32 port_in(u16 port, u8 size)
{
	if (port == PORT_DEBUG && options.drain == DRAIN_DEBUGCON)
		return PORT_DEBUG; /* what the port reads as on Bochs */
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void port_out(u16 port, u8 size, u32 value)
{
	if (size == 1)
		outb(port, (u8)value);
	else if (size == 2)
		outw(port, (u16)value);
	else
		outl(port, value);
}

static void watch_shutdown_port(struct percpu *cpu, u8 byte)
{
	static const char word[] = "Shutdown";
	static unsigned matched;

	matched = byte == (u8)word[matched] ? matched + 1 : byte == (u8)word[0];
	if (!word[matched])
		record_stop(cpu, END_POWER_OFF, "power-off by port 8900h");
}

static void watch_sleep(struct percpu *cpu, u32 value)
{
	unsigned state;

	if (!(value & SLEEP_ENABLE))
		return;
	state = acpi_sleep_state((u8)BITS(value, 12, 10));
	if (state == 5)
		record_stop(cpu, END_POWER_OFF, "ACPI power-off");
	record_stop(cpu, END_REFUSED_SLEEP,
		    "L1 asked for an ACPI sleep state, which hv does not survive");
}

/* Returns whether the device gets the access too. */
static bool watch(struct percpu *cpu, const struct io_access *io)
{
	switch (io->port) {
	case PORT_COM1:
		console_transmit(cpu, (u8)io->value);
		return true;
	case PORT_COM1_LCR:
		console_line_control((u8)io->value);
		return true;
	case PORT_DEBUG:
		return options.drain != DRAIN_DEBUGCON;
	case PORT_SHUTDOWN:
		watch_shutdown_port(cpu, (u8)io->value);
		/* On a real machine a device may have that port. */
		return options.drain != DRAIN_DEBUGCON;
	case PORT_KEYBOARD:
		if (io->value == KEYBOARD_RESET)
			record_stop(cpu, END_RESET, "reset by the keyboard controller");
		return true;
	case PORT_RESET:
		if (io->value & RESET_CPU)
			record_stop(cpu, END_RESET, "reset by port CF9h");
		return true;
	case PORT_SYSTEM:
		if (io->value & FAST_RESET)
			record_stop(cpu, END_RESET, "reset by port 92h");
		return true;
	default:
		if (io->port == acpi_sleep_port(0) || io->port == acpi_sleep_port(1))
			watch_sleep(cpu, io->value);
		return true;
	}
}

/*
 * SDM, "VMXON": A20M is blocked in VMX operation. Bochs does not block it: an access to port 92h
 * that clears the bit would take every other MiB from hv.
 */
static u32 with_a20_on(const struct io_access *io)
{
	const unsigned byte = (unsigned)PORT_SYSTEM - io->port;

	return byte < io->size ? io->value | (u32)A20_ON << 8 * byte : io->value;
}

static void perform(struct percpu *cpu, struct io_access *io)
{
	if (io->in)
		io->value = port_in(io->port, io->size);
	else if (watch(cpu, io))
		port_out(io->port, io->size, with_a20_on(io));
	if (exit_level(cpu) == 2)
		nested_item(&cpu->nested, ITEM_IO_VALUE, io->value);
}

static u64 address_mask(u32 info)
{
	static const u64 masks[] = { 0xffff, 0xffffffff, ~0ull, ~0ull };

	return masks[BITS(info, 9, 7) & 3];
}

/* @value where the instruction's addresses have @mask; 32-bit results clear the upper half. */
static u64 by_address_size(u64 old, u64 value, u64 mask)
{
	return mask == 0xffff ? (old & ~mask) | (value & mask) : value & mask;
}

/* The memory operand, before the device is touched: its last byte may be on another page. */
static enum status check_operand(struct percpu *cpu, const struct io_access *io, u64 linear,
				 struct guest_fault *fault)
{
	const enum guest_access access = io->in ? GUEST_WRITE : GUEST_READ;
	u64 gpa1;
	enum status status = guest_translate(cpu, linear, access, &gpa1, fault);

	if (status == ST_OK)
		status = guest_translate(cpu, linear + io->size - 1, access, &gpa1, fault);
	return status;
}

static enum exit_action operand_fault(struct percpu *cpu, const struct guest_fault *fault)
{
	if (fault->vector == GUEST_FAULT_EPT12)
		return nested_exit_by_ept12(cpu, fault);
	return fault->vector == VECTOR_PF ? exit_inject_pf(cpu, fault->address, fault->code)
					  : exit_inject_gp(cpu);
}

/*
 * One iteration of INS or OUTS. With REP the instruction exits again for the next one, so that a
 * huge count costs L1 and not hv.
 */
static enum exit_action string_io(struct percpu *cpu, struct io_access *io, bool rep)
{
	const u64 mask = address_mask((u32)vmread(VMCS_VM_EXIT_INSTRUCTION_INFO));
	const bool down = vmread(VMCS_GUEST_RFLAGS) & BIT(10);
	const unsigned index = io->in ? REG_RDI : REG_RSI;
	const u64 linear = vmread(VMCS_GUEST_LINEAR_ADDRESS);
	const u64 count = cpu->regs[REG_RCX] & mask;
	struct guest_fault fault;

	if (rep && !count)
		return EXIT_SKIP;
	if (hv_fault(INS_BEFORE_CHECK) && io->in)
		perform(cpu, io);
	if (check_operand(cpu, io, linear, &fault) != ST_OK)
		return operand_fault(cpu, &fault);
	if (!io->in)
		guest_read(cpu, linear, &io->value, io->size, &fault);
	perform(cpu, io);
	if (io->in)
		guest_write(cpu, linear, &io->value, io->size, &fault);
	cpu->regs[index] = by_address_size(
		cpu->regs[index], cpu->regs[index] + (down ? 0ull - io->size : io->size), mask);
	if (!rep)
		return EXIT_SKIP;
	cpu->regs[REG_RCX] = by_address_size(cpu->regs[REG_RCX], count - 1, mask);
	if (count <= 1)
		return EXIT_SKIP;
	if (exit_level(cpu) == 2)
		nested_end_insn(cpu);
	return EXIT_RESUME;
}

/* SDM "Exit Qualification for I/O Instructions". */
enum exit_action l1_handle_io(struct percpu *cpu)
{
	const u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	struct io_access io = {
		.port = (u16)BITS(qualification, 31, 16),
		.size = (u8)(BITS(qualification, 2, 0) + 1),
		.in = qualification & BIT(3),
	};
	const u64 mask = MASK(io.size * 8 - 1, 0);

	if (qualification & BIT(4))
		return string_io(cpu, &io, qualification & BIT(5));
	io.value = (u32)(cpu->regs[REG_RAX] & mask);
	perform(cpu, &io);
	if (io.in)
		cpu->regs[REG_RAX] =
			io.size == 4 ? io.value : (cpu->regs[REG_RAX] & ~mask) | (io.value & mask);
	return EXIT_SKIP;
}
