/*
 * tests/bench/key_frames.h - what key frames cost on a tape
 */
#ifndef TESTS_BENCH_KEY_FRAMES_H
#define TESTS_BENCH_KEY_FRAMES_H

#include "base/base.h"

/*
 * Encode and pack the blocks of the tape @path once more, with their key frames, without, and with
 * images of VMCSs that have not changed; print what these add. False when the tape cannot be read.
 */
bool key_frames_measure(const char *path);

#endif
