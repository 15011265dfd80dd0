# tape: l1_vmware_like ticks=3 exits=40
# options: --rerun
# at: kind==l2_exit && reason==cpuid && n>300
# prelude: file {elf}
# prelude: set remotetimeout 120
stepi
echo == L2 is about to exit\n
x/i $pc
set $exit = $event
set $cpuid = $pc
set $r12_before = $r12
stepi
echo == L1 goes on where its VMCS says\n
print $pc == $host_rip && $rsp == $host_rsp
print $exit_reason
print $event > $exit
x/i $pc
stepi 40
set $far = $pc
set $far_sp = $rsp
set $far_rax = $rax
set $far_rcx = $rcx
set $far_word = *(unsigned long *)$rsp
set $far_event = $event
echo == forty there and back are none\n
reverse-stepi 40
print $pc == $host_rip
stepi 40
print $pc == $far && $rsp == $far_sp && $rax == $far_rax && $rcx == $far_rcx
print *(unsigned long *)$rsp == $far_word && $event == $far_event
reverse-stepi 40
reverse-stepi
echo == and L2 is where it was\n
print $pc == $cpuid && $r12 == $r12_before && $event == $exit
x/i $pc
