#include "tests/guests/lib/guest.h"

#include "base/fmt.h"
#include "base/hv_leaf.h"
#include "tests/guests/lib/guest_insn.h"
#include "tests/guests/lib/guest_trap.h"

#define COM1		      0x3f8
#define UART_DIVISOR_0	      (COM1 + 0) /* while LCR_DIVISOR */
#define UART_DIVISOR_1	      (COM1 + 1)
#define UART_IER	      (COM1 + 1)
#define UART_FCR	      (COM1 + 2) /* written */
#define UART_IIR	      (COM1 + 2) /* read */
#define UART_LCR	      (COM1 + 3)
#define UART_LSR	      (COM1 + 5)
#define LCR_DIVISOR	      0x80
#define LCR_8N1		      0x03
#define FCR_ENABLE	      7 /* and clear both */
#define IIR_FIFO	      0xc0
#define FIFO_SIZE	      16
#define LSR_THR_EMPTY	      0x20
#define LSR_ALL_SENT	      0x40

#define POWER_OFF_PORT	      0x8900

#define MULTIBOOT_LOADED      0x2badb002
#define MULTIBOOT_HAS_MEMORY  BIT(0)
#define MULTIBOOT_HAS_COMMAND BIT(2)
#define MULTIBOOT_HAS_MODULES BIT(3)

/* "Multiboot information format" of the Multiboot specification 0.6.96, the part we use. */
struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
};

struct multiboot_module {
	u32 start, end, string, reserved;
};

#define POOL_PAGES 1024

extern u32 guest_boot_magic, guest_boot_info;
void guest_begin(void);

static u8 pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static size_t pool_used;
static unsigned checks_passed, checks_failed;

/* --- text ------------------------------------------------------------------------------------ */

static void serial_init(void)
{
	outb(UART_LCR, LCR_DIVISOR | LCR_8N1);
	outb(UART_DIVISOR_0, 1);
	outb(UART_DIVISOR_1, 0);
	outb(UART_LCR, LCR_8N1);
	outb(UART_IER, 0);
	outb(UART_FCR, FCR_ENABLE);
}

/* Each look at the line status is an exit to a hypervisor that emulates the UART. */
static void serial_char(char c)
{
	static unsigned room;

	if (!room) {
		while (!(inb(UART_LSR) & LSR_THR_EMPTY))
			;
		room = (inb(UART_IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_SIZE : 1;
	}
	room--;
	outb(COM1, (u8)c);
}

static void print_va(const char *format, va_list args)
{
	char text[256];

	fmt_va(text, sizeof(text), format, args);
	for (const char *at = text; *at; at++) {
		if (*at == '\n')
			serial_char('\r');
		serial_char(*at);
	}
}

void guest_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_va(format, args);
	va_end(args);
}

bool guest_check(bool holds, const char *format, ...)
{
	va_list args;

	if (holds) {
		checks_passed++;
		return true;
	}
	checks_failed++;
	guest_print("FAIL: ");
	va_start(args, format);
	print_va(format, args);
	va_end(args);
	guest_print("\n");
	return false;
}

void guest_departs(const char *erratum, bool departs)
{
	if (guest_is_recorded())
		guest_check(!departs, "%s is passed on", erratum);
	else
		guest_print("erratum %s: %s\n", erratum, departs ? "seen" : "not seen");
}

void guest_case(const char *format, ...)
{
	va_list args;

	guest_print("case ");
	va_start(args, format);
	print_va(format, args);
	va_end(args);
	guest_print("\n");
}

void guest_check_end(void)
{
	guest_print("%u passed, %u failed\n", checks_passed, checks_failed);
}

/* --- what the loader gave -------------------------------------------------------------------- */

static const struct multiboot_info *boot_info(void)
{
	return (const void *)(uintptr_t)guest_boot_info;
}

static const char *text_at(u32 address)
{
	return (const char *)(uintptr_t)address;
}

static const char *find_option(const char *name)
{
	const size_t length = strlen(name);
	const char *found = NULL;
	const char *at;

	if (!(boot_info()->flags & MULTIBOOT_HAS_COMMAND))
		return NULL;
	at = text_at(boot_info()->cmdline);
	while (*at) {
		if (!strncmp(at, name, length) && at[length] == '=')
			found = at + length + 1;
		while (*at && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	return found;
}

bool guest_option(const char *name, char *value, size_t size)
{
	const char *found = find_option(name);
	size_t i = 0;

	if (!found)
		return false;
	for (; i + 1 < size && found[i] && found[i] != ' '; i++)
		value[i] = found[i];
	value[i] = 0;
	return true;
}

u64 guest_option_number(const char *name, u64 otherwise)
{
	const char *found = find_option(name);
	u64 number = 0;

	if (!found)
		return otherwise;
	for (; *found >= '0' && *found <= '9'; found++)
		number = number * 10 + (u64)(*found - '0');
	return number;
}

bool guest_module(unsigned index, struct guest_module *module)
{
	const struct multiboot_info *info = boot_info();
	const struct multiboot_module *modules = (const void *)(uintptr_t)info->mods_addr;

	if (!(info->flags & MULTIBOOT_HAS_MODULES) || index >= info->mods_count)
		return false;
	module->start = modules[index].start;
	module->size = modules[index].end - modules[index].start;
	module->arguments = text_at(modules[index].string);
	return true;
}

u64 guest_memory_end(void)
{
	if (!(boot_info()->flags & MULTIBOOT_HAS_MEMORY))
		guest_fail("the loader does not tell the size of the memory");
	return MIB(1) + KIB(boot_info()->mem_upper);
}

void *guest_pages(size_t count)
{
	if (count > POOL_PAGES - pool_used)
		guest_fail("no %zu pages left", count);
	pool_used += count;
	return pool[pool_used - count];
}

const void *guest_pages_mark(void)
{
	return pool[pool_used];
}

void guest_pages_release(const void *mark)
{
	const size_t used = (size_t)((const u8(*)[PAGE_SIZE])mark - pool);

	memset(pool[used], 0, (pool_used - used) * PAGE_SIZE);
	pool_used = used;
}

/* --- ends ------------------------------------------------------------------------------------ */

void guest_power_off(void)
{
	while (!(inb(UART_LSR) & LSR_ALL_SENT))
		;
	for (const char *at = "Shutdown"; *at; at++)
		outb(POWER_OFF_PORT, (u8)*at);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void guest_fail(const char *format, ...)
{
	va_list args;

	guest_print("guest: ");
	va_start(args, format);
	print_va(format, args);
	va_end(args);
	guest_print("\n");
	guest_power_off();
}

/* --- the recorder below ---------------------------------------------------------------------- */

bool guest_is_recorded(void)
{
	const struct cpuid answer = cpuid(HV_LEAF, HV_DETECT);

	return answer.eax == HV_LEAF && answer.ebx == HV_PRESENT;
}

void guest_mark(const char *text)
{
	u64 words[4] = { 0 };
	u64 leaf = HV_LEAF, call = HV_MARK;

	memcpy(words, text, MIN(strlen(text), sizeof(words)));
	__asm__ volatile("cpuid"
			 : "+a"(leaf), "+c"(call), "+b"(words[0]), "+d"(words[1]), "+S"(words[2]),
			   "+D"(words[3])
			 :
			 : "memory");
}

/* --- start ----------------------------------------------------------------------------------- */

void guest_begin(void)
{
	serial_init();
	guest_trap_init();
	if (guest_boot_magic != MULTIBOOT_LOADED)
		guest_fail("not loaded by a multiboot loader (EAX is %x)", guest_boot_magic);
	guest_main();
	guest_power_off();
}
