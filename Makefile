# vmxtape - sources are listed in <folder>/files.mk, everything is built below O
#
#   make O=DIR V=1 SAN=address,undefined CC=clang FAULTS=1     all are optional; `make help` lists targets

O      ?= build
V      ?= 0
SAN    ?=
FAULTS ?= 0
prefix ?= /usr/local

# make's own default is cc, which is set already and may be any compiler.
ifeq ($(origin CC),default)
CC := gcc
endif

# Quiet unless V=1: $(call say,CC,file)
ifeq ($(V),1)
say =
Q   =
else
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
Q   = @
endif

shared-src :=
host-src   :=
hv-src     :=
hv-asm     :=
include base/files.mk vmx/files.mk trace/files.mk recorder/files.mk hv/files.mk
include replay/files.mk tui/files.mk gdbstub/files.mk cli/files.mk

version := $(shell cat VERSION)

warnings := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla \
	    -Wpointer-arith -Wwrite-strings -Wold-style-definition -Werror
common   := -std=c11 -g -O2 -fno-common $(warnings) -I. -MMD -MP -DVERSION='"$(version)"'

host-cflags := $(common) -D_GNU_SOURCE
host-libs   := -pthread -lzstd -llzma -lcapstone -ldw -lelf -lncursesw -ltinfo
ifneq ($(SAN),)
# With sanitizers gcc sees less, and warns of what it can't exclude any more.
host-cflags += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all \
	       -Wno-unknown-warning-option -Wno-maybe-uninitialized -Wno-format-truncation
endif

# hv runs without an operating system, on its own stack, with L1's vector registers live.
hv-cflags := $(common) -DHV -ffreestanding -fno-pie -fno-pic -mcmodel=kernel -mno-red-zone \
	     -mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
	     -fcf-protection=none -ffunction-sections -fdata-sections -fno-strict-aliasing -O3
# What an exit goes through lies in many files. GNU ld can't do this for clang.
ifeq ($(findstring clang,$(CC)),)
hv-cflags += -flto -flto-partition=none
# Calls of memcpy() with a short constant length are better expanded than inlined.
$(O)/hv/hv/libc_shim.o $(O)/hvfaults/hv/libc_shim.o: hv-cflags += -fno-lto
endif

hv-ldflags := -static -nostdlib -Wl,--gc-sections -Wl,-z,max-page-size=4096 \
	      -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,--build-id=none

host-objs := $(patsubst %.c,$(O)/host/%.o,$(shared-src) $(host-src))
hv-objs   := $(patsubst %.c,$(O)/hv/%.o,$(shared-src) $(hv-src)) $(hv-asm:%=$(O)/hv/%.o)
# Not before the packages are there.
libzstd    = $(shell $(CC) -print-file-name=libzstd.a)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all check check-long check-kvm check-fuzz check-static check-e2e check-gdb check-dbg bench demo install uninstall clean help deps

all: $(O)/vmxtape $(O)/vmxtape-hv.elf $(O)/vmxtape-mark guests

# --- packages ------------------------------------------------------------------------------------
# Installed once per build folder, by groups; the script prints what it could not install.

$(O)/.deps: scripts/deps.sh
	$(call say,DEPS,packages to build)mkdir -p $(O) && scripts/deps.sh build && touch $@

$(O)/.deps-%: scripts/deps.sh
	$(call say,DEPS,packages to $*)mkdir -p $(O) && scripts/deps.sh $* && touch $@

deps: $(O)/.deps $(O)/.deps-run $(O)/.deps-test

# --- the host program ----------------------------------------------------------------------------

$(O)/host/%.o: %.c Makefile | $(O)/.deps
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(host-cflags) -c -o $@ $<

# An index of a tape holds states of the model: one that another model made is not used.
model-src := $(wildcard replay/model*.[ch] replay/timeline_index*.[ch] replay/event_writes.c \
	       replay/slice*.[ch] replay/stride.[ch] replay/reader*.c replay/lane*.c replay/track.c trace/decode*.c \
	       trace/*.def vmx/*.[ch] vmx/*.def)
$(O)/host/replay/timeline_index.o: $(model-src)
$(O)/host/replay/timeline_index.o: host-cflags += \
	-DMODEL_SUM=$(firstword $(shell cat $(model-src) | cksum))u

# What record loads into Bochs is a file of its own inside vmxtape.
$(O)/bochs_preload.so: cli/bochs_preload.c cli/bochs_rounds.c cli/bochs.h cli/bochs_rounds.h \
		cli/bochs_text.h Makefile | $(O)/.deps
	$(call say,LINK,$@)mkdir -p $(@D) && \
		$(CC) $(common) -D_GNU_SOURCE -fPIC -shared -o $@ $(filter %.c,$^)

$(O)/host/cli/bochs_preload_so.o: $(O)/bochs_preload.so
	$(call say,LD,$@)mkdir -p $(@D) && cd $(O) && \
		$(LD) -r -b binary -z noexecstack -o host/cli/bochs_preload_so.o bochs_preload.so

$(O)/libvmxtape.a: $(filter-out $(O)/host/cli/vmxtape.o,$(host-objs)) \
		$(O)/host/cli/bochs_preload_so.o
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(O)/vmxtape: $(O)/host/cli/vmxtape.o $(O)/libvmxtape.a
	$(call say,LINK,$@)$(CC) $(host-cflags) -o $@ $^ $(host-libs)

# --- the hypervisor image ------------------------------------------------------------------------

$(O)/hv/%.o: %.c Makefile | $(O)/.deps
	$(call say,CC,$< (hv))mkdir -p $(@D) && $(CC) $(hv-cflags) -c -o $@ $<

$(O)/hv/%.S.o: %.S Makefile | $(O)/.deps
	$(call say,AS,$< (hv))mkdir -p $(@D) && $(CC) $(hv-cflags) -c -o $@ $<

$(O)/vmxtape-hv.elf: hv/link.ld $(hv-objs)
	$(call say,LINK,$@)$(CC) $(hv-cflags) $(hv-ldflags) -T hv/link.ld \
		-o $@ $(hv-objs) $(libzstd)

# The same with mistakes to choose from, hv/nested/faults.def, for tests: FAULTS=1
faults-objs := $(patsubst %.c,$(O)/hvfaults/%.o,$(hv-src) hv/fault.c hv/nested/vmcs02_spoil.c) \
	       $(patsubst %.c,$(O)/hv/%.o,$(shared-src)) $(hv-asm:%=$(O)/hv/%.o)

$(O)/hvfaults/%.o: %.c Makefile | $(O)/.deps
	$(call say,CC,$< (hv with faults))mkdir -p $(@D) && $(CC) $(hv-cflags) -DHV_FAULTS -c -o $@ $<

$(O)/vmxtape-hv-faults.elf: hv/link.ld $(faults-objs)
	$(call say,LINK,$@)$(CC) $(hv-cflags) $(hv-ldflags) -T hv/link.ld \
		-o $@ $(faults-objs) $(libzstd)

# And one that keeps a note of each block that ran, for tests/e2e/fuzz.
cover-cflags = $(filter-out -flto%,$(hv-cflags)) -fsanitize-coverage=trace-pc -Wno-nonnull
cover-objs  := $(patsubst %.c,$(O)/hvcover/%.o,$(shared-src) $(hv-src) tests/tools/hv_cover.c) \
	       $(hv-asm:%=$(O)/hv/%.o)

$(O)/hvcover/%.o: %.c Makefile | $(O)/.deps
	$(call say,CC,$< (hv with cover))mkdir -p $(@D) && $(CC) $(cover-cflags) -c -o $@ $<

$(O)/vmxtape-hv-cover.elf: hv/link.ld $(cover-objs)
	$(call say,LINK,$@)$(CC) $(cover-cflags) $(hv-ldflags) -T hv/link.ld \
		-o $@ $(cover-objs) $(libzstd)

ifeq ($(FAULTS),1)
all: $(O)/vmxtape-hv-faults.elf
endif

# --- programs for the inside of L1 ---------------------------------------------------------------

include l1/files.mk

# --- guests and tests ----------------------------------------------------------------------------

include tests/guests/files.mk tests/files.mk

# --- checks and the demo -------------------------------------------------------------------------
# Each step is a make of its own, so that compilers and sanitizers have folders of their own.

step = @$(MAKE) --no-print-directory -j$(shell nproc)

check: $(O)/.deps $(O)/.deps-run $(O)/.deps-test
	$(step) O=$(O) CC=gcc all check-unit
	$(step) O=$(O)/clang CC=clang all check-unit
	$(step) O=$(O)/san CC=gcc SAN=address,undefined STEPS=100000 $(O)/san/vmxtape check-unit fuzz
	$(step) O=$(O) CC=gcc check-static check-guests check-tui
	$(step) O=$(O) CC=gcc check-e2e
	$(step) O=$(O) CC=gcc check-gdb
	tests/gdb/run -s $(O)/san/vmxtape $(O) '*_*'
	@echo 'make check: everything passed'

check-long: check guests-xen $(O)/.deps-long
	$(step) O=$(O)/san CC=gcc SAN=address,undefined check-monkey
	tests/tools/truth-check $(O) --all
	tests/e2e/run $(O) --long
	tests/e2e/uefi $(O)
	$(MAKE) --no-print-directory O=$(O) CC=gcc check-fuzz
	tests/e2e/bare-debian $(O)/bare-debian
	@echo 'make check-long: everything passed'

# KVM as L0 inside Bochs is the second processor; UPDATE=1 makes the golden table anew.
check-kvm: all $(O)/guests/kvm/kvmhost.img $(O)/tests/tools/truth $(O)/.deps-run
	tests/tools/processors $(O) $(if $(UPDATE),--update)

# 10 million steps of the hostile guest, or STEPS, and what of hv they reach. Goes on where it was cut off.
check-fuzz: all $(O)/vmxtape-hv-cover.elf $(O)/.deps-run
	tests/e2e/fuzz_at_large $(O) $(or $(STEPS),10000000) $(or $(SEED),1)

check-static: $(O)/.deps-test
	tests/tools/check-includes
	tests/tools/check-names
	tests/tools/check-mentions
	tests/tools/check-format
	tests/tools/check-headers "$(CC)" $(O)/static
	tests/tools/check-cppcheck $(O)/static

check-e2e: all $(O)/vmxtape-hv-faults.elf guests-kvm $(O)/.deps-run $(O)/.deps-test
	tests/e2e/run -j $(shell nproc) $(O)
	tests/e2e/fuzz --pages $(O) 1 8000
	tests/e2e/fuzz --second $(O) 1 2000

# gdb on tapes of small guests; what breaks the protocol is tried with sanitizers by `check`.
check-gdb: all $(O)/.deps-run $(O)/.deps-test
	tests/gdb/run -j $(shell nproc) $(O)

# gdb with the DWARF of Linux's kernel on a tape of its KVM: 860 MB to fetch, minutes to record.
check-dbg: all guests-kvm $(O)/.deps-run $(O)/.deps-test
	tests/gdb/fetch-dbg $(O)/guests/kvm
	[ -e $(O)/e2e/kvm_default.vxt ] || tests/e2e/run --long $(O) kvm_default
	tests/gdb/run -v $(O) kernel_dbg

demo: all $(O)/.deps-run
	@scripts/demo $(O)

# --- the rest ------------------------------------------------------------------------------------

install: $(O)/vmxtape $(O)/vmxtape-hv.elf $(O)/vmxtape-mark
	install -D -m 755 $(O)/vmxtape $(DESTDIR)$(prefix)/bin/vmxtape
	install -D -m 755 $(O)/vmxtape-mark $(DESTDIR)$(prefix)/bin/vmxtape-mark
	install -D -m 644 $(O)/vmxtape-hv.elf $(DESTDIR)$(prefix)/lib/vmxtape/vmxtape-hv.elf
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/vmxtape share/vmxtape-gdb.py share/vmxtape.magic
	install -D -m 644 cli/vmxtape.bash \
		$(DESTDIR)$(prefix)/share/bash-completion/completions/vmxtape
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/man/man1 docs/man/*.1

uninstall:
	rm -f $(DESTDIR)$(prefix)/bin/vmxtape $(DESTDIR)$(prefix)/bin/vmxtape-mark \
		$(DESTDIR)$(prefix)/lib/vmxtape/vmxtape-hv.elf
	rm -f $(patsubst docs/man/%,$(DESTDIR)$(prefix)/share/man/man1/%,$(wildcard docs/man/*.1))
	rm -f $(DESTDIR)$(prefix)/share/vmxtape/vmxtape-gdb.py \
		$(DESTDIR)$(prefix)/share/vmxtape/vmxtape.magic \
		$(DESTDIR)$(prefix)/share/bash-completion/completions/vmxtape
	rmdir $(DESTDIR)$(prefix)/lib/vmxtape $(DESTDIR)$(prefix)/share/vmxtape 2>/dev/null || :

clean:
	rm -rf $(O)

help:
	@echo 'all         vmxtape, vmxtape-hv.elf and the guests (default)'
	@echo 'demo        record the bundled VMware-like guest in Bochs and print what is wrong with it'
	@echo 'check       every test that fits into 20 minutes; its parts are check-unit, check-static,'
	@echo '            check-guests, check-tui, check-e2e, check-gdb and fuzz'
	@echo 'check-long  the long ones too, with their parts check-monkey and check-fuzz: KVM, Xen,'
	@echo '            UEFI, and all of this in a bare Debian'
	@echo 'check-dbg   gdb with what Debian knows of its kernel: 860 MB to fetch'
	@echo 'check-kvm   guests on Bochs, on hv, on KVM inside Bochs and on hv on that KVM, side by side'
	@echo 'bench       figures: bytes, instructions and nanoseconds per event; bench-hv and bench-ticks:'
	@echo '            what hv costs L1, and Linux with KVM'
	@echo 'deps        install the Debian packages that the above need'
	@echo 'install     to $$(DESTDIR)$$(prefix), uninstall takes it away'
	@echo 'clean       remove the build folder'
	@echo
	@echo 'O=DIR build folder ($(O)), V=1 commands, SAN=address,undefined, CC=clang, FAULTS=1'
	@echo 'docs/testing.md tells what each of them runs'

-include $(shell find $(O) -name '*.d' 2>/dev/null)
