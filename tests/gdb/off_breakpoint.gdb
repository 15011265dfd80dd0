# tape: l1_vmware_like ticks=3 exits=40
# place: @entry:5
stepi
stepi
echo == in L2\n
set $exit = $pc
set $first = $event
break *$exit
reverse-continue
continue
continue
print $event > $first
delete
echo == in L1, off an entry\n
thread 1.1
monitor goto @entry:8
maintenance flush register-cache
reverse-stepi
set $before = $event
break *$pc
continue
print $event > $before
info threads
