#include "cli/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/message.h"

static char *temporary;

static void remove_temporary(void)
{
	DIR *const folder = opendir(temporary);
	struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(temporary);
}

char *output_work_folder(const char *keep)
{
	const char *base = getenv("TMPDIR");
	char *path;

	if (keep) {
		if (mkdir(keep, 0777) && errno != EEXIST)
			die_errno("cannot make folder '%s'", keep);
		path = realpath(keep, NULL);
		if (!path)
			die_errno("cannot use folder '%s'", keep);
		return path;
	}
	if (asprintf(&path, "%s/vmxtape-XXXXXX", base && *base ? base : "/tmp") < 0)
		die("out of memory");
	if (!mkdtemp(path))
		die_errno("cannot make a folder '%s'; TMPDIR says where", path);
	temporary = strdup(path);
	atexit(remove_temporary);
	return path;
}

/* A device or a pipe is written to, and never put aside. */
static bool is_special(const char *path)
{
	struct stat status;

	return !lstat(path, &status) && !S_ISREG(status.st_mode);
}

void output_remove(const char *path)
{
	if (!is_special(path))
		unlink(path);
}

void output_rotate(const char *path)
{
	const char *const slash = strrchr(path, '/'), *const dot = strrchr(path, '.');
	const size_t stem =
		dot && dot > (slash ? slash + 1 : path) ? (size_t)(dot - path) : strlen(path);
	char to[PATH_MAX];

	if (is_special(path))
		return;
	for (unsigned number = 1; number < 100000; number++) {
		if ((size_t)snprintf(to, sizeof(to), "%.*s-%u%s", (int)stem, path, number,
				     path + stem) >= sizeof(to))
			die("the name '%s' is too long", path);
		if (!renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE)) {
			message("kept the earlier '%s' as '%s'", path, to);
			return;
		}
		if (errno == ENOENT)
			return;
		if (errno != EEXIST)
			die_errno("cannot rename '%s' to '%s'", path, to);
	}
	die("'%s' has too many earlier versions beside it", path);
}
