# tape: l1_vmware_like ticks=3 exits=40
info inferiors
info threads
print $event
x/i $pc
backtrace
list
info registers rip cr3 cs code_bits
