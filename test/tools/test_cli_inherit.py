#!/usr/bin/env -S python3 -B
"""Inherited listening descriptors: fd:N and systemd:NAME."""

from cli import *


class Inherited(Server):
    """Started with listening sockets at descriptors 3, 4, ..."""

    def __init__(self, sockets, *args, environment=None, **options):
        saved = [os.dup(s.fileno()) for s in sockets]

        def place():
            high = [fcntl_dup(fd) for fd in saved]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
            text = os.environ | {"LISTEN_PID": str(os.getpid())} | (environment or {})
            os.closerange(3 + len(high), 200)
            os.execve(CONDUIT, [CONDUIT, *args], text)

        super().__init__(*args, preexec_fn=place, close_fds=False, **options)
        for fd in saved:
            os.close(fd)


def fcntl_dup(fd):
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD, 100)


def listener(family=socket.AF_INET, address=("127.0.0.1", 0)):
    made = socket.socket(family)
    made.bind(address)
    made.listen(16)
    return made


def test_fd():
    with listener() as one:
        with Inherited([one], "serve", "fd:3") as server:
            equal(server.port(), one.getsockname()[1])
            expect(["connect", server.tcp()], 0, "", b"x", input=b"x")
            equal(server.stop(), (1, 1, 0))


def test_fd_of_a_unix_socket():
    with folder() as path, listener(socket.AF_UNIX, f"{path}/s") as one:
        with Inherited([one], "serve", "fd:3") as server:
            equal(server.endpoints, [f"(Unix_domain_socket {path}/s)"])
            expect(["connect", f"unix:{path}/s"], 0, "", b"x", input=b"x")
            server.stop()
        equal(os.listdir(path), ["s"])  # it belongs to whoever made it


def test_fd_that_is_no_listener():
    expect(["serve", "fd:0"], 1, "fd:0: socket operation on non-socket", "")
    expect(["serve", "fd:99"], 1, "fd:99: bad file descriptor", "")
    expect(["serve", "tcp:127.0.0.1:0", "fd:3"], 1, "fd:3: this descriptor was not inherited", "")


def test_systemd():
    with listener() as one, listener() as two:
        names = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"}
        with Inherited([one, two], "serve", "systemd:admin", "systemd:web", listeners=2, environment=names) as server:
            equal(server.port(0), two.getsockname()[1])
            equal(server.port(1), one.getsockname()[1])
            expect(["connect", server.tcp(1)], 0, "", b"x", input=b"x")
            equal(server.stop(), (1, 1, 0))


def test_systemd_and_a_proxy():
    with listener() as one, Server("serve", "tcp:127.0.0.1:0") as target:
        names = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "in"}
        with Inherited([one], "proxy", "systemd:in", target.tcp(), environment=names) as proxy:
            expect(["connect", proxy.tcp()], 0, "", b"x", input=b"x")
            proxy.stop()


def test_systemd_wrong():
    why = "no socket of this name was passed (LISTEN_FDNAMES)"
    with listener() as one:
        for names in [{"LISTEN_FDS": "1", "LISTEN_FDNAMES": "other"}, {"LISTEN_FDS": "0", "LISTEN_FDNAMES": "web"},
                      {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "web", "LISTEN_PID": "1"}, {"LISTEN_FDS": "1"}]:
            try:
                Inherited([one], "serve", "systemd:web", environment=names)
                check(False, "it should not listen")
            except Failed as error:
                check(f"conduit: systemd:web: {why}" in str(error), error)


if __name__ == "__main__":
    main(*[value for name, value in list(globals().items()) if name.startswith("test_")])
