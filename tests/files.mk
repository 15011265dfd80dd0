# Unit tests: tests/<folder>/<file>_test.c mirrors <folder>/<file>.c and is linked with everything
# the host program has. hv's own sources are compiled once more for them, with tests/stubs/hv/insn.h
# (a processor made of arrays) in the place of hv/insn.h.

unit-src  := $(wildcard tests/base/*_test.c tests/vmx/*_test.c tests/trace/*_test.c \
		tests/recorder/*_test.c tests/replay/*_test.c tests/gdbstub/*_test.c tests/cli/*_test.c \
		tests/tui/*_test.c)
unit-bin  := $(patsubst tests/%.c,$(O)/tests/%,$(unit-src))
hvunit-src := $(wildcard tests/hv/*_test.c)
hvunit-bin := $(patsubst tests/%.c,$(O)/tests/%,$(hvunit-src))

test-cflags   = $(host-cflags) -Wno-missing-prototypes -I.
# stub_stops() longjmps out of an expression that changes no variable of the test.
hvunit-cflags = -Itests/stubs $(host-cflags) -DHV_UNIT -Wno-unknown-warning-option -Wno-clobbered

$(O)/tests/%: tests/%.c $(O)/libvmxtape.a Makefile | $(O)/.deps
	$(call say,TEST,$<)mkdir -p $(@D) && $(CC) $(test-cflags) -o $@ $< $(O)/libvmxtape.a \
		$(host-libs) -lcmocka

$(O)/hvunit/%.o: %.c Makefile | $(O)/.deps
	$(call say,CC,$< (unit))mkdir -p $(@D) && $(CC) $(hvunit-cflags) -c -o $@ $<

$(O)/hvunit/%.S.o: %.S Makefile | $(O)/.deps
	$(call say,AS,$< (unit))mkdir -p $(@D) && $(CC) $(hvunit-cflags) -c -o $@ $<

$(O)/libhvunit.a: $(patsubst %.c,$(O)/hvunit/%.o,$(hv-unit-src)) $(hv-unit-asm:%=$(O)/hvunit/%.o)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(hvunit-bin): $(O)/tests/%: tests/%.c $(O)/libhvunit.a $(O)/libvmxtape.a Makefile | $(O)/.deps
	$(call say,TEST,$<)mkdir -p $(@D) && $(CC) $(hvunit-cflags) -Wno-missing-prototypes -o $@ $< \
		$(O)/libhvunit.a $(O)/libvmxtape.a $(host-libs) -lcmocka

.PHONY: check-unit
check-unit: $(unit-bin) $(hvunit-bin)
	@failed=; for t in $^; do echo "== $$t"; $$t || failed="$$failed $$t"; done; \
	[ -z "$$failed" ] || { echo "check-unit: these failed:$$failed" >&2; exit 1; }

# The UI on real terminals; and for long, random keys, which check-unit has few of.
.PHONY: check-tui check-monkey
check-tui: $(O)/vmxtape $(O)/tests/tui/steps_test
	tests/tui/run $(O)

check-monkey: $(O)/tests/tui/monkey_test
	MONKEY_KEYS=100000 $<

include tests/bench/files.mk
