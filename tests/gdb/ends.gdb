# tape: l1_vmware_like ticks=3 exits=40
continue
info threads
monitor where
continue
reverse-continue
reverse-continue
monitor where
