#include "base/crc32c.h"
#include "tests/test.h"

/* RFC 3720, appendix B.4, and the check value of the polynomial. */
static void known_vectors_have_their_checksums(void **state)
{
	u8 zeros[32], ones[32], up[32], down[32];
	/* An iSCSI SCSI Read (10) command PDU. */
	static const u8 command[48] = {
		0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
		0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
		0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0,
	};
	const struct {
		const char *name;
		const void *data;
		size_t size;
		u32 expected;
	} rows[] = {
		{ "nothing", "", 0, 0 },
		{ "check value", "123456789", 9, 0xe3069283 },
		{ "32 zeros", zeros, 32, 0x8a9136aa },
		{ "32 ones", ones, 32, 0x62a8ab43 },
		{ "0 to 31", up, 32, 0x46dd794e },
		{ "31 to 0", down, 32, 0x113fdb5c },
		{ "iSCSI command", command, 48, 0xd9963a56 },
	};

	(void)state;
	memset(zeros, 0, sizeof(zeros));
	memset(ones, 0xff, sizeof(ones));
	for (unsigned i = 0; i < 32; i++) {
		up[i] = (u8)i;
		down[i] = (u8)(31 - i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(rows[i].name, crc32c(0, rows[i].data, rows[i].size), rows[i].expected);
}

/* One bit after the other, by the definition. */
static u32 slow_crc32c(const u8 *data, size_t size)
{
	u32 state = ~0u;

	for (; size; size--) {
		state ^= *data++;
		for (unsigned bit = 0; bit < 8; bit++)
			state = state >> 1 ^ (state & 1 ? 0x82f63b78 : 0);
	}
	return ~state;
}

static void every_size_and_alignment_agrees_with_the_definition(void **state)
{
	u8 bytes[100];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 151 + 7);
	for (size_t at = 0; at < 9; at++)
		for (size_t size = 0; at + size <= sizeof(bytes); size++)
			assert_int_equal(crc32c(0, bytes + at, size),
					 slow_crc32c(bytes + at, size));
}

static void pieces_give_the_checksum_of_the_whole(void **state)
{
	u8 bytes[64];
	u32 whole;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 37);
	whole = crc32c(0, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut++)
		assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof(bytes) - cut),
				 whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_vectors_have_their_checksums),
		cmocka_unit_test(every_size_and_alignment_agrees_with_the_definition),
		cmocka_unit_test(pieces_give_the_checksum_of_the_whole),
	};

	return cmocka_run_group_tests_name("base/crc32c", tests, NULL, NULL);
}
