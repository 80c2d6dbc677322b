#!/usr/bin/env -S python3 -B
"""gnutls-cli and gnutls-serv with both backends. gnutls-serv listens on every address: the script
runs in a network namespace of its own."""

from peers import *

if "CONDUIT_NAMESPACE" not in os.environ:
    os.environ["CONDUIT_NAMESPACE"] = "1"
    wrapped = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*wrapped, "ip", "link", "set", "lo", "up"], stderr=subprocess.DEVNULL).returncode:
        skip("no network namespace can be made here")
    os.execvp("unshare", [*wrapped, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-B", *sys.argv])

pki = begin()
DONE = "- Simple Client Mode:"


def line(client, text):
    client.send(text + "\n")
    client.until("\n" + text + "\n")


def test_versions_and_keys_of_servers():
    for backend in BACKENDS:
        for cert in ("rsa", "p256", "p384", "ed25519"):
            with serve(pki, backend, cert=cert) as server:
                for number in VERSIONS:
                    with gnutls_cli(pki, server.port(), "--priority", GNUTLS[number]) as client:
                        client.until(DONE)
                        check(f"(TLS{number}" in client.text(), backend, client.tail())
                        check("The certificate is trusted" in client.text(), client.tail())
                        line(client, "of " + cert)
                        client.close()
                        equal(client.rest(), 0, backend, client.tail())
                equal(server.stop(), (2, 2, 0), backend, cert)


def test_alpn_of_servers():
    for backend in BACKENDS:
        with serve(pki, backend, "--alpn", "http/1.1,h2") as server:
            for number in VERSIONS:
                with gnutls_cli(pki, server.port(), "--priority", GNUTLS[number], "--alpn", "h2", "--alpn", "http/1.1") as client:
                    client.until(DONE)
                    check("- Application protocol: http/1.1\n" in client.text(), backend, client.tail())
                with gnutls_cli(pki, server.port(), "--priority", GNUTLS[number], "--alpn", "other") as client:
                    check(client.rest() != 0)
                    check("no supported application protocol" in client.text().lower() or "application protocol" in client.text(), client.tail())


def test_resumption_with_servers():
    for backend in BACKENDS:
        for number in VERSIONS:
            with serve(pki, backend) as server:
                with gnutls_cli(pki, server.port(), "--priority", GNUTLS[number], "-r") as client:
                    client.until(DONE)
                    check("*** This is a resumed session" in client.text(), backend, number, client.tail())
                    line(client, "again")
                    client.close()
                    equal(client.rest(), 0)
                equal(server.stop(), (2, 2, 0), backend, number)


def test_rehandshake():
    """TLS 1.2: refused. TLS 1.3: gnutls updates its keys instead."""
    for backend in BACKENDS:
        with serve(pki, backend) as server:
            with gnutls_cli(pki, server.port(), "--priority", GNUTLS["1.2"], "-e") as client:
                client.close()
                client.rest()
                check("ReHandshake was completed" not in client.text(), backend, client.tail())
            with gnutls_cli(pki, server.port(), "--priority", GNUTLS["1.3"], "-e") as client:
                client.until(DONE)
                line(client, "with new keys")


def test_inline_key_update():
    for backend in BACKENDS:
        with serve(pki, backend) as server:
            with gnutls_cli(pki, server.port(), "--priority", GNUTLS["1.3"], "--inline-commands") as client:
                client.until(DONE)
                for i in range(3):
                    line(client, f"before {i}")
                    client.send("^rekey^\n")
                    client.until("- Rekey was completed", i + 1)
                    line(client, f"after {i}")


def test_client_certificates_demanded():
    for backend in BACKENDS:
        with serve(pki, backend, "--client-ca", pki("ca.pem")) as server:
            for number in VERSIONS:
                for cert in ("client", "client-rsa"):
                    own = ["--x509certfile", pki(cert + ".pem"), "--x509keyfile", pki(cert + ".key")]
                    with gnutls_cli(pki, server.port(), "--priority", GNUTLS[number], *own) as client:
                        client.until(DONE)
                        line(client, "known")
                        client.close()
                        equal(client.rest(), 0)
                with gnutls_cli(pki, server.port(), "--priority", GNUTLS[number]) as client:
                    client.try_send("never\n")
                    check(client.rest() != 0, backend, client.tail())
                    check("\nnever\n" not in client.text(), backend, client.tail())
            equal(server.stop(), (6, 4, 2), backend)


def test_versions_and_keys_of_peers():
    for cert in ("rsa", "p256", "p384", "ed25519"):
        for number in VERSIONS:
            with gnutls_serv(pki, "--priority", GNUTLS[number], cert=cert) as server:
                for backend in BACKENDS:
                    with connecting(pki, backend, server.port, "-v") as client:
                        for i in range(3):
                            client.send(f"line {i}\n")
                            client.until(f"line {i}\n")
                        client.close()
                        said = client.process.stderr.read().decode()
                        equal(client.rest(), 0, backend, cert, number, said)
                        check(f"TLSv{number}" in said, said)


def test_alpn_of_peers():
    for number in VERSIONS:
        with gnutls_serv(pki, "--priority", GNUTLS[number], "--alpn", "c") as server:
            for backend in BACKENDS:
                with connecting(pki, backend, server.port, "-v", "--alpn", "a,c") as client:
                    client.send("line\n")
                    client.until("line\n")
                    client.close()
                    said = client.process.stderr.read().decode()
                    equal(client.rest(), 0, said)
                    check(re.search(r"\bALPN\b\W+c\b", said, re.I), said)


def test_client_certificate_is_shown():
    for number in VERSIONS:
        options = ["--priority", GNUTLS[number], "--x509cafile", pki("ca.pem"), "--require-client-cert", "--verify-client-cert"]
        with gnutls_serv(pki, *options) as server:
            for backend in BACKENDS:
                with connecting(pki, backend, server.port, "--cert", pki("client.pem"), "--key", pki("client.key")) as client:
                    client.send("line\n")
                    client.until("line\n")
                done = connect(pki, backend, server.port, input=b"never\n")
                equal((done.returncode, done.stdout), (1, b""), backend, done.stderr)


def test_wrong_servers():
    for cert, why in (("expired", "expired"), ("unknown", "issuer"), ("wrong", "wrong.test"), ("self-signed", "self-signed")):
        with gnutls_serv(pki, cert=cert) as server:
            for backend in BACKENDS:
                refused(pki, backend, server.port, why=why)


if __name__ == "__main__":
    main(*[f for n, f in list(globals().items()) if n.startswith("test_")])
