# tape: l1_vmware_like ticks=3 exits=40
# options: --rerun
# at: kind==vmlaunch
# prelude: file {elf}
# prelude: set remotetimeout 120
echo == at the entry\n
x/i $pc
monitor where
set $vmlaunch = $event
set $l1_sp = $rsp
stepi
echo == in L2\n
print $event > $vmlaunch
set $begin = $pc
x/i $pc
set $old_rsp = $rsp
stepi
print $rsp == $old_rsp - 8
print $pc > $begin
print *(unsigned long *)$rsp == $r12
print/x $guest_rip == $begin
stepi
stepi
stepi
reverse-stepi
reverse-stepi
reverse-stepi
reverse-stepi
echo == at the first instruction again\n
print $pc == $begin && $rsp == $old_rsp
reverse-stepi
echo == in L1 again\n
x/i $pc
print $event == $vmlaunch && $rsp == $l1_sp
