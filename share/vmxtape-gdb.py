"""share/vmxtape-gdb.py - what gdb can do more when it debugs a tape

    (gdb) source /usr/local/share/vmxtape/vmxtape-gdb.py
    (gdb) target remote | vmxtape gdb --stdio tape.vxt

Everything works without it. It adds `info vmcs`, the commands of `monitor` as `vmx ...` with completion,
`vmx files`, which loads what --symbols named, makes gdb look again after a command that moves, and lets a breakpoint whose address has no event be known by its
number, with its commands, where it stops: at the first event inside its function.
"""
import re

import gdb

PLACE = re.compile(r'^@\d+ of \d+, thread (\d+)\.(\d+)', re.M)
STOPPED_FOR = re.compile(r'^stopped for the breakpoint at (0x[0-9a-f]+)', re.M)


def monitor(command):
    return gdb.execute('monitor ' + command, to_string=True)


def look_again():
    """Forget what gdb read before, and go to the thread that is next on the tape.

    L2 is no thread of gdb's before gdb has stopped in it: a step leads there.
    """
    gdb.execute('maintenance flush register-cache', to_string=True)
    found = PLACE.search(monitor('where'))
    if not found:
        return
    wanted = (int(found.group(1)), int(found.group(2)))
    for inferior in gdb.inferiors():
        for thread in inferior.threads():
            if thread.ptid[:2] == wanted:
                thread.switch()
    gdb.execute('frame')


def has_address(point, address):
    return any(location.address == address for location in point.locations)


def stop_at(points):
    """What gdb does where it has met breakpoints of its own."""
    for point in points:
        gdb.write("%s %d: the first event inside '%s'\n" % (
            'Temporary breakpoint' if point.temporary else 'Breakpoint', point.number, point.location))
        commands = re.sub(r'^silent\n', '', point.commands or '')
        if point.temporary:
            point.delete()
        if commands:
            gdb.execute(commands)


def take_others(event):
    """gdb knows a breakpoint that it has met by its address; vmxtape tells of those that stop elsewhere."""
    found = not isinstance(event, gdb.BreakpointEvent) and STOPPED_FOR.search(monitor('where'))
    if found:
        stop_at([point for point in gdb.breakpoints()
                 if point.enabled and has_address(point, int(found.group(1), 16))])


def has_file(command):
    return any("'%s'" % objfile.filename in command for objfile in gdb.objfiles())


def threads_of(level):
    return [thread for inferior in gdb.inferiors() if inferior.pid == level for thread in inferior.threads()]


def load_files(commands):
    """What `monitor files` says, done; for L2 only when gdb has stopped in it."""
    before, level = gdb.selected_thread(), 1
    for command in commands:
        if command.startswith('inferior '):
            level = int(command.split()[1])
            continue
        if not threads_of(level):
            gdb.write("L2 is no process yet: 'vmx files' again, when gdb has stopped in it\n")
            continue
        threads_of(level)[0].switch()
        if not has_file(command):
            gdb.write(command + '\n')
            gdb.execute(command, to_string=True)
    if before:
        before.switch()


class Vmx(gdb.Command):
    """vmx COMMAND: a command of vmxtape; 'vmx help' lists them."""

    def __init__(self):
        super().__init__('vmx', gdb.COMMAND_DATA)
        self.names = []

    def invoke(self, argument, from_tty):
        del from_tty
        words = argument.split()
        text = monitor(argument or 'help')
        if words and len(words[0]) > 2 and 'files'.startswith(words[0]):
            load_files(text.splitlines())
            return
        moves = words and len(words[0]) > 1 and 'goto'.startswith(words[0])
        gdb.write(''.join(line + '\n' for line in text.splitlines()
                          if not (moves and line.startswith('gdb looks again'))))
        if moves:
            look_again()

    def complete(self, text, word):
        words = text.split()
        if len(words) > 1 or text.endswith(' '):
            if words and words[0] in ('blame', 'watch', 'unwatch'):
                return [name for name in fields() if name.startswith(word or '')]
            return gdb.COMPLETE_NONE
        if not self.names:
            self.names = re.findall(r'^([a-z]+) ', monitor('help'), re.M)
        return [name for name in self.names if name.startswith(text)]


def fields():
    """Names of the fields of the VMCS: the registers behind all others."""
    try:
        frame = gdb.selected_frame()
    except gdb.error:
        return []
    names = [register.name for register in frame.architecture().registers()]
    return names[names.index('event_tsc') + 1:] if 'event_tsc' in names else []


class InfoVmcs(gdb.Command):
    """info vmcs [PART]: the current VMCS; only fields with PART in their names."""

    def __init__(self):
        super().__init__('info vmcs', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        del from_tty
        for line in monitor('vmcs').splitlines():
            if not argument or argument in line.split('  ')[1 if line.startswith('  ') else 0]:
                gdb.write(line + '\n')

    def complete(self, text, word):
        return [name for name in fields() if name.startswith(word or '')]


class VmcsField(gdb.Function):
    """$_vmcs("guest_cr4"): a field of the current VMCS; void when it is unknown."""

    def __init__(self):
        super().__init__('_vmcs')

    def invoke(self, name):
        value = gdb.selected_frame().read_register(name.string())
        return value if not value.is_optimized_out else gdb.Value(None)


gdb.events.stop.connect(take_others)
Vmx()
InfoVmcs()
VmcsField()
# Code that cannot have changed is taken from the file: tapes seldom hold it.
gdb.execute('set trust-readonly-sections on')
