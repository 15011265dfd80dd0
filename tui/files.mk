host-src += tui/grid.c tui/draw.c tui/lines.c tui/input.c tui/request.c tui/config.c \
	    tui/prompt.c tui/rows.c tui/find.c tui/survey.c tui/places.c tui/event_row.c \
	    tui/value_lines.c tui/child.c tui/verb.c tui/index_job.c
host-src += tui/app.c tui/app_input.c tui/app_work.c tui/app_draw.c tui/app_moves.c \
	    tui/app_prompt.c tui/app_gdb.c tui/app_follow.c tui/list.c tui/overview.c tui/view.c \
	    tui/terminal.c tui/tui.c
host-src += tui/view_help.c tui/view_detail.c tui/detail_values.c tui/view_verbs.c tui/view_vmcs.c \
	    tui/view_findings.c tui/view_registers.c tui/view_memory.c tui/view_disasm.c \
	    tui/view_capabilities.c
