/*
 * cli/sha256.h - whether a file is still the one that it was: SHA-256 (FIPS 180-4)
 */
#ifndef CLI_SHA256_H
#define CLI_SHA256_H

#include "base/base.h"

#define SHA256_TEXT 65 /* hexadecimal digits and a zero */

/* The hash of @size bytes at @data, as text. */
void sha256_text(const void *data, size_t size, char to[SHA256_TEXT]);

/* The hash of the file @path; false, with errno, when it cannot be read. */
bool sha256_file(const char *path, char to[SHA256_TEXT]);

#endif
