# tape: l1_vmware_like ticks=3 exits=40
monitor goto @entry:1
maintenance flush register-cache
echo == write\n
watch *(unsigned long *)(0x564d435300000000 + 8 * 0x681e)
continue
continue
reverse-continue
delete
echo == read\n
rwatch *(unsigned int *)(0x564d435300000000 + 8 * 0x4402)
continue
delete
echo == monitor\n
monitor watch guest_rip
monitor watch
continue
monitor unwatch guest_rip
monitor watch nonsense
continue
