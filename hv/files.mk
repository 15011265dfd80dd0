hv-src += hv/acpi.c hv/ap_restart.c hv/ap_start.c hv/apic.c hv/bios_map.c hv/console.c \
	  hv/debug_port.c hv/deep.c hv/drain_port.c hv/efi_map.c hv/ept.c hv/exit.c \
	  hv/exit_cpuid.c hv/exit_cr.c hv/exit_event.c hv/exit_init.c hv/exit_io.c hv/exit_l1.c \
	  hv/exit_msr.c hv/guestmem.c hv/hv_main.c hv/hv_options.c hv/hv_time.c hv/hwvmcs.c \
	  hv/inject.c hv/kick.c hv/libc_shim.c hv/loader.c hv/loader_linux.c \
	  hv/loader_multiboot.c hv/log.c hv/mem.c hv/memmap.c hv/mtrr.c hv/multiboot.c \
	  hv/panic.c hv/percpu.c hv/processor.c hv/record.c hv/record_boot.c hv/record_end.c hv/relocate.c hv/screen.c hv/serial.c hv/snapshot.c \
	  hv/snapshot_walk.c hv/stop_word.c hv/tape_memory.c hv/traps.c hv/tsc_clock.c \
	  hv/vmcs01.c
hv-asm += hv/ap_entry.S hv/bios_map.S hv/boot.S hv/traps.S hv/vmexit.S

-include hv/nested/files.mk

# What unit tests link: all but the parts that are made of privileged instructions.
hv-unit-src := $(filter-out hv/ap_restart.c hv/ap_start.c hv/hv_main.c hv/libc_shim.c hv/relocate.c hv/traps.c,$(hv-src)) \
	       tests/stubs/stub_acpi.c tests/stubs/stub_cpu.c tests/stubs/stub_exit.c \
	       tests/stubs/stub_machine.c tests/stubs/stub_msr.c tests/stubs/stub_port.c \
	       tests/stubs/stub_vmx.c

hv-unit-asm := hv/bios_map.S
