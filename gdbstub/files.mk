host-src += gdbstub/packet.c gdbstub/session.c gdbstub/gdb_commands.c gdbstub/handle_query.c \
	    gdbstub/handle_state.c gdbstub/handle_run.c gdbstub/gdb_points.c gdbstub/agent.c gdbstub/gdb_regs.c gdbstub/target_xml.c \
	    gdbstub/target_timeline.c gdbstub/tape_points.c gdbstub/tape_state.c gdbstub/monitor.c gdbstub/monitor_tape.c \
	    gdbstub/gdb_server.c
