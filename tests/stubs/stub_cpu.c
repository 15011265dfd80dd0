#include "tests/stubs/stub_cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <cmocka.h>

#include "hv/mem.h"
#include "vmx/caps.h"
#include "vmx/tables.h"

#define MAX_VMCSS   72
#define MAX_MSRS    256
#define MAX_LEAVES  64
#define FIELD_SLOTS 0x4000
#define DEBUG_PORT  0xe9

struct vmcs {
	u64 pa;
	bool used;
	u64 field[FIELD_SLOTS]; /* by encoding / 2 */
};

struct msr {
	u32 index;
	u64 value, reserved;
};

struct leaf {
	u32 leaf, subleaf;
	struct cpuid_result result;
};

struct stub_cpu stub_cpu;
u8 *stub_memory;

static struct vmcs vmcss[MAX_VMCSS];
static struct msr msrs[MAX_MSRS];
static unsigned msr_count;
static struct leaf leaves[MAX_LEAVES];
static unsigned leaf_count;
static u32 port_values[0x10000];
static struct vmx_caps caps;
static bool fail_next;

static _Noreturn void misuse(const char *what, u64 value)
{
	fprintf(stderr, "stub_cpu: %s (0x%llx)\n", what, (unsigned long long)value);
	fail();
	abort();
}

/* --- MSRs ------------------------------------------------------------------------------------- */

static struct msr *find_msr(u32 index)
{
	for (unsigned i = 0; i < msr_count; i++)
		if (msrs[i].index == index)
			return &msrs[i];
	return NULL;
}

void stub_msr_set(u32 index, u64 value)
{
	struct msr *msr = find_msr(index);

	if (!msr) {
		if (msr_count == MAX_MSRS)
			misuse("too many MSRs", index);
		msr = &msrs[msr_count++];
		*msr = (struct msr){ .index = index };
	}
	msr->value = value;
	vmx_caps_set(&caps, index, value);
}

void stub_msr_set_reserved(u32 index, u64 reserved)
{
	struct msr *msr = find_msr(index);

	if (!msr)
		misuse("there is no such MSR", index);
	msr->reserved = reserved;
}

void stub_msr_remove(u32 index)
{
	struct msr *msr = find_msr(index);

	if (msr)
		*msr = msrs[--msr_count];
	vmx_caps_set(&caps, index, 0);
}

u64 stub_msr(u32 index)
{
	const struct msr *msr = find_msr(index);

	if (!msr)
		misuse("there is no such MSR", index);
	return msr->value;
}

enum status rdmsr_safe(u32 index, u64 *value)
{
	const struct msr *msr = find_msr(index);

	if (!msr)
		return ST_FAULT;
	*value = msr->value;
	return ST_OK;
}

enum status wrmsr_safe(u32 index, u64 value)
{
	struct msr *msr = find_msr(index);

	if (!msr || value & msr->reserved || MSR_IS_VMX_CAP(index))
		return ST_FAULT;
	msr->value = value;
	if (index == MSR_TSC)
		stub_cpu.tsc = value;
	if (stub_cpu.msr_write_count < STUB_LOG_MAX)
		stub_cpu.msr_writes[stub_cpu.msr_write_count++] =
			(struct stub_msr_write){ index, value };
	return ST_OK;
}

u64 rdmsr(u32 index)
{
	u64 value;

	if (rdmsr_safe(index, &value) != ST_OK)
		misuse("hv reads an MSR that faults", index);
	return value;
}

void wrmsr(u32 index, u64 value)
{
	if (wrmsr_safe(index, value) != ST_OK)
		misuse("hv writes an MSR, which faults", index);
}

enum status xsetbv_safe(u32 index, u64 value)
{
	if (index || !(value & 1) || value & ~stub_cpu.xcr0_valid)
		return ST_FAULT;
	stub_cpu.xcr0 = value;
	return ST_OK;
}

/* --- VMX -------------------------------------------------------------------------------------- */

static struct vmcs *find_vmcs(u64 pa)
{
	struct vmcs *unused = NULL;

	for (unsigned i = 0; i < MAX_VMCSS; i++) {
		if (vmcss[i].used && vmcss[i].pa == pa)
			return &vmcss[i];
		if (!vmcss[i].used && !unused)
			unused = &vmcss[i];
	}
	if (!unused)
		misuse("too many VMCSs", pa);
	unused->used = true;
	unused->pa = pa;
	return unused;
}

static bool fails_by_order(void)
{
	const bool fails = fail_next;

	fail_next = false;
	return fails;
}

void stub_fail_next(void)
{
	fail_next = true;
}

/* VMfail: VMfailValid when there is a current VMCS. Returns false, for the caller to return. */
static bool vmfail(enum vmx_insn_error error)
{
	if (stub_cpu.current_vmcs != STUB_NO_VMCS)
		stub_vmcs_set(VMCS_VM_INSTRUCTION_ERROR, error);
	return false;
}

static void need_vmx(const char *insn)
{
	if (!stub_cpu.in_vmx) {
		fprintf(stderr, "stub_cpu: #UD\n");
		misuse(insn, 0);
	}
}

static bool pointer_ok(u64 pa)
{
	return !(pa & 0xfff) && !(pa >> STUB_PHYS_WIDTH);
}

static bool revision_ok(u64 pa)
{
	u32 revision;

	if (pa >= STUB_MEMORY)
		return false;
	memcpy(&revision, stub_at(pa), sizeof(revision));
	/* Bit 31 makes it a shadow VMCS. */
	return (revision & ~(u32)BIT(31)) == (u32)CAP_GET(stub_msr(MSR_VMX_BASIC), REVISION);
}

bool vmxon(u64 address)
{
	if (fails_by_order() || !pointer_ok(address) || !revision_ok(address))
		return false;
	if (stub_cpu.in_vmx)
		return vmfail(VMERR_VMXON_IN_ROOT);
	if (!(stub_cpu.cr4 & BIT(13)))
		misuse("VMXON without CR4.VMXE", stub_cpu.cr4);
	stub_cpu.in_vmx = true;
	stub_cpu.vmxon_pa = address;
	stub_cpu.current_vmcs = STUB_NO_VMCS;
	return true;
}

void vmxoff(void)
{
	need_vmx("VMXOFF outside of VMX operation");
	stub_cpu.in_vmx = false;
	stub_cpu.current_vmcs = STUB_NO_VMCS;
}

bool vmclear(u64 address)
{
	need_vmx("VMCLEAR outside of VMX operation");
	stub_cpu.vmclears++;
	if (fails_by_order() || !pointer_ok(address))
		return vmfail(VMERR_VMCLEAR_ADDRESS);
	if (address == stub_cpu.vmxon_pa)
		return vmfail(VMERR_VMCLEAR_VMXON_POINTER);
	if (address == stub_cpu.current_vmcs)
		stub_cpu.current_vmcs = STUB_NO_VMCS;
	return true;
}

bool vmptrld(u64 address)
{
	need_vmx("VMPTRLD outside of VMX operation");
	stub_cpu.vmptrlds++;
	if (fails_by_order() || !pointer_ok(address))
		return vmfail(VMERR_VMPTRLD_ADDRESS);
	if (address == stub_cpu.vmxon_pa)
		return vmfail(VMERR_VMPTRLD_VMXON_POINTER);
	if (!revision_ok(address))
		return vmfail(VMERR_VMPTRLD_REVISION);
	stub_cpu.current_vmcs = address;
	return true;
}

/* Index of the field that exists on this processor, or -1. */
static int existing_field(u32 field)
{
	const int index = vmcs_field_index(field & ~1u);

	if (index < 0 || !vmx_caps_field_exists(&caps, index))
		return -1;
	return vmcs_encoding_is_high(field) && vmcs_fields[index].width != VMCS_WIDTH_64 ? -1
											 : index;
}

static u64 get(const struct vmcs *vmcs, u32 field)
{
	const u64 value = vmcs->field[field / 2];

	return vmcs_encoding_is_high(field) ? value >> 32 : value;
}

static void set(struct vmcs *vmcs, u32 field, u64 value)
{
	u64 *at = &vmcs->field[field / 2];

	if (vmcs_encoding_is_high(field))
		*at = (u32)*at | value << 32;
	else
		*at = value & vmcs_width_mask(vmcs_encoding_width(field));
}

u64 stub_vmcs_get_of(u64 pa, u32 field)
{
	return get(find_vmcs(pa), field);
}

void stub_vmcs_set_of(u64 pa, u32 field, u64 value)
{
	set(find_vmcs(pa), field, value);
}

void stub_vmcs_set(u32 field, u64 value)
{
	if (stub_cpu.current_vmcs == STUB_NO_VMCS)
		misuse("there is no current VMCS for field", field);
	set(find_vmcs(stub_cpu.current_vmcs), field, value);
}

bool vmread_try(u32 field, u64 *value)
{
	need_vmx("VMREAD outside of VMX operation");
	if (stub_cpu.current_vmcs == STUB_NO_VMCS)
		return false;
	if (existing_field(field) < 0)
		return vmfail(VMERR_UNSUPPORTED_FIELD);
	*value = get(find_vmcs(stub_cpu.current_vmcs), field);
	return true;
}

bool vmwrite_try(u32 field, u64 value)
{
	const int index = existing_field(field);

	need_vmx("VMWRITE outside of VMX operation");
	if (stub_cpu.current_vmcs == STUB_NO_VMCS)
		return false;
	if (index < 0)
		return vmfail(VMERR_UNSUPPORTED_FIELD);
	if (vmcs_fields[index].access == VMCS_ACCESS_RO &&
	    !(stub_msr(MSR_VMX_MISC) & CAP_VMWRITE_ANY_FIELD))
		return vmfail(VMERR_READ_ONLY_FIELD);
	set(find_vmcs(stub_cpu.current_vmcs), field, value);
	return true;
}

u64 vmread(u32 field)
{
	u64 value;

	if (!vmread_try(field, &value))
		vmcs_access_failed(field, false);
	return value;
}

void vmwrite(u32 field, u64 value)
{
	if (!vmwrite_try(field, value))
		vmcs_access_failed(field, true);
}

static void log_invalidation(char what, u64 type, u64 low, u64 high)
{
	if (stub_cpu.invalidation_count < STUB_LOG_MAX)
		stub_cpu.invalidations[stub_cpu.invalidation_count++] =
			(struct stub_invalidation){ what, type, low, high };
}

bool invept(u64 type, u64 low, u64 high)
{
	need_vmx("INVEPT outside of VMX operation");
	log_invalidation('e', type, low, high);
	if (fails_by_order() || type < 1 || type > 2)
		return vmfail(VMERR_INV_OPERAND);
	return true;
}

bool invvpid(u64 type, u64 low, u64 high)
{
	need_vmx("INVVPID outside of VMX operation");
	log_invalidation('v', type, low, high);
	if (fails_by_order() || type > 3 || (type != 2 && !(u16)low))
		return vmfail(VMERR_INV_OPERAND);
	return true;
}

void invlpg(u64 address)
{
	log_invalidation('p', 0, address, 0);
}

/* --- the rest of the processor ---------------------------------------------------------------- */

void stub_cpuid_set(u32 leaf, u32 subleaf, struct cpuid_result result)
{
	for (unsigned i = 0; i < leaf_count; i++)
		if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf) {
			leaves[i].result = result;
			return;
		}
	if (leaf_count == MAX_LEAVES)
		misuse("too many CPUID leaves", leaf);
	leaves[leaf_count++] = (struct leaf){ leaf, subleaf, result };
}

struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
	for (unsigned i = 0; i < leaf_count; i++)
		if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
			return leaves[i].result;
	return (struct cpuid_result){ 0 };
}

u64 rdtsc(void)
{
	const u64 tsc = stub_cpu.tsc;

	stub_cpu.tsc += stub_cpu.tsc_step;
	return tsc;
}

#define WRITE_ONLY(name)               \
	void write_##name(u64 value)   \
	{                              \
		stub_cpu.name = value; \
	}
#define CONTROL_REGISTER(name)         \
	u64 read_##name(void)          \
	{                              \
		return stub_cpu.name;  \
	}                              \
	void write_##name(u64 value)   \
	{                              \
		stub_cpu.name = value; \
	}
CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
CONTROL_REGISTER(dr7)
WRITE_ONLY(dr0)
WRITE_ONLY(dr1)
WRITE_ONLY(dr2)
WRITE_ONLY(dr3)
WRITE_ONLY(dr6)
#undef WRITE_ONLY
#undef CONTROL_REGISTER

void unblock_nmis(void)
{
	stub_cpu.nmi_unblocks++;
}

void *gs_self(void)
{
	return stub_cpu.gs_self;
}

void wbinvd(void)
{
	stub_cpu.wbinvds++;
}

_Noreturn void halt_forever(void)
{
	if (stub_cpu.catching)
		longjmp(stub_cpu.stopped, 1);
	misuse(stub_cpu.text_length ? stub_cpu.text : "hv stopped the machine without a word", 0);
}

/* --- ports ------------------------------------------------------------------------------------ */

#define TIMER_COUNTER	  0x42
#define TIMER_OUTPUT	  0x61
#define TIMER_OUTPUT_HIGH 0x20u

static unsigned timer_counts;

#define SERIAL	    0x3f8
#define SERIAL_LCR  (SERIAL + 3)
#define SERIAL_DLAB 0x80u

static bool divisor_selected;

static void serial_out(u16 port, u32 value)
{
	if (port == SERIAL_LCR)
		divisor_selected = value & SERIAL_DLAB;
	if (port == SERIAL && !divisor_selected && stub_cpu.serial_length < STUB_TEXT_MAX)
		stub_cpu.serial[stub_cpu.serial_length++] = (char)value;
}

static void log_port(u16 port, u8 size, bool in, u32 value)
{
	if (stub_cpu.port_count < STUB_LOG_MAX)
		stub_cpu.ports[stub_cpu.port_count++] =
			(struct stub_port_access){ port, size, in, value };
}

static u32 port_in(u16 port, u8 size)
{
	u32 value = port_values[port] & (u32)MASK(size * 8 - 1, 0);

	if (port == TIMER_OUTPUT && timer_counts) {
		timer_counts--;
		value &= ~TIMER_OUTPUT_HIGH;
	}
	log_port(port, size, true, value);
	return value;
}

#define PORT(type, size, suffix)                             \
	type in##suffix(u16 port)                            \
	{                                                    \
		return (type)port_in(port, size);            \
	}                                                    \
	void out##suffix(u16 port, type value)               \
	{                                                    \
		if (port == TIMER_COUNTER)                   \
			timer_counts = stub_cpu.timer_polls; \
		serial_out(port, value);                     \
		log_port(port, size, false, value);          \
	}
PORT(u8, 1, b)
PORT(u16, 2, w)
PORT(u32, 4, l)
#undef PORT

void outsb(u16 port, const void *from, size_t size)
{
	const size_t room = sizeof(stub_cpu.text) - 1 - stub_cpu.text_length;

	if (port != DEBUG_PORT)
		misuse("string output to a port that is not the debug console", port);
	size = MIN(size, room);
	memcpy(stub_cpu.text + stub_cpu.text_length, from, size);
	stub_cpu.text_length += size;
	stub_cpu.text[stub_cpu.text_length] = 0;
}

void stub_port_set(u16 port, u32 value)
{
	port_values[port] = value;
}

static unsigned count_port(u16 port, bool in)
{
	unsigned count = 0;

	for (unsigned i = 0; i < stub_cpu.port_count; i++)
		count += stub_cpu.ports[i].port == port && stub_cpu.ports[i].in == in;
	return count;
}

unsigned stub_port_outs(u16 port)
{
	return count_port(port, false);
}

unsigned stub_port_ins(u16 port)
{
	return count_port(port, true);
}

bool stub_said(const char *text)
{
	return strstr(stub_cpu.text, text);
}

/* --- power ------------------------------------------------------------------------------------ */

static void reset_msrs(void)
{
	/* The capabilities of Bochs 2.7's skylake_x, and the monitor trap flag. */
	static const u64 vmx[] = {
		[VMX_CAP_BASIC] = 0xd810000000002b,
		[VMX_CAP_PINBASED_CTLS] = 0x7f00000016,
		[VMX_CAP_PROCBASED_CTLS] = 0xfff9fffe0401e172,
		[VMX_CAP_EXIT_CTLS] = 0x7fffff00036dff,
		[VMX_CAP_ENTRY_CTLS] = 0xffff000011ff,
		[VMX_CAP_MISC] = 0x600401e0,
		[VMX_CAP_CR0_FIXED0] = 0x80000021,
		[VMX_CAP_CR0_FIXED1] = 0xffffffff,
		[VMX_CAP_CR4_FIXED0] = 0x2000,
		[VMX_CAP_CR4_FIXED1] = 0x3727ff,
		[VMX_CAP_VMCS_ENUM] = 0x34,
		[VMX_CAP_PROCBASED_CTLS2] = 0x2177fff00000000,
		[VMX_CAP_EPT_VPID_CAP] = 0xf0106334141,
		[VMX_CAP_TRUE_PINBASED_CTLS] = 0x7f00000016,
		[VMX_CAP_TRUE_PROCBASED_CTLS] = 0xfff9fffe04006172,
		[VMX_CAP_TRUE_EXIT_CTLS] = 0x7fffff00036dfb,
		[VMX_CAP_TRUE_ENTRY_CTLS] = 0xffff000011fb,
		[VMX_CAP_VMFUNC] = 1,
	};
	static const struct {
		u32 index;
		u64 value;
	} others[] = {
		{ MSR_TSC, 0 },
		{ MSR_APIC_BASE, 0xfee00900 },
		{ MSR_FEATURE_CONTROL, 5 },
		{ MSR_TSC_ADJUST, 0 },
		{ MSR_BIOS_UPDT_TRIG, 0 },
		{ MSR_BIOS_SIGN_ID, 0x1234ull << 32 },
		{ MSR_MTRRCAP, 0x508 }, /* eight variable ranges, fixed ranges, WC */
		{ MSR_SYSENTER_CS, 0 },
		{ MSR_SYSENTER_ESP, 0 },
		{ MSR_SYSENTER_EIP, 0 },
		{ MSR_MISC_ENABLE, 1 },
		{ MSR_DEBUGCTL, 0 },
		{ MSR_PAT, 0x0007040600070406 },
		{ MSR_MTRR_DEF_TYPE, 0xc06 }, /* MTRRs on, fixed ranges on, write-back */
		{ MSR_EFER, 0xd01 },
		{ MSR_STAR, 0 },
		{ MSR_LSTAR, 0 },
		{ MSR_CSTAR, 0 },
		{ MSR_FMASK, 0 },
		{ MSR_FS_BASE, 0 },
		{ MSR_GS_BASE, 0 },
		{ MSR_KERNEL_GS_BASE, 0 },
		{ MSR_TSC_AUX, 0 },
		{ MSR_XSS, 0 },
	};
	static const u32 fixed_mtrrs[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
					   0x26b, 0x26c, 0x26d, 0x26e, 0x26f };

	msr_count = 0;
	caps = (struct vmx_caps){ .maxphyaddr = STUB_PHYS_WIDTH, .linear_width = 48 };
	for (u32 i = 0; i < ARRAY_SIZE(vmx); i++)
		stub_msr_set(MSR_VMX_BASIC + i, vmx[i]);
	vmx_caps_set(&caps, MSR_VMX_PROCBASED_CTLS3, 0);
	vmx_caps_set(&caps, MSR_VMX_EXIT_CTLS2, 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		stub_msr_set(others[i].index, others[i].value);
	for (u32 i = 0; i < 16; i++)
		stub_msr_set(MSR_MTRR_PHYSBASE0 + i, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fixed_mtrrs); i++)
		stub_msr_set(fixed_mtrrs[i], 0x0606060606060606);
}

static void reset_cpuid(void)
{
	leaf_count = 0;
	stub_cpuid_set(0, 0, (struct cpuid_result){ 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 });
	stub_cpuid_set(1, 0, (struct cpuid_result){ 0x50654, 0x10800, 0xfffaf3bf, 0xbfebfbff });
	stub_cpuid_set(7, 0, (struct cpuid_result){ 0, 0xd39ffffb, 0x8, 0 });
	stub_cpuid_set(0xd, 0, (struct cpuid_result){ 7, 0x340, 0x340, 0 });
	stub_cpuid_set(0x80000000, 0, (struct cpuid_result){ 0x80000008, 0, 0, 0 });
	stub_cpuid_set(0x80000001, 0, (struct cpuid_result){ 0, 0, 0x121, 0x2c100800 });
	stub_cpuid_set(0x80000008, 0, (struct cpuid_result){ 0x3000 | STUB_PHYS_WIDTH, 0, 0, 0 });
}

int stub_reset(void **state)
{
	(void)state;
	stub_cpu = (struct stub_cpu){
		.cr0 = 0x80000033,
		.cr4 = 0x20,
		.dr7 = 0x400,
		.xcr0 = 1,
		.xcr0_valid = 7,
		.tsc = 1000,
		.tsc_step = 100,
		.timer_polls = 1,
		.current_vmcs = STUB_NO_VMCS,
	};
	for (unsigned i = 0; i < MAX_VMCSS; i++)
		if (vmcss[i].used)
			memset(&vmcss[i], 0, sizeof(vmcss[i]));
	memset(port_values, 0xff, sizeof(port_values));
	fail_next = false;
	reset_msrs();
	reset_cpuid();
	stub_memory_reset();
	return 0;
}
