/*
 * hv/nested/l2_ept_exit.c - EPT violations and misconfigurations of L2
 *
 * EPT02 makes them all. Where EPT12 maps the page, the processor L1 sees would not have exited.
 */
#include "hv/nested/l2_exit.h"

#include "hv/deep.h"
#include "hv/ept.h"
#include "hv/fault.h"
#include "hv/guestmem.h"
#include "hv/insn.h"
#include "hv/nested/ept02.h"
#include "hv/nested/ept12_access.h"
#include "hv/nested/l0_record.h"
#include "hv/nested/nested.h"
#include "hv/nested/outcome.h"
#include "hv/nested/reflect.h"
#include "hv/nested/ve.h"
#include "vmx/qual.h"

#define VECTOR_VE 20
#define INFO_VE	  (VMX_EVENT_VALID | VMX_EVENT_HARDWARE_EXCEPTION << 8 | VECTOR_VE)
#define RFLAGS_RF BIT(16)

/* Exit qualification of an EPT violation. */
#define VIOLATION_ACCESS \
	(VMX_EPT_VIOLATION_READ | VMX_EPT_VIOLATION_WRITE | VMX_EPT_VIOLATION_FETCH)
#define VIOLATION_RIGHTS_SHIFT 3
#define VIOLATION_KEPT                                                                 \
	(VIOLATION_ACCESS | VMX_EPT_VIOLATION_LINEAR_VALID | VMX_EPT_VIOLATION_FINAL | \
	 VMX_EPT_VIOLATION_NMI_UNBLOCKING)

static void note_walk(struct nested *nested, const struct ept12_walk *walk)
{
	for (unsigned level = EPT12_LEVELS; level >= walk->level; level--) {
		nested_item(nested, ITEM_EPT12_GPA + level, walk->entry_gpa[level]);
		nested_item(nested, ITEM_EPT12 + level, walk->entry[level]);
	}
}

/* What L1 is told of @walk, which failed. */
static void describe_ept_exit(struct nested *nested, const struct ept12_walk *walk,
			      u64 qualification, struct nested_exit *exit)
{
	note_walk(nested, walk);
	if (walk->result == EPT12_MISCONFIGURED && !hv_fault(EPT_WRITE_ONLY_OK)) {
		exit->reason = EXIT_EPT_MISCONFIGURATION;
		exit->qualification = 0;
	} else if (walk->result == EPT12_LOG_FULL) {
		exit->reason = EXIT_PML_FULL;
		exit->qualification = qualification & VMX_EPT_VIOLATION_NMI_UNBLOCKING;
	} else {
		exit->reason = EXIT_EPT_VIOLATION;
		exit->qualification =
			(qualification & VIOLATION_KEPT) | walk->rights << VIOLATION_RIGHTS_SHIFT;
	}
}

/* Bochs calls an access to a paging structure that counts as a write not a read as well. */
static u64 qualification_of(u64 eptp, u64 qualification)
{
	const bool paging_structure = qualification & VMX_EPT_VIOLATION_LINEAR_VALID &&
				      !(qualification & VMX_EPT_VIOLATION_FINAL);

	return (qualification & ~VIOLATION_ACCESS) |
	       ept12_access_kind(eptp, qualification & VIOLATION_ACCESS, paging_structure);
}

/* #VE in the place of the exit: it exits all the same where the exception bitmap says so. */
static enum owner virtualization_exception(struct percpu *cpu, struct nested_exit *exit)
{
	if (l2_exception_is_wanted(cpu->nested.current, VECTOR_VE, 0)) {
		/* Bit 12 is that of the interruption information as well. */
		exit->event = INFO_VE | (exit->qualification & VMX_EPT_VIOLATION_NMI_UNBLOCKING);
		exit->reason = EXIT_EXCEPTION_NMI;
		exit->qualification = 0;
		return OWNER_L1;
	}
	vmwrite(VMCS_VM_ENTRY_INTERRUPTION_INFO, INFO_VE);
	vmwrite(VMCS_GUEST_RFLAGS, vmread(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	return OWNER_INJECTED;
}

enum owner l2_ept_exit(struct percpu *cpu, struct nested_exit *exit)
{
	struct nested *nested = &cpu->nested;
	const u64 eptp = nested->eptp;
	const u64 gpa2 = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	const bool misconfigured = exit->reason == EXIT_EPT_MISCONFIGURATION;
	const u64 qualification = misconfigured ? 0 : qualification_of(eptp, exit->qualification);
	struct ept12_walk walk;

	if (!nested_uses_ept(nested->current))
		return OWNER_L1_HANDLER;
	ept12_access(nested, eptp, gpa2, qualification & VIOLATION_ACCESS, &walk);
	if (walk.result == EPT12_MAPPED) {
		if (misconfigured)
			nested_report_bug(cpu, BUG_EPT_MISCONFIGURED, gpa2);
		if (qualification & VMX_EPT_VIOLATION_WRITE)
			deep_store(cpu, walk.gpa1);
		ept02_map(cpu, eptp, gpa2, &walk);
		if (l0_record_is_on(nested)) {
			note_walk(nested, &walk);
			l0_record_map(cpu, gpa2, &walk);
		}
		return OWNER_HV;
	}
	if (hv_fault(PDPTE_LOAD_FAULTS) && !(qualification & VMX_EPT_VIOLATION_LINEAR_VALID)) {
		exit_inject_gp(cpu);
		return OWNER_INJECTED;
	}
	describe_ept_exit(nested, &walk, qualification, exit);
	if (walk.result == EPT12_VIOLATION &&
	    ve_replaces(cpu, &walk, exit->qualification, vmread(VMCS_GUEST_LINEAR_ADDRESS), gpa2))
		return virtualization_exception(cpu, exit);
	return OWNER_L1;
}

enum exit_action nested_exit_by_ept12(struct percpu *cpu, const struct guest_fault *fault)
{
	struct nested *nested = &cpu->nested;
	struct nested_exit exit = { .made = true, .linear = fault->address, .gpa2 = fault->gpa2 };
	struct ept12_walk walk;

	ept12_access(nested, nested->eptp, fault->gpa2, fault->code & VIOLATION_ACCESS, &walk);
	describe_ept_exit(nested, &walk, fault->code, &exit);
	if (walk.result == EPT12_VIOLATION &&
	    ve_replaces(cpu, &walk, exit.qualification, exit.linear, exit.gpa2) &&
	    virtualization_exception(cpu, &exit) == OWNER_INJECTED)
		return EXIT_RESUME;
	nested->hidden_exits--;
	return nested_reflect(cpu, &exit);
}
