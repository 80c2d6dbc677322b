#!/usr/bin/env -S python3 -B
"""The examples echo and client: they talk to each other, and to the program."""

from cli import *

EXAMPLES = os.path.join(os.path.abspath(BUILD), "examples")


def client(*args):
    return subprocess.run([f"{EXAMPLES}/client", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE)


def test_client():
    with folder() as path, Server("serve", f"unix:{path}/s", "tcp:127.0.0.1:0", listeners=2) as server:
        for text in (f"unix:{path}/s", server.tcp(1)):
            done = client(text, "some words")
            equal((done.returncode, done.stdout, done.stderr), (0, b"some words\n", b""))


def test_client_that_cannot_connect():
    done = client("unix:/nonexistent/x")
    equal((done.returncode, done.stderr), (1, b"client: no such file or directory\n"))
    done = client("tcp:nonsense")
    equal((done.returncode, done.stdout), (1, b""))
    check(done.stderr.startswith(b"client: offset 4: expected "), done.stderr)


def connect_7777(process):
    """Until it listens."""
    while True:
        equal(process.poll(), None)
        try:
            return socket.create_connection(("127.0.0.1", 7777), PATIENCE)
        except ConnectionRefusedError:
            pass


def test_echo():
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", 7777))
        except OSError:
            print("    port 7777 is in use here: not run")
            return
    server = subprocess.Popen([f"{EXAMPLES}/echo"])
    try:
        with connect_7777(server) as connection:
            data = os.urandom(1 << 20)
            connection.settimeout(PATIENCE)
            sender = os.fork()
            if sender == 0:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                os._exit(0)
            equal(sha256(receive_all(connection)), sha256(data))
            os.waitpid(sender, 0)
        done = client()
        equal((done.returncode, done.stdout), (0, b"hello\n"))
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main(test_client, test_client_that_cannot_connect, test_echo)
