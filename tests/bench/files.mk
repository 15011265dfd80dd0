# What is measured, and what is fuzzed for long. bench prints figures and fails nothing by time.
#
#	make bench [TAPE=x.vxt]		over a tape of KVM, recorded if none is given (minutes)
#	make bench-sim			over a simulated KVM (seconds)
#	make bench-tui TAPE=x.vxt	how long the terminal UI keeps a user waiting
#	make bench-hv			what exits cost L1, and of what; what recording costs (minutes)
#	make bench-ticks		what hv and recording cost Debian's KVM (minutes)
#	make fuzz [STEPS=200000]	see tests/fuzz/driver.c; SAN=address,undefined is wise

# Of make fuzz; check-fuzz takes STEPS as well, and has another number for who gives none.
fuzz-steps := $(or $(STEPS),200000)
TAPE	  ?=

fuzz-names := tape drain gdb hv
# A step on a tape of many events takes fifty times as long: they get a hundredth of the steps.
fuzz-large := tests/golden/1/smp.vxt tests/golden/1/vmware.vxt
fuzz-seeds := $(filter-out $(fuzz-large),$(wildcard tests/golden/*/*.vxt))
fuzz-seeds-gdb := $(wildcard tests/fuzz/gdb/*.bytes)
# A step of these is many packets.
fuzz-share-gdb := 40
fuzz-seeds-hv := $(wildcard tests/fuzz/hv/*.bytes)
# A machine is made for each, which takes a while.
fuzz-share-hv := 40
fuzz-bin   := $(patsubst %,$(O)/tests/fuzz/fuzz_%,$(fuzz-names))
bench-obj  := $(patsubst %,$(O)/host/tests/bench/%.o,bench_tape key_frames kvm_stream)

$(O)/tests/bench/bench_tape: $(bench-obj) $(O)/libvmxtape.a
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(host-cflags) -o $@ $^ $(host-libs)

$(O)/tests/bench/big_tape $(O)/tests/bench/bench_timeline: $(O)/tests/bench/%: \
		$(O)/host/tests/bench/%.o $(O)/libvmxtape.a
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(host-cflags) -o $@ $^ $(host-libs)

$(O)/tests/bench/bench_tui: $(O)/host/tests/bench/bench_tui.o $(O)/libvmxtape.a
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(host-cflags) -o $@ $^ $(host-libs)

$(filter-out %_hv,$(fuzz-bin)): $(O)/tests/fuzz/%: $(O)/host/tests/fuzz/%.o $(O)/host/tests/fuzz/driver.o $(O)/libvmxtape.a
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(host-cflags) -o $@ $^ $(host-libs)

# hv's own code, on the processor of its unit tests.
$(O)/tests/fuzz/fuzz_hv: tests/fuzz/fuzz_hv.c $(if $(FUZZER),,$(O)/host/tests/fuzz/driver.o) \
		$(O)/libhvunit.a $(O)/libvmxtape.a
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(hvunit-cflags) -Wno-missing-prototypes $(if $(FUZZER),-fsanitize=fuzzer) -o $@ \
		$(filter %.c %.o %.a,$^) \
		$(host-libs) -lcmocka

# Made tests/golden/1/future.vxt.
$(O)/tests/golden/make_future: $(O)/host/tests/golden/make_future.o $(O)/libvmxtape.a
	$(call say,LINK,$@)mkdir -p $(@D) && $(CC) $(host-cflags) -o $@ $^ $(host-libs)

.PHONY: bench bench-sim bench-tui fuzz bench-hv bench-ticks
bench: all guests-kvm $(O)/tests/bench/bench_tape $(O)/tests/bench/big_tape \
		$(O)/tests/bench/bench_timeline $(O)/.deps-run $(O)/.deps-bench
	tests/bench/run $(O) $(if $(TAPE),--tape $(TAPE))

bench-hv: all $(O)/guests/kvm/kvmhost.img $(O)/.deps-run
	tests/bench/hv_exits $(O)

bench-ticks: all guests-kvm $(O)/.deps-run
	tests/bench/run $(O) --ticks

bench-sim: $(O)/tests/bench/bench_tape
	$<

bench-tui: $(O)/tests/bench/bench_tui
	$< $(TAPE)

fuzz: $(fuzz-bin)
	@$(foreach n,$(fuzz-names),echo "== $n" && \
		$(O)/tests/fuzz/fuzz_$n -n $$(($(fuzz-steps) / $(or $(fuzz-share-$n),1))) $(or $(fuzz-seeds-$n),$(fuzz-seeds)) &&) \
	$(O)/tests/fuzz/fuzz_tape -n $$(($(fuzz-steps) / 100)) $(fuzz-large)
