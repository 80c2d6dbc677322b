#!/usr/bin/env -S python3 -B
"""The examples echo, client, tls_server and starttls: they talk to each other, and to the program."""

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


def tls_is_there():
    if "(compiled in: none)\nvchan" in run("version").stdout.decode() or not shutil.which("openssl"):
        print("    no TLS backend is built in, or openssl is not installed: not run")
        return False
    return True


def certificate(path, name):
    """One that is its own anchor, and its key; returns both files."""
    files = [f"{path}/{name}.pem", f"{path}/{name}.key"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost",
                    "-out", files[0], "-keyout", files[1]], check=True, stderr=subprocess.DEVNULL)
    return files


def test_tls_server():
    if not tls_is_there():
        return
    with folder() as path:
        one, two = certificate(path, "one"), certificate(path, "two")
        live = [f"{path}/live.pem", f"{path}/live.key"]
        for old, new in zip(one, live):
            shutil.copy(old, new)
        server = subprocess.Popen([f"{EXAMPLES}/tls_server", *live, "tls:127.0.0.1:0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        try:
            port = server.stdout.readline().decode().split(":")[-1].strip()
            connect = ["connect", "--server-name", "localhost", f"tls:127.0.0.1:{port}", "--ca"]
            data = os.urandom(1 << 20)
            equal(sha256(expect([*connect, one[0]], 0, "", input=data).stdout), sha256(data))
            check(server.stdout.readline().startswith(b"TLSv1.3, TLS_"))
            equal(run(*connect, two[0]).returncode, 1)
            check(b"(CDT_ETLS" in server.stderr.readline())
            for old, new in zip(two, live):
                shutil.copy(old, new)
            server.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + PATIENCE
            while run(*connect, two[0], input=b"x").stdout != b"x":
                check(time.monotonic() < deadline, "not read again")
            os.unlink(live[0])
            server.send_signal(signal.SIGHUP)
            while b"no such file" not in (line := server.stderr.readline()):
                check(b"(CDT_ETLS" in line, line)
        finally:
            server.kill()
            server.communicate()
        done = subprocess.run([f"{EXAMPLES}/tls_server", *live], stderr=subprocess.PIPE, timeout=PATIENCE)
        equal((done.returncode, done.stderr.decode()), (1, f"tls_server: {live[0]}: no such file or directory\n"))


def test_starttls():
    if not tls_is_there():
        return
    with folder() as path:
        done = subprocess.run([f"{EXAMPLES}/starttls", *certificate(path, "one")], stdout=subprocess.PIPE,
                              timeout=PATIENCE)
        equal((done.returncode, done.stdout), (0, b"TLSv1.3 with localhost\nanswer: a secret\nclosed: in order\n"))


if __name__ == "__main__":
    main(test_client, test_client_that_cannot_connect, test_echo, test_tls_server, test_starttls)
