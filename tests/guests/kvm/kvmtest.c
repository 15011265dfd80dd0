/*
 * tests/guests/kvm/kvmtest.c - /init of the Debian system that runs as L1
 *
 * On the kernel's command line: kvmtest=off says a line and powers off, without KVM.
 */
#include <stdio.h>
#include <string.h>

#include "tests/guests/kvm/init.h"

int main(void)
{
	char mode[16] = "on";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!init_mount())
		init_power_off();
	init_option("kvmtest", mode, sizeof(mode));
	if (!strcmp(mode, "off")) {
		printf("kvmtest: hello from userspace\n");
		init_power_off();
	}
	if (init_load_kvm())
		printf("kvmtest: modules loaded\n");
	init_power_off();
}
