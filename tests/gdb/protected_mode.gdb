# tape: l1_l2
# at: kind==mark && text~pse
set $n = 0
while $n < 250 && $code_bits != 32
stepi
set $n = $n + 1
end
info registers rip cr0 cr4 efer code_bits cs_base
show architecture
print sizeof($rip)
stepi
print $code_bits
reverse-stepi
reverse-stepi
print $code_bits
info threads
