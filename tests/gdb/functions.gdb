# tape: l1_vmware_like ticks=3 exits=40
# options: -S l1={elf}
break guest_vmcs_write
continue
print $event
backtrace 1
continue
delete
monitor goto @130
maintenance flush register-cache
echo == next\n
set $before = $event
next
print $event - $before
echo == step\n
set $before = $event
step
print $event - $before
echo == until\n
set $before = $event
until
print $event - $before
echo == reverse\n
monitor goto @50%
maintenance flush register-cache
break guest_vmcs_write
reverse-continue
delete
echo == a condition\n
break guest_vmcs_write if $event < 200
reverse-continue
print $event < 200
condition 3 $event > 400 && $rip != 0
continue
print $event > 400
info breakpoints
delete
echo == where events are, gdb knows its breakpoint\n
monitor symbol guest_vmcs_write
monitor files
monitor goto @130
maintenance flush register-cache
tbreak *((unsigned long)guest_vmcs_write + 2)
continue
set $first = $event
tbreak *((unsigned long)guest_vmcs_write + 2)
ignore $bpnum 2
continue
print $event > $first + 2
info breakpoints
