"""tests/gdb/session.py - a second client of the stub, and what only it can do

It speaks the protocol itself: latency, Ctrl-C, several gdbs one after the other, and clients that break the
rules. tests/gdb/run runs each function of TESTS; what it returns is what is wrong, None when nothing is.
"""
import random
import re
import socket
import subprocess
import time

TAPE = 'l1_vmware_like ticks=3 exits=40'
SECONDS = 30


class Server:
    """A `vmxtape gdb` that listens at a free port."""

    def __init__(self, words):
        self.process = subprocess.Popen(words + ['--listen', '127.0.0.1:0'],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r'target remote (\S+)', line)
        if not found:
            raise RuntimeError("the server says '%s'" % line.strip())
        self.address = found.group(1)

    def stop(self):
        """Ends it, and says what is wrong with how it ended."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return 'the server does not end'
        rest = self.process.stderr.read()
        if self.process.returncode:
            return 'the server ended with %d: %s' % (self.process.returncode, rest[-2000:])
        return None

    def memory(self):
        """Its resident memory, in KiB."""
        with open('/proc/%d/status' % self.process.pid, encoding='utf-8') as file:
            return int(re.search(r'VmRSS:\s+(\d+)', file.read()).group(1))


def frame(payload):
    return b'$' + payload + b'#%02x' % (sum(payload) & 255)


class Client:
    """One connection, that acknowledges what it gets."""

    def __init__(self, server):
        host, port = server.address.rsplit(':', 1)
        self.socket = socket.create_connection((host, int(port)), SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = b''

    def raw(self, data):
        self.socket.sendall(data)

    def receive(self):
        while True:
            found = re.match(rb'[+-]*\$([^#]*)#..', self.bytes, re.S)
            if found:
                self.bytes = self.bytes[found.end():]
                return found.group(1)
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError('the server closed the connection')
            self.bytes += more

    def ask(self, payload):
        """The answer to a packet, without what is for the console."""
        self.raw(frame(payload.encode()))
        while True:
            answer = self.receive()
            self.raw(b'+')
            if answer == b'OK' or not answer.startswith(b'O'):
                return answer.decode(errors='replace')

    def monitor(self, command):
        self.raw(frame(b'qRcmd,' + command.encode().hex().encode()))
        text = b''
        while True:
            answer = self.receive()
            self.raw(b'+')
            if answer == b'OK' or not answer.startswith(b'O'):
                return text.decode(errors='replace')
            text += bytes.fromhex(answer[1:].decode())

    def begin(self):
        self.ask('qSupported:multiprocess+;swbreak+;hwbreak+')
        self.ask('QStartNoAckMode')
        return self

    def close(self):
        self.socket.close()


def rip_of(answer):
    found = re.search(r';10:([0-9a-f]{16});', answer)
    return int.from_bytes(bytes.fromhex(found.group(1)), 'little') if found else None


def place_of(client):
    return int(re.match(r'@(\d+) of', client.monitor('where')).group(1))


# --- what must work ---------------------------------------------------------------------------------


def a_second_client_attaches(server):
    """python, without processes and without acknowledgements being switched off."""
    client = Client(server)
    answer = client.ask('qSupported')
    if 'ReverseStep+' not in answer or 'multiprocess' in answer:
        return "qSupported: '%s'" % answer
    if client.ask('qfThreadInfo') != 'm1,1001':
        return 'threads: ' + client.ask('qfThreadInfo')
    first = place_of(client)
    for _ in range(300):
        answer = client.ask('s')
        if not answer.startswith('T0'):
            return "step: '%s'" % answer
    for _ in range(300):
        answer = client.ask('bs')
    if place_of(client) != first:
        return '300 steps forth and back end at %d, not %d' % (place_of(client), first)
    if rip_of(answer) is None or len(client.ask('g')) < 2 * 560:
        return 'no registers'
    return None


def a_thousand_steps_take_no_second(server):
    client = Client(server).begin()
    start = time.monotonic()
    for _ in range(1000):
        client.ask('vCont;s:p1.1;c:p1.-1')
    seconds = time.monotonic() - start
    # Three times what it may take, since other things run here.
    return None if seconds < 3 else '1,000 steps took %.1f s' % seconds


def the_tape_stays_where_a_client_left_it(server):
    client = Client(server).begin()
    client.monitor('goto @300')
    client.close()
    time.sleep(0.2)
    client = Client(server).begin()
    if place_of(client) != 300:
        return 'at %d' % place_of(client)
    client.ask('D')
    time.sleep(0.2)
    return None if place_of(Client(server).begin()) == 300 else 'moved by detaching'


def a_second_gdb_is_turned_away(server):
    first = Client(server).begin()
    second = Client(server)
    second.raw(frame(b'qC'))
    try:
        second.receive()
        return 'the second was answered'
    except ConnectionError:
        pass
    return None if first.ask('qC') == 'QCp1.1' else 'the first lost its place'


def every_position_is_the_same_both_ways(server):
    client = Client(server).begin()
    forth = []
    for _ in range(200):
        answer = client.ask('vCont;s:p1.1;c')
        if 'exec:' in answer:
            answer = client.ask('vCont;c')
        forth.append((client.ask('p53'), client.ask('g')))
    for registers in reversed(forth):
        if (client.ask('p53'), client.ask('g')) != registers:
            return 'registers differ at %d' % place_of(client)
        client.ask('bs')
    return None


# --- what must break nothing ------------------------------------------------------------------------


def is_alive(server):
    """The server still serves somebody decent, when it has noticed that the last one is gone."""
    for _ in range(50):
        client = Client(server)
        try:
            answer = client.ask('qC')
            return None if answer.startswith('QC') else "qC is answered by '%s'" % answer
        except ConnectionError:
            time.sleep(0.1)
        finally:
            client.close()
    return 'nobody is served any more'


def random_packets_break_nothing(server):
    dice = random.Random(1)
    letters = b'?gGmMpPsScCzZHTvqQXDkRbB!,;:.-0123456789abcdef'
    words = [b'vCont;', b'vCont?', b'qXfer:features:read:target.xml:', b'qXfer:threads:read::',
             b'qRcmd,', b'Hg', b'Z0,', b'Z2,564d435300000000,', b'm', b'bs', b'bc', b's', b'c']
    for _ in range(8):
        client = Client(server)
        data = b''
        for _ in range(300):
            payload = dice.choice(words) if dice.random() < 0.6 else b''
            payload += bytes(dice.choice(letters) for _ in range(dice.randrange(24)))
            if payload.startswith((b'k', b'vKill', b'D')):
                continue
            data += frame(payload) if dice.random() < 0.9 else payload
        try:
            client.raw(data)
            client.socket.settimeout(0.5)
            while client.socket.recv(65536):
                pass
        except OSError:
            pass
        client.close()
    return is_alive(server)


def noise_breaks_nothing(server):
    dice = random.Random(2)
    for _ in range(20):
        client = Client(server)
        try:
            client.raw(bytes(dice.randrange(256) for _ in range(20000)))
        except OSError:
            pass
        client.close()
    return is_alive(server)


def wrong_checksums_are_asked_for_again(server):
    client = Client(server)
    client.raw(b'$qC#00')
    answer = client.socket.recv(16)
    if answer != b'-':
        return "answered by '%s'" % answer
    return None if client.ask('qC').startswith('QC') else 'no answer afterwards'


def packets_of_ten_megabytes_take_no_memory(server):
    client = Client(server)
    client.ask('qC')
    before = server.memory()
    client.raw(b'$' + b'm' * (10 << 20))
    client.raw(b'#01')
    answer = client.socket.recv(16)
    if answer[:1] != b'-':
        return "answered by '%s'" % answer
    grown = server.memory() - before
    return None if grown < 2048 else 'grew by %d KiB' % grown


def floods_take_no_memory(server):
    """Packets, whose answers nobody reads: the server stops reading."""
    before = server.memory()
    client = Client(server)
    client.ask('QStartNoAckMode')
    client.socket.settimeout(3)
    data = frame(b'qXfer:features:read:target.xml:0,3fff') * 200
    sent = 0
    try:
        while sent < 64 << 20:
            sent += client.socket.send(data)
    except (socket.timeout, BlockingIOError):
        pass
    grown = server.memory() - before
    client.close()
    return is_alive(server) or (None if grown < 8192 else 'grew by %d KiB' % grown)


def clients_that_leave_at_any_byte_break_nothing(server):
    talk = (frame(b'qSupported:multiprocess+') + b'+' + frame(b'QStartNoAckMode') + b'+' +
            frame(b'?') + frame(b'g') + frame(b'Z0,1000,1') + frame(b'vCont;c') + b'\x03' +
            frame(b'm1000,40') + frame(b'qRcmd,776879') + frame(b'bc'))
    for size in range(1, len(talk) + 1):
        client = Client(server)
        try:
            client.raw(talk[:size])
        except OSError:
            pass
        client.close()
    return is_alive(server)


def ctrl_c_while_standing_is_no_packet(server):
    client = Client(server).begin()
    client.raw(b'\x03\x03\x03')
    return None if client.ask('qC') == 'QCp1.1' else 'no answer'


def other_addresses_need_a_flag(server):
    del server
    done = subprocess.run([BINARY, 'gdb', '--listen', '0.0.0.0:0', TAPE_PATH],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode != 2 or '--anywhere' not in done.stderr:
        return 'status %d: %s' % (done.returncode, done.stderr)
    process = subprocess.Popen([BINARY, 'gdb', '--listen', '0.0.0.0:0', '--anywhere', TAPE_PATH],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    process.terminate()
    process.wait(SECONDS)
    process.stderr.close()
    return None if 'warning' in line else "no warning, but '%s'" % line


def children(server):
    with open('/proc/%d/task/%d/children' % (server.process.pid, server.process.pid),
              encoding='utf-8') as file:
        return [int(pid) for pid in file.read().split()]


def runs(pid):
    """Also what nobody waits for any more is gone."""
    try:
        with open('/proc/%d/stat' % pid, encoding='utf-8') as file:
            return file.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def gone(pids):
    deadline = time.monotonic() + SECONDS
    while any(map(runs, pids)):
        if time.monotonic() > deadline:
            return 'processes of Bochs are left behind'
        time.sleep(0.05)
    return None


def no_machine_is_left_behind(server):
    """However a gdb or the server ends, while the machine stands and while it runs."""
    del server
    wrong = None
    for way in ('leaves', 'kills', 'terminated', 'killed', 'terminated while it runs'):
        server = Server([BINARY, 'gdb', '--rerun', '--once', TAPE_PATH])
        client = Client(server).begin()
        for packet in ('vCont;s', 'bs', 'vCont;s'):
            if 'thread:' not in client.ask(packet):
                return 'no stop'
        machines = children(server)
        if len(machines) < 2:
            return 'only %d machines' % len(machines)
        if way == 'kills':
            client.raw(frame(b'vKill;1'))
        elif way == 'killed':
            server.process.kill()
        elif way == 'terminated while it runs':
            client.raw(frame(b'vCont;c'))
            server.process.terminate()
        elif way == 'terminated':
            server.process.terminate()
        else:
            client.close()
        wrong = wrong or gone(machines)
        server.process.wait(SECONDS)
        client.close()
        server.process.stderr.close()
        if wrong:
            return '%s: %s' % (way, wrong)
    return None


def state_of(client):
    """All registers, the place and the stack: what steps forward and back must not change."""
    registers = client.ask('g')
    sp = int.from_bytes(bytes.fromhex(registers[7 * 16:8 * 16]), 'little')
    return client.monitor('where'), registers, client.ask('m%x,40' % sp)


def is_identity(client, place, steps):
    """What is wrong with so many steps forward and back from there, with states between compared too."""
    client.monitor('goto ' + place)
    # A stop makes the level that runs the one that is asked for.
    for packet in ('vCont;s', 'bs'):
        client.ask(packet)
    states = []
    for _ in range(steps):
        states.append(state_of(client))
        if 'thread:' not in client.ask('vCont;s'):
            return '%s: no step' % place
    while states:
        if 'thread:' not in client.ask('bs'):
            return '%s: no step back' % place
        state, wanted = state_of(client), states.pop()
        if state != wanted:
            return '%s: %d steps on, it comes back to %s and not to %s' % (
                place, len(states), state, wanted)
    return None


def back_is_exactly_back(server):
    """Over entries of L2, exits, hidden exits, and waits."""
    del server
    server = Server([BINARY, 'gdb', '--rerun', '--once', TAPE_PATH])
    client = Client(server)
    client.ask('qSupported')
    wrong = None
    for place in ('@c0:150', '@entry:1', '@entry:9', '@50%'):
        wrong = wrong or is_identity(client, place, 25)
    client.close()
    return wrong or server.stop()


def a_machine_that_runs_stops_for_ctrl_c(server):
    """The way back over all of L1's life, again and again."""
    del server
    server = Server([BINARY, 'gdb', '--rerun', '--once', TAPE_PATH])
    client = Client(server).begin()
    place = client.ask('vCont;c')
    client.raw(frame(b'bc') + b'\x03')
    answer = client.receive().decode()
    client.raw(b'+')
    wrong = server.stop()
    server.process.stderr.close()
    if 'replaylog:end' not in place:
        return "at the end: '%s'" % place
    if not answer.startswith('T02') and 'replaylog:begin' not in answer:
        return "Ctrl-C: '%s'" % answer
    return wrong


def lldb_attaches_steps_and_reads_registers(server):
    """Debian's, without a program: all it knows is what the stub tells of itself."""
    words = ['lldb', '--no-lldbinit', '-b']
    for command in ('gdb-remote ' + server.address, 'thread list', 'register read rip guest_cr4',
                    'thread step-inst', 'register read rip', 'process detach'):
        words += ['-o', command]
    said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=6 * SECONDS, check=False)
    text = said.stdout + said.stderr
    places = re.findall(r'^ *rip = (0x[0-9a-f]{16})', text, re.M)
    wanted = (r'thread #1: tid = ', r'^ *guest_cr4 = ', r'stop reason = instruction step into',
              r'^Process \d+ detached')
    missing = [pattern for pattern in wanted if not re.search(pattern, text, re.M)]
    if said.returncode or missing or len(places) != 2 or places[0] == places[1]:
        return "lldb misses %s, was at %s: '%s'" % (missing, places, text[-1500:])
    return None


TESTS = {test.__name__: test for test in (
    a_second_client_attaches, a_thousand_steps_take_no_second,
    the_tape_stays_where_a_client_left_it, a_second_gdb_is_turned_away,
    every_position_is_the_same_both_ways, random_packets_break_nothing, noise_breaks_nothing,
    wrong_checksums_are_asked_for_again, packets_of_ten_megabytes_take_no_memory,
    floods_take_no_memory, clients_that_leave_at_any_byte_break_nothing,
    ctrl_c_while_standing_is_no_packet, other_addresses_need_a_flag,
    lldb_attaches_steps_and_reads_registers, no_machine_is_left_behind, back_is_exactly_back, a_machine_that_runs_stops_for_ctrl_c)}
BINARY = TAPE_PATH = None


def run(name, program, tape):
    global BINARY, TAPE_PATH
    BINARY, TAPE_PATH = program, tape
    server = Server([BINARY, 'gdb', tape])
    try:
        wrong = TESTS[name](server)
    except (OSError, ConnectionError, AttributeError, ValueError) as error:
        wrong = '%s: %s' % (type(error).__name__, error)
    ended = server.stop()
    server.process.stderr.close()
    return wrong or ended
