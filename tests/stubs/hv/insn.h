/*
 * tests/stubs/hv/insn.h - the functions of hv/insn.h on a processor made of arrays
 *
 * Takes the place of hv/insn.h where HV_UNIT is defined. What each does is said there; what the
 * processor does is said in tests/stubs/stub_cpu.h, through which tests look at it.
 */
#ifndef HV_INSN_H
#define HV_INSN_H

#include "base/base.h"
#include "base/status.h"

_Noreturn void vmcs_access_failed(u32 field, bool write);

u64 vmread(u32 field);
void vmwrite(u32 field, u64 value);
bool vmread_try(u32 field, u64 *value);
bool vmwrite_try(u32 field, u64 value);

bool vmxon(u64 address);
bool vmclear(u64 address);
bool vmptrld(u64 address);
void vmxoff(void);
bool invept(u64 type, u64 low, u64 high);
bool invvpid(u64 type, u64 low, u64 high);

u64 rdmsr(u32 index);
void wrmsr(u32 index, u64 value);
enum status rdmsr_safe(u32 index, u64 *value);
enum status wrmsr_safe(u32 index, u64 value);
enum status xsetbv_safe(u32 index, u64 value);

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

struct cpuid_result cpuid(u32 leaf, u32 subleaf);
u64 rdtsc(void);

u8 inb(u16 port);
u16 inw(u16 port);
u32 inl(u16 port);
void outb(u16 port, u8 value);
void outw(u16 port, u16 value);
void outl(u16 port, u32 value);
void outsb(u16 port, const void *from, size_t size);

u64 read_cr0(void);
u64 read_cr2(void);
u64 read_cr3(void);
u64 read_cr4(void);
u64 read_dr7(void);
void write_cr0(u64 value);
void write_cr2(u64 value);
void write_cr3(u64 value);
void write_cr4(u64 value);
void write_dr7(u64 value);
void write_dr0(u64 value);
void write_dr1(u64 value);
void write_dr2(u64 value);
void write_dr3(u64 value);
void write_dr6(u64 value);
void invlpg(u64 address);
void *gs_self(void);
void wbinvd(void);
void unblock_nmis(void);
_Noreturn void halt_forever(void);

#endif
