# tape: l1_vmware_like ticks=3 exits=40
# options: --rerun
# at: kind==vmlaunch
# prelude: file {elf}
# prelude: set remotetimeout 120
print sizeof(interrupts[0x40].count)
monitor goto @c0:130
maintenance flush register-cache
set $count = interrupts[0x40].count
watch interrupts[0x40].count
continue
echo == written\n
print interrupts[0x40].count == $count + 1
set $behind = $pc
continue
print interrupts[0x40].count == $count + 2
reverse-continue
print interrupts[0x40].count == $count + 1
reverse-continue
echo == before it was written\n
print interrupts[0x40].count == $count && $pc < $behind
continue
print interrupts[0x40].count == $count + 1 && $pc == $behind
stepi 20
reverse-continue
print interrupts[0x40].count == $count
