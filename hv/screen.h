/*
 * hv/screen.h - hv's lines on the screen, until L1 starts, for machines that have no serial port
 *
 * On what the boot loader left: text mode, or a linear framebuffer with 24 or 32 bits a pixel.
 */
#ifndef HV_SCREEN_H
#define HV_SCREEN_H

#include "base/base.h"

/* What the screen takes of physical memory; *@size is 0 without one. */
void screen_range(u64 *base, u64 *size);

/* From now on screen_write() shows something; hv sees all of screen_range(). */
void screen_begin(void);

/*
 * Show @length characters; a new line begins below, or at the top again. Nothing before the above
 * and after the below.
 */
void screen_write(const char *text, size_t length);

/* The screen is L1's. */
void screen_leave(void);

#endif
