host-src += cli/vmxtape.c cli/options.c cli/message.c cli/program.c cli/bzimage.c cli/elf_trim.c \
	    cli/boot_image.c cli/bochs.c cli/output.c cli/record_run.c cli/record_from.c cli/paused_output.c cli/cmd_record.c \
	    cli/machine_setup.c cli/machine_text.c cli/sha256.c cli/rerun.c cli/bochs_debugger.c cli/debugger_state.c cli/debugger_stops.c cli/bochs_text.c cli/sent_blocks.c cli/machine_time.c cli/machine_past.c \
	    cli/hv_code.c cli/guest_walk.c cli/guest_run.c cli/live_machine.c cli/live_state.c cli/gdb_rerun.c cli/cmd_materialize.c \
	    cli/out.c cli/tape_arg.c cli/cmd_info.c cli/cmd_dump.c cli/cmd_check.c \
	    cli/out_json.c cli/cmd_explain.c cli/explain_page.c cli/explain_vmx.c cli/explain_rule.c \
	    cli/cmd_stat.c cli/stat_hv_time.c cli/repeat.c \
	    cli/cmd_vmcs.c cli/cmd_blame.c cli/moment_arg.c \
	    cli/place_arg.c cli/cmd_regs.c cli/cmd_mem.c cli/cmd_walk.c cli/cmd_scrub.c \
	    cli/cmd_why.c cli/cmd_whatif.c cli/why_check.c cli/why_insn.c cli/cmd_tui.c cli/tape_tui.c cli/record_tui.c \
	    cli/cmd_gdb.c cli/gdb_verb.c cli/stop_signals.c
host-src += cli/cmd_bisect.c cli/bisect_search.c cli/bisect_record.c cli/record_child.c
