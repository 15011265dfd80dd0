# tape: l1_l2
# options: --rerun
# at: kind==l2_exit && reason==cpuid && rip<0x10
# prelude: file {elf}
# prelude: set remotetimeout 120
stepi
echo == L2 is in real mode\n
print $code_bits
print $cs_base == $cs * 16
print *(unsigned short *)($cs_base + $rip) == 0xa20f
set $there = $rip
reverse-stepi
print $rip < $there
break *($cs_base + $there)
continue
print $rip == $there
continue
reverse-continue
print $rip == $there
