/*
 * replay/check_guest.h - shared by the checks on the guest-state area
 */
#ifndef REPLAY_CHECK_GUEST_H
#define REPLAY_CHECK_GUEST_H

#include "replay/check_register.h"
#include "vmx/qual.h"

#define RFLAGS_TF	    BIT(8)
#define RFLAGS_IF	    BIT(9)
#define RFLAGS_VM	    BIT(17)

/* Access rights. SDM: "Guest Register State". */
#define AR_TYPE		    MASK(3, 0)
#define AR_S		    BIT(4)
#define AR_DPL		    MASK(6, 5)
#define AR_P		    BIT(7)
#define AR_L		    BIT(13)
#define AR_DB		    BIT(14)
#define AR_G		    BIT(15)
#define AR_UNUSABLE	    BIT(16)
#define AR_RESERVED	    (MASK(31, 17) | MASK(11, 8))

#define BLOCKING_STI	    BIT(0)
#define BLOCKING_MOV_SS	    BIT(1)
#define BLOCKING_SMI	    BIT(2)
#define BLOCKING_NMI	    BIT(3)
#define ENCLAVE_INTERRUPTED BIT(4)

/* An event of @type is injected. */
static inline void when_injecting(struct checking *c, enum vmx_event_type type)
{
	when_bits(c, F(VM_ENTRY_INTERRUPTION_INFO), VMX_EVENT_VALID | VMX_EVENT_TYPE,
		  VMX_EVENT_VALID | (u64)type << 8);
}

#endif
