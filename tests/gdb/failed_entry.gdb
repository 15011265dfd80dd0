# tape: l1_rules
# at: kind==l2_exit && reason & 0x80000000
info threads
monitor where
monitor why
monitor blame guest_rflags -n 2
reverse-stepi
print $event
x/i $pc
monitor why
print $guest_rflags
print $vm_entry_controls
stepi
stepi
