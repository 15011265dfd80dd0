# tape: l1_vmware_like ticks=3 exits=40
print $guest_cr4
monitor goto @entry:2
maintenance flush register-cache
print $guest_cr4
print/x $guest_cr4
print $primary_proc_based_controls
print $guest_cs_access_rights
print/x $guest_rip
print/x *(unsigned long *)(0x564d435300000000 + 8 * 0x6804)
ptype $guest_cr4
info registers vm_entry_controls
