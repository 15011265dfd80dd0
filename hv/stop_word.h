/*
 * hv/stop_word.h - the word by which whoever holds the machine from outside asks for the end
 *
 * It is written through the debugger of the machine, with no processor running. Non-zero: hv ends
 * the tape in good order at the next VM exit.
 */
#ifndef HV_STOP_WORD_H
#define HV_STOP_WORD_H

#include "base/base.h"

extern volatile u32 stop_word;

static inline bool stop_is_asked(void)
{
	return unlikely(stop_word);
}

/* Say on the console where the word is. */
void stop_word_tell(void);

#endif
