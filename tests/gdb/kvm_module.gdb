# have: e2e/kvm.vxt guests/kvm/kvm-intel.ko
# options: -S l1={build}/guests/kvm/kvm-intel.ko
# prelude: python module = '{build}/guests/kvm/kvm-intel.ko'
python
import subprocess
names = subprocess.run(['nm', module], capture_output=True, text=True, check=True).stdout
offset = next(int(line.split()[0], 16) for line in names.splitlines()
              if line.endswith(' vmx_vcpu_run'))
where = gdb.execute('monitor symbol vmx_vcpu_run', to_string=True).split()
gdb.execute('add-symbol-file %s %#x' % (module, int(where[1], 16) - offset), to_string=True)
end
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
