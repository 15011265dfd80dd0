host-src += replay/reader.c replay/reader_open.c replay/reader_seek.c replay/reader_outline.c replay/lane.c replay/lane_make.c replay/track.c replay/crew.c replay/boot_record.c
host-src += replay/names.c replay/position.c replay/query_parse.c replay/query.c \
	    replay/event_text.c replay/event_text_parts.c replay/event_text_insn.c \
	    replay/event_text_exit.c replay/event_text_hv.c replay/event_json.c
host-src += replay/model.c replay/model_event.c replay/model_region.c replay/model_digest.c replay/situation.c replay/judge.c replay/caps_hidden.c
host-src += replay/finding.c replay/check.c replay/report.c replay/rule_vmptrld.c \
	    replay/rule_vmxoff.c replay/rule_launch_state.c replay/rule_fail_ignored.c \
	    replay/rule_vmxon.c replay/rule_control.c replay/rule_dependent.c \
	    replay/rule_capability.c replay/rule_toggle.c replay/rule_trace_end.c
host-src += replay/rule_region.c replay/rule_msr_list.c replay/rule_entry_state.c \
	    replay/rule_pdpte.c replay/rule_exit_info.c replay/rule_vectoring.c replay/rule_nmi.c \
	    replay/rule_ept.c replay/rule_vpid.c replay/rule_invept.c \
	    replay/rule_feature.c replay/rule_livelock.c replay/rule_irq7.c replay/rule_control_index.c \
	    replay/dependents.c
host-src += replay/rule_entry.c replay/rule_outcome.c
host-src += replay/rule_exit.c
host-src += replay/check_table.c replay/check_run.c replay/check_predicate.c replay/check_ask.c replay/check_control.c \
	    replay/check_entry_control.c replay/check_register.c replay/check_host.c \
	    replay/check_guest.c replay/check_segment.c replay/check_nonregister.c \
	    replay/check_msrlist.c replay/cpu_facts.c replay/legal.c \
	    replay/entry_outcome.c replay/insn_outcome.c replay/check_memo.c replay/errata.c
host-src += replay/exit_check.c replay/exit_memo.c replay/exit_entry.c replay/exit_info.c replay/exit_asked.c \
	    replay/exit_state.c
host-src += replay/symbols.c replay/symbols_load.c replay/symbols_elf.c replay/symbols_dwarf.c replay/symbols_lines.c \
	    replay/code_lines.c
host-src += replay/stat.c
host-src += replay/field_use.c replay/history.c
host-src += replay/why.c replay/glance.c replay/glance_capabilities.c
host-src += replay/memory_event.c replay/memory_index.c replay/memory_state.c replay/memory_walk.c \
	    replay/memory.c replay/memory_text.c replay/event_text_memory.c replay/nearby.c replay/registers.c replay/scrub.c
host-src += replay/timeline.c replay/timeline_seek.c replay/timeline_glance.c replay/timeline_run.c replay/timeline_breaks.c replay/finder.c replay/finder_interval.c replay/finder_search.c replay/timeline_cache.c replay/timeline_resolve.c replay/timeline_index.c replay/timeline_index_pass.c replay/timeline_index_write.c replay/slice.c replay/slice_lane.c replay/slice_order.c replay/stride.c \
	    replay/timeline_index_build.c replay/timeline_index_state.c \
	    replay/model_hash.c replay/core_file.c replay/memory_core.c replay/registers_core.c replay/model_record.c replay/event_writes.c
host-src += replay/l0_insn.c replay/l0_exit.c replay/l0_walk.c replay/rule_l0_operand.c replay/rule_l0_region.c replay/rule_l0_caps.c
host-src += replay/disasm.c
host-src += $(addprefix replay/rule_l0_,init.c intercept.c event.c ept.c msr.c io.c timer.c failure.c flush.c \
	      pdpte.c entry.c field.c save.c host.c)
