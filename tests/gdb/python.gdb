# tape: l1_vmware_like ticks=3 exits=40
# options: -S l1={elf}
# prelude: file {elf}
# prelude: source share/vmxtape-gdb.py
vmx goto @entry:3
info vmcs guest_cr
print $_vmcs("guest_cr4")
complete vmx bl
complete vmx blame guest_cr
complete info vmcs host_r
stepi
vmx goto @entry:4
print $_thread
vmx goto @50%
print $_thread
vmx nonsense
vmx goto @entry:1
tbreak guest_vmcs_write
continue
info breakpoints
echo == a breakpoint inside of a function has its number and its commands\n
break guest_vmcs_write
commands
print $event > 0
end
continue
info breakpoints
