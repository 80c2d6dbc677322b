"""Much random data through the program, and none lost; and memory of a proxy whose sink is stalled."""
import hashlib
import os
import select
import socket
import subprocess
import threading

from cli import CONDUIT, PATIENCE, Failed, Server, folder

from . import scaled

GIBIBYTE, PIECE = 1 << 30, 1 << 20


def feed(pipe, size, digest):
    """Random bytes into a pipe, with their digest."""
    try:
        while size:
            piece = os.urandom(min(size, PIECE))
            digest.update(piece)
            pipe.write(piece)
            size -= len(piece)
        pipe.close()
    except (BrokenPipeError, ValueError):
        pass  # it has ended, or was closed: what comes back says so


def differs(endpoint, size):
    """Whether what comes back through `conduit connect` from an echo is something else: 0 or 1."""
    sent, received = hashlib.sha256(), hashlib.sha256()
    with subprocess.Popen([CONDUIT, "connect", endpoint], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        try:
            feeder = threading.Thread(target=feed, args=(client.stdin, size, sent), daemon=True)
            feeder.start()
            while piece := client.stdout.read(PIECE):
                received.update(piece)
                size -= len(piece)
            feeder.join()
            return int(client.wait() != 0 or size != 0 or sent.digest() != received.digest())
        finally:
            client.kill()


def same_bytes():
    """Through connect and serve (TCP, Unix), and through a proxy from TCP to Unix as well."""
    size = scaled(GIBIBYTE)
    with folder() as path, Server("serve", "--echo", "tcp:127.0.0.1:0", f"unix:{path}/s", listeners=2) as server:
        with Server("proxy", "tcp:127.0.0.1:0", f"unix:{path}/s") as proxy:
            return {"tcp_differences": differs(server.tcp(), size),
                    "unix_differences": differs(f"unix:{path}/s", size),
                    "proxy_differences": differs(proxy.tcp(), size)}


def fill(client):
    """Sends until nothing more is taken."""
    data = bytes(PIECE)
    client.setblocking(False)
    while select.select([], [client], [], 1)[1]:
        client.send(data)


def stalled_sink():
    """The most that a proxy ever had in memory, while its sink took nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with Server("proxy", "tcp:127.0.0.1:0", f"tcp:127.0.0.1:{listener.getsockname()[1]}") as proxy:
            with proxy.connect() as client, listener.accept()[0]:
                fill(client)
                with open(f"/proc/{proxy.process.pid}/status", encoding="ascii") as status:
                    for line in status:
                        if line.startswith("VmHWM:"):
                            return {"peak_resident_mib": int(line.split()[1]) / 1024}
    raise Failed("the kernel does not tell")
