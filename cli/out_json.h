/*
 * cli/out_json.h - JSON on stdout, value by value, with the commas where they belong
 *
 *	json_open(NULL, '{');
 *	json_number("schema", 1);
 *	json_open("list", '[');
 *	json_hex(NULL, 0x10);
 *	json_close(']');
 *	json_close('}');
 *	json_end();
 *
 * The first argument is the key, NULL in lists and outermost. Addresses and what can have 64 bits
 * are strings "0x...", counts are numbers. Nesting deeper than 16 is a fault of the caller.
 */
#ifndef CLI_OUT_JSON_H
#define CLI_OUT_JSON_H

#include "base/base.h"

struct model_place;
struct symbols;

/* @bracket is '{' or '['; json_close() gets the closing one. */
void json_open(const char *key, char bracket);
void json_close(char bracket);

void json_hex(const char *key, u64 value);
void json_number(const char *key, u64 value);
void json_bool(const char *key, bool value);
/* null where @text is NULL. */
void json_text(const char *key, const char *text);
void json_null(const char *key);
void json_ratio(const char *key, double value);
/* "@c0:12", null for nowhere. */
void json_place(const char *key, const struct model_place *place);

/* "rip", and "symbol" where the address has a name. */
void json_rip(const struct symbols *symbols, unsigned level, u64 rip);

/* The end of the line; the next object may begin. */
void json_end(void);

#endif
