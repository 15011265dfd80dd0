# tape: l1_vmware_like ticks=3 exits=40
# hv: capture=default
# options: -S l1={elf}
# at: kind==l2_exit && reason==hlt
stepi
x/i $pc
print/x $rax
stepi
backtrace
info registers rsp rbp
print $rbx
up
info locals
echo == walk\n
monitor walk 0x1423f00
monitor walk 0x1000
monitor phys l1
monitor phys off
echo == finish\n
set $before = $event
finish
backtrace 1
print $event - $before
echo == memory\n
reverse-stepi
set $stack = (unsigned long)$rsp
watch *(unsigned long *)$stack
continue
