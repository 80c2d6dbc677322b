"""What servers do when something runs out: CPU time of one at its limit of descriptors while clients wait,
and memory of a relay whose sink takes nothing."""
import concurrent.futures
import contextlib
import resource
import socket
import ssl
import time

DESCRIPTORS, CLIENTS, SECONDS = 64, 100, 1
STALLED = 10


def cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="utf-8") as file:
        return int(file.read().split()[0])


def private_bytes(pid):
    """Of a process and its children: what only they use; nothing, if it has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as lines:
            total = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
            return total + sum(private_bytes(child) for child in children.read().split())
    except ProcessLookupError:
        return 0


@contextlib.contextmanager
def running(contender, start, *arguments):
    """(process, (host, port)) of a contender that is stopped at the end."""
    server, address = start(*arguments)
    try:
        host, port = address.split(":", 1)[1].split(":")
        yield server.pid, (host, int(port))
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        contender.stopped()


@contextlib.contextmanager
def few_descriptors():
    """For what is started meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def start_limited(contender):
    with few_descriptors():
        return contender.start("echo", "tcp")


def overload(contender):
    """CPU time while more clients wait than there are descriptors."""
    with running(contender, start_limited, contender) as (pid, address), contextlib.ExitStack() as clients:
        for _ in range(CLIENTS):
            clients.enter_context(socket.create_connection(address))
        time.sleep(0.5)
        start, used = time.monotonic(), cpu_ns(pid)
        time.sleep(SECONDS)
        return {"cpu_percent": (cpu_ns(pid) - used) / 1e7 / (time.monotonic() - start)}


def fill(client):
    """Sends until nothing has been taken for half a second."""
    sent, data = 0, bytes(1 << 20)
    client.settimeout(0.5)
    try:
        while sent < 1 << 30:
            sent += client.send(data)
    except TimeoutError:
        pass
    return sent


def stall(address, wrap, count, clients):
    """So many more clients send all that the relay takes."""
    more = [clients.enter_context(wrap(socket.create_connection(address))) for _ in range(count)]
    with concurrent.futures.ThreadPoolExecutor(count) as each:
        list(each.map(fill, more))


def of_stalled(relay, scheme, wrap):
    """What each connection costs a relay that is sent more than its sink takes: how much it grows by some
    more, after a first one that has made it load all that it needs."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as sink, contextlib.ExitStack() as clients:
        target = f"127.0.0.1:{sink.getsockname()[1]}"
        with running(relay, relay.start_before, target, scheme) as (pid, address):
            stall(address, wrap, 1, clients)
            before = private_bytes(pid)
            stall(address, wrap, STALLED, clients)
            return {"private_bytes": (private_bytes(pid) - before) / STALLED}


def stalled(relay):
    return of_stalled(relay, "tcp", lambda client: client)


def stalled_tls(relay):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return of_stalled(relay, "tls", context.wrap_socket)
