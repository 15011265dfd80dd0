# Guests: multiboot kernels that are L1, each of one file tests/guests/NAME.c, the library and the
# shared sources; and Debian's kernel with KVM, which is fetched and therefore apart.
#
#   make guests       $(O)/guests/NAME.elf
#   make guests-kvm   $(O)/guests/kvm/vmlinuz, vmlinux, initrd.img
#   make guests-xen   $(O)/guests/xen/xen, dom0, initrd.img
#   make check-guests runs the small ones in Bochs with no hypervisor below

guest-names := boot_linux l1_bench l1_load l1_smoke l1_l2 l1_insn l1_sweep l1_vmware_like l1_rules l1_faults l1_memory \
	       l1_truth l1_smp l1_fuzz l1_bounds l1_pass l1_tape

# More sources of one guest, without tests/guests/ and .c
guest-parts-l1_l2    := l1_l2_insn l1_l2_access l1_l2_state l1_l2_mode l1_l2_task l1_l2_event l1_l2_nmi l1_l2_string l1_l2_step l1_l2_memory \
		       l1_l2_flags l1_l2_apic l1_l2_kept l1_l2_function
guest-parts-l1_insn  := l1_insn_execute l1_insn_groups
guest-parts-l1_rules := $(patsubst tests/guests/%.c,%,$(wildcard tests/guests/l1_rules_*.c))
guest-parts-l1_faults := l1_faults_insn l1_faults_entry l1_faults_exit l1_faults_memory

guest-parts-l1_truth := l1_truth_run l1_truth_32 l1_truth_bases l1_truth_directed
guest-parts-l1_smp := l1_smp_vmx l1_smp_signals
guest-parts-l1_fuzz  := l1_fuzz_vmcs l1_fuzz_move l1_fuzz_arena l1_fuzz_insn l1_fuzz_machine l1_fuzz_l2 l1_fuzz_second \
		       l1_truth_bases l1_truth_32
guest-parts-l1_bounds := l1_bounds_memory l1_bounds_vmx l1_bounds_others

guest-lib-src := $(wildcard tests/guests/lib/*.c) base/fmt.c vmx/tables.c vmx/caps.c
guest-lib-asm := $(wildcard tests/guests/lib/*.S)

# Linux is loaded at 16 MiB: its loader must be out of the way. Everything else is in Linux's place,
# which every hypervisor below must be able to fill.
guest-base            := 0x1000000
guest-base-boot_linux := 0x400000

guest-cflags := $(common) -ffreestanding -fno-pie -fno-pic -mno-red-zone -mgeneral-regs-only \
		-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
		-fno-strict-aliasing
guest-objs   := $(patsubst %.c,$(O)/guest/%.o,$(guest-lib-src)) \
		$(patsubst %.S,$(O)/guest/%.o,$(guest-lib-asm))

.PHONY: guests guests-kvm guests-xen check-guests
guests: $(guest-names:%=$(O)/guests/%.elf)
guests-kvm: $(O)/guests/kvm/initrd.img
guests-xen: $(O)/guests/xen/initrd.img $(O)/guests/xen/dom0
check-guests: guests $(O)/tests/tools/truth
	scripts/deps.sh run test
	tests/tools/bochs-bare-check $(O)/guests
	tests/tools/truth-check $(O)

truth-src := tests/tools/truth.c tests/tools/truth_log.c

$(O)/tests/tools/truth: $(truth-src) $(wildcard tests/tools/truth*.h tests/tools/truth*.def) \
		tests/guests/l1_truth_text.h $(O)/libvmxtape.a Makefile | $(O)/.deps
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(host-cflags) -o $@ $(truth-src) $(O)/libvmxtape.a

$(O)/guest/%.o: %.c Makefile tests/guests/files.mk | $(O)/.deps
	$(call say,CC,$< (guest))mkdir -p $(@D) && $(CC) $(guest-cflags) -c -o $@ $<

$(O)/guest/%.o: %.S Makefile tests/guests/files.mk | $(O)/.deps
	$(call say,AS,$< (guest))mkdir -p $(@D) && $(CC) $(guest-cflags) -c -o $@ $<

.SECONDEXPANSION:
$(O)/guests/%.elf: $(O)/guest/tests/guests/%.o $(guest-objs) tests/guests/lib/guest.ld \
		$$(addprefix $(O)/guest/tests/guests/,$$(addsuffix .o,$$(guest-parts-$$*)))
	$(call say,LINK,$@)mkdir -p $(@D) && $(LD) -static -nostdlib -z max-page-size=4096 \
		-z noexecstack --no-warn-rwx-segments \
		--defsym=GUEST_BASE=$(or $(guest-base-$*),$(guest-base)) \
		-T tests/guests/lib/guest.ld -o $@ $(filter %.o,$^)

kvm-src := $(addprefix tests/guests/kvm/,kvmtest.c init.c vm.c l2_image.S) l1/hv_call.c

$(O)/guests/kvm/release: tests/guests/kvm/fetch-kernel
	$(call say,FETCH,$(@D)/vmlinuz)scripts/deps.sh test && $< $(@D) && touch $@

$(O)/guests/kvm/init: $(kvm-src) $(wildcard tests/guests/kvm/*.h) l1/hv_call.h Makefile | $(O)/.deps
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(common) -D_GNU_SOURCE -static -s -o $@ $(kvm-src)

$(O)/guests/kvm/initrd.img: tests/guests/kvm/make-initrd $(O)/guests/kvm/init $(O)/guests/kvm/release
	$(call say,CPIO,$@)$< $(@D)/init $(@D) $@

# Guests with KVM below them: the second processor.
kvmhost-src    := $(addprefix tests/guests/kvm/,kvmhost.c kvm_load.c init.c)
kvmhost-guests := l1_smoke l1_insn l1_l2 l1_sweep l1_memory l1_rules l1_truth l1_bench

$(O)/guests/kvm/kvmhost: $(kvmhost-src) $(wildcard tests/guests/kvm/*.h) Makefile | $(O)/.deps
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(common) -D_GNU_SOURCE -static -s -o $@ $(kvmhost-src)

$(O)/guests/kvm/kvmhost.img: tests/guests/kvm/make-initrd $(O)/guests/kvm/kvmhost \
		$(kvmhost-guests:%=$(O)/guests/%.elf) $(O)/vmxtape-hv.elf $(O)/guests/kvm/release
	$(call say,CPIO,$@)$< $(@D)/kvmhost $(@D) $@ $(kvmhost-guests:%=$(O)/guests/%.elf) \
		$(O)/vmxtape-hv.elf

# Xen with a guest of its own, and the same Debian's kernel as its dom0.
$(O)/guests/xen/release: tests/guests/xen/fetch-xen
	$(call say,FETCH,$(@D)/xen)scripts/deps.sh test && $< $(@D) && touch $@

$(O)/guests/xen/dom0: $(O)/guests/kvm/release
	$(call say,STRIP,$@)mkdir -p $(@D) && strip -o $@ $(O)/guests/kvm/vmlinux

$(O)/guests/xen/l2_pvh.elf: tests/guests/xen/l2_pvh.S Makefile | $(O)/.deps
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) -m32 -c -o $(@:.elf=.o) $< && \
		$(LD) -m elf_i386 -N -z noexecstack --no-warn-rwx-segments -Ttext=0x100000 \
		--section-start=.note.Xen=0x110000 -e start -o $@ $(@:.elf=.o)

$(O)/guests/xen/initrd.img: tests/guests/xen/make-dom0-initrd tests/guests/xen/init.sh tests/guests/xen/l2.cfg \
		$(O)/guests/xen/l2_pvh.elf $(O)/guests/xen/release $(O)/guests/kvm/release
	$(call say,CPIO,$@)$< $(@D) $(O)/guests/kvm $(@D)/l2_pvh.elf $@
