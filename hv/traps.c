#include "hv/traps.h"

#include "hv/insn.h"
#include "hv/kick.h"
#include "hv/mem.h"
#include "hv/panic.h"
#include "hv/percpu.h"
#include "vmx/tables.h"

struct trap_frame {
	u64 r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	u64 vector, error_code;
	u64 rip, cs, rflags, rsp, ss;
};

struct idt_gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
};

struct tss {
	u32 reserved0;
	u64 rsp[3], reserved1, ist[7], reserved2;
	u16 reserved3, io_bitmap;
} __attribute__((packed));

struct descriptor_tables {
	u64 gdt[5];
	struct tss tss;
};

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

struct extable_entry {
	u64 at, go_on;
};

#define TRAP_ENTRY_SIZE 16
#define TSS_BUSY	BIT(41)
#define VECTOR_NMI	2
#define VECTOR_MC	18

extern const u8 trap_entries[], vmenter[], vmenter_end[], vmenter_again[];
extern const struct extable_entry extable_start[], extable_end[];

void trap_handle(struct trap_frame *frame);

static struct idt_gate idt[32];

void trap_handle(struct trap_frame *frame)
{
	if (frame->vector == VECTOR_NMI) {
		percpu_this()->nmi_arrived = true;
		kick_take_nmi(percpu_this());
		/* The guest's registers are in struct percpu until it is entered. */
		if (frame->rip >= (u64)vmenter && frame->rip < (u64)vmenter_end)
			frame->rip = (u64)vmenter_again;
		return;
	}
	for (const struct extable_entry *entry = extable_start; entry < extable_end; entry++)
		if (frame->rip == entry->at) {
			frame->rip = entry->go_on;
			frame->rax = ST_FAULT;
			return;
		}
	/*
	 * A machine check in root mode cannot be given back to L1 in good order: it may concern
	 * what hv was doing. Saying so beats running on.
	 */
	panic("%s %lu in hv, error code 0x%lx, rip 0x%lx, rsp 0x%lx, cr2 0x%lx",
	      frame->vector == VECTOR_MC ? "machine check" : "exception", frame->vector,
	      frame->error_code, frame->rip, frame->rsp, read_cr2());
}

static void idt_init(void)
{
	for (unsigned vector = 0; vector < ARRAY_SIZE(idt); vector++) {
		const u64 entry = (u64)trap_entries + vector * TRAP_ENTRY_SIZE;

		idt[vector] = (struct idt_gate){
			.offset_low = (u16)entry,
			.offset_mid = (u16)(entry >> 16),
			.offset_high = (u32)(entry >> 32),
			.selector = SELECTOR_CODE,
			.type = 0x8e,
			.ist = vector == VECTOR_NMI  ? 2
			       : vector == VECTOR_MC ? 3
						     : 1,
		};
	}
}

void traps_load(struct percpu *cpu)
{
	struct descriptor_tables *tables = cpu->tables;
	struct table_pointer pointer = { sizeof(tables->gdt) - 1, (u64)tables->gdt };

	wrmsr(MSR_GS_BASE, (u64)cpu);
	wrmsr(MSR_FS_BASE, (u64)cpu);
	/* Not busy: LTR makes it that. */
	tables->gdt[SELECTOR_TSS / 8] &= ~TSS_BUSY;
	__asm__ volatile("lgdt %0; ltr %w1; mov %2, %%ds; mov %2, %%es; mov %2, %%ss"
			 :
			 : "m"(pointer), "r"(SELECTOR_TSS), "r"(SELECTOR_DATA)
			 : "memory");
	/* CS is loaded by a far return to the next instruction. */
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
			 :
			 : "i"(SELECTOR_CODE)
			 : "rax", "memory");
	pointer = (struct table_pointer){ sizeof(idt) - 1, (u64)idt };
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void traps_init(struct percpu *cpu)
{
	struct descriptor_tables *tables = mem_alloc_pages(1);
	const u64 tss = (u64)&tables->tss;

	tables->gdt[SELECTOR_CODE / 8] = 0x00af9b000000ffff;
	tables->gdt[SELECTOR_DATA / 8] = 0x00cf93000000ffff;
	tables->gdt[SELECTOR_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
					0x89ull << 40 | BITS(tss, 31, 24) << 56;
	tables->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
	for (unsigned i = 0; i < 3; i++)
		tables->tss.ist[i] = (u64)mem_alloc_pages(2) + 2 * PAGE_SIZE;
	tables->tss.io_bitmap = sizeof(struct tss);
	if (!idt[0].type)
		idt_init();
	cpu->tables = tables;
	traps_load(cpu);
}

u64 traps_gdt_base(const struct percpu *cpu)
{
	return (u64)cpu->tables->gdt;
}

u64 traps_tss_base(const struct percpu *cpu)
{
	return (u64)&cpu->tables->tss;
}

u64 traps_idt_base(void)
{
	return (u64)idt;
}
