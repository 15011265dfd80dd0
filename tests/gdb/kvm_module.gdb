# have: e2e/kvm.vxt guests/kvm/kvm-intel.ko
# options: -S l1={build}/guests/kvm/kvm-intel.ko
# prelude: source share/vmxtape-gdb.py
vmx files
vmx files
break vmx_vcpu_run
continue
backtrace 1
print $event
delete
stepi 5
reverse-stepi 5
print $event
monitor goto @entry:100
maintenance flush register-cache
info threads
print $primary_proc_based_controls
stepi
print $guest_rip == $rip
info inferiors
