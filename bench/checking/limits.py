"""Servers at a limit: of descriptors, of active connections, of one that two listeners share."""
import asyncio
import os
import resource
import select
import signal
import time

from cli import PATIENCE, Failed, Server

from . import QUICK, scaled

DESCRIPTORS, WAITING = 64, 100
MAX_ACTIVE, CLIENTS, VISITS = 10, 200, 10000
SHARED_VISITS = 2000


# ---- no descriptor is left ---------------------------------------------------------------------------

def limit_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


def served_and_waiting(clients):
    """Each has sent a byte: who gets its echo, until a second passes without one."""
    waiting = list(clients)
    while ready := select.select(waiting, [], [], 1)[0]:
        for client in ready:
            if client.recv(1) != b"x":
                raise Failed("no echo")
            waiting.remove(client)
    return [client for client in clients if client not in waiting], waiting


def lines(server):
    """How many it has said since this was asked."""
    count = 0
    while select.select([server.process.stderr], [], [], 0)[0]:
        piece = os.read(server.process.stderr.fileno(), 1 << 16)
        if not piece:
            raise Failed("the server has ended")
        count += piece.count(b"\n")
    return count


def cpu_seconds(server):
    with open(f"/proc/{server.process.pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def watch(server, seconds):
    """Per cent of a CPU and lines a second, from right after a line on."""
    lines(server)
    select.select([server.process.stderr], [], [], 2)
    lines(server)
    start, used = time.monotonic(), cpu_seconds(server)
    time.sleep(seconds)
    said, used = lines(server), cpu_seconds(server) - used
    passed = time.monotonic() - start
    return used / passed * 100, said / passed


def starved():
    """More clients than descriptors: what the server does while they wait, and when one is freed."""
    with Server("serve", "--echo", "tcp:127.0.0.1:0", preexec_fn=limit_descriptors) as server:
        clients = [server.connect() for _ in range(WAITING)]
        for client in clients:
            client.sendall(b"x")
        served, waiting = served_and_waiting(clients)
        if not served or not waiting:
            raise Failed(f"{len(served)} of {WAITING} were served")
        cpu, said = watch(server, 2 if QUICK else 5)
        start = time.monotonic()
        served[0].close()
        ready = select.select(waiting, [], [], 10)[0]
        passed = time.monotonic() - start
        if ready != waiting[:1]:
            raise Failed("it was not the first that was served" if ready else "nobody was served")
        for client in clients:
            client.close()
        return {"cpu_percent": cpu, "lines_per_second": said, "first_waiting_ms": passed * 1e3}


# ---- active connections ------------------------------------------------------------------------------

class Visits:
    """Clients that connect, read their echo and leave, again and again, until `total` were there."""

    def __init__(self, total):
        self.total, self.started, self.done, self.here, self.peak = total, 0, 0, 0, 0

    async def one(self, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        text = b"visit %d" % self.started
        writer.write(text)
        answer = await reader.readexactly(len(text))
        self.here += 1
        self.peak = max(self.peak, self.here)
        await asyncio.sleep(0)
        self.here -= 1
        writer.close()
        return answer == text

    async def client(self, port):
        """How many it got through; an error is one that was lost."""
        count = 0
        while self.started < self.total:
            self.started += 1
            try:
                served = await asyncio.wait_for(self.one(port), PATIENCE / 2)
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                served = False
            self.done += served
            count += served
        return count

    async def run(self, ports):
        """A client for each port. Bounded here: a signal's exception may be lost among the tasks."""
        return await asyncio.wait_for(asyncio.gather(*(self.client(port) for port in ports)), PATIENCE)


def peak_that_it_counts(server):
    """Of the limit, as it says when asked."""
    server.signal(signal.SIGUSR1)
    while line := server.process.stderr.readline().decode():
        if "counters: limit:" in line:
            words = line.replace(",", "").split()
            return int(words[words.index("peak") + 1])
    raise Failed("it has told no counters")


def max_active():
    """More clients than may be active: none is lost, and never are too many there, as the server counts
    and as the clients do; then it is ended while some of them wait."""
    with Server("serve", "--echo", "--max-active", str(MAX_ACTIVE), "--drain", "60", "tcp:127.0.0.1:0") as server:
        visits = Visits(scaled(VISITS))
        asyncio.run(visits.run([server.port()] * CLIENTS))
        peak = max(visits.peak, peak_that_it_counts(server))
        clients = [server.connect() for _ in range(5 * MAX_ACTIVE)]
        for client in clients:
            client.sendall(b"x")
        if len(served_and_waiting(clients)[0]) != MAX_ACTIVE:
            raise Failed("it is not throttled")
        server.signal(signal.SIGTERM)
        while True:  # until it listens no more
            try:
                server.connect().close()
            except ConnectionError:
                break
        for client in clients:
            client.close()
        return {"peak_active": peak, "lost": visits.total - visits.done, "exit_status_of_drain": server.wait()[0]}


def shared_limit():
    """Two listeners under a limit of one, three clients at each: how the visits were shared."""
    with Server("serve", "--echo", "--max-active", "1", "tcp:127.0.0.1:0", "tcp:127.0.0.1:0", listeners=2) as server:
        visits = Visits(scaled(SHARED_VISITS))
        counts = asyncio.run(visits.run([server.port(i) for i in (0, 1)] * 3))
        each = [sum(counts[0::2]), sum(counts[1::2])]
        server.stop()
        return {"first_listener": each[0], "second_listener": each[1], "lost": visits.total - visits.done,
                "larger_to_smaller": max(each) / max(1, min(each))}
