# tape: l1_vmware_like ticks=3 exits=40
# options: --rerun
# prelude: file {elf}
# prelude: set remotetimeout 120
echo == L1 begins\n
info symbol $pc
tbreak wait_for_tick
continue
echo == it waits\n
set $steps = 0
while *(unsigned char *)$pc != 0xf4
stepi
set $steps = $steps + 1
end
set $hlt = $pc
x/i $pc
stepi
echo == halted\n
print $pc == $hlt + 1
stepi
echo == woken\n
print *(unsigned char *)$pc
set $handler = $pc
reverse-stepi
print $pc == $hlt + 1
reverse-stepi
print $pc == $hlt
echo == breakpoints\n
break guest_vmcs_write
continue
set $first = $event
set $field = $rdi
continue
print $event > $first
set $second = $event
continue
print $event > $second
reverse-continue
print $event == $second
reverse-continue
print $event == $first && $rdi == $field
echo == functions end\n
finish
bt 2
echo == ends\n
delete
continue
continue
reverse-continue
info symbol $pc
reverse-stepi
