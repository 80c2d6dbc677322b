"""Handshakes of real clients while the certificates are replaced and read again every 50 ms."""
import os
import signal
import sys
import threading

from cli import Failed, folder

from . import need, scaled

HANDSHAKES, EVERY = 10000, 0.05


def make_certificates(path):
    """Two that both fit, below one authority."""
    import pki
    made = pki.Pki(path)
    os.mkdir(made("issued"))
    made.write("openssl.cnf", pki.CONFIGURATION + "".join(pki.CA.format(name=name) for name in ("ca", "intermediate")))
    made.authority("ca")
    made.authority("intermediate", "ca")
    for name in ("p256", "next"):
        made.leaf(name, *pki.LEAVES[name])
    return made


class Reloading:
    """Replaces the file and tells the server, in turn with each of the two certificates, until it ends."""

    def __init__(self, pki, server):
        self.pki, self.server, self.count, self.certs = pki, server, 0, ["next", "p256"]
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stop.wait(EVERY):
            put(self.pki, self.certs[0])
            self.certs.reverse()
            self.server.signal(signal.SIGHUP)
            self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def put(pki, cert):
    pki.write("live.new", pki.read(cert + ".pem") + pki.read(cert + ".key"))
    os.rename(pki("live.new"), pki("live.pem"))


def visit(context, port):
    """Whether a handshake and an echo work; the certificate that was shown."""
    import peers
    try:
        with peers.dial(context, port) as client:
            subject = client.getpeercert()["subject"]
            client.sendall(b"x")
            good = client.recv(1) == b"x"
            client.unwrap().close()
            return good, subject
    except (OSError, Failed) as error:
        print(f"handshake: {error}", file=sys.stderr)
        return False, None


def one(pki, backend, version, handshakes):
    """How many failed, of one backend and version; how often it was reloaded."""
    import peers
    put(pki, "p256")
    own = ["--cert", pki("live.pem"), "--key", pki("live.pem")]
    with peers.serve(pki, backend, *own, cert=None) as server:
        context = peers.only(peers.python_client(pki), version)
        with Reloading(pki, server) as reloading:
            visits = [visit(context, server.port()) for _ in range(handshakes)]
        seen = {subject for _, subject in visits if subject}
        server.stop()
        if len(seen) != 2:
            raise Failed(f"{backend}, TLS {version}: {len(seen)} of the two certificates were seen")
        return sum(not good for good, _ in visits), reloading.count


def reloaded():
    """Of each backend and version."""
    need("openssl")
    import peers
    pairs = [(backend, version) for backend in peers.BACKENDS for version in peers.VERSIONS]
    figures, reloads = {}, 0
    with folder() as path:
        pki = make_certificates(path)
        for backend, version in pairs:
            failed, count = one(pki, backend, version, scaled(HANDSHAKES))
            figures[f"failed_{backend}_{version.replace('.', '_')}"] = failed
            reloads += count
    return {**figures, "handshakes": scaled(HANDSHAKES) * len(pairs), "reloads": reloads}
