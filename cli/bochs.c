#include "cli/bochs.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/boot_image.h"
#include "cli/message.h"
#include "cli/program.h"

#define MAX_HOST 2048 /* MiB that Bochs may hold; the rest is paged to a file by Bochs */

static char *path_in(const char *folder, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		die("out of memory");
	return path;
}

/*
 * rfb is the one display that neither needs a screen nor writes to stdout, where the frames are.
 * realtime=0: the VGA timer follows the machine's clock, not the host's. Otherwise a halted guest
 * wakes at other ticks in each run, and two recordings differ.
 * ignore_bad_msrs=1: an MSR that Bochs lacks reads as 0. Linux's first instructions read
 * IA32_MISC_ENABLE, which every Intel processor has and Bochs has not, and would not survive a
 * fault. Each such access is an error to Bochs's log: 30,000 lines a minute under KVM.
 */
static void write_config(const struct bochs_setup *setup, const char *path, const char *serial,
			 const char *log)
{
	FILE *const file = fopen(path, "we");

	if (!file)
		die_errno("cannot write '%s'", path);
	fprintf(file,
		"display_library: rfb, options=\"timeout=0\"\n"
		"config_interface: textconfig\n"
		"romimage: file=" BOCHS_BIOS ", options=fastboot\n"
		"vga: extension=vbe, update_freq=5, realtime=0\n"
		"vgaromimage: file=" BOCHS_VGA_BIOS "\n"
		"cpu: model=%s, count=%llu, ips=%llu, reset_on_triple_fault=0, ignore_bad_msrs=1\n"
		"memory: guest=%llu, host=%llu\n"
		"clock: sync=none, time0=%d\n"
		"ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n"
		"ata0-master: type=cdrom, path=\"%s\", status=inserted\n"
		"boot: cdrom\n"
		"com1: enabled=1, mode=file, dev=\"%s\"\n"
		"port_e9_hack: enabled=1\n"
		"plugin_ctrl: unmapped=1, speaker=0, sb16=0, es1370=0, gameport=0\n"
		"magic_break: enabled=0\n"
		"log: \"%s\"\n"
		"panic: action=fatal\n"
		"error: action=%s\n"
		"info: action=report\n"
		"debug: action=ignore\n",
		setup->cpu_model, (unsigned long long)setup->cpus, (unsigned long long)setup->ips,
		(unsigned long long)setup->mib, (unsigned long long)MIN(setup->mib, (u64)MAX_HOST),
		BOOT_IMAGE_DATE, setup->image, serial, log, setup->errors ? "report" : "ignore");
	if (fclose(file))
		die_errno("cannot write '%s'", path);
}

/* cli/bochs_preload.c, built. */
extern const char _binary_bochs_preload_so_start[], _binary_bochs_preload_so_end[];

static void write_preload(const char *path)
{
	const size_t size = (size_t)(_binary_bochs_preload_so_end - _binary_bochs_preload_so_start);
	FILE *const file = fopen(path, "we");

	if (!file || fwrite(_binary_bochs_preload_so_start, 1, size, file) != size || fclose(file))
		die_errno("cannot write '%s'", path);
}

static void write_text(const char *path, const char *text)
{
	FILE *const file = fopen(path, "we");

	if (!file || fputs(text, file) < 0 || fclose(file))
		die_errno("cannot write '%s'", path);
}

/* Bochs's display listens on a TCP port; nobody shall find it. Where that is refused, it stays. */
static void leave_network(void)
{
	if (unshare(CLONE_NEWNET))
		(void)!unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

static _Noreturn void child(const char *const *argv, const char *preload, int in, int out,
			    int errors)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	leave_network();
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(errors, 2) < 0)
		_exit(126);
	setenv("LD_PRELOAD", preload, 1);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

void bochs_start(const struct bochs_setup *setup, struct bochs *bochs)
{
	char *const program = program_find("bochs", "bochs");
	char *const config = path_in(setup->work, "bochsrc");
	char *const commands = path_in(setup->work, "commands");
	char *const errors_path = path_in(setup->work, "bochs.err");
	char *const preload = path_in(setup->work, "bochs_preload.so");
	int in[2], out[2], errors;

	bochs->log = path_in(setup->work, "bochs.log");
	bochs->pipe = path_in(setup->work, "com1");
	program_need_file(BOCHS_BIOS, "bochsbios");
	program_need_file(BOCHS_VGA_BIOS, "vgabios");
	write_config(setup, config, bochs->pipe, bochs->log);
	/* Debian's Bochs has the debugger built in, which waits for this command. */
	write_text(commands, "c\n");
	write_preload(preload);
	unlink(bochs->pipe);
	if (mkfifo(bochs->pipe, 0600))
		die_errno("cannot make '%s'", bochs->pipe);
	/* Opened for both so that it has no end of file while Bochs has not opened it yet. */
	bochs->serial = open(bochs->pipe, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	errors = open(errors_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (bochs->serial < 0 || errors < 0 || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		die_errno("cannot make pipes in '%s'", setup->work);
	fcntl(out[0], F_SETPIPE_SZ, 1 << 20);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	bochs->pid = fork();
	if (bochs->pid < 0)
		die_errno("cannot start '%s'", program);
	if (!bochs->pid)
		child((const char *const[]){ program, "-q", "-f", config,
					     setup->waits ? NULL : "-rc", commands, NULL },
		      preload, in[0], out[1], errors);
	close(in[0]);
	close(out[1]);
	close(errors);
	bochs->commands = in[1];
	bochs->output = out[0];
	free(program);
	free(config);
	free(commands);
	free(errors_path);
	free(preload);
}

/* The signal brings up the prompt of Bochs's debugger, which then reads @commands. */
static void command(const struct bochs *bochs, const char *commands)
{
	kill(bochs->pid, SIGINT);
	(void)!write(bochs->commands, commands, strlen(commands));
}

void bochs_stop(const struct bochs *bochs)
{
	command(bochs, "q\n");
}

void bochs_poke(const struct bochs *bochs, u64 address, u32 value)
{
	char commands[80];

	snprintf(commands, sizeof(commands), "setpmem 0x%llx 4 0x%x\nc\n",
		 (unsigned long long)address, value);
	command(bochs, commands);
}

void bochs_kill(const struct bochs *bochs)
{
	kill(-bochs->pid, SIGKILL);
	kill(bochs->pid, SIGKILL);
}

/* A log line: ticks, a letter for its severity, the device in brackets, text. */
static void read_line(char *line, struct bochs_end *end)
{
	char *rest;
	const u64 ticks = strtoull(line, &rest, 10);

	line[strcspn(line, "\r\n")] = 0;
	if (rest == line || !*rest)
		return;
	end->ticks = MAX(end->ticks, ticks);
	if (*rest != 'p' && *rest != 'e')
		return;
	if (strstr(rest, "Shutdown port")) {
		end->by_guest = true;
		return;
	}
	/* The last panic counts, or the last error when there is none. */
	if (*rest == 'p' || end->message[0] != 'p')
		snprintf(end->message, sizeof(end->message), "%s", rest);
}

void bochs_read_end(const struct bochs *bochs, struct bochs_end *end)
{
	FILE *const file = fopen(bochs->log, "re");
	char line[1024], *text;

	unlink(bochs->pipe);
	memset(end, 0, sizeof(*end));
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		read_line(line, end);
	fclose(file);
	if (end->message[0] != 'p') {
		end->message[0] = 0;
		return;
	}
	text = strchr(end->message, ']');
	text = text ? text + 1 : end->message;
	text += strspn(text, " ");
	if (!strncmp(text, ">>PANIC<< ", 10))
		text += 10;
	memmove(end->message, text, strlen(text) + 1);
}
