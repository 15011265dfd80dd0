# have: e2e/kvm_default.vxt guests/kvm/dbg/kvm-intel.ko guests/kvm/dbg/vmlinux
# options: -S l1={build}/guests/kvm/dbg/kvm-intel.ko
# prelude: python module = '{build}/guests/kvm/dbg/kvm-intel.ko'
# prelude: file {build}/guests/kvm/dbg/vmlinux
python
import subprocess
names = subprocess.run(['nm', module], capture_output=True, text=True, check=True).stdout
offsets = {line.split()[2]: int(line.split()[0], 16) for line in names.splitlines()
           if len(line.split()) == 3}
def start_of(name):
    where = gdb.execute('monitor symbol ' + name, to_string=True).split()
    return int(where[1], 16) - offsets[name]
gdb.execute('add-symbol-file %s %#x -s .noinstr.text %#x' % (
    module, start_of('vmx_vcpu_run'), start_of('__vmx_vcpu_run')), to_string=True)
end
echo == break FUNCTION\n
break vmx_vcpu_run
continue
echo == bt\n
backtrace 3
frame 2
print run_flags
ptype struct loaded_vmcs
echo == list\n
info line vmx_vcpu_run
list
echo == where KVM lets L2 run\n
delete
break __vmx_vcpu_run
continue
backtrace 1
echo == why\n
monitor goto @entry:100
monitor why
