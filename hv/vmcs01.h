/*
 * hv/vmcs01.h - the VMCS that runs L1, and what the processor must offer for it
 */
#ifndef HV_VMCS01_H
#define HV_VMCS01_H

#include "base/base.h"
#include "base/status.h"
#include "hv/percpu.h"

/* Bits of CR0 and CR4 that hv owns: VMX operation needs them, L1 may see them otherwise. */
#define OWNED_CR0	   CR0_NE
#define OWNED_CR4	   CR4_VMXE

#define CR0_PE		   BIT(0)
#define CR0_NE		   BIT(5)
#define CR0_NW		   BIT(29)
#define CR0_CD		   BIT(30)
#define CR0_PG		   BIT(31)

#define CR4_PAE		   BIT(5)
#define CR4_MCE		   BIT(6)
#define CR4_PGE		   BIT(7)
#define CR4_OSFXSR	   BIT(9)
#define CR4_OSXMMEXCPT	   BIT(10)
#define CR4_VMXE	   BIT(13)
#define CR4_PCIDE	   BIT(17)
#define CR4_OSXSAVE	   BIT(18)
#define CR4_SMEP	   BIT(20)
#define CR4_PKE		   BIT(22)

#define EFER_LME	   BIT(8)
#define EFER_LMA	   BIT(10)

/* SDM, "Guest Non-Register State". */
#define ACTIVITY_ACTIVE	   0
#define ACTIVITY_SHUTDOWN  2
#define ACTIVITY_WAIT_SIPI 3

/* The VPID of L1; L2 runs under another one. */
#define VPID_L1		   1

/*
 * Enter VMX root operation, for the first time or again. ST_UNSUPPORTED after a log line when the
 * processor refuses.
 */
enum status vmcs01_enter_vmx(struct percpu *cpu);

/*
 * Make VMCS01 current, with controls, host state, and L1 in the state that a processor has for the
 * first instruction of an operating system's 32-bit or 64-bit entry: flat segments, interrupts
 * off. The caller sets RIP, RSP, registers, and for 64 bits CR3.
 */
void vmcs01_init(struct percpu *cpu, bool long_mode);

/* What exits in L1: 4 KiB, and two pages of 4 KiB. Owned by hv; VMCS02s merge them with L1's. */
const u8 *vmcs01_msr_bitmap(void);
const u8 *vmcs01_io_bitmap(void);

/* Let accesses to an MSR or port exit. Before vmcs01_init(). */
void vmcs01_intercept_msr(u32 index, bool reads, bool writes);
void vmcs01_intercept_port(u16 port);

/*
 * Let what changes @part exit too, or no longer: LGDT, LIDT, LLDT and LTR with what stores those
 * registers, where the processor has descriptor-table exiting; WRMSR of some MSRs; writes of
 * another value to CR0 or CR4, and MOV DR. L1 is in VMX operation, and VMCS01 is current.
 */
void vmcs01_watch(enum kept_part part, bool on);

/* Whether MSR @index is one of those. */
bool vmcs01_is_watched(u32 index);

/* CR0 and CR4 as L1 sees them; VMCS01 is current. */
u64 vmcs01_visible_cr0(void);
u64 vmcs01_visible_cr4(void);

/*
 * L1, which sees @cr0, enters VMX operation, in which PE, PG and NE stay set (SDM, "Restrictions on
 * VMX Operation"), or leaves it. Of CR4 it never owns but VMXE.
 */
void vmcs01_begin_vmx(u64 cr0);
void vmcs01_end_vmx(void);

#endif
