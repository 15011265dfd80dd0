# tape: l1_vmware_like ticks=3 exits=40
# options: -S l1={elf}
# place: @entry:1
echo == tbreak\n
tbreak guest_vmcs_read
continue
echo == until\n
set $before = $event
until guest_vmcs_write
print $event - $before < 10
echo == advance\n
advance guest_vmcs_read
echo == stepi with a count\n
set $before = $event
stepi 3
nexti
print $event - $before
echo == kill\n
kill
