"""What servers do when something runs out: CPU time of one at its limit of descriptors while clients wait,
and memory of a relay whose sink takes nothing."""
import contextlib
import resource
import socket
import time

DESCRIPTORS, CLIENTS, SECONDS = 64, 100, 2


def cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="utf-8") as file:
        return int(file.read().split()[0])


def private_bytes(pid):
    """Of a process and its children: what only they use."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as lines:
        total = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
        return total + sum(private_bytes(child) for child in children.read().split())


@contextlib.contextmanager
def running(contender, start, *arguments):
    """(process, (host, port)) of a contender that is stopped at the end."""
    server, address = start(*arguments)
    try:
        host, port = address[len("tcp:"):].split(":")
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
    """Per cent of a CPU while more clients wait than there are descriptors."""
    with running(contender, start_limited, contender) as (pid, address), contextlib.ExitStack() as clients:
        for _ in range(CLIENTS):
            clients.enter_context(socket.create_connection(address))
        time.sleep(0.5)
        start, used = time.monotonic(), cpu_ns(pid)
        time.sleep(SECONDS)
        return (cpu_ns(pid) - used) / 1e7 / (time.monotonic() - start)


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


def stalled(relay):
    """By how many bytes a relay grows when it is sent more than its sink takes."""
    with socket.create_server(("127.0.0.1", 0)) as sink:
        target = f"127.0.0.1:{sink.getsockname()[1]}"
        with running(relay, relay.start_before, target, "tcp") as (pid, address):
            with socket.create_connection(address) as client:
                client.send(b"x")
                time.sleep(0.5)
                before = private_bytes(pid)
                fill(client)
                return private_bytes(pid) - before


def measure(title, unit, function, contenders, say):
    """{name: figure} of all that are there, printed."""
    figures = {}
    print(f"\n{title}")
    for contender in contenders:
        reason = contender.missing()
        if reason:
            say(f"SKIPPED {contender.name}: {reason}")
            continue
        figures[contender.name] = function(contender)
        print(f"  {contender.name:22}{figures[contender.name]:15.1f} {unit}", flush=True)
    return figures
