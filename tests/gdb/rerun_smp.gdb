# tape: l1_smp cpus=2
# cpus: 2
# options: --rerun
# at: kind==vmread && outcome==succeed && cpu==1 && n>2000
# prelude: file {elf}
# prelude: set remotetimeout 120
echo == the second processor is at its VMREAD\n
thread 1.2
x/i $pc
set $start = $pc
set $start_sp = $rsp
set $start_rax = $rax
set $start_event = $event
stepi 30
set $far = $pc
set $far_sp = $rsp
set $far_rcx = $rcx
set $far_event = $event
echo == thirty there and back are none\n
reverse-stepi 30
print $pc == $start && $rsp == $start_sp && $rax == $start_rax && $event == $start_event
stepi 30
print $pc == $far && $rsp == $far_sp && $rcx == $far_rcx && $event == $far_event
echo == the first one steps by itself, and back, from what it is at\n
thread 1.1
x/i $pc
set $at = $pc
set $at_sp = $rsp
stepi
print $pc != $at
reverse-stepi
print $pc == $at && $rsp == $at_sp
stepi
set $one = $pc
set $one_sp = $rsp
stepi
print $pc != $one
reverse-stepi
print $pc == $one && $rsp == $one_sp
echo == both meet the breakpoint\n
break guest_switch
continue
continue
continue
continue
echo == and again on the way back\n
reverse-continue
reverse-continue
reverse-continue
monitor where
