#!/usr/bin/env -S python3 -B
"""conduit connect: every kind of standard input and output, half-close, ends and errors."""

import fcntl
import pty

from cli import *


def nonblocking(fd):
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK)


def test_input_from_a_file():
    with folder() as path, Server("serve", "tcp:127.0.0.1:0") as server:
        for size in (0, 1, 65536, 65537, 10 << 20):
            digest = random_file(f"{path}/in", size)
            with open(f"{path}/in", "rb") as source, open(f"{path}/out", "wb") as sink:
                expect(["connect", server.tcp()], 0, "", stdin=source, stdout=sink)
            with open(f"{path}/out", "rb") as result:
                equal(sha256(result.read()), digest, size)


def test_input_from_a_pipe():
    data = os.urandom(3 << 20)
    with Server("serve", "tcp:127.0.0.1:0") as server:
        equal(sha256(expect(["connect", server.tcp()], 0, "", input=data).stdout), sha256(data))


def test_input_from_devices():
    with Server("serve", "tcp:127.0.0.1:0") as server:
        with open("/dev/null", "rb") as null, open("/dev/null", "wb") as sink:
            expect(["connect", server.tcp()], 0, "", b"", stdin=null)
            expect(["connect", server.tcp()], 0, "", input=b"x" * 100000, stdout=sink)
    with Server("serve", "--source", "1000", "tcp:127.0.0.1:0") as server, open("/dev/zero", "rb") as zero:
        equal(len(expect(["connect", server.tcp()], 0, "", stdin=zero).stdout), 1000)


def test_input_and_output_are_sockets():
    data = os.urandom(1 << 20)
    with Server("serve", "tcp:127.0.0.1:0") as server:
        ours, theirs = socket.socketpair()
        child = subprocess.Popen([CONDUIT, "connect", server.tcp()], stdin=theirs, stdout=theirs)
        theirs.close()
        sender = os.fork()
        if sender == 0:
            ours.sendall(data)
            ours.shutdown(socket.SHUT_WR)
            os._exit(0)
        equal(sha256(receive_all(ours)), sha256(data))
        equal(child.wait(PATIENCE), 0)
        os.waitpid(sender, 0)


def test_input_is_a_terminal():
    with Server("serve", "tcp:127.0.0.1:0") as server:
        master, terminal = pty.openpty()
        child = subprocess.Popen([CONDUIT, "connect", server.tcp()], stdin=terminal, stdout=terminal)
        os.write(master, b"hello\n")
        text = b""
        while text.count(b"hello") < 2:  # the terminal's echo, and the server's
            text += os.read(master, 100)
        equal((nonblocking(terminal), nonblocking(master)), (False, False))
        os.write(master, b"\x04")
        equal(child.wait(PATIENCE), 0)
        os.close(terminal)
        os.close(master)


def test_shared_descriptors_stay_blocking():
    with Server("serve", "tcp:127.0.0.1:0") as server:
        in_read, in_write = os.pipe()
        out_read, out_write = os.pipe()
        child = subprocess.Popen([CONDUIT, "connect", server.tcp()], stdin=in_read, stdout=out_write)
        os.write(in_write, b"x")
        equal(os.read(out_read, 1), b"x")
        for fd in (in_read, in_write, out_read, out_write):
            equal(nonblocking(fd), False)
        os.close(in_write)
        equal(child.wait(PATIENCE), 0)
        for fd in (in_read, out_read, out_write):
            os.close(fd)


def test_half_close_lets_the_peer_answer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        child = subprocess.Popen([CONDUIT, "connect", f"tcp:127.0.0.1:{listener.getsockname()[1]}"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        peer, _ = listener.accept()
        child.stdin.write(b"question")
        child.stdin.close()
        equal(receive_all(peer), b"question")  # its end was seen
        equal(child.poll(), None)
        peer.sendall(b"answer")
        equal(child.stdout.read(6), b"answer")
        equal(child.poll(), None)
        peer.close()
        equal(child.wait(PATIENCE), 0)
        child.stdout.close()


def test_ends_when_the_peer_has_closed():
    """Although its input is still open."""
    with Server("serve", "--source", "1M", "tcp:127.0.0.1:0") as server:
        child = subprocess.Popen([CONDUIT, "connect", server.tcp()], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        equal(len(child.stdout.read()), 1 << 20)
        equal(child.wait(PATIENCE), 0)
        child.stdin.close()
        child.stdout.close()


def test_peer_that_resets():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        text = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        child = subprocess.Popen([CONDUIT, "connect", text], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        peer, _ = listener.accept()
        peer.sendall(b"data")
        equal(child.stdout.read(4), b"data")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        equal(child.wait(PATIENCE), 1)
        equal(child.stderr.read().decode(), f"conduit: {text}: connection reset by peer\n")
        for file in (child.stdin, child.stdout, child.stderr):
            file.close()


def test_refused():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        text = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    expect(["connect", text], 1, f"{text}: connection refused", "")
    expect(["connect", "unix:/nonexistent/x"], 1, "unix:/nonexistent/x: no such file or directory", "")
    expect(["connect", "unix:@no-such-name"], 1, "unix:@no-such-name: connection refused", "")


def test_connect_timeout():
    """A listener whose backlog is full takes no more."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    text = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    expect(["connect", "--connect-timeout", "0.2", text], 1, None, "")
    for filler in fillers:
        filler.close()
    listener.close()


def test_wrong_family_of_source():
    with Server("serve", "tcp:127.0.0.1:0") as server:
        why = "the address of --bind is of another family"
        expect(["connect", "--bind", "::1", server.tcp()], 2, f"{server.tcp()}: {why}", "")
        expect(["proxy", "--bind", "::1", "tcp:0", server.tcp()], 2, f"{server.tcp()}: {why}", "")
        expect(["connect", "--bind", "127.0.0.1", server.tcp()], 0, "", b"x", input=b"x")
        # Of a name's addresses, those of the other family are left out.
        name = f"tcp:localhost:{server.port()}"
        expect(["connect", "--bind", "127.0.0.1", name], 0, "", b"x", input=b"x")
        done = expect(["connect", "--bind", "192.0.2.1", server.tcp()], 1, None, "")
        equal(done.stderr.count(b"\n"), 1)


def test_names_are_tried_in_turn():
    """localhost may be ::1 first; the server listens on 127.0.0.1 only."""
    with Server("serve", "tcp:127.0.0.1:0") as server:
        expect(["connect", f"tcp:localhost:{server.port()}"], 0, "", b"x", input=b"x")
        expect(["connect", f"tcp:{server.port()}"], 0, "", b"x", input=b"x")


def test_full_disk():
    with Server("serve", "--source", "100M", "tcp:127.0.0.1:0") as server, open("/dev/full", "wb") as full:
        expect(["connect", server.tcp()], 1, "standard output: no space left on device", stdout=full)


def test_file_size_limit():
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    with folder() as path, Server("serve", "--source", "1M", "tcp:127.0.0.1:0") as server:
        with open(f"{path}/out", "wb") as sink:
            expect(["connect", server.tcp()], 1, "standard output: file too large", stdout=sink,
                   preexec_fn=limit)
        equal(os.path.getsize(f"{path}/out"), 100000)


def test_output_pipe_that_closes():
    with Server("serve", "--source", "100M", "tcp:127.0.0.1:0") as server:
        child = subprocess.Popen([CONDUIT, "connect", server.tcp()], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        equal(len(child.stdout.read(1000)), 1000)
        child.stdout.close()
        equal(child.wait(PATIENCE), 1)
        equal(child.stderr.read(), b"conduit: standard output: broken pipe\n")
        child.stderr.close()


def test_closed_descriptors():
    with Server("serve", "--source", "10", "tcp:127.0.0.1:0") as server:
        expect(["connect", server.tcp()], 1, "standard output: bad file descriptor", stdout=None,
               preexec_fn=lambda: os.close(1))
        equal(run("connect", server.tcp(), stderr=None, preexec_fn=lambda: os.close(2)).returncode, 0)
    with Server("serve", "tcp:127.0.0.1:0") as server:
        expect(["connect", server.tcp()], 1, "standard input: bad file descriptor", stdin=None,
               preexec_fn=lambda: os.close(0))


def test_input_is_a_directory():
    with Server("serve", "tcp:127.0.0.1:0") as server, folder() as path:
        fd = os.open(path, os.O_RDONLY)
        expect(["connect", server.tcp()], 1, "standard input: is a directory", "", stdin=fd)
        os.close(fd)


def test_back_pressure():
    """A peer that does not read stops the input, and a reader that does not read stops the peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        text = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        with open("/dev/zero", "rb") as zero:
            child = subprocess.Popen([CONDUIT, "connect", text], stdin=zero, stdout=subprocess.PIPE)
        peer, _ = listener.accept()
        peer.setblocking(False)
        sent = 0
        while select.select([], [peer], [], 0.5)[1]:
            sent += peer.send(b"z" * 65536)
        with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        if "sanitize" not in BUILD and "address" not in BUILD:
            check(resident < 16384, f"{resident} KiB resident")
        check(sent < 64 << 20, sent)
        child.kill()
        child.wait()
        child.stdout.close()
        peer.close()


def test_counters():
    with Server("serve", "tcp:127.0.0.1:0") as server:
        child = subprocess.Popen([CONDUIT, "connect", server.tcp()], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child.stdin.write(b"12345")
        child.stdin.flush()
        equal(child.stdout.read(5), b"12345")
        child.send_signal(signal.SIGUSR1)
        equal(child.stderr.readline().decode(), f"counters: {server.tcp()}: sent 5, received 5\n")
        child.stdin.close()
        equal(child.wait(PATIENCE), 0)
        child.stdout.close()
        child.stderr.close()


if __name__ == "__main__":
    main(*[value for name, value in list(globals().items()) if name.startswith("test_")])
