#!/usr/bin/env -S python3 -B
"""openssl s_client and s_server with both backends: versions, ciphers, ALPN, SNI, client
certificates, resumption, key updates, renegotiation."""

from peers import *

pki = begin()


def echo(client, text):
    """A line goes there and comes back."""
    before = client.output.count(text.encode())
    client.send(text + "\n")
    client.until(text, before + 1)


def test_versions_and_keys_of_servers():
    for backend in BACKENDS:
        for cert in ("rsa", "p256", "p384", "ed25519"):
            with serve(pki, backend, cert=cert) as server:
                for number, option in (("TLSv1.2", "-tls1_2"), ("TLSv1.3", "-tls1_3")):
                    with s_client(pki, server.port(), option) as client:
                        client.until("Verify return code: 0 (ok)")
                        check(f"New, {number}, Cipher is" in client.text(), backend, cert, client.tail())
                        echo(client, "line of " + cert)
                        client.send("Q\n")
                        equal(client.rest(), 0, backend, client.tail())
                equal(server.stop(), (2, 2, 0), backend, cert)


def test_versions_and_keys_of_peers():
    for backend in BACKENDS:
        for cert in ("rsa", "p256", "p384", "ed25519"):
            for number in VERSIONS:
                with s_server(pki, "-tls1_" + number[2], cert=cert) as server:
                    done = connect(pki, backend, server.port, "-v", input=b"abc\n")
                    said = done.stderr.decode()
                    equal((done.returncode, done.stdout), (0, b"cba\n"), backend, cert, said)
                    check(f"TLSv{number}" in said, backend, said)


def test_lowest_version():
    for backend in BACKENDS:
        with serve(pki, backend, "--min-tls", "1.3") as server:
            with s_client(pki, server.port(), "-tls1_2") as client:
                check(client.rest() != 0)
                check("alert protocol version" in client.text(), backend, client.tail())
            with s_client(pki, server.port(), "-tls1_3") as client:
                client.until("Verify return code: 0 (ok)")
        with s_server(pki, "-tls1_2") as server:
            refused(pki, backend, server.port, "--min-tls", "1.3", why="version")


def test_versions_of_long_ago():
    """TLS 1.0 and 1.1 are refused with an alert, even by peers that allow nothing else."""
    for backend in BACKENDS:
        with serve(pki, backend, cert="rsa") as server:
            for option in ("-tls1", "-tls1_1"):
                with s_client(pki, server.port(), option, "-cipher", "ALL:@SECLEVEL=0") as client:
                    check(client.rest() != 0)
                    check("alert protocol version" in client.text(), backend, option, client.tail())
            equal(server.stop(), (2, 0, 2), backend)


def test_ciphers_of_servers():
    lists = {
        "ECDHE-ECDSA-AES256-GCM-SHA384": ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        "ECDHE-ECDSA-CHACHA20-POLY1305": ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        "TLS_AES_256_GCM_SHA384": ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        "TLS_CHACHA20_POLY1305_SHA256,TLS_AES_128_GCM_SHA256": ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"),
    }
    for backend in BACKENDS:
        for text, (number, cipher) in lists.items():
            with serve(pki, backend, "--ciphers", text) as server:
                with s_client(pki, server.port()) as client:
                    client.until("Verify return code: 0 (ok)")
                    check(f"New, {number}, Cipher is {cipher}\n" in client.text(), backend, text, client.tail())
                other = "-tls1_3" if number == "TLSv1.2" else "-tls1_2"
                with s_client(pki, server.port(), other) as client:
                    check(client.rest() != 0, backend, text)


def test_no_cipher_in_common():
    for backend in BACKENDS:
        with serve(pki, backend, "--ciphers", "TLS_AES_128_GCM_SHA256") as server:
            with s_client(pki, server.port(), "-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384") as client:
                check(client.rest() != 0)
                check("handshake failure" in client.text(), backend, client.tail())
        with s_server(pki, "-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384") as server:
            refused(pki, backend, server.port, "--ciphers", "TLS_AES_128_GCM_SHA256", why="handshake failure")


def test_weak_ciphers_are_not_spoken():
    for backend in BACKENDS:
        with serve(pki, backend, cert="rsa") as server:
            for text in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "aNULL", "eNULL", "DHE-RSA-AES128-SHA"):
                with s_client(pki, server.port(), "-tls1_2", "-cipher", text + ":@SECLEVEL=0") as client:
                    check(client.rest() != 0, backend, text)
                    check("handshake failure" in client.text(), backend, text, client.tail())


def test_alpn_of_servers():
    for backend in BACKENDS:
        with serve(pki, backend, "--alpn", "http/1.1,h2") as server:
            for option in ("-tls1_2", "-tls1_3"):
                with s_client(pki, server.port(), option, "-alpn", "h2,http/1.1") as client:
                    client.until("Verify return code: 0 (ok)")
                    check("ALPN protocol: http/1.1\n" in client.text(), backend, client.tail())
                with s_client(pki, server.port(), option, "-alpn", "x,h2") as client:
                    client.until("Verify return code: 0 (ok)")
                    check("ALPN protocol: h2\n" in client.text(), backend, client.tail())
                with s_client(pki, server.port(), option) as client:
                    client.until("Verify return code: 0 (ok)")
                    check("No ALPN negotiated" in client.text(), backend, client.tail())
                with s_client(pki, server.port(), option, "-alpn", "spdy/1") as client:
                    check(client.rest() != 0)
                    check("alert no application protocol" in client.text(), backend, client.tail())
        with serve(pki, backend) as server, s_client(pki, server.port(), "-alpn", "h2") as client:
            client.until("Verify return code: 0 (ok)")
            check("No ALPN negotiated" in client.text(), backend, client.tail())


def exchange(pki, backend, server, *options, **more):
    """A line each way with an s_server that answers nothing by itself; what conduit says."""
    with connecting(pki, backend, server.port, *options, **more) as client:
        client.send("up\n")
        server.until("\nup\n")
        server.send("down\n")
        client.until("down\n")
        client.close()
        said = client.process.stderr.read().decode()
        equal(client.rest(), 0, backend, said)
    return said


def test_alpn_of_peers():
    for backend in BACKENDS:
        for number in VERSIONS:
            with s_server(pki, "-tls1_" + number[2], "-alpn", "b,c", answer=()) as server:
                said = exchange(pki, backend, server, "-v", "--alpn", "a,c")
                check(re.search(r"\bALPN\b\W+c\b", said, re.I), backend, said)
                check("ALPN protocols selected: c\n" in server.text(), backend, server.tail())
            with s_server(pki, "-tls1_" + number[2], "-alpn", "b,c") as server:
                refused(pki, backend, server.port, "--alpn", "a,x", why="no application protocol")
            with s_server(pki, "-tls1_" + number[2]) as server:  # that knows no ALPN
                talked = connect(pki, backend, server.port, "--alpn", "a", input=b"abc\n")
                equal(talked.stdout, b"cba\n", talked.stderr)


def test_server_name_is_sent():
    for backend in BACKENDS:
        for number in VERSIONS:
            other = ["-servername", "no.test", "-cert2", pki("two.pem"), "-key2", pki("two.key")]
            with s_server(pki, "-tls1_" + number[2], *other, answer=()) as server:
                exchange(pki, backend, server)
                check('Hostname in TLS extension: "example.test"' in server.text(), backend, server.tail())
            with s_server(pki, "-tls1_" + number[2], "-tlsextdebug", answer=()) as server:
                exchange(pki, backend, server, name=None)  # an address: none is sent
                check('TLS client extension "' in server.text(), server.tail())
                check('"server name"' not in server.text(), backend, server.tail())


def test_client_certificates_demanded():
    for backend in BACKENDS:
        for option in ("-tls1_2", "-tls1_3"):
            with serve(pki, backend, "-v", "--client-ca", pki("ca.pem"), "--crl", pki("crl.pem")) as server:
                for cert in ("client", "client-rsa"):
                    with s_client(pki, server.port(), option, *own_of(pki, cert)) as client:
                        client.until("Verify return code: 0 (ok)")
                        echo(client, "seen")
                        client.send("Q\n")
                        equal(client.rest(), 0, backend, client.tail())
                wrong = {
                    None: ("handshake failure", "certificate required"),
                    "client-expired": ("certificate expired",),
                    "client-unknown": ("unknown ca",),
                    "client-revoked": ("certificate revoked",),
                    "p256": ("unsupported certificate", "bad certificate"),  # a server's
                    "self-signed": ("unknown ca", "bad certificate"),
                }
                for cert, alerts in wrong.items():
                    own = own_of(pki, cert) if cert else []
                    with s_client(pki, server.port(), option, *own) as client:
                        client.try_send("never\n")  # TLS 1.3: the client learns it after its own end
                        check(client.rest() != 0, backend, cert, client.tail())
                        check(any("alert " + a in client.text() for a in alerts), backend, cert, client.tail())
                        equal(client.text().count("never"), 0, backend, cert)
                equal(server.stop(), (8, 2, 6), backend)


def test_client_certificate_is_shown():
    for backend in BACKENDS:
        for number in VERSIONS:
            verify = ["-tls1_" + number[2], "-CAfile", pki("ca.pem"), "-verify_return_error"]
            with s_server(pki, *verify, "-Verify", "3") as server:
                for cert, key, more in (("client.pem", "client.key", []), ("client-rsa.pem", "client-rsa.key", [])):
                    done = connect(pki, backend, server.port, "--cert", pki(cert), "--key", pki(key), *more, input=b"abc\n")
                    equal(done.stdout, b"cba\n", backend, done.stderr)
                server.until("CN = client-rsa")
                done = connect(pki, backend, server.port, input=b"abc\n")
                equal((done.returncode, done.stdout), (1, b""), backend, done.stderr)
                check(b"alert" in done.stderr, backend, done.stderr)
                done = connect(pki, backend, server.port, "--cert", pki("client-unknown.pem"), "--key", pki("client-unknown.key"), input=b"abc\n")
                equal((done.returncode, done.stdout), (1, b""), backend, done.stderr)
                check(b"unknown ca" in done.stderr, backend, done.stderr)
            with s_server(pki, *verify, "-verify", "3") as server:  # only asked for
                done = connect(pki, backend, server.port, input=b"abc\n")
                equal(done.stdout, b"cba\n", backend, done.stderr)


def test_encrypted_keys():
    for backend in BACKENDS:
        for cert, key in (("p256", "p256.pkcs8.key"), ("p256", "p256.trad.key"), ("rsa", "rsa.pkcs8.key"), ("rsa", "rsa.trad.key")):
            options = ["--cert", pki(cert + ".pem"), "--key", pki(key)]
            with serve(pki, backend, *options, "--key-password-file", pki("password"), cert=None) as server:
                with s_client(pki, server.port()) as client:
                    client.until("Verify return code: 0 (ok)")
            for more in ([], ["--key-password-file", pki("password-wrong")]):
                done = run("serve", "--tls", backend, *options, *more, "tls:127.0.0.1:0")
                equal(done.returncode, 1, backend, key, done.stderr)
                check(key.encode() in done.stderr, backend, done.stderr)


def test_wrong_key():
    """A key that is not the certificate's."""
    for backend in BACKENDS:
        for key in ("p384.key", "one.key", "rsa.key"):
            done = run("serve", "--tls", backend, "--cert", pki("p256.pem"), "--key", pki(key), "tls:127.0.0.1:0")
            equal((done.returncode, done.stdout), (1, b""), backend, key)
            check(b".pem" in done.stderr or b".key" in done.stderr, done.stderr)


def test_resumption_with_servers():
    for backend in BACKENDS:
        for option, number in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            file = pki(f"session-{backend}{option}")
            with serve(pki, backend) as server:
                with s_client(pki, server.port(), option, "-sess_out", file) as client:
                    client.until("Verify return code: 0 (ok)")
                    check(f"New, {number}" in client.text())
                    echo(client, "first")  # the ticket of TLS 1.3 comes before
                    client.send("Q\n")
                    equal(client.rest(), 0, client.tail())
                for _ in range(3 if number == "TLSv1.2" else 1):
                    with s_client(pki, server.port(), option, "-sess_in", file) as client:
                        client.until("Verify return code: 0 (ok)")
                        check(f"Reused, {number}" in client.text(), backend, client.tail())
                        echo(client, "again")
            # Another server has other keys: a full handshake, not a failure.
            with serve(pki, backend) as server:
                with s_client(pki, server.port(), option, "-sess_in", file) as client:
                    client.until("Verify return code: 0 (ok)")
                    check(f"New, {number}" in client.text(), backend, client.tail())
                    echo(client, "new")


def test_no_resumption_where_clients_are_asked():
    for backend in BACKENDS:
        for option in ("-tls1_2", "-tls1_3"):
            file = pki(f"asked-{backend}{option}")
            own = own_of(pki, "client")
            with serve(pki, backend, "--client-ca", pki("ca.pem")) as server:
                with s_client(pki, server.port(), option, *own, "-sess_out", file) as client:
                    client.until("Verify return code: 0 (ok)")
                    echo(client, "first")
                    client.send("Q\n")
                    client.rest()
                resumed = ["-sess_in", file] if os.path.exists(file) else []  # there should be no ticket at all
                with s_client(pki, server.port(), option, *own, *resumed) as client:
                    client.until("Verify return code: 0 (ok)")
                    check("New, " in client.text(), backend, client.tail())


def test_resumption_with_peers():
    """A process that connects again and again: a relay."""
    for backend in BACKENDS:
        for number in VERSIONS:
            with s_server(pki, "-tls1_" + number[2], answer=()) as server:
                target = ["--ca", pki("ca.pem"), "--server-name", NAME, "tcp:127.0.0.1:0", f"tls:127.0.0.1:{server.port}"]
                with Server("proxy", "--tls", backend, *target) as proxy:
                    for i in range(3):
                        with proxy.connect() as client:
                            client.sendall(b"up %d\n" % i)
                            server.until(f"up {i}\n")
                            server.send("down\n")
                            equal(receive(client, 5), b"down\n")
                            client.shutdown(socket.SHUT_WR)
                            receive_all(client)
                    equal(server.text().count("Reused session-id"), 2, backend, number, server.tail())


UPDATE = "<<< TLS 1.3, Handshake [length 0005], KeyUpdate"


def test_key_update_of_clients():
    for backend in BACKENDS:
        with serve(pki, backend) as server, s_client(pki, server.port(), "-tls1_3", "-msg") as client:
            client.until("Verify return code: 0 (ok)")
            for i in range(3):
                echo(client, f"before {i}")
                client.send("K\n")  # and asks for the same: it comes before the next data
                client.until("\nKEYUPDATE\n", 2 * i + 1)
                echo(client, f"after {i}")
                equal(client.text().count(UPDATE), i + 1, backend)
                client.send("k\n")
                client.until("\nKEYUPDATE\n", 2 * i + 2)
                echo(client, f"later {i}")
                equal(client.text().count(UPDATE), i + 1, backend)
            client.send("Q\n")
            equal(client.rest(), 0, client.tail())
            equal(server.stop(), (1, 1, 0))


def test_key_update_of_servers():
    for backend in BACKENDS:
        with s_server(pki, "-tls1_3", "-msg", answer=()) as server:
            with connecting(pki, backend, server.port) as client:
                client.send("up\n")
                server.until("up\n")
                for i in range(3):
                    server.send("K\n")
                    server.until("KeyUpdate\n", 2 * i + 1)
                    server.send(f"down {i}\n")
                    client.until(f"down {i}\n")
                    client.send(f"up {i}\n")
                    server.until(f"up {i}\n")
                    equal(server.text().count(UPDATE), i + 1, backend)


def test_renegotiation_by_clients():
    """TLS 1.2: never a second ServerHello; the echo goes on or the connection ends."""
    for backend in BACKENDS:
        with serve(pki, backend) as server:
            with s_client(pki, server.port(), "-tls1_2", "-msg") as client:
                client.until("Verify return code: 0 (ok)")
                echo(client, "before")
                client.send("R\n")
                client.until("RENEGOTIATING")
                client.until(", ClientHello", 2)
                client.until("<<< TLS 1.2, Alert")
                client.kill()
                equal(client.text().count(", ServerHello\n"), 1, backend, client.tail())
            with s_client(pki, server.port()) as client:  # nothing has happened to the server
                client.until("Verify return code: 0 (ok)")
                echo(client, "alive")


def test_renegotiation_by_servers():
    """HelloRequest is not answered by a ClientHello; data goes on, or the connection ends."""
    for backend in BACKENDS:
        with s_server(pki, "-tls1_2", "-msg", answer=()) as server:
            with connecting(pki, backend, server.port) as client:
                client.send("up\n")
                server.until("up\n")
                server.send("r\n")
                server.until(", HelloRequest")
                server.until("<<< TLS 1.2, Alert")
                equal(server.text().count(", ClientHello\n"), 1, backend, server.tail())


if __name__ == "__main__":
    main(*[f for n, f in list(globals().items()) if n.startswith("test_")])
