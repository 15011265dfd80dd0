# tape: l1_vmware_like ticks=3 exits=40
monitor help
monitor help wh
monitor b
monitor nonsense
monitor where
monitor goto @entry:3
monitor wher
monitor vmcs
monitor diff @entry:2
monitor blame guest_rip -n 2
monitor why @entry:3
monitor events 4
monitor findings
monitor files
monitor stat
monitor caps
monitor bookmark here
monitor bookmark @x
monitor goto @50%
monitor bookmark
monitor goto here
monitor goto nowhere
monitor phys l1
monitor phys off
