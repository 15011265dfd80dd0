# tape: l1_vmware_like ticks=3 exits=40
monitor goto @entry:1
maintenance flush register-cache
reverse-stepi
set $launch = $pc
reverse-continue
echo == software\n
break *$launch
continue
print $pc == $launch
set $first = $event
continue
print $event > $first
reverse-continue
print $event == $first
echo == from L2\n
stepi
print $pc == $launch
continue
print $pc == $launch
delete
echo == hardware\n
hbreak *$launch
reverse-continue
print $event == $first
delete
echo == temporary\n
tbreak *$launch
continue
continue
echo == with a condition\n
break *$launch if $event == $first
reverse-continue
print $event == $first
info breakpoints
