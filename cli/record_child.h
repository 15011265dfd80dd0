/*
 * cli/record_child.h - a recording by a process of its own
 */
#ifndef CLI_RECORD_CHILD_H
#define CLI_RECORD_CHILD_H

/*
 * Runs this program with @words, `vmxtape record ...` ended by NULL, and waits for its end. What it
 * prints, L1's console with --console, goes to the file @console, what it says to @log. Dies with
 * the last line of that when it could not record at all.
 */
void record_child(char **words, const char *console, const char *log);

#endif
