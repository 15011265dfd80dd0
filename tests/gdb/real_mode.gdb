# tape: l1_l2
# at: kind==mark && text~real_mode
print $code_bits
set $n = 0
while $n < 250 && $code_bits != 16
stepi
set $n = $n + 1
end
info registers rip cr0 code_bits cs_base
monitor code
info threads
stepi
