#include "tests/guests/kvm/init.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MODULE_PARAMETERS "/sys/module/kvm_intel/parameters"

bool init_mount(void)
{
	static const struct {
		const char *type, *where;
	} mounts[] = {
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" },
		{ "debugfs", "/sys/kernel/debug" },
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		/*
		 * Debian's kernel mounts devtmpfs by itself only when it boots without an initrd.
		 */
		if (mount("none", mounts[i].where, mounts[i].type, 0, NULL) && errno != EBUSY) {
			printf("init: cannot mount '%s': %s\n", mounts[i].where, strerror(errno));
			return false;
		}
	return true;
}

static bool load_module(const char *path, const char *parameters)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool loaded;

	if (fd < 0) {
		printf("init: cannot open '%s': %s\n", path, strerror(errno));
		return false;
	}
	loaded = syscall(SYS_finit_module, fd, parameters, 0) == 0;
	if (!loaded)
		printf("init: cannot load '%s': %s\n", path, strerror(errno));
	close(fd);
	return loaded;
}

bool init_kvm_parameter(const char *name, char *value, size_t size)
{
	char path[128];
	FILE *file;
	bool found;

	snprintf(path, sizeof(path), MODULE_PARAMETERS "/%s", name);
	file = fopen(path, "r");
	if (!file)
		return false;
	found = fgets(value, (int)size, file) != NULL;
	fclose(file);
	if (found)
		value[strcspn(value, "\n")] = 0;
	return found;
}

bool init_load_kvm(void)
{
	char asked[256] = "", value[64];

	/* Those that decide which exits KVM takes. */
	static const char *const parameters[] = {
		"ept",		"vpid",		"unrestricted_guest",
		"flexpriority", "enable_apicv", "preemption_timer",
		"pml",		"nested",	"enable_shadow_vmcs",
	};

	init_option("kvm_intel", asked, sizeof(asked));
	for (char *at = asked; *at; at++)
		if (*at == ',')
			*at = ' ';
	if (!load_module("/modules/irqbypass.ko", "") || !load_module("/modules/kvm.ko", "") ||
	    !load_module("/modules/kvm-intel.ko", asked))
		return false;
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		if (init_kvm_parameter(parameters[i], value, sizeof(value)))
			printf("init: kvm_intel %s=%s\n", parameters[i], value);
	return true;
}

bool init_option(const char *name, char *value, size_t size)
{
	static char line[4096];
	const size_t length = strlen(name);
	FILE *file = fopen("/proc/cmdline", "r");
	char *rest = line, *word;
	bool found = false;

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = 0;
	fclose(file);
	while ((word = strsep(&rest, " \n")))
		if (!strncmp(word, name, length) && word[length] == '=') {
			snprintf(value, size, "%s", word + length + 1);
			found = true;
		}
	return found;
}

void init_power_off(void)
{
	fflush(NULL);
	/* The kernel's last words would overtake ours. */
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	printf("init: cannot power off: %s\n", strerror(errno));
	for (;;)
		pause();
}

bool init_use_processor(unsigned number)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(number, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		return true;
	printf("init: processor %u: %s\n", number, strerror(errno));
	return false;
}

void init_start(unsigned number, bool (*run)(void))
{
	const pid_t child = fork();

	if (child < 0)
		printf("init: fork: %s\n", strerror(errno));
	if (!child)
		_exit(!init_use_processor(number) || !run());
}

bool init_join(void)
{
	int status;

	return wait(&status) > 0 && status == 0;
}
