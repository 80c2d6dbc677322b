"""Contenders side by side: they take turns (A B C, A B C, ...), so that a noisy machine is equally unkind
to all. Kinds of workloads: servers, each started on one CPU, loaded from another by bench/load and stopped
(Served); programs that measure themselves (Alone); servers of which a function finds out something (Asked)."""
import functools
import json
import os
import re
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import time

from endings import die_with_us

BUILD = os.environ["BUILD"]
CPUS = sorted(os.sched_getaffinity(0))
PATIENCE, LONGEST = 20, 300  # seconds: for a server to listen, for a run
SPARE = 24  # descriptors of a server or a load, besides those of connections
ERRORS = (RuntimeError, OSError, ValueError, subprocess.SubprocessError)


def say(text):
    print(text, file=sys.stderr, flush=True)


@functools.lru_cache(maxsize=None)
def say_once(text):
    progress()
    say(text)


def progress(text=""):
    """A line that the next one overwrites; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def on_cpu(index):
    """For subprocess: the server gets the first CPU, the load the second one."""
    def in_child():
        die_with_us()
        os.sched_setaffinity(0, {CPUS[index % len(CPUS)]})
    return in_child


@functools.lru_cache(maxsize=None)
def identity():
    """(certificate, key) of TLS servers, P-256, made once."""
    folder = tempfile.mkdtemp()
    cert, key = folder + "/cert.pem", folder + "/key.pem"
    try:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=conduit.test", "-keyout", key, "-out", cert],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    except FileNotFoundError as error:
        raise CannotTakePart("there is no openssl to make a certificate") from error
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"openssl makes no certificate: {last_line(error.stderr)}") from error
    return cert, key


@functools.lru_cache(maxsize=None)
def backends():
    """Of TLS, that conduit was built with."""
    text = subprocess.run([f"{BUILD}/conduit", "version"], stdout=subprocess.PIPE, text=True, check=True,
                          timeout=PATIENCE).stdout
    built = re.search(r"^tls: .*compiled in: ([^)]*)\)", text, re.M)
    return built.group(1).split(", ") if built else []


def without(backend):
    """Why a contender cannot take part that needs this backend; None if it can."""
    return None if backend is None or backend in backends() else f"built without {backend}"


def last_line(text):
    return (text or "").strip().rpartition("\n")[2]


def first_line(name, server):
    """What a server says when it listens. One that does not is stopped."""
    said = select.select([server.stdout], [], [], PATIENCE)[0]
    line = server.stdout.readline().strip() if said else ""
    if line:
        return line
    try:
        how = f"status {server.wait(1)}"
    except subprocess.TimeoutExpired:
        how = f"within {PATIENCE} s"
        server.kill()
        server.wait()
    server.stdout.close()
    raise RuntimeError(f"{name} does not listen ({how})")


class CannotTakePart(Exception):
    """A contender that has nothing of this kind; the text says what."""


class Contender:
    """A program that was built: a small server of peers/ unless it is said. It may have a scheme and an
    environment of its own, first arguments, and a backend of TLS that it needs."""

    def __init__(self, name, program=None, arguments=(), scheme=None, backend=None, **environment):
        self.name, self.arguments, self.scheme, self.environment = name, arguments, scheme, environment
        self.backend = backend or environment.get("CONDUIT_TLS")
        self.program = f"{BUILD}/bench/{program or 'peers/' + name}"

    def missing(self):
        """Why it cannot take part; None if it can."""
        if os.path.exists(self.program + ".skipped"):
            with open(self.program + ".skipped", encoding="utf-8") as reason:
                return reason.read().strip()
        return without(self.backend) if os.path.exists(self.program) else "not built"

    def start(self, mode, scheme, cpu=0, before=()):
        """(process, address) of the server; `before` is a command that runs it."""
        scheme = self.scheme or scheme
        address = {"unix": f"{tempfile.gettempdir()}/socket", "vchan": "vchan"}.get(scheme, "127.0.0.1:0")
        command = [*before, self.program, mode, address, *(identity() if scheme == "tls" else ())]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=on_cpu(cpu),
                                  env={**os.environ, **self.environment})
        return server, f"{scheme}:{first_line(self.name, server)}"

    def stopped(self):
        """The server has been stopped."""


# Workloads: once() makes one run with a contender and returns its figures; unable() says why nobody can take
# part here, None if they can. `operations` are those of a full run; a quick one takes a tenth, if the workload
# `scales`.

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
    raise RuntimeError(f"strace has written no summary: {' / '.join(lines)}")


STRACE = ["strace", "-D", "-f", "-c", "-U", "time-percent,total-time,avg-time,calls,name", "-o"]


@functools.lru_cache(maxsize=None)
def cannot_trace():
    """Why; None if it can."""
    with tempfile.NamedTemporaryFile() as file:
        try:
            done = subprocess.run([*STRACE, file.name, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  text=True, timeout=PATIENCE, check=False)
            summary(file.name)  # without a right to trace the program runs all the same
        except FileNotFoundError:
            return "there is no strace"
        except RuntimeError as error:
            return last_line(done.stderr) or str(error)
    return None


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
        self.skipped, self.failed, self.runs = {}, {}, {}
        if workload.unable():
            self.leave_out("all", workload.unable())
            return
        for contender in workload.contenders:
            if contender.missing():
                self.leave_out(contender.name, contender.missing())
            else:
                self.runs[contender.name] = []

    def leave_out(self, name, reason):
        self.report("SKIPPED", self.skipped, name, reason)

    def fail(self, name, reason):
        self.report("FAILED", self.failed, name, reason)

    def report(self, what, where, name, reason):
        progress()
        say(f"{what} {self.workload.name}, {name}: {reason}")
        where[name] = reason
        self.runs.pop(name, None)

    def contenders(self):
        return [contender for contender in self.workload.contenders if contender.name in self.runs]

    def ours(self):
        return [contender for contender in self.contenders() if contender.name.startswith("conduit")]

    def round(self, title):
        for contender in self.contenders():
            progress(f"{self.workload.name}: {title}, {contender.name}")
            try:
                self.runs[contender.name].append(figures(self.workload.once(contender, self.operations)))
            except CannotTakePart as reason:
                self.leave_out(contender.name, str(reason))
            except ERRORS as error:
                self.fail(contender.name, str(error))

    def medians(self):
        medians = {}
        for name, rows in self.runs.items():
            keys = sorted(set.intersection(*(set(row) for row in rows)))
            medians[name] = {key: median_and_spread([row[key] for row in rows]) for key in keys}
        return medians

    def calls(self, operations, contenders):
        """What the medians have besides."""
        counted = {}
        if self.runs and cannot_trace():
            self.leave_out("system calls", cannot_trace())
            return counted
        for contender in contenders:
            progress(f"{self.workload.name}: system calls, {contender.name}")
            try:
                by_name = system_calls(self.workload, contender, operations)
            except ERRORS as error:
                self.fail(f"system calls of {contender.name}", str(error))
                continue
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
    calls = {}
    if workload.counts_calls:
        calls = it.calls(workload.traced // 4, it.ours()) if quick else it.calls(workload.traced, it.contenders())
    progress()
    medians = {name: {**figures, **calls.get(name, {})} for name, figures in it.medians().items()}
    return {"contenders": medians, "ratios": it.ratios(), "skipped": it.skipped, "failed": it.failed}
