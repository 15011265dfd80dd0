# tape: l1_vmware_like ticks=3 exits=40
# place: @entry:3
print $event
stepi
info inferiors
info threads
print $rip == $guest_rip
info registers rsp cr0 eflags code_bits
print $guest_cs_access_rights
info threads
thread 2.1
print $rip
thread 1.1
