"""Contenders side by side: they take turns (A B C, A B C, ...), so that a noisy machine is equally unkind
to all. Two kinds of workloads: servers, each started on one CPU, loaded from another by bench/load and
stopped (Served); and programs that measure themselves (Alone)."""
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


class Contender:
    """A program that was built, with an environment of its own perhaps; `program` is its path below
    BUILD/bench, a small server of peers/ unless it is said."""

    def __init__(self, name, program=None, **environment):
        self.name = name
        self.program = f"{BUILD}/bench/{program or 'peers/' + name}"
        self.environment = environment

    def missing(self):
        """Why it cannot take part; None if it can."""
        if os.path.exists(self.program + ".skipped"):
            with open(self.program + ".skipped", encoding="utf-8") as reason:
                return reason.read().strip()
        return None if os.path.exists(self.program) else "not built"

    def start(self, mode, scheme, cpu=0, before=()):
        """(process, address) of the server; `before` is a command that runs it."""
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


class Served:
    """A mode of the servers, and the load's arguments. `operations` are those of a full run; a quick one
    takes a tenth. `calls`: whether the operations are what system calls are counted for."""

    def __init__(self, name, contenders, scheme, work, operations, mode="echo"):
        self.name, self.contenders, self.scheme, self.mode = name, contenders, scheme, mode
        self.work, self.operations = work.split(), operations
        self.calls = self.work[0] != "idle"

    def once(self, contender, operations, before=()):
        """One run with a fresh server: what the load has printed."""
        server, address = contender.start(self.mode, self.scheme, before=before)
        try:
            command = [f"{BUILD}/bench/load", self.work[0], address, *self.work[1:],
                       "-n", str(max(1, int(operations))), "-p", str(server.pid)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=on_cpu(1), check=False,
                                  timeout=300)
            if done.returncode != 0 or server.poll() is not None:
                raise RuntimeError(f"{self.name}, {contender.name}: load {done.returncode}, server {server.poll()}")
            return json.loads(done.stdout)
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
            contender.stopped()


class Alone:
    """Programs that measure themselves: PROGRAM ARGUMENTS OPERATIONS prints a line of JSON."""

    def __init__(self, name, contenders, work, operations):
        self.name, self.contenders, self.work, self.operations = name, contenders, work.split(), operations
        self.calls = False

    def once(self, contender, operations):
        done = subprocess.run([contender.program, *self.work, str(max(1, int(operations)))], stdout=subprocess.PIPE,
                              text=True, env={**os.environ, **contender.environment}, check=False, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}, {contender.name}: status {done.returncode}")
        return json.loads(done.stdout)


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


def system_calls(workload, contender, operations):
    """For each operation, by the name of the call: what as many operations again cost more. Under strace
    the server is slower than any load, so that each wait finds all that can be there."""
    counts = []
    for factor in (1, 2):
        with tempfile.NamedTemporaryFile() as file:
            workload.once(contender, operations * factor, ["strace", "-D", "-f", "-c", "-U", "time-percent,total-time,"
                          "avg-time,calls,name", "-o", file.name])
            counts.append(summary(file.name))
    # The load adds a tenth of the operations that only warm up.
    extra = 1 if workload.work[0] == "send" else 1.1
    return {name: (count - counts[0].get(name, 0)) / operations / extra for name, count in counts[1].items()
            if count > counts[0].get(name, 0)}


# ---- a contest -------------------------------------------------------------------------------------

def figures(run):
    """The figures of one run, by name."""
    flat = {key: value for key, value in run.items() if isinstance(value, (int, float))}
    flat.update({f"latency_{key}_us": value for key, value in run.get("latency_us", {}).items()})
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


def contest(workload, rounds, quick):
    """Runs a workload with all its contenders; the first one is ours."""
    present, skipped = [], {}
    for contender in workload.contenders:
        reason = contender.missing()
        if reason:
            skipped[contender.name] = reason
            say(f"SKIPPED {contender.name}: {reason}")
        else:
            present.append(contender)
    operations = workload.operations / (10 if quick else 1)
    runs = {contender.name: [] for contender in present}
    for number in range(rounds):
        for contender in present:
            progress(f"{workload.name}: round {number + 1} of {rounds}, {contender.name}")
            runs[contender.name].append(figures(workload.once(contender, operations)))
    results = {}
    for name, rows in runs.items():
        keys = set.intersection(*(set(row) for row in rows))
        results[name] = {key: median_and_spread([row[key] for row in rows]) for key in sorted(keys)}
    if workload.calls:
        for contender in present:
            progress(f"{workload.name}: system calls, {contender.name}")
            calls = system_calls(workload, contender, int(min(operations, 20000)))
            results[contender.name]["calls_by_name"] = calls
            results[contender.name]["system_calls"] = median_and_spread([sum(calls.values())])
    progress()
    ours = workload.contenders[0].name
    ratios = {name: paired_ratios(runs[ours], rows) for name, rows in runs.items() if ours in runs and name != ours}
    return {"contenders": results, "ratios": ratios, "skipped": skipped}
