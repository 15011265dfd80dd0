/*
 * tests/guests/lib/guest_paging.h - page tables and EPT tables that map 4 GiB to themselves
 *
 * The two differ in their flags only.
 */
#ifndef TESTS_GUESTS_LIB_GUEST_PAGING_H
#define TESTS_GUESTS_LIB_GUEST_PAGING_H

#include "tests/guests/lib/guest.h"

#define PTE_PRESENT  BIT(0)
#define PTE_WRITE    BIT(1)
#define PTE_USER     BIT(2)
#define PTE_LARGE    BIT(7)

#define EPT_READ     BIT(0)
#define EPT_WRITE    BIT(1)
#define EPT_EXECUTE  BIT(2)
#define EPT_WB	     (6ull << 3) /* in a leaf */
#define EPT_LARGE    BIT(7)

/* In an EPTP. */
#define EPTP_WB	     6ull
#define EPTP_LEVEL_4 (3ull << 3)
#define EPTP_AD	     BIT(6)

/* New page tables, all access allowed; the value for CR3. */
u64 guest_page_tables(void);

/* New EPT tables, write-back, all access allowed; the value for the EPTP, without EPTP_AD. */
u64 guest_ept_tables(void);

/*
 * The entry for the 4 KiB page at @address (below 4 GiB) in tables that one of the above made; a
 * 2 MiB page is split first. Valid as long as the tables.
 */
u64 *guest_table_entry(u64 root, u64 address);

#endif
