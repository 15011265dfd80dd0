/*
 * tests/guests/lib/guest_insn.h - the instructions that C has no name for
 *
 * VMX instructions return what they did to RFLAGS; one that faults raises an exception, see
 * guest_try().
 */
#ifndef TESTS_GUESTS_LIB_GUEST_INSN_H
#define TESTS_GUESTS_LIB_GUEST_INSN_H

#include "base/base.h"

static inline void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u64 rdmsr(u32 index)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 index, u64 value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(index), "a"((u32)value), "d"((u32)(value >> 32))
			 : "memory");
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

#define CONTROL_REGISTER(n)                                                        \
	static inline u64 read_cr##n(void)                                         \
	{                                                                          \
		u64 value;                                                         \
                                                                                   \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory"); \
		return value;                                                      \
	}                                                                          \
	static inline void write_cr##n(u64 value)                                  \
	{                                                                          \
		__asm__ volatile("mov %0, %%cr" #n : : "r"(value) : "memory");     \
	}
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)
#undef CONTROL_REGISTER

/* SDM: "VMX Instruction Reference / Conventions". */
enum vmx_outcome {
	VMX_SUCCEED,
	VMX_FAIL_INVALID,
	VMX_FAIL_VALID,
};

const char *vmx_outcome_text(enum vmx_outcome outcome);

#define VMX_OUTCOME(carry, zero) \
	((carry) ? VMX_FAIL_INVALID : (zero) ? VMX_FAIL_VALID : VMX_SUCCEED)

/* @address is the physical address of the region. */
#define VMX_POINTER_INSN(name)                                   \
	static inline enum vmx_outcome name(u64 address)         \
	{                                                        \
		bool carry, zero;                                \
                                                                 \
		__asm__ volatile(#name " %2"                     \
				 : "=@ccc"(carry), "=@ccz"(zero) \
				 : "m"(address)                  \
				 : "memory");                    \
		return VMX_OUTCOME(carry, zero);                 \
	}
VMX_POINTER_INSN(vmxon)
VMX_POINTER_INSN(vmclear)
VMX_POINTER_INSN(vmptrld)
#undef VMX_POINTER_INSN

static inline enum vmx_outcome vmptrst(u64 *address)
{
	bool carry, zero;

	__asm__ volatile("vmptrst %2" : "=@ccc"(carry), "=@ccz"(zero), "=m"(*address) : : "memory");
	return VMX_OUTCOME(carry, zero);
}

static inline enum vmx_outcome vmxoff(void)
{
	bool carry, zero;

	__asm__ volatile("vmxoff" : "=@ccc"(carry), "=@ccz"(zero) : : "memory");
	return VMX_OUTCOME(carry, zero);
}

/* *@value is unchanged unless it succeeds. */
static inline enum vmx_outcome vmread(u64 field, u64 *value)
{
	u64 read = *value;
	bool carry, zero;

	__asm__ volatile("vmread %3, %2"
			 : "=@ccc"(carry), "=@ccz"(zero), "+r"(read)
			 : "r"(field)
			 : "memory");
	*value = read;
	return VMX_OUTCOME(carry, zero);
}

static inline enum vmx_outcome vmwrite(u64 field, u64 value)
{
	bool carry, zero;

	__asm__ volatile("vmwrite %3, %2"
			 : "=@ccc"(carry), "=@ccz"(zero)
			 : "r"(field), "rm"(value)
			 : "memory");
	return VMX_OUTCOME(carry, zero);
}

/* SDM: "INVEPT", "INVVPID". */
enum {
	INVEPT_SINGLE = 1,
	INVEPT_ALL = 2,

	INVVPID_ADDRESS = 0,
	INVVPID_SINGLE = 1,
	INVVPID_ALL = 2,
	INVVPID_KEEP_GLOBALS = 3,
};

/* The 128-bit operand of INVEPT and INVVPID. */
struct inv_descriptor {
	u64 low, high;
};

#define VMX_INVALIDATE_INSN(name)                                        \
	static inline enum vmx_outcome name(u64 type, u64 low, u64 high) \
	{                                                                \
		const struct inv_descriptor descriptor = { low, high };  \
		bool carry, zero;                                        \
                                                                         \
		__asm__ volatile(#name " %2, %3"                         \
				 : "=@ccc"(carry), "=@ccz"(zero)         \
				 : "m"(descriptor), "r"(type)            \
				 : "memory");                            \
		return VMX_OUTCOME(carry, zero);                         \
	}
VMX_INVALIDATE_INSN(invept)
VMX_INVALIDATE_INSN(invvpid)
#undef VMX_INVALIDATE_INSN

/* From VMX root operation. */
static inline enum vmx_outcome vmcall_root(void)
{
	bool carry, zero;

	__asm__ volatile("vmcall" : "=@ccc"(carry), "=@ccz"(zero) : : "memory");
	return VMX_OUTCOME(carry, zero);
}

#endif
