/*
 * hv/insn.h - the instructions that C has no name for
 *
 * The only way from hv to the processor. Unit tests put tests/stubs/hv/insn.h in its place, a
 * processor made of arrays.
 */
#ifndef HV_INSN_H
#define HV_INSN_H

#include "base/base.h"
#include "base/status.h"
#include "vmx/tables.h"

/*
 * vmread() and vmwrite() are for hv's own VMCSs, where a failure is hv's mistake: they panic,
 * naming the field. vmwrite_try() is for fields that this processor may lack.
 */
_Noreturn void vmcs_access_failed(u32 field, bool write);

/* What every processor has, of the fields that the code names. */
static ALWAYS_INLINE bool vmcs_field_is_everywhere(u32 field)
{
	switch (field) {
#define FIELD(NAME, name, encoding, WIDTH, KIND, ACCESS, EXISTS, title) \
	case encoding:                                                  \
		return VMCS_EXISTS_##EXISTS == VMCS_EXISTS_ALWAYS;
#include "vmx/fields.def"
#undef FIELD
	default:
		return false;
	}
}

static ALWAYS_INLINE u64 vmread(u32 field)
{
	u64 value;

	/* There is always a current VMCS: hwvmcs_switch() panics where it can't make one so. */
	if (__builtin_constant_p(field) && vmcs_field_is_everywhere(field)) {
		__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((u64)field) : "cc");
		return value;
	}
	__asm__ goto("vmread %1, %0; jbe %l[failed]"
		     : "=rm"(value)
		     : "r"((u64)field)
		     : "cc"
		     : failed);
	return value;
failed:
	vmcs_access_failed(field, false);
}

static inline void vmwrite(u32 field, u64 value)
{
	__asm__ goto("vmwrite %0, %1; jbe %l[failed]"
		     :
		     : "rm"(value), "r"((u64)field)
		     : "cc", "memory"
		     : failed);
	return;
failed:
	vmcs_access_failed(field, true);
}

static inline bool vmwrite_try(u32 field, u64 value)
{
	bool failed;

	__asm__ volatile("vmwrite %1, %2"
			 : "=@ccbe"(failed)
			 : "rm"(value), "r"((u64)field)
			 : "memory");
	return !failed;
}

static inline bool vmread_try(u32 field, u64 *value)
{
	bool failed;

	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=rm"(*value) : "r"((u64)field));
	return !failed;
}

#define VMX_POINTER_INSN(name)                                                              \
	/* false on VMfail. @address is the physical address of the region. */              \
	static inline bool name(u64 address)                                                \
	{                                                                                   \
		bool failed;                                                                \
                                                                                            \
		__asm__ volatile(#name " %1" : "=@ccbe"(failed) : "m"(address) : "memory"); \
		return !failed;                                                             \
	}
VMX_POINTER_INSN(vmxon)
VMX_POINTER_INSN(vmclear)
VMX_POINTER_INSN(vmptrld)
#undef VMX_POINTER_INSN

static inline void vmxoff(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
}

#define VMX_INVALIDATE_INSN(name)                             \
	static inline bool name(u64 type, u64 low, u64 high)  \
	{                                                     \
		const u64 descriptor[2] = { low, high };      \
		bool failed;                                  \
                                                              \
		__asm__ volatile(#name " %1, %2"              \
				 : "=@ccbe"(failed)           \
				 : "m"(descriptor), "r"(type) \
				 : "memory");                 \
		return !failed;                               \
	}
VMX_INVALIDATE_INSN(invept)
VMX_INVALIDATE_INSN(invvpid)
#undef VMX_INVALIDATE_INSN

static inline u64 rdmsr(u32 index)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
	return low | (u64)high << 32;
}

static inline void wrmsr(u32 index, u64 value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(index), "a"((u32)value), "d"((u32)(value >> 32))
			 : "memory");
}

/*
 * The same for operands that L1 controls: ST_FAULT when the instruction faulted, which leaves
 * @value alone. The exception table (hv/traps.S) finds the way back.
 */
enum status rdmsr_safe(u32 index, u64 *value);
enum status wrmsr_safe(u32 index, u64 value);
enum status xsetbv_safe(u32 index, u64 value);

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_result r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (u64)high << 32;
}

#define PORT_INSNS(type, suffix)                                                      \
	static inline type in##suffix(u16 port)                                       \
	{                                                                             \
		type value;                                                           \
                                                                                      \
		__asm__ volatile("in" #suffix " %1, %0" : "=a"(value) : "Nd"(port));  \
		return value;                                                         \
	}                                                                             \
	static inline void out##suffix(u16 port, type value)                          \
	{                                                                             \
		__asm__ volatile("out" #suffix " %0, %1" : : "a"(value), "Nd"(port)); \
	}
PORT_INSNS(u8, b)
PORT_INSNS(u16, w)
PORT_INSNS(u32, l)
#undef PORT_INSNS

static inline void outsb(u16 port, const void *from, size_t size)
{
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(size) : "d"(port) : "memory");
}

#define CONTROL_REGISTER(n)                                                    \
	static inline u64 read_cr##n(void)                                     \
	{                                                                      \
		u64 value;                                                     \
                                                                               \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(value));          \
		return value;                                                  \
	}                                                                      \
	static inline void write_cr##n(u64 value)                              \
	{                                                                      \
		__asm__ volatile("mov %0, %%cr" #n : : "r"(value) : "memory"); \
	}
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)
#undef CONTROL_REGISTER

#define DEBUG_REGISTER(n)                                             \
	static inline u64 read_dr##n(void)                            \
	{                                                             \
		u64 value;                                            \
                                                                      \
		__asm__ volatile("mov %%dr" #n ", %0" : "=r"(value)); \
		return value;                                         \
	}                                                             \
	static inline void write_dr##n(u64 value)                     \
	{                                                             \
		__asm__ volatile("mov %0, %%dr" #n : : "r"(value));   \
	}
DEBUG_REGISTER(0)
DEBUG_REGISTER(1)
DEBUG_REGISTER(2)
DEBUG_REGISTER(3)
DEBUG_REGISTER(6)
DEBUG_REGISTER(7)
#undef DEBUG_REGISTER

/* XCR0; CR4.OSXSAVE is set where it exists. */
static inline u64 read_xcr0(void)
{
	u32 low = 1, high = 0;

	if (read_cr4() & 1ull << 18)
		__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (u64)high << 32;
}

static inline void invlpg(u64 address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* The struct percpu of this processor, PERCPU_SELF of hv/vmexit.S. */
static inline void *gs_self(void)
{
	void *self;

	__asm__ volatile("mov %%gs:128, %0" : "=r"(self));
	return self;
}

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

/*
 * IRET to the caller. Blocking by NMI, which an NMI leaves behind that made the guest exit, ends
 * with nothing else: SDM, "Updating Non-Register State". NMIs that waited are taken before this
 * returns.
 */
void unblock_nmis(void);

static inline _Noreturn void halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

#endif
