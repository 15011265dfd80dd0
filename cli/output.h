/*
 * cli/output.h - files that vmxtape writes: a work folder, and tapes that never overwrite another
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "base/base.h"

/*
 * A folder for what a run leaves: @keep, made when it is missing, or, when @keep is NULL, a new one
 * that is removed with its files when the program ends. Its absolute path, owned by the caller.
 * Dies on failure.
 */
char *output_work_folder(const char *keep);

/*
 * Move a file at @path out of the way: "a.vxt" becomes "a-1.vxt", or the next number that is free,
 * and a message says so. Does nothing when there is no such file, or it is a device or a pipe.
 * Dies on failure.
 */
void output_rotate(const char *path);

/* Remove the file at @path, unless it is a device or a pipe. */
void output_remove(const char *path);

#endif
