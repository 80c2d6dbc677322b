"""What the tests of the program share: running it, servers that end with the test, checks."""

import contextlib
import hashlib
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("BUILD") or os.path.join(os.path.dirname(__file__), "..", "..", "build")
CONDUIT = os.path.join(os.path.abspath(BUILD), "conduit")
PATIENCE = 60  # seconds: sanitizers and loaded machines are slow

checks = 0


class Failed(Exception):
    """A check did not hold."""


def check(condition, *what):
    global checks
    checks += 1
    if not condition:
        raise Failed(" ".join(str(w) for w in what))


def equal(got, wanted, *what):
    check(got == wanted, *what, f"expected {wanted!r}, got {got!r}")


def run(*args, **options):
    """Runs the program to its end; its output is text."""
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    if "input" in options:
        del options["stdin"]
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([CONDUIT, *args], timeout=PATIENCE, **options)


def expect(args, status, error=None, output=None, **options):
    """Runs it and checks the exit status, the one line of error, and the output."""
    done = run(*args, **options)
    said = done.stderr.decode("utf-8", "replace")
    equal(done.returncode, status, args, said)
    if error is not None:
        equal(said, error and "conduit: " + error + "\n", args)
    if output is not None:
        equal(done.stdout, output if isinstance(output, bytes) else output.encode(), args)
    return done


class Server:
    """serve or proxy, listening; one endpoint for each line it prints."""

    def __init__(self, *args, listeners=1, prefix=(), **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        self.process = subprocess.Popen([*prefix, CONDUIT, *args], stderr=subprocess.PIPE, **options)
        self.endpoints = []
        for _ in range(listeners):
            line = self.process.stdout.readline().decode()
            if not line.startswith("listening "):
                raise Failed(f"{args}: {line!r} {self.process.stderr.read()!r}")
            self.endpoints.append(line[len("listening ") : -1])

    def port(self, index=0):
        return int(self.endpoints[index].rstrip(")").split()[-1])

    def tcp(self, index=0):
        return f"tcp:127.0.0.1:{self.port(index)}"

    def connect(self, index=0):
        connection = socket.create_connection(("127.0.0.1", self.port(index)), PATIENCE)
        connection.settimeout(PATIENCE)
        return connection

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Exit status, and what it said on standard error."""
        said = self.process.stderr.read().decode()
        return self.process.wait(PATIENCE), said

    def stop(self, status=0):
        """Ends it in order, and checks its last line; accepted, closed, aborted."""
        self.signal(signal.SIGTERM)
        code, said = self.wait()
        equal(code, status, said)
        words = said.rstrip("\n").split("\n")[-1].replace(",", "").split()
        check(len(words) == 7 and words[0] == "drained:", said)
        accepted, closed, aborted = int(words[1]), int(words[3]), int(words[5])
        equal(accepted, closed + aborted, said)
        return accepted, closed, aborted

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout and self.process.stdout.close()
        self.process.stderr.close()


def random_file(path, size):
    """Writes random bytes; returns their SHA-256."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        while size:
            piece = os.urandom(min(size, 1 << 20))
            digest.update(piece)
            file.write(piece)
            size -= len(piece)
    return digest.hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="conduit-test-")
    try:
        yield path
    finally:
        shutil.rmtree(path)


def receive(connection, size):
    """Exactly so many bytes, or what came before the end."""
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


def receive_all(connection):
    data = bytearray()
    while piece := connection.recv(1 << 16):
        data += piece
    return bytes(data)


def main(*tests):
    """Runs functions, each with a line; the exit status tells."""
    failed = 0
    for test in tests:
        before = checks
        begin = time.monotonic()
        try:
            test()
            result = "ok"
        except (Failed, OSError, subprocess.TimeoutExpired) as error:
            failed += 1
            result = f"FAILED: {type(error).__name__}: {error}"
        seconds = time.monotonic() - begin
        print(f"{test.__name__}: {checks - before} checks, {seconds:.2f} s: {result}", flush=True)
    print(f"{len(tests)} parts, {failed} failed, {checks} checks")
    sys.exit(1 if failed else 0)
