"""Servers side by side: each is started on one CPU, loaded from another by bench/load, and stopped; they
take turns (A B C, A B C, ...), so that a noisy machine is equally unkind to all."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

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
    """A small server of bench/peers, with an environment of its own perhaps."""

    def __init__(self, name, program=None, **environment):
        self.name = name
        self.program = f"{BUILD}/bench/peers/{program or name}"
        self.environment = environment

    def missing(self):
        """Why it cannot take part; None if it can."""
        if os.path.exists(self.program + ".skipped"):
            with open(self.program + ".skipped", encoding="utf-8") as reason:
                return reason.read().strip()
        return None if os.path.exists(self.program) else "not built"

    def start(self, mode, scheme, cpu=0):
        address = "127.0.0.1:0"
        if scheme == "unix":
            address = f"{BUILD}/bench/socket"
        command = [self.program, mode, address] + (Identity.files() if scheme == "tls" else [])
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=on_cpu(cpu),
                                  env={**os.environ, **self.environment})
        address = server.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"{self.name}: does not listen (status {server.wait()})")
        return server, f"{scheme}:{address}"

    def stopped(self):
        """The server has been stopped."""


class Workload:
    """What is measured: a mode of the servers and the load's arguments. `operations` are those of a full
    run; a quick one takes a tenth."""

    def __init__(self, name, contenders, scheme, work, operations, mode="echo"):
        self.name, self.contenders, self.scheme, self.mode = name, contenders, scheme, mode
        self.work, self.operations = work.split(), operations

    def once(self, contender, quick, *more):
        """One run with a fresh server: what the load has printed."""
        operations = ["-n", str(max(1, self.operations // (10 if quick else 1)))]
        server, address = contender.start(self.mode, self.scheme)
        try:
            command = [f"{BUILD}/bench/load", self.work[0], address, *self.work[1:], *operations, *more,
                       "-p", str(server.pid)]
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


def instructions(run):
    """User and kernel together; None if they were not counted."""
    if "user_instructions" in run and "kernel_instructions" in run:
        return run["user_instructions"] + run["kernel_instructions"]
    return None


def figures(run):
    """The figures of one run, by name."""
    flat = {key: value for key, value in run.items() if not isinstance(value, dict)}
    flat.update({f"latency_{key}_us": value for key, value in run.get("latency_us", {}).items()})
    if instructions(run) is not None:
        flat["instructions"] = instructions(run)
    return flat


def median_and_spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def paired_ratios(ours, theirs):
    """Ours divided by theirs, round by round: below 1 is better."""
    ratios = {}
    for key in ("user_instructions", "kernel_instructions", "instructions", "cpu_us", "latency_p50_us", "private_bytes"):
        pairs = [a[key] / b[key] for a, b in zip(ours, theirs) if a.get(key) and b.get(key)]
        if pairs:
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
    runs = {contender.name: [] for contender in present}
    for number in range(rounds):
        for contender in present:
            progress(f"{workload.name}: round {number + 1} of {rounds}, {contender.name}")
            runs[contender.name].append(figures(workload.once(contender, quick)))
    results = {}
    for contender in present:
        rows = runs[contender.name]
        keys = set.intersection(*(set(row) for row in rows))
        results[contender.name] = {key: median_and_spread([row[key] for row in rows]) for key in sorted(keys)}
        progress(f"{workload.name}: system calls, {contender.name}")
        calls = workload.once(contender, quick, "-y").get("system_calls")
        if calls is not None:
            results[contender.name]["system_calls"] = median_and_spread([calls])
    progress()
    ours = workload.contenders[0].name
    ratios = {name: paired_ratios(runs[ours], rows) for name, rows in runs.items() if ours in runs and name != ours}
    return {"contenders": results, "ratios": ratios, "skipped": skipped}
