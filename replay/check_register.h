/*
 * replay/check_register.h - rules that hold for registers of the host and of the guest alike
 */
#ifndef REPLAY_CHECK_REGISTER_H
#define REPLAY_CHECK_REGISTER_H

#include "replay/check_predicate.h"

#define CR0_PE	  BIT(0)
#define CR0_WP	  BIT(16)
#define CR0_NW	  BIT(29)
#define CR0_CD	  BIT(30)
#define CR0_PG	  BIT(31)
#define CR4_PAE	  BIT(5)
#define CR4_PCIDE BIT(17)
#define CR4_CET	  BIT(23)
#define CR4_FRED  BIT(32)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)

/* The bits that VMX operation demands, but for those of @free; NW and CD are never checked. */
void need_cr0(struct checking *c, unsigned int what, struct word free);
void need_cr4(struct checking *c, unsigned int what);
/* No bit beyond those of @physical, and those that mask linear addresses. */
void need_cr3(struct checking *c, unsigned int what, struct word physical);
void need_wp_for_cet(struct checking *c, unsigned int cr0, unsigned int cr4);

/* Each byte is a memory type. */
enum tri is_pat(struct word word);
void need_pat(struct checking *c, unsigned int what);
void need_s_cet(struct checking *c, unsigned int what);
void need_fred_config(struct checking *c, unsigned int what);
/* @rsp1 and @ssp1 are the first of three fields each. */
void need_fred_stacks(struct checking *c, unsigned int rsp1, unsigned int ssp1);

#endif
