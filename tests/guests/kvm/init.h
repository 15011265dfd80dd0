/*
 * tests/guests/kvm/init.h - what a Linux system of one program needs
 *
 * The program is /init of an initrd with the KVM modules and nothing else. All functions say on
 * stdout what failed.
 */
#ifndef TESTS_GUESTS_KVM_INIT_H
#define TESTS_GUESTS_KVM_INIT_H

#include <stdbool.h>
#include <stddef.h>

/* Mounts /proc, /sys, /dev and debugfs. */
bool init_mount(void);

/*
 * Loads irqbypass, kvm and kvm-intel and prints what the parameters of kvm-intel became. They are
 * the default ones but for those of kvm_intel=NAME=VALUE,NAME=VALUE... on the kernel's command
 * line.
 */
bool init_load_kvm(void);

/* Copies what the parameter @name of kvm_intel became; false when it has none of that name. */
bool init_kvm_parameter(const char *name, char *value, size_t size);

/*
 * Copies the value of NAME=VALUE on the kernel's command line to @value and returns true, or
 * returns false and leaves @value alone. A value that is too long is cut.
 */
bool init_option(const char *name, char *value, size_t size);

/* From now on this process runs on processor @number alone. */
bool init_use_processor(unsigned number);

/* Calls run() in a process of its own on processor @number. */
void init_start(unsigned number, bool (*run)(void));

/* Waits for one of those; whether run() returned true. */
bool init_join(void);

/* Ends the machine by ACPI. */
_Noreturn void init_power_off(void);

#endif
