"""Connecting to a name with two families of addresses where nothing is well: the first name server does
not answer, and what the name says of IPv6 leads nowhere. In a network namespace of its own, in which a
second interpreter runs inside()."""
import os
import socket
import subprocess
import sys
import threading
import time

from cli import CONDUIT, PATIENCE

from . import HERE, QUICK, Skipped, need

NAME, V4, V6 = "dual.test", "10.0.0.1", "2001:db8::1"

# As test/context/test_connect_namespace.c: 2001:db8::/64 leads to a machine that is not there.
COMMANDS = [
    "ip link set lo up",
    f"ip addr add {V4}/32 dev lo",
    "ip link add v0 type veth peer name v1",
    "ip link set v0 up",
    "ip link set v1 up",
    "ip -6 addr add 2001:db8::2/64 dev v0 nodad",
    f"ip -6 neigh add {V6} lladdr 02:00:00:00:00:99 dev v0 nud permanent",
]


def answer(question):
    """The address of the type that was asked for; the name is not looked at."""
    v6 = question[-3] == 28
    address = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, V6 if v6 else V4)
    head = question[:2] + b"\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00"
    record = b"\xc0\x0c" + question[-4:] + b"\x00\x00\x00\x3c" + len(address).to_bytes(2, "big")
    return head + question[12:] + record + address


def udp():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    return server, "127.0.0.1:%d" % server.getsockname()[1]


def serve_names(server):
    while True:
        question, client = server.recvfrom(512)
        server.sendto(answer(question), client)


def serve_echo(listener):
    while True:
        with listener.accept()[0] as client:
            client.sendall(client.recv(16))


def connect(servers, port):
    """Seconds until `conduit connect` has its echo."""
    start = time.monotonic()
    with subprocess.Popen([CONDUIT, "connect", "--dns", servers, f"tcp:{NAME}:{port}"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, bufsize=0) as client:
        try:
            client.stdin.write(b"x")
            if client.stdout.read(1) != b"x":
                raise SystemExit("no echo")
            return time.monotonic() - start
        finally:
            client.kill()


def inside():
    """Prints the seconds of each attempt."""
    for command in COMMANDS:
        if subprocess.run(command.split(), check=False).returncode:
            raise SystemExit(f"failed: {command}")
    dead, dead_address = udp()
    server, address = udp()
    listener = socket.create_server((V4, 0))
    for function, argument in ((serve_names, server), (serve_echo, listener)):
        threading.Thread(target=function, args=(argument,), daemon=True).start()
    port = listener.getsockname()[1]
    print(*[connect(f"{dead_address},{address}", port) for _ in range(1 if QUICK else 5)])
    dead.close()


def connected():
    """The longest of some attempts."""
    need("unshare", "ip")
    if not os.path.exists("/proc/net/if_inet6"):
        raise Skipped("there is no IPv6")
    namespace = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*namespace, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        raise Skipped("network namespaces are not allowed here")
    done = subprocess.run([*namespace, sys.executable, "-B", "-c", "from checking import names; names.inside()"],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE, cwd=os.path.dirname(HERE))
    return {"seconds": max(map(float, done.stdout.split()))}
