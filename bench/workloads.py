"""What `make bench` measures: workloads, and who takes part in each; ours is the first."""
import starved
from contenders import Contender
from kinds import Alone, Asked, Served
from relays import relays

PLAIN = [Contender(name) for name in
         ("conduit", "epoll", "libev", "libevent", "libevent_bufferevent", "libuv", "libuv_write")]
LOOPS = [Contender(name, "loops/" + name) for name in ("conduit", "epoll", "libev", "libevent", "libuv")]
PRECISE = LOOPS + [Contender("libevent, precise", "loops/libevent", EVENT_PRECISE_TIMER="1")]
TLS = [Contender("conduit, wolfSSL", "peers/conduit", CONDUIT_TLS="wolfssl"),
       Contender("conduit, OpenSSL", "peers/conduit", CONDUIT_TLS="openssl"),
       Contender("libevent_bufferevent")]
VCHAN = [Contender("conduit, vchan", "peers/conduit", scheme="vchan"),
         Contender("conduit, Unix", "peers/conduit", scheme="unix")]


def named(program, **names):
    """Contenders that are one program of ours, each by the word that it is asked for."""
    return [Contender(name, f"own/{program}", [word], backend=word if word in ("wolfssl", "openssl") else None)
            for word, name in names.items()]


VCHAN_LOCAL = named("vchan_local", vchan="conduit, vchan", unix="conduit, Unix")
VCHAN_RING = named("vchan_ring", flow="conduit", bare="bare ring")
DNS = named("dns", conduit="conduit", cares="c-ares", cares_sorted="c-ares, addresses sorted",
            cares_unread="c-ares, answers unread")
TLS_MEMORY = named("tls_memory", wolfssl="conduit, wolfSSL", openssl="conduit, OpenSSL")

WORKLOADS = [
    Served("echo 64 B, 1 connection", PLAIN, "tcp", "echo -c 1", 20000),
    Served("echo 64 B, 100 connections", PLAIN, "tcp", "echo -c 100", 200000),
    Served("echo 64 B, 1000 connections", PLAIN, "tcp", "echo -c 1000", 200000),
    Served("echo 64 B, 8000 connections", PLAIN, "tcp", "echo -c 8000", 200000),
    Served("echo 64 B, 100 connections, 16 deep", PLAIN, "tcp", "echo -c 100 -d 16", 1000000),
    Served("echo 16 KiB, 100 connections", PLAIN, "tcp", "echo -c 100 -s 16384", 50000),
    Served("echo 64 B, 100 connections, 20000 a second", PLAIN, "tcp", "echo -c 100 -r 20000", 20000),
    Served("echo 64 B, 100 connections, Unix", PLAIN, "unix", "echo -c 100", 200000),
    Served("accept, echo a byte, the client closes", PLAIN, "tcp", "visit -c 64", 20000),
    Served("accept, echo a byte, the server closes", PLAIN, "tcp", "visit -c 64 -e", 20000, "close"),
    Served("idle connections, 8000", PLAIN, "tcp", "idle -c 8000", 1),
    Asked("overload: 100 clients, 64 descriptors", PLAIN, starved.overload),

    Served("TLS: full handshake", TLS, "tls", "shake -c 16", 5000),
    Served("TLS: resumed handshake", TLS, "tls", "shake -c 1 -R", 3000),
    Served("TLS: echo 64 B, 100 connections", TLS, "tls", "echo -c 100", 200000),
    Served("TLS: 16 KiB received", TLS, "tls", "send -c 4 -s 16384", 50000, "discard"),
    Served("TLS: 16 KiB sent", TLS, "tls", "take -c 4 -s 16384", 50000, "source"),
    Served("TLS: idle connections, 2000", TLS, "tls", "idle -c 2000", 1),
    Alone("TLS: idle connections, one by one", TLS_MEMORY, "one", 2000, scales=False, tls=True, descriptors=2000),
    Alone("TLS: idle connections, all at once", TLS_MEMORY, "many", 2000, scales=False, tls=True, descriptors=2000),

    Served("vchan: echo 64 B, 1 connection", VCHAN, "vchan", "echo -c 1", 20000),
    Served("vchan: echo 64 B, 100 connections", VCHAN, "vchan", "echo -c 100", 200000),
    Served("vchan: echo 64 B, 100 connections, 20000 a second", VCHAN, "vchan", "echo -c 100 -r 20000", 20000),
    Alone("vchan: 64 B to and fro", VCHAN_LOCAL, "ping 64 0", 30000, counts_calls=True, timed=True),
    Alone("vchan: 64 B to and fro, looking for 50 us before it sleeps", VCHAN_LOCAL, "ping 64 50000", 100000, timed=True),
    Alone("vchan: 64 KiB blocks, rings of 1 MiB", VCHAN_LOCAL, "bulk 65536 0", 32768, timed=True),
    Alone("vchan: a flow over its ring, 64 B", VCHAN_RING, "small", 400000),
    Alone("vchan: a flow over its ring, 64 KiB", VCHAN_RING, "bulk", 20000),
    Alone("vchan: a flow over its ring, kept full", VCHAN_RING, "full", 20000),

    Alone("names: A and AAAA, 100 at a time", DNS, "", 10000),

    Served("relay TCP to TCP, 64 KiB at a time", relays(tls=False), "tcp", "send -c 1 -s 65536", 16384, "discard"),
    Served("relay TLS to TCP, 64 KiB at a time", relays(tls=True), "tls", "send -c 1 -s 65536", 16384, "discard"),
    Served("relay TCP to TLS, 64 KiB at a time", relays(tls=True), "tls", "take -c 1 -s 65536", 16384, "source"),
    Served("relay TLS to TCP, handshake and connection", relays(tls=True), "tls", "shake -c 16", 3000),
    Asked("relay with a stalled sink", relays(tls=False), starved.stalled),
    Asked("relay with a stalled sink, TLS to TCP", relays(tls=True), starved.stalled_tls),
]

for pending in (1000, 100000, 1000000):
    WORKLOADS.append(Alone(f"timers: re-arm one of {pending}", LOOPS, f"rearm {pending}", 1000000))
WORKLOADS += [
    Alone("timers: expiry of 1000 within 100 ms", PRECISE, "expire 1000 100", 3000),
    Alone("timers: expiry of 1000 within 1 s", PRECISE, "expire 1000 1000", 1000),
    Alone("timers: expiry of 100000 within 1 s", PRECISE, "expire 100000 1000", 100000),
    Alone("timers: lateness, one after the other within 2 ms", PRECISE, "late 2", 500),
    Alone("a turn with one event", LOOPS, "turn", 1000000),
]
for watches in (1, 1000):
    WORKLOADS.append(Alone(f"posts: waking a loop with {watches} watches", LOOPS, f"post {watches}", 10000))
    WORKLOADS.append(Alone(f"posts: a flood, {watches} watches", LOOPS, f"flood {watches}", 1000000))
