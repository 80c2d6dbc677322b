"""Contenders side by side: they take turns (A B C, A B C, ...), so that a noisy machine is equally unkind
to all. Kinds of workloads: servers, each started on one CPU, loaded from another by bench/load and stopped
(Served); programs that measure themselves (Alone); servers of which a function finds out something (Asked)."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["BUILD"]
CPUS = sorted(os.sched_getaffinity(0))


def say(text):
    print(text, file=sys.stderr, flush=True)


def progress(text=""):
    """A line that the next one overwrites; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def on_cpu(index):
    """For subprocess: the server gets the first CPU, the load the second one."""
    return lambda: os.sched_setaffinity(0, {CPUS[index % len(CPUS)]})


class Identity:
    """A key and a certificate for TLS servers, P-256, made once."""
    folder = None

    @classmethod
    def files(cls):
        if cls.folder is None:
            cls.folder = tempfile.TemporaryDirectory()
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-days", "2", "-subj", "/CN=conduit.test",
                            "-keyout", cls.folder.name + "/key.pem", "-out", cls.folder.name + "/cert.pem"],
                           check=True, stderr=subprocess.DEVNULL)
        return [cls.folder.name + "/cert.pem", cls.folder.name + "/key.pem"]


class CannotTakePart(Exception):
    """A contender that has nothing of this kind; the text says what."""


class Contender:
    """A program that was built: a small server of peers/ unless it is said. It may have a scheme and an
    environment of its own, and first arguments."""

    def __init__(self, name, program=None, arguments=(), scheme=None, **environment):
        self.name, self.arguments, self.scheme, self.environment = name, arguments, scheme, environment
        self.program = f"{BUILD}/bench/{program or 'peers/' + name}"

    def missing(self):
        """Why it cannot take part; None if it can."""
        if os.path.exists(self.program + ".skipped"):
            with open(self.program + ".skipped", encoding="utf-8") as reason:
                return reason.read().strip()
        return None if os.path.exists(self.program) else "not built"

    def start(self, mode, scheme, cpu=0, before=()):
        """(process, address) of the server; `before` is a command that runs it."""
        scheme = self.scheme or scheme
        address = {"unix": f"{BUILD}/bench/socket", "vchan": "vchan"}.get(scheme, "127.0.0.1:0")
        command = [*before, self.program, mode, address] + (Identity.files() if scheme == "tls" else [])
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=on_cpu(cpu),
                                  env={**os.environ, **self.environment})
        address = server.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"{self.name}: does not listen (status {server.wait()})")
        return server, f"{scheme}:{address}"

    def stopped(self):
        """The server has been stopped."""


# Workloads: once() makes one run with a contender and returns its figures. `operations` are those of a full
# run; a quick one takes a tenth, if the workload `scales`.

class Served:
    """A mode of the servers, and the load's arguments. System calls are counted where the load is a closed
    loop."""
    scales = True

    def __init__(self, name, contenders, scheme, work, operations, mode="echo"):
        self.name, self.contenders, self.scheme, self.mode = name, contenders, scheme, mode
        self.work, self.operations = work.split(), operations
        connections = self.option("-c", 1)
        self.counts_calls = self.work[0] != "idle" and not self.option("-r", 0) and connections <= 1000
        self.traced = max(2000, 20 * connections)  # operations while calls are counted
        self.warm = 0 if self.work[0] == "send" else 0.1  # what the load adds to the operations

    def option(self, name, default):
        """An option of the load."""
        return int(self.work[self.work.index(name) + 1]) if name in self.work else default

    def once(self, contender, operations, before=()):
        server, address = contender.start(self.mode, self.scheme, before=before)
        try:
            command = [f"{BUILD}/bench/load", self.work[0], address, *self.work[1:],
                       "-n", str(operations), "-p", str(server.pid)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=on_cpu(1), check=False,
                                  timeout=300)
            if done.returncode != 0 or server.poll() is not None:
                raise RuntimeError(f"{self.name}, {contender.name}: load {done.returncode}, server {server.poll()}")
            return self.one_way(json.loads(done.stdout))
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
    """Programs that measure themselves: PROGRAM WORK OPERATIONS prints a line of JSON."""
    warm, traced = 0, 20000

    def __init__(self, name, contenders, work, operations, counts_calls=False, scales=True):
        self.name, self.contenders, self.work, self.operations = name, contenders, work.split(), operations
        self.counts_calls, self.scales = counts_calls, scales

    def once(self, contender, operations, before=()):
        command = [*before, contender.program, *contender.arguments, *self.work, str(operations)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              timeout=300, env={**os.environ, **contender.environment})
        if done.returncode == 77:
            raise CannotTakePart(done.stderr.strip().splitlines()[-1])
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}, {contender.name}: {done.stderr}status {done.returncode}")
        return json.loads(done.stdout)


class Asked:
    """Servers of which a function finds out something; operations mean nothing to it."""
    counts_calls, scales, operations = False, False, 1

    def __init__(self, name, contenders, function):
        self.name, self.contenders, self.function = name, contenders, function

    def once(self, contender, _):
        return self.function(contender)


# ---- system calls ----------------------------------------------------------------------------------

def summary(path):
    """{call: how often} of a summary of strace -c, which comes when all that it traces has ended."""
    for _ in range(500):
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        if lines and lines[-1].split()[-1:] == ["total"]:
            rows = [line.split() for line in lines[:-1]]
            return {row[4]: int(row[3]) for row in rows if len(row) == 5 and row[3].isdigit()}
        time.sleep(0.01)
    raise RuntimeError(f"strace has written no summary: {lines}")


STRACE = ["strace", "-D", "-f", "-c", "-U", "time-percent,total-time,avg-time,calls,name", "-o"]


def system_calls(workload, contender, operations):
    """For each operation, by the name of the call: what as many operations again cost more. Under strace
    the server is slower than any load, so that each wait finds all that can be there."""
    counts = []
    for factor in (1, 2):
        with tempfile.NamedTemporaryFile() as file:
            workload.once(contender, operations * factor, [*STRACE, file.name])
            counts.append(summary(file.name))
    more = {name: count - counts[0].get(name, 0) for name, count in counts[1].items()}
    return {name: count / operations / (1 + workload.warm) for name, count in more.items() if count > 0}


# ---- a contest -------------------------------------------------------------------------------------

def figures(run):
    """Those of one run, by name."""
    flat = {key: value for key, value in run.items() if isinstance(value, (int, float))}
    for name in ("latency", "late"):
        flat.update({f"{name}_{key}_us": value for key, value in run.get(name + "_us", {}).items()})
    if "user_instructions" in run and "kernel_instructions" in run:
        flat["instructions"] = run["user_instructions"] + run["kernel_instructions"]
    return flat


def median_and_spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def paired_ratios(ours, theirs):
    """Ours divided by theirs, round by round, of all that both have."""
    ratios = {}
    for key in ours[0]:
        pairs = [a[key] / b[key] for a, b in zip(ours, theirs) if a.get(key) and b.get(key)]
        if len(pairs) == len(ours):
            ratios[key] = median_and_spread(pairs)
    return ratios


class Contest:
    """A workload and those that take part; the first one is ours."""

    def __init__(self, workload, operations):
        self.workload, self.operations = workload, operations
        self.skipped, self.runs = {}, {}
        for contender in workload.contenders:
            if contender.missing():
                self.leave_out(contender, contender.missing())
            else:
                self.runs[contender.name] = []

    def leave_out(self, contender, reason):
        say(f"SKIPPED {self.workload.name}, {contender.name}: {reason}")
        self.skipped[contender.name] = reason
        self.runs.pop(contender.name, None)

    def contenders(self):
        return [contender for contender in self.workload.contenders if contender.name in self.runs]

    def round(self, title):
        for contender in self.contenders():
            progress(f"{self.workload.name}: {title}, {contender.name}")
            try:
                self.runs[contender.name].append(figures(self.workload.once(contender, self.operations)))
            except CannotTakePart as reason:
                self.leave_out(contender, str(reason))

    def medians(self):
        medians = {}
        for name, rows in self.runs.items():
            keys = sorted(set.intersection(*(set(row) for row in rows)))
            medians[name] = {key: median_and_spread([row[key] for row in rows]) for key in keys}
        return medians

    def calls(self):
        """What the medians have besides."""
        counted = {}
        for contender in self.contenders() if self.workload.counts_calls else ():
            progress(f"{self.workload.name}: system calls, {contender.name}")
            by_name = system_calls(self.workload, contender, self.workload.traced)
            counted[contender.name] = {"system_calls": median_and_spread([sum(by_name.values())]),
                                       "calls_by_name": by_name}
        return counted

    def ratios(self):
        ours = self.workload.contenders[0].name
        return {name: paired_ratios(self.runs[ours], rows)
                for name, rows in self.runs.items() if ours in self.runs and name != ours}


def contest(workload, rounds, quick):
    it = Contest(workload, max(1, workload.operations // (10 if quick and workload.scales else 1)))
    for number in range(rounds):
        it.round(f"round {number + 1} of {rounds}")
    calls = it.calls()
    progress()
    medians = {name: {**figures, **calls.get(name, {})} for name, figures in it.medians().items()}
    return {"contenders": medians, "ratios": it.ratios(), "skipped": it.skipped}
