"""Who takes part: small servers and programs that were built, on which CPU they run, and what they need: a
certificate, a backend of TLS."""
import functools
import os
import re
import select
import subprocess
import tempfile

from endings import die_with_us

BUILD = os.environ["BUILD"]
CPUS = sorted(os.sched_getaffinity(0))
PATIENCE = 20  # seconds for what should not take one
ERRORS = (RuntimeError, OSError, ValueError, subprocess.SubprocessError)


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
