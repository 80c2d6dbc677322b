#!/usr/bin/env -S python3 -B
"""Ends of streams between the program and peers that do as they like: half-close, close_notify and
its want, silence, resets, garbage."""

from peers import *

pki = begin()


def contexts(backend):
    for number in VERSIONS:
        yield number, only(python_client(pki), number)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def test_close_notify_is_answered():
    for backend in BACKENDS:
        for number, context in contexts(backend):
            with serve(pki, backend) as server:
                client = dial(context, server.port())
                equal(client.version(), "TLSv" + number)
                client.sendall(b"x" * 100000)
                equal(receive(client, 100000), b"x" * 100000)
                plain = client.unwrap()  # sends close_notify, waits for the server's
                equal(plain.recv(1), b"")
                plain.close()
                equal(server.stop(), (1, 1, 0), backend, number)


def test_half_close_by_the_client():
    """conduit connect: the end of input is close_notify; the answer may come later."""
    for backend in BACKENDS:
        for number in VERSIONS:
            context = python_server(pki, number=number)

            def answer(connection):
                peer = context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
                asked = receive_all(peer)  # to close_notify, which is no ragged end
                peer.sendall(b"you said " + asked)
                peer.sendall(b"." * 200000)
                peer.unwrap()
                peer.close()

            with Scripted(answer) as server:
                done = connect(pki, backend, server.port, input=b"this")
                equal((done.returncode, done.stderr), (0, b""), backend, number, server.errors)
                equal(done.stdout, b"you said this" + b"." * 200000, backend)
            equal(server.errors, [])


def handshake(tls, plain, incoming, outgoing):
    """Of an SSLObject, over a socket."""
    while True:
        try:
            tls.do_handshake()
            plain.sendall(outgoing.read())
            return
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(1 << 16))


def test_half_close_by_the_server():
    """The peer has ended; what is written still gets there (through a relay: `connect` leaves)."""
    for backend in BACKENDS:
        for number in VERSIONS:
            context, heard = python_server(pki, number=number), []

            def answer(connection):
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = context.wrap_bio(incoming, outgoing, server_side=True)
                handshake(tls, connection, incoming, outgoing)
                tls.write(b"all of it")
                try:
                    tls.unwrap()
                except ssl.SSLWantReadError:
                    pass
                connection.sendall(outgoing.read())  # the data and close_notify, nothing else
                heard.append(receive_all(connection))

            with Scripted(answer) as server:
                options = ["--ca", pki("ca.pem"), "--server-name", NAME, "tcp:127.0.0.1:0", f"tls:127.0.0.1:{server.port}"]
                with Server("proxy", "--tls", backend, *options) as proxy:
                    with proxy.connect() as client:
                        equal(receive_all(client), b"all of it", backend, number)
                        client.sendall(b"after the end" * 1000)
                    equal(proxy.stop(), (1, 1, 0), backend, number)
            equal(server.errors, [])
            check(len(heard[0]) > 13000 + 16, backend, number, len(heard[0]))


def test_truncated_by_the_server():
    """What has come is given out, then an error: the data may not be all."""
    for backend in BACKENDS:
        for number in VERSIONS:
            context = python_server(pki, number=number)
            for how in ("fin", "reset"):

                def answer(connection):
                    peer = context.wrap_socket(connection, server_side=True)
                    peer.sendall(b"part of it")
                    receive(peer, 3)  # it has been read
                    peer.setblocking(True)
                    reset(peer) if how == "reset" else peer.shutdown(socket.SHUT_RDWR)

                with Scripted(answer) as server:
                    with connecting(pki, backend, server.port) as client:
                        client.until("part of it")
                        client.send("ack")
                        said = client.process.stderr.read().decode()
                        equal(client.rest(), 1, backend, number, how, said)
                        equal(client.output, b"part of it")
                        check(("without" in said or "truncated" in said or "close_notify" in said) if how == "fin"
                              else "reset" in said, backend, number, how, said)


def test_truncated_by_the_client():
    for backend in BACKENDS:
        for number, context in contexts(backend):
            for how in ("fin", "reset"):
                with serve(pki, backend, "-v") as server:
                    client = dial(context, server.port())
                    client.sendall(b"part")
                    equal(receive(client, 4), b"part")
                    reset(client) if how == "reset" else client.close()
                    line = server.process.stderr.readline().decode()
                    while how == "fin" and not ("without" in line or "truncated" in line):
                        check(line, backend, number, "no word of it")
                        line = server.process.stderr.readline().decode()
                    talk(pki, backend, server.port())
                    equal(server.stop(), (2, 1, 1), backend, number, how)


def test_truncated_inside_a_record():
    for backend in BACKENDS:
        for number, context in contexts(backend):
            with serve(pki, backend) as server:
                plain = server.connect()
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
                handshake(tls, plain, incoming, outgoing)
                tls.write(b"y" * 1000)
                plain.sendall(outgoing.read()[:-5])
                plain.shutdown(socket.SHUT_WR)
                incoming.write(receive_all(plain))
                try:
                    got = tls.read(1)
                except (ssl.SSLWantReadError, ssl.SSLError):
                    got = b""
                equal(got, b"", backend, number)
                plain.close()
                equal(server.stop(), (1, 0, 1), backend, number)


def test_after_close_notify_nothing_counts():
    """Data behind close_notify is not delivered (RFC 8446 section 6.1)."""
    for backend in BACKENDS:
        for number, context in contexts(backend):
            with serve(pki, backend) as server:
                plain = server.connect()
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
                handshake(tls, plain, incoming, outgoing)
                tls.write(b"before")
                try:
                    tls.unwrap()
                except ssl.SSLWantReadError:
                    pass
                plain.sendall(outgoing.read() + b"\x17\x03\x03\x00\x20" + b"z" * 32)
                plain.shutdown(socket.SHUT_WR)
                incoming.write(receive_all(plain))
                incoming.write_eof()
                equal(tls.read(100), b"before", backend, number)
                plain.close()
                code = server.stop()
                check(code in ((1, 1, 0), (1, 0, 1)), backend, number, code)


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": b"\0" * 100,
    "ssl 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x03\x00\x80\x07\x00\xc0" + b"\0" * 40,
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "data": b"\x17\x03\x03\x00\x05hello",
    "long record": b"\x16\x03\x01\xff\xff" + b"x" * 70000,
    "long hello": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"x" * 70000,
    "empty records": b"\x16\x03\x01\x00\x00" * 1000,
}


def test_garbage_to_the_server():
    for backend in BACKENDS:
        with serve(pki, backend, "--handshake-timeout", "1") as server:
            for name, data in GARBAGE.items():
                with server.connect() as client:
                    try:
                        client.sendall(data)
                        answer = receive_all(client)
                    except OSError:
                        continue  # reset
                    check(answer == b"" or answer[0] == 0x15, backend, name, answer)
                    check(len(answer) <= 14, backend, name, answer)
            talk(pki, backend, server.port())
            equal(server.stop(), (len(GARBAGE) + 1, 1, len(GARBAGE)), backend)


def test_garbage_to_the_client():
    for backend in BACKENDS:
        for name, data in GARBAGE.items():
            with Scripted(lambda c: (c.recv(1 << 16), c.sendall(data), c.shutdown(socket.SHUT_WR), receive_all(c))) as server:
                said = refused(pki, backend, server.port, "--handshake-timeout", "5", why=())
                check("segmentation" not in said.lower())


def test_end_before_the_hello():
    for backend in BACKENDS:
        with serve(pki, backend) as server:
            for data in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"):
                for how in ("fin", "reset"):
                    client = server.connect()
                    client.sendall(data)
                    if how == "fin":
                        client.shutdown(socket.SHUT_WR)
                        receive_all(client)
                        client.close()
                    else:
                        reset(client)
            with Scripted(lambda c: c.recv(1)) as scripted:
                refused(pki, backend, scripted.port, why=())
            talk(pki, backend, server.port())
            accepted, closed, _ = server.stop()
            equal((accepted, closed), (7, 1), backend)


def test_silent_clients():
    """The handshake timeout ends those that say nothing, and those that say little."""
    for backend in BACKENDS:
        with serve(pki, backend, "--handshake-timeout", "0.3") as server:
            clients = [server.connect() for _ in range(20)]
            for client in clients[:10]:
                client.sendall(b"\x16\x03\x01\x00\xff\x01\x00")
            talk(pki, backend, server.port())
            for client in clients:
                try:
                    receive_all(client)
                except OSError:
                    pass
                client.close()
            equal(server.stop(), (21, 1, 20), backend)


def test_a_slow_reader_of_much():
    """--source: 30 MB to a peer that pauses, to the last byte and close_notify."""
    size = 30 << 20
    for backend in BACKENDS:
        for number, context in contexts(backend):
            own = ["--cert", pki("p256.pem"), "--key", pki("p256.key")]
            with Server("serve", "--source", str(size), "--tls", backend, *own, "tls:127.0.0.1:0") as server:
                client = dial(context, server.port())
                got = 0
                for _ in range(5):
                    got += len(client.recv(1000))
                    time.sleep(0.01)
                got += len(receive_all(client))  # a ragged end would raise
                equal(got, size, backend, number)
                client.unwrap().close()
                equal(server.stop(), (1, 1, 0), backend, number)


if __name__ == "__main__":
    main(*[f for n, f in list(globals().items()) if n.startswith("test_")])
