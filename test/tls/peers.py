"""What the tests with TLS peers share: the program with certificates, and the peers to talk to:
openssl s_client and s_server, gnutls-cli and gnutls-serv, curl, and Python's ssl module."""

import atexit
import os
import queue
import re
import shutil
import ssl
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))

import cli  # noqa: the path comes first
from cli import *  # noqa
from pki import PASSWORD, Pki  # noqa

NAME = "example.test"
OLD = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"  # a list that leaves only TLS 1.2
VERSIONS = ("1.2", "1.3")


def skip(why):
    print(why)
    sys.exit(77)


def backends():
    """Those built in, as `conduit version` says."""
    text = run("version").stdout.decode()
    built = re.search(r"^tls: .*compiled in: ([^)]*)\)", text, re.M)
    return [b for b in ("wolfssl", "openssl") if built and b in built.group(1)]


BACKENDS = backends()
PAIRS = [(a, b) for a in BACKENDS for b in BACKENDS]


# What a backend cannot, and why: nothing else is left out for one of them. Each is told and counted as skipped.
WOLFSSL = "wolfssl of the system" if "wolfssl-system" in CONDUIT else "wolfssl as built here"
LIMITS = {
    ("wolfssl as built here", "key log of TLS 1.2"): "it gives no master secret away without its layer for OpenSSL's names",
    ("wolfssl as built here", "keys of 1024 bits"): "it has mathematics for the common sizes only",
    ("wolfssl of the system", "key log of TLS 1.3"): "Debian builds it without the callback for secrets",
}
left_out = {}


def cannot(backend, what):
    """Whether a backend cannot do this; if so it is noted."""
    which = WOLFSSL if backend == "wolfssl" else backend
    why = LIMITS.get((which, what))
    if why:
        left_out[f"{what}: {which}"] = why
    return why is not None


def main(*tests):
    """As that of cli.py, in the words of cmocka, so that each function, and what is left out, counts."""
    failed = 0
    print(f"[==========] Running {len(tests)} test(s).")
    for test in tests:
        before, start = cli.checks, time.monotonic()
        left_out.clear()
        print(f"[ RUN      ] {test.__name__}", flush=True)
        try:
            test()
            result = "[       OK ]"
        except (Failed, OSError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"{type(error).__name__}: {error}")
            result = "[  FAILED  ]"
        print(f"{cli.checks - before} checks, {time.monotonic() - start:.2f} s\n{result} {test.__name__}", flush=True)
        for what, why in left_out.items():
            print(f"[ RUN      ] {what}\n{why}\n[  SKIPPED ] {what}", flush=True)
    sys.exit(1 if failed else 0)


def begin():
    """The certificates of this script, in a folder that ends with it; skips what cannot run."""
    if not BACKENDS:
        skip("no TLS backend is built in")
    for program in ("openssl", "gnutls-cli", "gnutls-serv", "curl"):
        if not shutil.which(program):
            skip(f"{program} is not installed")
    path = tempfile.mkdtemp(prefix="conduit-test-")
    atexit.register(shutil.rmtree, path)
    return Pki(path).make()


def version(number):
    """Options that leave one version of TLS."""
    return ["--ciphers", OLD] if number == "1.2" else ["--min-tls", "1.3"]


class Program:
    """A peer with pipes; standard output and error come as one stream, read by a thread."""

    def __init__(self, *args, merge=True, **options):
        options.setdefault("stderr", subprocess.STDOUT if merge else subprocess.PIPE)
        options.setdefault("stdin", subprocess.PIPE)
        self.args = args
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, bufsize=0, **options)
        self.pieces = queue.Queue()
        self.output = b""
        self.ended = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while piece := os.read(self.process.stdout.fileno(), 1 << 16):
            self.pieces.put(piece)
        self.pieces.put(None)

    def send(self, data):
        self.process.stdin.write(data if isinstance(data, bytes) else data.encode())
        self.process.stdin.flush()

    def try_send(self, data):
        """To a peer that may have ended."""
        try:
            self.send(data)
        except BrokenPipeError:
            pass

    def close(self):
        self.process.stdin.close()

    def more(self, deadline):
        """One piece more; false at the end."""
        if self.ended:
            return False
        try:
            piece = self.pieces.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            raise Failed(f"{self.args} has said nothing more than: ... {self.tail()}") from None
        if piece is None:
            self.ended = True
            return False
        self.output += piece
        return True

    def until(self, text, times=1):
        """Reads until its output holds a text so many times; returns the output so far."""
        text = text if isinstance(text, bytes) else text.encode()
        deadline = time.monotonic() + PATIENCE
        while self.output.count(text) < times:
            if not self.more(deadline):
                raise Failed(f"{self.args} ended without {text!r}: ... {self.tail()}")
        return self.text()

    def rest(self):
        """All that it says until it ends; its exit status."""
        deadline = time.monotonic() + PATIENCE
        while self.more(deadline):
            pass
        return self.process.wait(max(1, deadline - time.monotonic()))

    def text(self):
        return self.output.decode("utf-8", "replace")

    def tail(self):
        """The end of it, for errors."""
        return self.text()[-1500:]

    def kill(self):
        self.process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    pass  # what was written was not read


# ---- the program ---------------------------------------------------------------------------------


def serve(pki, backend, *options, cert="p256", answer="--echo", at="tls:127.0.0.1:0", **more):
    own = ["--cert", pki(cert + ".pem"), "--key", pki(cert + ".key")] if cert else []
    return Server("serve", answer, "--tls", backend, *own, *options, at, **more)


def connect(pki, backend, port, *options, ca="ca.pem", name=NAME, host="127.0.0.1", **more):
    """Runs conduit connect to its end."""
    trust = ["--ca", pki(ca)] if ca else []
    named = ["--server-name", name] if name else []
    return run("connect", "--tls", backend, *trust, *named, *options, f"tls:{host}:{port}", **more)


def talk(pki, backend, port, *options, data=b"hello, peer", **more):
    """It must work: what is sent comes back. Returns what was said on standard error."""
    done = connect(pki, backend, port, *options, input=data, **more)
    said = done.stderr.decode()
    equal(done.returncode, 0, backend, options, said)
    equal(done.stdout, data, backend, options)
    return said


def refused(pki, backend, port, *options, why, **more):
    """It must fail, with a line in which all these words stand."""
    done = connect(pki, backend, port, *options, input=b"never", **more)
    said = done.stderr.decode()
    equal(done.returncode, 1, backend, options, said)
    equal(done.stdout, b"", backend, options)
    equal(said.count("\n"), 1, said)
    check(said.startswith("conduit: "), said)
    for word in [why] if isinstance(why, str) else why:
        check(word.lower() in said.lower(), backend, options, f"no {word!r} in", said)
    return said


def connecting(pki, backend, port, *options, name=NAME, **more):
    """conduit connect with pipes; its standard error is apart."""
    named = ["--server-name", name] if name else []
    return Program(CONDUIT, "connect", "--tls", backend, "--ca", pki("ca.pem"), *named, *options, f"tls:127.0.0.1:{port}",
                   merge=False, **more)


# ---- peers ---------------------------------------------------------------------------------------


def s_client(pki, port, *options, name=NAME, ca="ca.pem", quiet=False):
    """openssl s_client; it must verify, unless `ca` is None."""
    named = ["-servername", name, "-verify_hostname", name] if name else ["-noservername"]
    trust = ["-CAfile", pki(ca), "-verify_return_error"] if ca else []
    how = ["-quiet"] if quiet else []
    return Program("openssl", "s_client", "-connect", f"127.0.0.1:{port}", *named, *trust, *how, *options)


def own_of(pki, cert):
    """A certificate, its chain and its key as options of openssl's programs."""
    chain = pki.read(cert + ".pem").count("BEGIN CERT") > 1
    return ["-cert", pki(cert + ".pem"), "-key", pki(cert + ".key"), *(["-cert_chain", pki("intermediate.pem")] if chain else [])]


def s_server(pki, *options, cert="p256", own=None, answer=("-rev",)):
    """openssl s_server, listening; .port. It answers each line with the line reversed; with no
    answer it prints what it reads, tells more, and sends what it is given."""
    own = own or own_of(pki, cert)
    peer = Program("openssl", "s_server", "-accept", "127.0.0.1:0", *own, *answer, *options)
    while not (line := re.search(r"ACCEPT \S+:(\d+)\n", peer.text())):
        check(peer.more(time.monotonic() + PATIENCE), peer.args, "ended:", peer.tail())
    peer.port = int(line.group(1))
    return peer


def gnutls_cli(pki, port, *options, name=NAME, ca="ca.pem"):
    trust = ["--x509cafile", pki(ca)] if ca else ["--insecure"]
    named = ["--sni-hostname", name, "--verify-hostname", name] if name else ["--disable-sni"]
    return Program("gnutls-cli", *trust, *named, *options, "-p", str(port), "127.0.0.1")


GNUTLS = {"1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3"}


def free_port():
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        return tcp.getsockname()[1]


def gnutls_serv(pki, *options, cert="p256"):
    """gnutls-serv, which echoes; .port."""
    port = free_port()
    own = ["--x509certfile", pki(cert + ".pem"), "--x509keyfile", pki(cert + ".key")]
    peer = Program("gnutls-serv", "--echo", "--nodb", "-p", str(port), *own, *options)
    peer.until("listening on")
    peer.port = port
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
            return peer
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def python_client(pki, ca="ca.pem", minimum=None, maximum=None):
    """A context of Python's ssl module."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki(ca))
    if minimum:
        context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    return context


def python_server(pki, cert="p256", number=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki(cert + ".pem"), pki(cert + ".key"))
    if number:
        only(context, number)
    return context


def only(context, number):
    which = ssl.TLSVersion.TLSv1_2 if number == "1.2" else ssl.TLSVersion.TLSv1_3
    context.minimum_version = context.maximum_version = which
    return context


def dial(context, port, name=NAME, **options):
    """A TLS connection of Python's to a port of loopback."""
    plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
    plain.settimeout(PATIENCE)
    try:
        return context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False, **options)
    except BaseException:
        plain.close()
        raise


class Scripted:
    """A server of Python's: serves one connection after the other with a function in a thread."""

    def __init__(self, function):
        self.function = function
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.port = self.listener.getsockname()[1]
        self.errors = []
        self.stopping = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.stopping:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            try:
                self.function(connection)
            except Exception as error:  # the test asks for them
                self.errors.append(error)
            finally:
                connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(PATIENCE)
        self.listener.close()
