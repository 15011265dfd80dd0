# tape: l1_vmware_like ticks=3 exits=40
# hv: capture=default
# options: -S l1={elf}
# place: @entry:5
echo == known, and changed\n
set $before = $event
print *(unsigned long *)($rsp + 0x40)
watch -location *(unsigned long *)($rsp + 0x40)
continue
print $event > $before
continue
echo == backwards\n
set $before = $event
reverse-continue
print $event < $before
delete
echo == told again and again, never changed\n
watch -location *(unsigned long *)($rsp + 0x28)
continue
