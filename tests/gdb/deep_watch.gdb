# tape: l1_vmware_like ticks=3 exits=40
# hv: capture=deep deep=5:12
# options: -S l1={elf}
# at: kind==vmread && n>490
watch -location *((unsigned long *)&l2 + 2)
echo == what it was goes onto the tape with the first store\n
continue
set $first = $event
continue
set $second = $event
continue
set $third = $event
print $first < $second && $second < $third
echo == back over the same, also where L2 ran last\n
reverse-continue
print $event < $third && $event >= $second
reverse-continue
print $event < $second && $event >= $first
continue
print $event == $second
