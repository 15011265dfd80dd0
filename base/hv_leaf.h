/*
 * base/hv_leaf.h - CPUID as the way from a program in L1 or L2 to hv
 *
 * CPUID exits at every level and privilege, and does nothing harmful where hv is not. EAX is
 * HV_LEAF, ECX chooses what to do.
 */
#ifndef BASE_HV_LEAF_H
#define BASE_HV_LEAF_H

#define HV_LEAF	   0x4d585456u /* "VTXM" in memory */
#define HV_PRESENT 0x74786d76u /* "vmxt" in memory */

enum hv_call {
	HV_DETECT, /* EAX becomes HV_LEAF, EBX HV_PRESENT */
	HV_MARK,   /* a mark on the tape: up to 32 bytes of text in RBX, RDX, RSI, RDI */
	/*
	 * A part of a file, from L1 only: EDX bytes at the linear address RBX belong at offset RDI
	 * of file RSI, enum trace_file. EAX becomes how many were taken: none behind the end of the
	 * page, 0 where L1 may not read.
	 */
	HV_FILE,
	/*
	 * With drain=l1, from L1 only: the next frame of the tape (trace/drain.h) goes to the page
	 * at RBX, 4 KiB on a boundary of that. EAX becomes its bytes; 0 when none waits;
	 * HV_TAPE_REFUSED where L1 may not write, or the tape goes another way. RDX is HV_TAPE_ALL:
	 * what the processor that asks still has in work is to become frames first.
	 */
	HV_TAPE,
};

#define HV_TAPE_ALL	1
#define HV_TAPE_REFUSED 0xffffffffu

#define HV_MARK_MAX	32

#endif
