# tape: l1_vmware_like ticks=3 exits=40
set $start = $event
break *0x1234
continue
print $event - $start
continue
print $event - $start
delete
continue
