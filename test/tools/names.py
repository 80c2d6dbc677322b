"""A name server for the tests of the program: knot, from the packages under build/daemons."""

import os
import signal
import socket
import subprocess
import time

from cli import Failed, PATIENCE, folder

ROOT = os.environ.get("DAEMONS") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "daemons", "root")
KNOTD = os.path.join(ROOT, "usr", "sbin", "knotd")

CONFIGURATION = """
server:
    rundir: "{path}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: error
database:
    storage: "{path}/db"
template:
  - id: default
    storage: "{path}"
    zonefile-load: whole
    journal-content: none
zone:
"""


def there():
    return os.access(KNOTD, os.X_OK)


def free_port():
    """A port that is free for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            return udp.getsockname()[1]


class NameServer:
    """Serves zones, given as text by their names."""

    def __init__(self, zones):
        self.folder = folder()
        path = self.folder.__enter__()
        self.port = free_port()
        text = CONFIGURATION.format(path=path, port=self.port)
        for name, zone in zones.items():
            text += f'  - domain: {name}\n    file: "{path}/{name}.zone"\n'
            with open(os.path.join(path, name + ".zone"), "w") as file:
                file.write(f"$ORIGIN {name}.\n$TTL 60\n@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n{zone}\n")
        with open(os.path.join(path, "knot.conf"), "w") as file:
            file.write(text)
        libraries = os.path.join(ROOT, "usr", "lib", os.uname().machine + "-linux-gnu")
        self.process = subprocess.Popen([KNOTD, "-c", os.path.join(path, "knot.conf")], stderr=subprocess.PIPE,
                                        env={**os.environ, "LD_LIBRARY_PATH": libraries})
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"  # SOA of the root
        end = time.monotonic() + PATIENCE
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(0.05)
            udp.connect(("127.0.0.1", self.port))
            while time.monotonic() < end and self.process.poll() is None:
                try:
                    udp.send(question)
                    udp.recv(512)
                    return
                except OSError:
                    time.sleep(0.02)
        self.__exit__()
        raise Failed(f"the name server does not answer: {self.process.stderr.read()!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.folder.__exit__(None, None, None)
