"""The limits that the project has set itself, each with the figure of a run that must not be above it."""


class Results:
    """What a run has found, by short questions; None where it was not measured."""

    def __init__(self, workloads, checks):
        self.workloads, self.checks = workloads, checks

    def figure(self, workload, contender, key):
        found = self.workloads.get(workload, {}).get("contenders", {}).get(contender, {}).get(key)
        return found and found["median"]

    def ratio(self, workload, contender, key):
        """Of ours to its, paired by rounds."""
        found = self.workloads.get(workload, {}).get("ratios", {}).get(contender, {}).get(key)
        return found and found["median"]

    def to_best(self, workload, key, *but):
        """The ratio of ours to the best of the others."""
        ratios = self.workloads.get(workload, {}).get("ratios", {})
        return max((row[key]["median"] for name, row in ratios.items() if key in row and name not in but), default=None)

    def over(self, workload, ours, theirs, key):
        a, b = self.figure(workload, ours, key), self.figure(workload, theirs, key)
        return None if a is None or b is None else a - b

    def check(self, name, key):
        return (self.checks.get(name) or {}).get(key)


ONE, HUNDRED = "echo 64 B, 1 connection", "echo 64 B, 100 connections"
VISIT, IDLE = "accept, echo a byte, the client closes", "idle connections, 8000"
REARM, EXPIRY = "timers: re-arm one of {}", "timers: expiry of {} within {}"
TLS_ECHO, WOLF, OPENSSL = "TLS: echo 64 B, 100 connections", "conduit, wolfSSL", "conduit, OpenSSL"
RELAY_TCP, RELAY_TLS = "relay TCP to TCP, 64 KiB at a time", "relay TLS to TCP, 64 KiB at a time"
RELAY_TO_TLS, SHAKE = "relay TCP to TLS, 64 KiB at a time", "relay TLS to TCP, handshake and connection"
STALLED = "relay with a stalled sink"
PING, BULK = "vchan: 64 B to and fro", "vchan: 64 KiB blocks, rings of 1 MiB"
SPUN = "vchan: 64 B to and fro, looking for 50 us before it sleeps"
RING = "vchan: a flow over its ring, {}"
VCHAN, UNIX = "conduit, vchan", "conduit, Unix"
NAMES = "names: A and AAAA, 100 at a time"
WATERMARK = 64 * 1024  # of the program's relays


OVERLOADED, ACTIVE = "overload: what is said, and who comes next", "at most 10 active, 200 clients"
SHARED, DATA = "two listeners share a limit of 1", "random data through connect, serve and proxy"
RELOADED = "TLS: handshakes while certificates are read again"


def half(value):
    return None if value is None else value / 2


# what, how it is asked of Results, the most that it may be
BARS = [
    ("echo, 100 connections: user instructions", lambda r: r.figure(HUNDRED, "conduit", "user_instructions"), 140),
    ("  ratio to libev's", lambda r: r.ratio(HUNDRED, "libev", "user_instructions"), 1.0),
    ("  user and kernel, ratio to the bare loop's", lambda r: r.ratio(HUNDRED, "epoll", "instructions"), 1.02),
    ("  kernel, ratio to the bare loop's", lambda r: r.ratio(HUNDRED, "epoll", "kernel_instructions"), 1.0),
    ("  system calls", lambda r: r.figure(HUNDRED, "conduit", "system_calls"), 2.02),
    ("echo, 1 connection: user instructions", lambda r: r.figure(ONE, "conduit", "user_instructions"), 260),
    ("accept, echo, close: user instructions", lambda r: r.figure(VISIT, "conduit", "user_instructions"), 1000),
    ("  system calls", lambda r: r.figure(VISIT, "conduit", "system_calls"), 8),
    ("idle connection: bytes", lambda r: r.figure(IDLE, "conduit", "private_bytes"), 240),
    *((f"timers: re-arm one of {n}: user instructions",
       lambda r, n=n: r.figure(REARM.format(n), "conduit", "user_instructions"), 110) for n in (1000, 100000, 1000000)),
    *((f"{name}: user instructions", lambda r, name=name: r.figure(name, "conduit", "user_instructions"), 600)
      for name in (EXPIRY.format(1000, "100 ms"), EXPIRY.format(1000, "1 s"), EXPIRY.format(100000, "1 s"))),
    ("timers: median lateness: us",
     lambda r: r.figure("timers: lateness, one after the other within 2 ms", "conduit", "latency_p50_us"), 10),
    ("overload: % CPU", lambda r: r.figure("overload: 100 clients, 64 descriptors", "conduit", "cpu_percent"), 1),
    ("  of the program", lambda r: r.check(OVERLOADED, "cpu_percent"), 1),
    ("  lines of the log a second", lambda r: r.check(OVERLOADED, "lines_per_second"), 1),
    ("  until the first that waits is served: ms", lambda r: r.check(OVERLOADED, "first_waiting_ms"), 50),
    ("max-active of 10, 200 clients: active at most", lambda r: r.check(ACTIVE, "peak_active"), 10),
    ("  lost", lambda r: r.check(ACTIVE, "lost"), 0),
    ("  status when told to end meanwhile", lambda r: r.check(ACTIVE, "exit_status_of_drain"), 0),
    ("two listeners share a limit: ratio of their turns", lambda r: r.check(SHARED, "larger_to_smaller"), 1.1),
    ("  lost", lambda r: r.check(SHARED, "lost"), 0),
    *((f"a GiB through {name}: differences", lambda r, name=name: r.check(DATA, f"{name}_differences"), 0)
      for name in ("tcp", "unix", "proxy")),
    ("relay with a stalled sink: peak MiB resident",
     lambda r: r.check("relay with a stalled sink, peak memory", "peak_resident_mib"), 16),
    ("requests of wrk through a relay to nginx: failed",
     lambda r: r.check("relay of requests, wrk to nginx", "failed"), 0),
    ("  not made, in the time that there was", lambda r: r.check("relay of requests, wrk to nginx", "missing"), 0),
    ("requests of curl through a relay to nginx: failed",
     lambda r: r.check("relay of requests, curl to nginx", "failed"), 0),

    ("name server dead and IPv6 black-holed: seconds to connect",
     lambda r: r.check("names: connecting, first name server and IPv6 dead", "seconds"), 1),
    ("names: user instructions, ratio to c-ares", lambda r: r.ratio(NAMES, "c-ares", "user_instructions"), 1.1),
    ("  descriptors left", lambda r: r.figure(NAMES, "conduit", "descriptors_left"), 0),

    ("TLS idle connection: heap bytes, one by one",
     lambda r: r.figure("TLS: idle connections, one by one", WOLF, "heap_bytes"), 5120),
    ("  all at once", lambda r: r.figure("TLS: idle connections, all at once", WOLF, "heap_bytes"), 5120),
    ("  resident bytes, one by one",
     lambda r: r.figure("TLS: idle connections, one by one", WOLF, "resident_bytes"), 6144),
    ("  all at once", lambda r: r.figure("TLS: idle connections, all at once", WOLF, "resident_bytes"), 6144),
    ("TLS handshake: user instructions, ratio to OpenSSL's",
     lambda r: r.ratio("TLS: full handshake", OPENSSL, "user_instructions"), 0.75),
    ("  in a relay, ratio to haproxy's", lambda r: r.ratio(SHAKE, "haproxy", "user_instructions"), 0.75),
    ("TLS received: CPU, ratio to OpenSSL's", lambda r: r.ratio("TLS: 16 KiB received", OPENSSL, "cpu_us"), 0.7),
    ("TLS sent: CPU, ratio to OpenSSL's", lambda r: r.ratio("TLS: 16 KiB sent", OPENSSL, "cpu_us"), 0.7),
    ("TLS received by a relay: CPU, ratio to haproxy's", lambda r: r.ratio(RELAY_TLS, "haproxy", "cpu_us"), 0.7),
    ("TLS sent by a relay: CPU, ratio to haproxy's", lambda r: r.ratio(RELAY_TO_TLS, "haproxy", "cpu_us"), 0.7),
    ("TLS echo, 100 connections: user instructions", lambda r: r.figure(TLS_ECHO, WOLF, "user_instructions"), 3800),
    ("  system calls", lambda r: r.figure(TLS_ECHO, WOLF, "system_calls"), 2.1),

    *((f"TLS handshakes while certificates are read again: failed, {backend} {version}",
       lambda r, key=f"failed_{backend}_{version}": r.check(RELOADED, key), 0)
      for backend in ("wolfssl", "openssl") for version in ("1_2", "1_3")),

    ("vchan, to and fro: time, ratio to Unix sockets", lambda r: r.ratio(PING, UNIX, "us"), 1.0),
    ("  system calls a hop", lambda r: half(r.figure(PING, VCHAN, "system_calls")), 2),
    ("  with 50 us of looking: time, ratio", lambda r: r.ratio(SPUN, UNIX, "us"), 1 / 3),
    ("vchan, bulk: time, ratio to Unix sockets", lambda r: r.ratio(BULK, UNIX, "us"), 0.5),
    ("  bells an operation", lambda r: r.figure(BULK, VCHAN, "bells"), 0.01),
    *((f"vchan flow, {what}: user instructions over the bare ring",
       lambda r, what=what: r.over(RING.format(what), "conduit", "bare ring", "user_instructions"), 150)
      for what in ("64 B", "64 KiB", "kept full")),

    ("vchan, clients killed: left behind", lambda r: r.check("vchan: clients that are killed", "left_behind"), 0),

    ("relay TCP to TCP: CPU, ratio to the best", lambda r: r.to_best(RELAY_TCP, "cpu_us"), 1.0),
    ("relay TLS to TCP: CPU, ratio to the best", lambda r: r.to_best(RELAY_TLS, "cpu_us", OPENSSL), 0.8),
    ("relay with a stalled sink: bytes a connection", lambda r: r.figure(STALLED, "conduit", "private_bytes"),
     WATERMARK + 65536),
    ("  TLS to TCP: bytes", lambda r: r.figure(STALLED + ", TLS to TCP", WOLF, "private_bytes"), WATERMARK + 65536),
]


def judge(workloads, checks):
    """All bars: [{what, value, limit, holds}]; value and holds are None where nothing was measured."""
    results = Results(workloads, checks)
    rows = []
    for what, ask, limit in BARS:
        value = ask(results)
        rows.append({"what": what, "value": value, "limit": limit, "holds": None if value is None else value <= limit})
    return rows


NOT_PACKAGED = ("conduit", "epoll", "bare ring", "c-ares, answers unread")  # ours, floors, less work
NEAR = 1.1


def behind(workloads, comparison):
    """What is worse than the best packaged peer by more than 10 %: [(workload, peer, by what, ratio)]."""
    rows = []
    for name, workload in workloads.items():
        compared = [(comparison(ratios), peer) for peer, ratios in workload["ratios"].items()
                    if not peer.startswith(NOT_PACKAGED)]
        found = [(ratio["median"], what, peer) for (what, ratio), peer in filter(lambda row: row[0], compared)]
        if found and max(found)[0] > NEAR:
            ratio, what, peer = max(found)
            rows.append((name, peer, what, ratio))
    return rows
