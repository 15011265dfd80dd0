#include "tests/guests/lib/guest_trap.h"

#include "tests/guests/lib/guest_insn.h"

#define VECTORS		   256
#define FIRST_INTERRUPT	   32
#define NMI		   2
#define EXCEPTION_GP	   13
#define EXCEPTION_PF	   14

#define PIC_MASTER_DATA	   0x21
#define PIC_SLAVE_DATA	   0xa1

#define APIC_BASE	   0xfee00000ull
#define APIC_SPURIOUS	   0xf0
#define APIC_EOI	   0xb0
#define APIC_TIMER	   0x320
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_DIVIDE  0x3e0
#define APIC_ENABLE	   BIT(8)
#define APIC_DIVIDE_BY_1   0xb

#define GATE_INTERRUPT	   0x8e

/* SDM: "Error Code", with the bit that says IDT. */
#define GATE_ERROR(vector) ((vector) << 3 | 2)

#define FAR_RETURN	   0xcb

#define TSS_RSP0	   4
#define TSS_IOBASE	   102

/* SDM: "64-Bit IDT Gate Descriptors". */
struct gate {
	u16 offset_0;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_16;
	u32 offset_32;
	u32 reserved;
};

struct __attribute__((packed)) table_pointer {
	u16 limit;
	u64 base;
};

/* A guest_try() under way; the innermost is try_now. */
struct
try {
	u64 resume; /* for guest_unwind() */
	struct guest_fault *fault;
	struct try *outer;
};

bool guest_call(void (*fn)(void *), void *arg, u64 *resume);
_Noreturn void guest_unwind(u64 resume);
void guest_enter_user(void (*fn)(void *arg), void *arg);
void guest_enter_compat(const void *code);
void guest_trap(struct guest_trap_frame *frame);

static struct gate idt[VECTORS];
static struct try *try_now;
static u8 trap_stack[PAGE_SIZE] __attribute__((aligned(16))); /* of traps from ring 3 */
static bool apic_enabled;
static struct {
	void (*handler)(struct guest_trap_frame *frame);
	u64 count;
} interrupts[VECTORS];

static void apic_write(u32 offset, u32 value)
{
	*(volatile u32 *)(uintptr_t)(APIC_BASE + offset) = value;
}

void guest_trap_load(void)
{
	const struct table_pointer pointer = { sizeof(idt) - 1, (uintptr_t)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void guest_trap_init(void)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		const u64 entry = (uintptr_t)guest_trap_entries + i * 16;

		idt[i] = (struct gate){
			.offset_0 = (u16)entry,
			.selector = GUEST_CS,
			.type = GATE_INTERRUPT,
			.offset_16 = (u16)(entry >> 16),
			.offset_32 = (u32)(entry >> 32),
		};
	}
	guest_trap_load();
	*(u16 *)(guest_tss + TSS_IOBASE) = GUEST_TSS_SIZE;
}

bool guest_try(void (*fn)(void *arg), void *arg, struct guest_fault *fault)
{
	struct try try = { .fault = fault, .outer = try_now };
	bool faulted;

	try_now = &try;
	faulted = guest_call(fn, arg, &try.resume);
	try_now = try.outer;
	return !faulted;
}

struct user_call {
	void (*fn)(void *arg);
	void *arg;
};

static void call_user(void *arg)
{
	const struct user_call *call = arg;

	guest_enter_user(call->fn, call->arg);
}

/* Ring 3 comes back by INT, which its gate does not allow: #GP with the gate's number. */
bool guest_try_user(void (*fn)(void *arg), void *arg, struct guest_fault *fault)
{
	struct user_call call = { fn, arg };
	const u64 stack = (uintptr_t)(trap_stack + sizeof(trap_stack));

	memcpy(guest_tss + TSS_RSP0, &stack, sizeof(stack));
	return guest_try(call_user, &call, fault) ||
	       (fault->vector == EXCEPTION_GP && fault->error == GATE_ERROR(GUEST_USER_RETURN));
}

static void call_compat(void *code)
{
	guest_enter_compat(code);
}

bool guest_try_compat(const u8 *code, size_t size, struct guest_fault *fault)
{
	static u8 buffer[32];

	if (size >= sizeof(buffer))
		guest_fail("%zu bytes of code are too many", size);
	memcpy(buffer, code, size);
	buffer[size] = FAR_RETURN;
	return guest_try(call_compat, buffer, fault);
}

static void take_interrupt(struct guest_trap_frame *frame)
{
	interrupts[frame->vector].count++;
	if (interrupts[frame->vector].handler)
		interrupts[frame->vector].handler(frame);
	if (apic_enabled && frame->vector != NMI)
		apic_write(APIC_EOI, 0);
}

void guest_trap(struct guest_trap_frame *frame)
{
	if (frame->vector >= FIRST_INTERRUPT || frame->vector == NMI) {
		take_interrupt(frame);
		return;
	}
	if (!try_now)
		guest_fail("exception %lu, error %lx, RIP %lx, RSP %lx, CR2 %lx", frame->vector,
			   frame->error, frame->rip, frame->rsp, read_cr2());
	*try_now->fault = (struct guest_fault){
		.vector = (u8)frame->vector,
		.error = (u32)frame->error,
		.cr2 = frame->vector == EXCEPTION_PF ? read_cr2() : 0,
		.rip = frame->rip,
		.rflags = frame->rflags,
	};
	guest_unwind(try_now->resume);
}

void guest_set_interrupt(u8 vector, void (*handler)(struct guest_trap_frame *frame))
{
	interrupts[vector].handler = handler;
}

u64 guest_interrupt_count(u8 vector)
{
	return interrupts[vector].count;
}

void guest_apic_enable(void)
{
	outb(PIC_MASTER_DATA, 0xff);
	outb(PIC_SLAVE_DATA, 0xff);
	apic_write(APIC_SPURIOUS, APIC_ENABLE | 0xff);
	apic_enabled = true;
}

void guest_apic_timer(u8 vector, u32 count)
{
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
	apic_write(APIC_TIMER, vector);
	apic_write(APIC_TIMER_INITIAL, count);
}
