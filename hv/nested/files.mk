hv-src += $(addprefix hv/nested/,bitmaps02.c entry_check.c ept02.c ept12_access.c ept12_walk.c host_state.c insn_inv.c insn_mode.c insn_ptr.c \
		insn_rw.c l0_record.c l2_ept_exit.c l2_exit.c l2_state.c msrlist.c operand.c outcome.c reflect.c shown_caps.c state.c \
		ve.c vm_function.c vmcs_key_frames.c vmcs02.c vmcs02_controls.c vmcs02_registers.c vmcs_shadow.c vmentry.c)
