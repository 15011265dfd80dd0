/*
 * tests/stubs/stub_cpu.h - a processor made of arrays, and a machine around it
 *
 * Behaves as the SDM says where hv could notice: VMCS fields exist by the capability MSRs and are
 * cut to their width, read-only ones need IA32_VMX_MISC[29], an MSR that is not there faults, each
 * failing VMX instruction leaves its error in the current VMCS. Nothing is ever executed: a test
 * plays the guest by writing VMCS fields and calling the handler.
 */
#ifndef TESTS_STUBS_STUB_CPU_H
#define TESTS_STUBS_STUB_CPU_H

#include <setjmp.h>

#include "base/base.h"
#include "hv/insn.h"

struct percpu;

#define STUB_MEMORY	GIB(4)	/* physical memory that hv's code can touch; zero after a reset */
#define STUB_HV_SIZE	MIB(16) /* of it, hv's: the first MiB stands for the image */
#define STUB_NO_VMCS	(~0ull)
#define STUB_PHYS_WIDTH 36

/* An access to a port, INVEPT and the like, in the order in which they happened. */
struct stub_port_access {
	u16 port;
	u8 size; /* bytes */
	bool in;
	u32 value;
};

struct stub_invalidation {
	char what; /* 'e' INVEPT, 'v' INVVPID, 'p' INVLPG */
	u64 type, low, high;
};

struct stub_msr_write {
	u32 index;
	u64 value;
};

enum { STUB_LOG_MAX = 1024, STUB_TEXT_MAX = 1 << 20 };

struct stub_cpu {
	u64 cr0, cr2, cr3, cr4, xcr0, dr0, dr1, dr2, dr3, dr6, dr7;
	u64 tsc, tsc_step;    /* rdtsc() returns @tsc and adds @tsc_step */
	unsigned timer_polls; /* so often bit 5 of port 61h reads as 0 once port 42h was written */
	u64 xcr0_valid;	      /* bits that XSETBV accepts */
	bool in_vmx;
	u64 vmxon_pa;
	u64 current_vmcs; /* STUB_NO_VMCS when there is none */
	unsigned vmptrlds, vmclears, wbinvds, nmi_unblocks;
	void *gs_self; /* what gs_self() returns: the struct percpu of this processor */

	struct stub_port_access ports[STUB_LOG_MAX];
	unsigned port_count;
	struct stub_invalidation invalidations[STUB_LOG_MAX];
	unsigned invalidation_count;
	struct stub_msr_write msr_writes[STUB_LOG_MAX];
	unsigned msr_write_count;

	char text[STUB_TEXT_MAX]; /* the log: what went out of the debug console port */
	size_t text_length;

	char serial[STUB_TEXT_MAX]; /* what went out of the first serial port */
	size_t serial_length;

	jmp_buf stopped; /* where halt_forever() goes when @catching */
	bool catching;
};

extern struct stub_cpu stub_cpu;

/*
 * A processor after reset, with the capabilities and CPUID of an Intel server processor of 2017,
 * MTRRs that make everything write-back, and empty memory. Usable as cmocka's set-up function.
 */
int stub_reset(void **state);

/*
 * A machine with @memory bytes of RAM (a multiple of 2 MiB, at least 32 MiB), of which the highest
 * STUB_HV_SIZE are hv's, its pool ready: boot_info.ranges is what a PC has. Resets.
 */
void stub_boot(u64 memory);

/*
 * stub_boot(), then hv's own way up to the first VM entry, without a tape: VMX operation, EPT01,
 * VMCS01. The result is the processor, in hv's memory.
 */
struct percpu *stub_boot_l1(u64 memory, bool long_mode);

/*
 * stub_boot_l1() and then nested VMX, with the capabilities in @masked ("-load_efer", or "") hidden
 * from L1, the interceptions of MSRs and ports, and CPUID.
 */
struct percpu *stub_boot_nested(u64 memory, bool long_mode, const char *masked);

/*
 * The guest whose VMCS is current exits: fill the exit information and call exit_dispatch(). The
 * instruction has 3 bytes.
 */
void stub_exit(struct percpu *cpu, u32 reason, u64 qualification);

/* What stub_exit() left for the guest: an event with @vector waits in the current VMCS. */
bool stub_injects(unsigned vector);

/* All of memory becomes zero. */
void stub_memory_reset(void);

/* Memory that hv would see at @pa. */
void *stub_at(u64 pa);

/* MSRs: one that is not set does not exist. A write of a bit of @reserved faults. */
void stub_msr_set(u32 index, u64 value);
void stub_msr_set_reserved(u32 index, u64 reserved);
void stub_msr_remove(u32 index);
u64 stub_msr(u32 index);

/* CPUID answers @result for this leaf; what was never set is 0. */
void stub_cpuid_set(u32 leaf, u32 subleaf, struct cpuid_result result);

/* What reading a port gives, whatever the size; all ones when never set. */
void stub_port_set(u16 port, u32 value);

/* Fields of the current VMCS as the processor writes them, read-only ones too; and of any VMCS. */
void stub_vmcs_set(u32 field, u64 value);
u64 stub_vmcs_get_of(u64 pa, u32 field);
void stub_vmcs_set_of(u64 pa, u32 field, u64 value);

/* The next INVEPT, INVVPID, VMXON, VMCLEAR or VMPTRLD fails. */
void stub_fail_next(void);

/* The log contains @text. Returns whether it does, for assert_true(). */
bool stub_said(const char *text);

/* Accesses to @port that were made, outputs or inputs. */
unsigned stub_port_outs(u16 port);
unsigned stub_port_ins(u16 port);

/*
 * Whether hv stopped the machine, by panic() or record_stop(), while @expression was evaluated. A
 * stop outside of this fails the test that runs.
 */
#define stub_stops(expression)                   \
	__extension__({                          \
		volatile bool stopped_ = true;   \
                                                 \
		stub_cpu.catching = true;        \
		if (!setjmp(stub_cpu.stopped)) { \
			(void)(expression);      \
			stopped_ = false;        \
		}                                \
		stub_cpu.catching = false;       \
		stopped_;                        \
	})

#endif
