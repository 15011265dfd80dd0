#include "tests/test.h"

#include <unistd.h>

#include "cli/sha256.h"

/* FIPS 180-4's examples, and lengths around those where padding takes another block. */
static const struct {
	const char *name;
	const char *text; /* repeated ... */
	unsigned times;	  /* ... so often */
	const char *hash;
} rows[] = {
	{ "nothing", "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "a million", "a", 1000000,
	  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
	{ "55", "a", 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318" },
	{ "56", "a", 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a" },
	{ "64", "a", 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb" },
};

static char *text_of(size_t row)
{
	const size_t length = strlen(rows[row].text);
	char *const text = calloc(1, length * rows[row].times + 1);

	for (unsigned i = 0; i < rows[row].times; i++)
		memcpy(text + i * length, rows[row].text, length);
	return text;
}

static void hashes_are_those_of_the_standard(void **state)
{
	char hash[SHA256_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *const text = text_of(i);

		sha256_text(text, strlen(text), hash);
		if (strcmp(hash, rows[i].hash))
			fail_msg("%s: %s", rows[i].name, hash);
		free(text);
	}
}

static void a_file_has_the_hash_of_its_bytes(void **state)
{
	char path[] = "/tmp/vmxtape-sha-XXXXXX", hash[SHA256_TEXT];

	(void)state;
	close(mkstemp(path));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *const text = text_of(i);
		FILE *const file = fopen(path, "w");

		fputs(text, file);
		fclose(file);
		assert_true(sha256_file(path, hash));
		assert_string_equal(hash, rows[i].hash);
		free(text);
	}
	unlink(path);
	assert_false(sha256_file(path, hash));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_of_the_standard),
		cmocka_unit_test(a_file_has_the_hash_of_its_bytes),
	};

	return cmocka_run_group_tests_name("cli/sha256", tests, NULL, NULL);
}
