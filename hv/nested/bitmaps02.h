/*
 * hv/nested/bitmaps02.h - the MSRs and ports at which L2 exits
 *
 * They are those of L1's bitmaps, which L1 changes without telling, and those of hv's own. To copy
 * L1's pages costs more than the rest of an entry, and most of L2's stays touch no MSR and no port,
 * or one that L1 wants to see. So at first each of them exits, and hv asks L1's page of that moment
 * (l2_exit.c). An access that nobody wants to see makes hv merge the pages, and L2 tries again; for
 * some entries from then on they are merged beforehand.
 */
#ifndef HV_NESTED_BITMAPS02_H
#define HV_NESTED_BITMAPS02_H

#include "base/base.h"

struct nested;
struct nested_vmcs;

/* Entries that merge beforehand after one of which L2 needed it. */
#define BITMAPS02_BEFOREHAND 16

/* What the entries of one VMCS12 do about a kind of bitmap. */
struct bitmaps02_use {
	u8 beforehand; /* entries that still merge beforehand */
	bool merged;   /* VMCS02 has the merged pages, else those of ones */
};

void bitmaps02_init(struct nested *nested);

/* Give VMCS02, which is current and new, bitmaps for @vmcs. */
void bitmaps02_begin(struct nested *nested, struct nested_vmcs *vmcs);

/* Controls or addresses of @vmcs that concern ports changed; VMCS02 is current. */
void bitmaps02_write_ports(struct nested *nested, struct nested_vmcs *vmcs);

/* L2 is about to be entered by L1; VMCS02 is current. */
void bitmaps02_prepare(struct nested *nested, struct nested_vmcs *vmcs);

/*
 * L2, which runs, accessed an MSR or @size ports that L1 does not want to see. True: hv does.
 * False: L2 is to try again, and won't exit for it.
 */
bool bitmaps02_msr_is_hvs(struct nested *nested, u32 index, bool write);
bool bitmaps02_port_is_hvs(struct nested *nested, unsigned port, unsigned size);

#endif
