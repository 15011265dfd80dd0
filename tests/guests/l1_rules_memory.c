#include "tests/guests/l1_rules.h"
#include "tests/guests/lib/guest_paging.h"

#define EPT_FRAME     MASK(51, 12)
#define STORM_EXITS   300
#define RARE_EXITS    64
#define TOUCHED_PAGES 4

static u8 *l2_page; /* what L2 touches */

/* --- L1.ept-no-invept ------------------------------------------------------------------------ */

/* A store, a load and a store through RBX, with VMCALL between. */
__asm__("	.pushsection .text\n"
	"l2_write_read_write:\n"
	"	movb %al, (%rbx)\n"
	"	movb (%rbx), %al\n"
	"	vmcall\n"
	"	movb %al, (%rbx)\n"
	"	vmcall\n"
	"	.popsection\n");
void l2_write_read_write(void);
#define STORE_LENGTH 2

static void want_violation(struct l2 *l2)
{
	const u32 reason = l2_run(l2);

	guest_check(reason == EXIT_EPT_VIOLATION, "exit %x", reason);
}

/* L2 writes to a page that it may only read, and is led past that; then it reads it. */
static u64 *create_read_only(struct l2 *l2, u64 *eptp)
{
	struct l2_options options = { .eptp = guest_ept_tables() | EPTP_WB | EPTP_LEVEL_4 };
	u64 *entry;

	l2_page = guest_pages(1);
	entry = guest_table_entry(options.eptp, physical(l2_page));
	*entry &= ~EPT_WRITE;
	*eptp = options.eptp;
	*l2 = (struct l2){ 0 };
	l2_create(l2, l2_write_read_write, &options);
	l2->regs.rbx = physical(l2_page);
	want_violation(l2);
	guest_vmcs_write(VMCS_GUEST_RIP, guest_vmcs_read(VMCS_GUEST_RIP) + STORE_LENGTH);
	rules_run_once(l2);
	return entry;
}

static void ept_frame_no_invept(void)
{
	struct l2 l2;
	u64 eptp;
	u64 *const entry = create_read_only(&l2, &eptp);

	*entry = (*entry & ~EPT_FRAME) | physical(guest_pages(1));
	want_violation(&l2);
	rules_clear(l2.region);
}

static void ept_frame_invept(void)
{
	struct l2 l2;
	u64 eptp;
	u64 *const entry = create_read_only(&l2, &eptp);

	*entry = (*entry & ~EPT_FRAME) | physical(guest_pages(1));
	rules_want(invept(INVEPT_SINGLE, eptp, 0), VMX_SUCCEED, "INVEPT");
	want_violation(&l2);
	rules_clear(l2.region);
}

/* More rights than before may take effect at once or after the next violation. */
static void ept_rights_given(void)
{
	struct l2 l2;
	u64 eptp;
	u64 *const entry = create_read_only(&l2, &eptp);
	u32 reason;

	*entry |= EPT_WRITE;
	reason = l2_run(&l2);
	if (reason == EXIT_EPT_VIOLATION)
		reason = l2_run(&l2);
	guest_check(reason == EXIT_VMCALL, "exit %x", reason);
	rules_clear(l2.region);
}

/* --- L1.vpid-reuse-no-invvpid ---------------------------------------------------------------- */

/* Two guests with page tables of their own and VPIDs @a and @b, one after the other. */
static void run_two(u16 a, u16 b, bool flush)
{
	const struct l2_options first = { .vpid = a, .cr3 = guest_page_tables() };
	const struct l2_options second = { .vpid = b, .cr3 = guest_page_tables() };
	struct l2 one = { 0 }, two = { 0 };

	l2_create(&one, rules_l2_code, &first);
	rules_run_once(&one);
	l2_create(&two, rules_l2_code, &second);
	if (flush)
		rules_want(invvpid(INVVPID_SINGLE, b, 0), VMX_SUCCEED, "INVVPID");
	rules_run_once(&two);
	rules_clear(one.region);
	rules_clear(two.region);
}

static void vpid_shared(void)
{
	run_two(7, 7, false);
}

static void vpid_shared_invvpid(void)
{
	run_two(8, 8, true);
}

static void vpid_each(void)
{
	run_two(9, 10, false);
}

/* --- SUR.invept-storm ------------------------------------------------------------------------ */

static void l2_touch(void)
{
	for (;;) {
		for (unsigned i = 0; i < TOUCHED_PAGES; i++)
			l2_page[i * PAGE_SIZE]++;
		l2_vmcall(0);
	}
}

/* INVEPT at one exit out of @every. */
static void run_storm(unsigned every)
{
	const struct l2_options options = { .eptp = guest_ept_tables() | EPTP_WB | EPTP_LEVEL_4 };
	struct l2 l2 = { 0 };

	l2_page = guest_pages(TOUCHED_PAGES);
	l2_create(&l2, l2_touch, &options);
	for (unsigned i = 0; i < STORM_EXITS; i++) {
		rules_run_once(&l2);
		if (i % every == 0)
			rules_want(invept(INVEPT_SINGLE, options.eptp, 0), VMX_SUCCEED, "INVEPT");
	}
	rules_clear(l2.region);
}

static void invept_storm(void)
{
	run_storm(1);
}

static void invept_rare(void)
{
	run_storm(RARE_EXITS);
}

const struct rule_case l1_rules_memory_cases[] = {
	RULE_CASE(ept_frame_no_invept), RULE_CASE(ept_frame_invept),
	RULE_CASE(ept_rights_given),	RULE_CASE(vpid_shared),
	RULE_CASE(vpid_shared_invvpid), RULE_CASE(vpid_each),
	RULE_CASE(invept_rare),		RULE_CASE(invept_storm, .alone = true),
};
const size_t l1_rules_memory_count = ARRAY_SIZE(l1_rules_memory_cases);
