#!/usr/bin/env -S python3 -B
"""Our two backends against each other and themselves: versions, keys, bulk, endpoints of many kinds,
reading certificates again on SIGHUP, SSLKEYLOGFILE."""

from peers import *

pki = begin()
SIZE = (8 if os.environ.get("CDT_TEST_SLOW") else 50) << 20


def test_versions_and_keys():
    for one, two in PAIRS:
        for cert in ("rsa", "p256", "p384", "ed25519"):
            with serve(pki, one, cert=cert) as server:
                for number in VERSIONS:
                    said = talk(pki, two, server.port(), "-v", *version(number))
                    check(f"TLSv{number}" in said, one, two, said)
                equal(server.stop(), (2, 2, 0), one, two)


def test_what_is_said():
    """connect -v: version, cipher, protocol, name, certificate."""
    for one, two in PAIRS:
        with serve(pki, one, "--alpn", "a,b", "-v") as server:
            said = talk(pki, two, server.port(), "-v", "--alpn", "b", "--ciphers", "TLS_CHACHA20_POLY1305_SHA256")
            for word in ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", "ALPN b", NAME, pki.fingerprint("p256")):
                check(word in said, one, two, repr(word), said)


def test_bulk():
    digest = random_file(pki("bulk"), SIZE)
    for one, two in PAIRS:
        with serve(pki, one) as server:
            for number in VERSIONS:
                with open(pki("bulk"), "rb") as file:
                    done = connect(pki, two, server.port(), *version(number), stdin=file)
                equal(done.returncode, 0, one, two, done.stderr)
                equal(sha256(done.stdout), digest, one, two, number)


def test_other_carriers():
    for one, two in PAIRS:
        for path in (pki("socket"), f"@conduit-test-{os.getpid()}"):
            with serve(pki, one, at=f"tls+unix:{path}") as server:
                done = expect(["connect", "--tls", two, "--ca", pki("ca.pem"), "--server-name", NAME, f"tls+unix:{path}"], 0, "", input=b"over a path")
                equal(done.stdout, b"over a path")
                server.stop()


def test_tls_in_tls():
    """A proxy ends the outer one, another the inner one."""
    for one, two in PAIRS:
        with serve(pki, one, cert="one", at="tls:127.0.0.1:0") as inner:
            own = ["--cert", pki("two.pem"), "--key", pki("two.key")]
            with Server("proxy", "--tls", two, *own, "tls:127.0.0.1:0", f"tcp:127.0.0.1:{inner.port()}") as outer:
                text = f"(TLS (one.test (TLS (two.test (TCP (127.0.0.1 {outer.port()}))))))"
                done = expect(["connect", "--tls", two, "--ca", pki("ca.pem"), text], 0, "", input=b"x" * 300000)
                equal(done.stdout, b"x" * 300000)
                text = f"(TLS (two.test (TLS (one.test (TCP (127.0.0.1 {outer.port()}))))))"
                done = run("connect", "--tls", two, "--ca", pki("ca.pem"), text, input=b"x")
                equal(done.returncode, 1, done.stderr)


def test_backend_of_the_environment():
    for backend in BACKENDS:
        for name in {"wolfssl": ("wolfssl", "Native"), "openssl": ("openssl", "LibreSSL")}[backend]:
            done = run("version", env={**os.environ, "CONDUIT_TLS": name})
            check(f"\ntls: {backend} " in done.stdout.decode(), done.stdout)
    done = run("connect", "tls:127.0.0.1:1", env={**os.environ, "CONDUIT_TLS": "none"})
    check(done.returncode in (1, 2) and b"TLS" in done.stderr, done.stderr)


def copy(cert, to):
    """Puts a certificate and its key in place of others, in one step each."""
    for end in (".pem", ".key"):
        shutil.copy(pki(cert + end), pki(to + end + ".new"))
        os.rename(pki(to + end + ".new"), pki(to + end))


def shown(port):
    """The fingerprint of the certificate that a server shows now."""
    with dial(python_client(pki), port) as client:
        return sha256(client.getpeercert(True))


def test_reload():
    for backend in BACKENDS:
        copy("p256", "live")
        with serve(pki, backend, cert="live") as server:
            equal(shown(server.port()), pki.fingerprint("p256"))
            before = dial(python_client(pki), server.port())
            before.sendall(b"before")
            equal(receive(before, 6), b"before")
            for cert in ("rsa", "next", "ed25519"):
                copy(cert, "live")
                server.signal(signal.SIGHUP)
                end = time.monotonic() + PATIENCE
                while shown(server.port()) != pki.fingerprint(cert):
                    check(time.monotonic() < end, backend, "not read again")
            # What is wrong changes nothing, and is told.
            shutil.copy(pki("p384.key"), pki("live.key"))
            server.signal(signal.SIGHUP)
            check(b"live" in server.process.stderr.readline(), backend)
            equal(shown(server.port()), pki.fingerprint("ed25519"), backend)
            os.unlink(pki("live.pem"))
            server.signal(signal.SIGHUP)
            check(b"live.pem" in server.process.stderr.readline(), backend)
            equal(shown(server.port()), pki.fingerprint("ed25519"), backend)
            before.sendall(b"after")  # the old connection goes on
            equal(receive(before, 5), b"after")
            before.unwrap().close()


def test_reload_of_clients_anchors():
    """--client-ca and --crl are read again as well."""
    for backend in BACKENDS:
        shutil.copy(pki("ca.pem"), pki("live-ca.pem"))
        own = ["--cert", pki("client-revoked.pem"), "--key", pki("client-revoked.key")]
        shutil.copy(pki("crl-none.pem"), pki("live-crl.pem"))
        with serve(pki, backend, "-v", "--client-ca", pki("live-ca.pem"), "--crl", pki("live-crl.pem")) as server:
            talk(pki, backend, server.port(), *own)
            shutil.copy(pki("crl.pem"), pki("live-crl.pem"))
            server.signal(signal.SIGHUP)
            end = time.monotonic() + PATIENCE
            while connect(pki, backend, server.port(), *own, input=b"").returncode == 0:
                check(time.monotonic() < end, backend, "not read again")
            refused(pki, backend, server.port(), *own, why="revoked")


def test_handshakes_while_reloading():
    """Few here; bench/checks.py does 10,000."""
    for backend in BACKENDS:
        both = pki("live-both.pem")  # certificate and key change in one step
        pki.write("live-both.pem", pki.read("p256.both.pem"))
        with serve(pki, backend, "--cert", both, "--key", both, cert=None) as server:
            stop = threading.Event()

            def reload():
                certs = ["p256", "next"]
                while not stop.wait(0.01):
                    certs.reverse()
                    text = pki.read(certs[0] + ".pem") + pki.read(certs[0] + ".key")
                    pki.write("live.new", text)
                    os.rename(pki("live.new"), both)
                    server.signal(signal.SIGHUP)

            thread = threading.Thread(target=reload)
            thread.start()
            try:
                context = python_client(pki)
                for _ in range(300):
                    dial(context, server.port()).unwrap().close()
            finally:
                stop.set()
                thread.join()
            equal(server.stop(), (300, 300, 0), backend)


def keys(path):
    """The lines of a key log, by label and random number."""
    with open(path) as file:
        lines = [line.split(" ") for line in file.read().splitlines() if not line.startswith("#")]
    for words in lines:
        equal(len(words), 3, words)
        equal(len(words[1]), 64, words)
        check(all(re.fullmatch("[0-9a-f]+", word) for word in words[1:]), words)
    return {(label, random): secret for label, random, secret in lines}


def test_key_log():
    """Our lines are those that openssl writes for the same connection."""
    for backend in BACKENDS:
        for number in VERSIONS:
            silent = cannot(backend, f"key log of TLS {number}")
            wanted = {"CLIENT_RANDOM"} if number == "1.2" else {
                f"{side}_{secret}" for side in ("CLIENT", "SERVER") for secret in ("HANDSHAKE_TRAFFIC_SECRET", "TRAFFIC_SECRET_0")}
            for role in ("server", "client"):
                ours, theirs = pki(f"{role}-{backend}-{number}.ours"), pki(f"{role}-{backend}-{number}.theirs")
                environment = {**os.environ, "SSLKEYLOGFILE": ours}
                option = ["-tls1_" + number[2], "-keylogfile", theirs]
                if role == "server":
                    with serve(pki, backend, env=environment) as server, s_client(pki, server.port(), *option) as client:
                        client.until("Verify return code: 0 (ok)")
                        client.send("line\n")
                        client.until("\nline\n")
                else:
                    with s_server(pki, *option) as server:
                        equal(connect(pki, backend, server.port, input=b"abc\n", env=environment).stdout, b"cba\n")
                if silent:
                    equal(keys(ours), {}, backend, number, role, "it can, now")
                    continue
                equal(os.stat(ours).st_mode & 0o077, 0, "others can read the keys")
                mine, other = keys(ours), keys(theirs)
                check(wanted <= {label for label, _ in mine}, backend, number, role, mine)
                for which, secret in mine.items():
                    equal(secret, other.get(which), backend, number, role, which)


if __name__ == "__main__":
    main(*[f for n, f in list(globals().items()) if n.startswith("test_")])
