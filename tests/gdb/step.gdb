# tape: l1_vmware_like ticks=3 exits=40
set $start = $event
stepi
print $event - $start
stepi 20
print $event - $start
reverse-stepi 20
reverse-stepi
print $event - $start
reverse-stepi
print $event - $start
