/*
 * cli/stat_hv_time.h - the part of stat that says how long hv keeps a processor
 */
#ifndef CLI_STAT_HV_TIME_H
#define CLI_STAT_HV_TIME_H

#include "replay/stat.h"

/*
 * The reasons for which hv ran, those that cost most first, each with its share of the time of the
 * tape and its longest; then packing. As members of the open object where @json. Prints no table
 * for a tape that does not tell.
 */
void stat_print_hv_time(const struct stat *stat, bool json);

#endif
