"""Kinds of workloads: servers, each started on one CPU, loaded from another by bench/load and stopped (Served);
programs that measure themselves (Alone); servers of which a function finds out something (Asked).

once() makes one run with a contender and returns its figures; unable() says why nobody can take part here, None
if they can. `operations` are those of a full run; a quick one takes a tenth, if the workload `scales`."""
import json
import os
import resource
import subprocess
import time

from contenders import BUILD, CannotTakePart, backends, identity, last_line, on_cpu
from endings import die_with_us
from terminal import say_once

LONGEST = 300  # seconds of a run
SPARE = 24  # descriptors of a server or a load, besides those of connections


def too_many(connections):
    needed, limit = connections + SPARE, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return f"{needed} descriptors are needed, and the limit is {limit} (ulimit -Hn)" if 0 <= limit < needed else None


def remark(text):
    """What a program says besides its figures, as that it cannot count: once for all runs."""
    for line in text.splitlines():
        say_once(line)


def settle(pid):
    """Until a server has closed all connections, so that its calls are as many in each run."""
    before, now = None, len(os.listdir(f"/proc/{pid}/fd"))
    while before != now:
        time.sleep(0.03)
        before, now = now, len(os.listdir(f"/proc/{pid}/fd"))


COUNTED = ("user_instructions", "kernel_instructions")


def in_two(run, operations):
    """Of half of the operations the time is taken, of the others instructions are counted: with the processor's
    counters on, each sleep and each waking takes longer, and a relay half as much CPU time again."""
    half = max(1, operations // 2)
    timed, counted = run(half, BENCH_TIME_ONLY="1"), run(half)
    return {**timed, **{key: counted[key] for key in COUNTED if key in counted}}


class Served:
    """A mode of the servers, and the load's arguments. System calls are counted where the load is a closed
    loop."""
    scales = True

    def __init__(self, name, contenders, scheme, work, operations, mode="echo"):
        self.name, self.contenders, self.scheme, self.mode = name, contenders, scheme, mode
        self.work, self.operations = work.split(), operations
        connections = self.option("-c", 1)
        self.counts_calls = self.work[0] != "idle" and not self.option("-r", 0) and connections <= 1000
        self.traced = max(4000, 20 * connections)  # operations while calls are counted
        self.warm = 0 if self.work[0] == "send" else 0.1  # what the load adds to the operations

    def unable(self):
        """Why nobody can take part here; None if it can be."""
        if self.scheme == "tls" and not backends():
            return "the load is conduit, which was built without TLS"
        return too_many(self.option("-c", 1))

    def option(self, name, default):
        """An option of the load."""
        return int(self.work[self.work.index(name) + 1]) if name in self.work else default

    def once(self, contender, operations, before=()):
        server, address = contender.start(self.mode, self.scheme, before=before)

        def load(count, **environment):
            command = [f"{BUILD}/bench/load", self.work[0], address, *self.work[1:],
                       "-n", str(count), "-p", str(server.pid)]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                                  preexec_fn=on_cpu(1), timeout=LONGEST, env={**os.environ, **environment})
            ended = server.poll()
            if done.returncode != 0 or ended is not None:
                raise RuntimeError((f"the server has ended (status {ended}); " if ended is not None else "")
                                   + (last_line(done.stderr) or f"load: status {done.returncode}"))
            remark(done.stderr)
            return json.loads(done.stdout)

        try:
            if before:
                load(operations)
                return settle(server.pid)
            return load(operations) if self.work[0] == "idle" else self.one_way(in_two(load, operations))
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
            contender.stopped()

    def one_way(self, run):
        """Of bytes that go one way it is better known what a GiB costs, and how fast they are."""
        if self.work[0] in ("send", "take"):
            size = self.option("-s", 64)
            run["mb_per_s"] = run["operations"] * size / run["seconds"] / 1e6
            if "cpu_us" in run:
                run["cpu_ms_per_gib"] = run["cpu_us"] / 1000 * (1 << 30) / size
        return run


class Alone:
    """Programs that measure themselves: PROGRAM WORK OPERATIONS prints a line of JSON. A `tls` one has the files
    of an identity behind WORK; of a `timed` one the time is a figure."""
    warm, traced = 0, 20000

    def __init__(self, name, contenders, work, operations, counts_calls=False, scales=True, tls=False, descriptors=0,
                 timed=False):
        self.name, self.contenders, self.work, self.operations = name, contenders, work.split(), operations
        self.timed = timed
        self.counts_calls, self.scales, self.tls, self.descriptors = counts_calls, scales, tls, descriptors

    def unable(self):
        return too_many(self.descriptors)

    def once(self, contender, operations, before=()):
        def run(count, **environment):
            return self.run([*before, contender.program, *contender.arguments, *self.work,
                             *(identity() if self.tls else ()), str(count)], {**contender.environment, **environment})
        return in_two(run, operations) if self.timed and not before else run(operations)

    def run(self, command, environment):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              timeout=LONGEST, preexec_fn=die_with_us, env={**os.environ, **environment})
        if done.returncode == 77:
            raise CannotTakePart(last_line(done.stderr) or last_line(done.stdout))
        if done.returncode != 0:
            raise RuntimeError(last_line(done.stderr) or f"status {done.returncode}")
        remark(done.stderr)
        return json.loads(done.stdout)


class Asked:
    """Servers of which a function finds out something; operations mean nothing to it."""
    counts_calls, scales, operations = False, False, 1

    def __init__(self, name, contenders, function):
        self.name, self.contenders, self.function = name, contenders, function

    def unable(self):
        return None

    def once(self, contender, _):
        return self.function(contender)
