#!/usr/bin/env -S python3 -B
"""conduit proxy: TCP to Unix and back, half-close, refused targets, drain, memory."""

import threading

from cli import *


def test_tcp_to_unix():
    data = os.urandom(8 << 20)
    with folder() as path, Server("serve", f"unix:{path}/s") as target:
        with Server("proxy", "tcp:127.0.0.1:0", f"unix:{path}/s") as proxy:
            done = expect(["connect", proxy.tcp()], 0, "", input=data)
            equal(sha256(done.stdout), sha256(data))
            equal(proxy.stop(), (1, 1, 0))
        equal(target.stop(), (1, 1, 0))


def test_unix_to_tcp():
    data = os.urandom(1 << 20)
    with folder() as path, Server("serve", "tcp:127.0.0.1:0") as target:
        with Server("proxy", f"unix:{path}/p", target.tcp()) as proxy:
            equal(proxy.endpoints, [f"(Unix_domain_socket {path}/p)"])
            done = expect(["connect", f"unix:{path}/p"], 0, "", input=data)
            equal(sha256(done.stdout), sha256(data))
            equal(proxy.stop(), (1, 1, 0))


def test_many_at_once():
    with Server("serve", "tcp:127.0.0.1:0") as target, Server("proxy", "tcp:127.0.0.1:0", target.tcp()) as proxy:
        connections = [proxy.connect() for _ in range(50)]
        for i, connection in enumerate(connections):
            connection.sendall(b"%d" % i * 1000)
        for i, connection in enumerate(connections):
            wanted = b"%d" % i * 1000
            equal(receive(connection, len(wanted)), wanted)
            connection.close()
        equal(proxy.stop(), (50, 50, 0))


def test_half_close_is_carried_across():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with Server("proxy", "tcp:127.0.0.1:0", f"tcp:127.0.0.1:{listener.getsockname()[1]}") as proxy:
            client = proxy.connect()
            target, _ = listener.accept()
            target.settimeout(PATIENCE)
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            equal(receive_all(target), b"question")
            target.sendall(b"answer")
            equal(receive(client, 6), b"answer")
            target.close()
            equal(receive_all(client), b"")
            client.close()
            # And the other way round.
            client = proxy.connect()
            target, _ = listener.accept()
            target.settimeout(PATIENCE)
            target.sendall(b"greeting")
            target.shutdown(socket.SHUT_WR)
            equal(receive_all(client), b"greeting")
            client.sendall(b"reply")
            client.close()
            equal(receive_all(target), b"reply")
            target.close()
            equal(proxy.stop(), (2, 2, 0))


def test_what_the_client_sent_before_the_target_answered():
    with Server("serve", "tcp:127.0.0.1:0") as target, Server("proxy", "tcp:127.0.0.1:0", target.tcp()) as proxy:
        for _ in range(20):
            with proxy.connect() as client:
                client.sendall(b"early")
                client.shutdown(socket.SHUT_WR)
                equal(receive_all(client), b"early")


def test_refused_target():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    with Server("proxy", "tcp:127.0.0.1:0", target) as proxy:
        for _ in range(2):
            try:
                with proxy.connect() as client:
                    equal(client.recv(1), b"")
            except ConnectionResetError:
                pass
            equal(proxy.process.stderr.readline().decode(), f"conduit: {target}: connection refused\n")
        equal(proxy.stop(), (2, 0, 2))


def test_target_comes_later():
    with folder() as path, Server("proxy", "tcp:127.0.0.1:0", f"unix:{path}/s") as proxy:
        expect(["connect", proxy.tcp()], 1, None, "")
        equal(proxy.process.stderr.readline().decode(),
              f"conduit: unix:{path}/s: no such file or directory\n")
        with Server("serve", f"unix:{path}/s"):
            expect(["connect", proxy.tcp()], 0, "", b"now", input=b"now")


def test_names_are_tried_in_turn():
    with Server("serve", "tcp:127.0.0.1:0") as target:
        with Server("proxy", "tcp:127.0.0.1:0", f"tcp:localhost:{target.port()}") as proxy:
            expect(["connect", proxy.tcp()], 0, "", b"x", input=b"x")


def test_drain():
    with Server("serve", "tcp:127.0.0.1:0") as target:
        with Server("proxy", "--drain", "60", "tcp:127.0.0.1:0", target.tcp()) as proxy:
            client = proxy.connect()
            client.sendall(b"x")
            equal(client.recv(1), b"x")
            proxy.signal(signal.SIGTERM)
            while True:
                try:
                    proxy.connect().close()
                except ConnectionError:
                    break
            client.sendall(b"y")
            equal(client.recv(1), b"y")
            client.close()
            code, said = proxy.wait()
            equal(code, 0)
            check(said.endswith(" 0 aborted\n"), said)
        with Server("proxy", "--drain", "0.05", "tcp:127.0.0.1:0", target.tcp()) as proxy:
            client = proxy.connect()
            client.sendall(b"x")
            equal(client.recv(1), b"x")
            equal(proxy.stop(), (1, 0, 1))
            client.close()


def test_max_active():
    with Server("serve", "tcp:127.0.0.1:0") as target:
        with Server("proxy", "--max-active", "1", "tcp:127.0.0.1:0", target.tcp()) as proxy:
            clients = [proxy.connect() for _ in range(5)]
            for client in clients:
                client.sendall(b"x")
            for left in range(5, 0, -1):
                ready, _, _ = select.select(clients, [], [], PATIENCE)
                equal(len(ready), 1, left)
                equal(ready[0].recv(1), b"x")
                clients.remove(ready[0])
                ready[0].close()
            equal(proxy.stop(), (5, 5, 0))


def test_stalled_sink():
    """A fast source and a sink that does not read: little memory, and all of it in the end."""
    total = 64 << 20
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        with Server("proxy", "tcp:127.0.0.1:0", f"tcp:127.0.0.1:{listener.getsockname()[1]}") as proxy:
            client = proxy.connect()
            sink, _ = listener.accept()
            sink.settimeout(PATIENCE)
            stalled = threading.Event()
            sent = [0]

            def feed():
                piece = b"z" * 65536
                while sent[0] < total:
                    if not select.select([], [client], [], 0.5)[1]:
                        stalled.set()
                    client.sendall(piece)
                    sent[0] += len(piece)
                client.shutdown(socket.SHUT_WR)

            feeder = threading.Thread(target=feed, daemon=True)
            feeder.start()
            check(stalled.wait(PATIENCE), "the source never had to wait")
            with open(f"/proc/{proxy.process.pid}/status", encoding="ascii") as status:
                peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
            if "sanitize" not in BUILD and "address" not in BUILD and "thread" not in BUILD:
                check(peak <= 16384, f"{peak} KiB resident at peak")
            received = 0
            while piece := sink.recv(1 << 20):
                received += len(piece)
            equal(received, total)
            sink.close()
            client.close()
            feeder.join()
            equal(proxy.stop(), (1, 1, 0))


def test_errors_that_nobody_reads():
    """A pipe that is full behind standard error stops nothing."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    process = subprocess.Popen([CONDUIT, "proxy", "tcp:127.0.0.1:0", "unix:/nonexistent/x"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer)
    try:
        port = int(process.stdout.readline().decode().rstrip(")\n").split()[-1])
        for _ in range(3):
            with contextlib.suppress(ConnectionResetError):
                with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
                    equal(connection.recv(1), b"")
        process.send_signal(signal.SIGTERM)
        equal(process.wait(PATIENCE), 0)
    finally:
        process.kill()
        process.stdout.close()
        os.close(reader)
        os.close(writer)


if __name__ == "__main__":
    main(*[value for name, value in list(globals().items()) if name.startswith("test_")])
