# Programs that run inside of L1: static, so that they run in any Linux, an initrd's too.

l1-src := l1/hv_call.c l1/vmxtape_mark.c

$(O)/vmxtape-mark: $(l1-src) l1/hv_call.h base/hv_leaf.h Makefile | $(O)/.deps
	$(call say,LINK,$@)$(CC) $(common) -D_GNU_SOURCE -static -o $@ $(l1-src)
