#!/usr/bin/env -S python3 -B
"""conduit serve: answers, listeners, limits, counters, drain and signals."""

from cli import *


def echo(connection, data):
    connection.sendall(data)
    equal(receive(connection, len(data)), data)


def test_echo_of_random_data():
    data = os.urandom(4 << 20)
    with folder() as path:
        texts = ["tcp:127.0.0.1:0", "tcp:[::1]:0", f"unix:{path}/s", f"unix:@conduit-test-{os.getpid()}"]
        with Server("serve", "--echo", *texts, listeners=4) as server:
            targets = [server.tcp(0), f"tcp:[::1]:{server.port(1)}", *texts[2:]]
            for target in targets:
                done = expect(["connect", target], 0, "", input=data)
                equal(sha256(done.stdout), sha256(data), target)
            equal(server.stop(), (4, 4, 0))
        equal(os.listdir(path), [])


def test_what_is_printed():
    with folder() as path:
        with Server("serve", "tcp:127.0.0.1:0", f"unix:{path}/a b", f"unix:@x {os.getpid()}", "tcp:0", listeners=4) as server:
            check(server.port(0) > 0)
            equal(server.endpoints[0], f"(TCP (127.0.0.1 {server.port(0)}))")
            equal(server.endpoints[1], f'(Unix_domain_socket "{path}/a b")')
            equal(server.endpoints[2], f'(Unix_domain_socket "@x {os.getpid()}")')
            check(server.endpoints[3] in (f"(TCP (:: {server.port(3)}))", f"(TCP (0.0.0.0 {server.port(3)}))"))
            server.stop()
            equal(server.process.stdout.read(), b"")


def test_no_host_is_dual_stack():
    with Server("serve", "tcp:0") as server:
        echo(server.connect(), b"v4")
        if "::" in server.endpoints[0]:
            with socket.create_connection(("::1", server.port()), PATIENCE) as connection:
                connection.settimeout(PATIENCE)
                echo(connection, b"v6")
    with Server("serve", "--bind", "127.0.0.1", "tcp:0") as server:
        equal(server.endpoints[0], f"(TCP (127.0.0.1 {server.port()}))")
    with Server("serve", "--bind", "lo", "tcp:0") as server:
        echo(server.connect(), b"lo")


def test_discard():
    with Server("serve", "--discard", "tcp:127.0.0.1:0") as server:
        expect(["connect", server.tcp()], 0, "", b"", input=os.urandom(1 << 20))
        equal(server.stop(), (1, 1, 0))


def test_source():
    for size, count in [("0", 0), ("1", 1), ("1000000", 1000000), ("3M", 3 << 20)]:
        with Server("serve", "--source", size, "tcp:127.0.0.1:0") as server:
            done = expect(["connect", server.tcp()], 0, "")
            wanted = bytes(i % 251 for i in range(251)) * (count // 251 + 1)
            equal(sha256(done.stdout), sha256(wanted[:count]), size)
            with server.connect() as connection:  # ended before it reads
                connection.shutdown(socket.SHUT_WR)
                equal(len(receive_all(connection)), count)
            equal(server.stop(), (2, 2, 0))


def test_slow_reader_gets_everything():
    with Server("serve", "--source", "20M", "--linger", "0.1", "tcp:127.0.0.1:0") as server:
        with server.connect() as connection:
            size = 0
            while piece := connection.recv(1 << 16):
                if size % (1 << 20) + len(piece) >= 1 << 20:
                    select.select([], [], [], 0.01)  # slow, on purpose
                size += len(piece)
            equal(size, 20 << 20)


def test_echo_half_close():
    with Server("serve", "tcp:127.0.0.1:0") as server, server.connect() as connection:
        data = os.urandom(100000)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        equal(receive_all(connection), data)


def test_all_listeners_or_none():
    with folder() as path:
        with Server("serve", "tcp:127.0.0.1:0") as server:
            taken = f"tcp:127.0.0.1:{server.port()}"
            expect(["serve", f"unix:{path}/s", taken], 1, f"{taken}: address already in use", "")
            expect(["serve", taken, f"unix:{path}/s"], 1, f"{taken}: address already in use", "")
        expect(["serve", f"unix:{path}/s", "tcp:192.0.2.1:1"], 1,
               "tcp:192.0.2.1:1: cannot assign requested address", "")
        expect(["serve", f"unix:{path}/s", "tcp:x"], 2)
        expect(["serve", f"unix:{path}/s", f"unix:{path}/s"], 1)
        equal(os.listdir(path), [])
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(f"{path}/s")
        expect(["serve", f"unix:{path}/s", "tcp:x"], 2)  # nothing was tried, not even the first
        equal(os.listdir(path), ["s"])


def test_stopped_while_it_starts():
    """SIGTERM before the program can tell of its listeners is an orderly end, or the kernel's."""
    for i in range(40):
        with Server("serve", "tcp:127.0.0.1:0", listeners=0) as server:
            time.sleep(i * 0.0001)  # each time elsewhere
            server.signal(signal.SIGTERM)
            endings = [(-signal.SIGTERM, ""), (0, "drained: 0 accepted, 0 closed, 0 aborted\n")]
            check(server.wait() in endings)


def test_output_that_cannot_be_written():
    with folder() as path, open("/dev/full", "wb") as full:
        expect(["serve", f"unix:{path}/s"], 1, "standard output: no space left on device", stdout=full)
        equal(os.listdir(path), [])


def test_stale_and_live_unix_sockets():
    with folder() as path:
        with Server("serve", f"unix:{path}/s") as server:
            done = expect(["serve", f"unix:{path}/s"], 1, None, "")
            check(done.stderr.startswith(f"conduit: unix:{path}/s: address already in use".encode()))
            server.signal(signal.SIGKILL)
            server.wait()
        equal(os.listdir(path), ["s"])
        with Server("serve", f"unix:{path}/s") as server:
            expect(["connect", f"unix:{path}/s"], 0, "", b"x", input=b"x")
            server.stop()
        equal(os.listdir(path), [])
        with open(f"{path}/s", "w"):
            expect(["serve", f"unix:{path}/s"], 1)
        equal(os.listdir(path), ["s"])


def test_unix_mode():
    with folder() as path:
        for mode in ["600", "660", "777"]:
            with Server("serve", "--unix-mode", mode, f"unix:{path}/s"):
                equal(oct(os.stat(f"{path}/s").st_mode & 0o777), "0o" + mode)
            os.path.exists(f"{path}/s") and os.unlink(f"{path}/s")


def test_max_active():
    """No more than the limit at once, over both listeners; everyone is served in the end."""
    with folder() as path:
        with Server("serve", "--max-active", "3", "tcp:127.0.0.1:0", f"unix:{path}/s", listeners=2) as server:
            waiting = []
            for i in range(20):
                if i % 2:
                    connection = socket.socket(socket.AF_UNIX)
                    connection.settimeout(PATIENCE)
                    connection.connect(f"{path}/s")
                else:
                    connection = server.connect(0)
                connection.sendall(b"x")
                waiting.append(connection)
            served = 0
            while waiting:
                ready, _, _ = select.select(waiting, [], [], PATIENCE)
                check(ready, "nobody was served")
                check(len(ready) <= 3, len(ready))
                for connection in ready:
                    equal(connection.recv(1), b"x")
                    connection.close()
                    waiting.remove(connection)
                    served += 1
            equal(served, 20)
            server.signal(signal.SIGUSR1)
            lines = [server.process.stderr.readline().decode() for _ in range(3)]
            check("limit: max 3, active" in lines[2] and "peak 3" in lines[2], lines)
            equal(server.stop(), (20, 20, 0))


def test_counters():
    with Server("serve", "tcp:127.0.0.1:0") as server:
        connection = server.connect()
        echo(connection, b"12345")
        server.signal(signal.SIGUSR1)
        line = server.process.stderr.readline().decode()
        check(line.startswith(f"counters: {server.endpoints[0]}: accepted 1, active 1, peak 1, "), line)
        check(line.rstrip().endswith("starved 0, handshakes waited 0, bytes in 5, out 5"), line)
        server.process.stderr.readline()
        connection.close()
        equal(server.stop(), (1, 1, 0))


def test_drain_waits_for_the_active():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Server("serve", "--drain", "60", "tcp:127.0.0.1:0") as server:
            connection = server.connect()
            echo(connection, b"before")
            server.signal(number)
            while True:  # until it accepts no more
                try:
                    server.connect().close()
                except ConnectionError:
                    break
            echo(connection, b"after")
            equal(server.process.poll(), None)
            connection.close()
            code, said = server.wait()
            equal(code, 0)
            check(said.startswith("drained: ") and said.endswith(" 0 aborted\n"), said)


def test_drain_aborts_at_its_deadline():
    for seconds in ("0", "0.05"):
        with Server("serve", "--drain", seconds, "tcp:127.0.0.1:0") as server:
            connection = server.connect()
            echo(connection, b"x")
            equal(server.stop(), (1, 0, 1))
            try:
                equal(connection.recv(1), b"reset")
            except ConnectionResetError:
                pass


def test_second_signal_ends_at_once():
    with Server("serve", "--drain", "1000", "tcp:127.0.0.1:0") as server:
        connection = server.connect()
        echo(connection, b"x")
        server.signal(signal.SIGTERM)
        while True:
            try:
                server.connect().close()
            except ConnectionError:
                break
        echo(connection, b"y")
        equal(server.stop()[2], 1)


def test_drain_while_throttled():
    with Server("serve", "--max-active", "1", "--drain", "0.1", "tcp:127.0.0.1:0") as server:
        first = server.connect()
        echo(first, b"x")
        others = [server.connect() for _ in range(5)]
        equal(server.stop(), (1, 0, 1))
        for connection in (first, *others):
            connection.close()


def test_signals_before_anyone_came():
    with Server("serve", "tcp:127.0.0.1:0") as server:
        equal(server.stop(), (0, 0, 0))


def test_timeouts():
    """The total lifetime, and the idle time, end a connection with a reset."""
    for option in ("--timeout", "--idle-timeout"):
        with Server("serve", option, "0.05", "-v", "tcp:127.0.0.1:0") as server, server.connect() as connection:
            echo(connection, b"x")
            try:
                equal(connection.recv(1), b"reset", option)
            except ConnectionResetError:
                pass
            equal(server.stop(), (1, 0, 1))


def test_reuseport():
    with Server("serve", "--reuseport", "tcp:127.0.0.1:0") as one:
        with Server("serve", "--reuseport", one.tcp()) as two:
            equal(one.port(), two.port())
        expect(["serve", one.tcp()], 1, f"{one.tcp()}: address already in use")


def test_verbose_and_quiet():
    with Server("serve", "-v", "tcp:127.0.0.1:0") as server:
        server.connect().close()
        check("accepted" in server.process.stderr.readline().decode())
        check("closed" in server.process.stderr.readline().decode())
        equal(server.stop(), (1, 1, 0))
    with Server("serve", "-q", "tcp:127.0.0.1:0") as server:
        with server.connect() as connection:
            echo(connection, b"x")
        equal(server.stop(), (1, 1, 0))


def test_keepalive_is_set():
    with Server("serve", "--keepalive", "7,3,2", "tcp:127.0.0.1:0") as server, server.connect() as connection:
        echo(connection, b"x")
        if not shutil.which("ss"):
            return
        text = subprocess.run(["ss", "-tnoH", "sport", "=", f":{server.port()}"], stdout=subprocess.PIPE).stdout
        check(b"timer:(keepalive" in text, text)


if __name__ == "__main__":
    main(*[value for name, value in list(globals().items()) if name.startswith("test_")])
