/*
 * cli/record_tui.h - a recording that is watched while it runs
 */
#ifndef CLI_RECORD_TUI_H
#define CLI_RECORD_TUI_H

/*
 * Before anything is started: puts an earlier @tape aside, since what is shown is what is there,
 * and returns in a copy of this process, which records @tape, its messages kept for later. This
 * process shows the tape as it grows. When the user leaves, the recording is ended, if it still
 * runs, its messages are printed, and the program ends with its exit status.
 */
void record_tui(const char *tape);

#endif
