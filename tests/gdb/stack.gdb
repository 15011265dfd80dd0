# tape: l1_vmware_like ticks=3 exits=40
# hv: capture=default
# options: -S l1={elf}
# at: kind==l2_exit && reason==hlt
echo == L1 waits\n
backtrace
info registers rsp rbp
up
info locals
echo == L2\n
stepi
x/i $pc
print/x $rax
echo == L1, and a stack that may have changed\n
stepi
backtrace
monitor stack old
maintenance flush register-cache
backtrace
echo == walk\n
monitor walk 0x1423f00
monitor walk 0x1000
monitor walk $sp
monitor walk guest_main
monitor walk $nothing
monitor walk guest_main l2
monitor walk guest_main l3
monitor phys l1
monitor phys off
monitor stack now
echo == finish\n
monitor goto @entry:6
maintenance flush register-cache
set $before = $event
finish
print $event - $before
echo == memory\n
watch *(unsigned long *)0x1416000
continue
