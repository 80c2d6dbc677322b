#!/usr/bin/env -S python3 -B
"""Whose certificate is taken and whose is refused, with the reason, by both backends: servers that
are wrong in one way each, pins, revocation lists, addresses, odd wildcards."""

from peers import *

pki = begin()

# certificate: (a name that it would do for, words of the refusal)
WRONG = {
    "expired": (NAME, "expired"),
    "future": (NAME, "not valid before 2098"),
    "wrong": (NAME, "wrong.test"),
    "self-signed": (NAME, "self-signed"),
    "unknown": (NAME, "issuer"),
    "rsa1024": (NAME, "weak key"),
    "cn-only": (NAME, "name"),
    "odd-part": ("www.example.test", "w*.example.test"),
    "odd-top": (NAME, "*.test"),
    "odd-inner": ("www.any.test", "www.*.test"),
    "odd-all": ("localhost", "*"),
    "wildcard": ("a.b.example.test", "*.example.test"),
    "ip4": (NAME, "127.0.0.1"),
    "ip-as-name": ("127.0.0.1", "127.0.0.1"),
    "client": ("client.test", ()),  # for clients only: the extended key usage
}


def each_server(cert, **more):
    """An s_server of each version, and the other implementation of ours."""
    for number in VERSIONS:
        with s_server(pki, "-tls1_" + number[2], "-cipher", "ALL:@SECLEVEL=0", cert=cert, **more) as server:
            yield server.port


def test_wrong_servers():
    for cert, (name, why) in WRONG.items():
        for port in each_server(cert):
            for backend in BACKENDS:
                refused(pki, backend, port, name=name, why=why)


def test_insecure_takes_all():
    for cert in WRONG:
        for port in each_server(cert):
            for backend in BACKENDS:
                if cert == "rsa1024" and cannot(backend, "keys of 1024 bits"):
                    continue
                done = connect(pki, backend, port, "--insecure", ca=None, input=b"abc\n")
                equal((done.returncode, done.stdout), (0, b"cba\n"), backend, cert, done.stderr)


def test_the_peer_is_told():
    """The alert says what is wrong (RFC 8446 section 6.2)."""
    alerts = {"expired": "certificate expired", "unknown": "unknown ca", "wrong": "bad certificate|certificate unknown",
              "revoked": "certificate revoked", "self-signed": "unknown ca|bad certificate"}
    for cert, alert in alerts.items():
        for number in VERSIONS:
            for backend in BACKENDS:
                with s_server(pki, "-tls1_" + number[2], cert=cert) as server:
                    refused(pki, backend, server.port, "--crl", pki("crl.pem"), why=())
                    server.until("SSL alert number")
                    check(re.search(f"alert ({alert})", server.text()), backend, cert, server.tail())


def test_no_anchors():
    """The system's anchors do not know our authority."""
    for port in each_server("p256"):
        for backend in BACKENDS:
            refused(pki, backend, port, ca=None, why="issuer")
            refused(pki, backend, port, ca="other-ca.pem", why="issuer")


def test_anchors_of_the_environment():
    """$SSL_CERT_FILE and $SSL_CERT_DIR are where the system's are."""
    os.mkdir(pki("anchors"))
    shutil.copy(pki("ca.pem"), pki("anchors/some.pem"))
    places = ({"SSL_CERT_FILE": pki("ca.pem")}, {"SSL_CERT_DIR": pki("anchors"), "SSL_CERT_FILE": pki("other-ca.pem")})
    for port in each_server("p256"):
        for backend in BACKENDS:
            for place in places:
                done = connect(pki, backend, port, ca=None, input=b"abc\n", env={**os.environ, **place})
                equal((done.returncode, done.stdout), (0, b"cba\n"), backend, place, done.stderr)


def test_incomplete_chain():
    """The server does not show the certificate between."""
    for number in VERSIONS:
        with s_server(pki, "-tls1_" + number[2], own=["-cert", pki("p256.bare.pem"), "-key", pki("p256.key")]) as server:
            for backend in BACKENDS:
                refused(pki, backend, server.port, why="issuer")


def test_chain_without_intermediate():
    for port in each_server("direct"):
        for backend in BACKENDS:
            done = connect(pki, backend, port, input=b"abc\n")
            equal(done.stdout, b"cba\n", backend, done.stderr)


def test_revocation():
    good, bad = ("--crl", "crl.pem"), "revoked"
    for backend in BACKENDS:
        for port in each_server("revoked"):
            refused(pki, backend, port, "--crl", pki("crl.pem"), why=bad)
            equal(connect(pki, backend, port, input=b"abc\n").stdout, b"cba\n", backend)  # no list: not asked
            equal(connect(pki, backend, port, "--crl", pki("crl-none.pem"), input=b"abc\n").stdout, b"cba\n", backend)
        for port in each_server("p256"):
            done = connect(pki, backend, port, good[0], pki(good[1]), input=b"abc\n")
            equal(done.stdout, b"cba\n", backend, done.stderr)
            done = connect(pki, backend, port, "--crl", pki("some.pem"), input=b"abc\n")  # none of the root
            equal(done.stdout, b"cba\n", backend, done.stderr)
            refused(pki, backend, port, "--crl", pki("crl-root.pem"), why="revocation")  # none of the issuer
            refused(pki, backend, port, "--crl", pki("crl-old.pem"), why="revocation")


def test_pins():
    """With an anchor a pin comes on top; alone it decides."""
    good, other = pki.fingerprint("p256"), pki.fingerprint("rsa")
    for port in each_server("p256"):
        for backend in BACKENDS:
            done = connect(pki, backend, port, "--pin", good, input=b"abc\n")
            equal(done.stdout, b"cba\n", backend, done.stderr)
            refused(pki, backend, port, "--pin", other, why=("pin",))
            refused(pki, backend, port, "--pin", good, name="wrong.test", why="not for wrong.test")  # a pin takes nothing away
            done = connect(pki, backend, port, "--pin", good, ca=None, name="wrong.test", input=b"abc\n")
            equal(done.stdout, b"cba\n", backend, done.stderr)
            refused(pki, backend, port, "--pin", other, ca=None, why=("pin",))


def test_addresses():
    for backend in BACKENDS:
        for cert in ("ip4", "p256"):
            with serve(pki, backend, cert=cert) as server:
                for other in BACKENDS:
                    talk(pki, other, server.port(), name=None)
                    talk(pki, other, server.port(), name="127.0.0.1")
        with serve(pki, backend, cert="ip6") as server:
            for other in BACKENDS:
                refused(pki, other, server.port(), name=None, why="127.0.0.1")
                talk(pki, other, server.port(), name="::1")
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            continue
        for cert in ("ip6", "p256"):
            with serve(pki, backend, cert=cert, at="tls:[::1]:0") as server:
                for other in BACKENDS:
                    talk(pki, other, server.port(), name=None, host="[::1]")
        with serve(pki, backend, cert="ip4", at="tls:[::1]:0") as server:
            for other in BACKENDS:
                refused(pki, other, server.port(), name=None, host="[::1]", why="::1")


def test_names():
    for backend in BACKENDS:
        with serve(pki, backend, cert="wildcard") as server:
            for other in BACKENDS:
                for name in ("www.example.test", "WWW.Example.TEST", "www.example.test."):
                    talk(pki, other, server.port(), name=name)
                for name in ("example.test", "a.b.example.test", "wexample.test", "www.example.test.org"):
                    refused(pki, other, server.port(), name=name, why="not for " + name)
        with serve(pki, backend) as server:
            for other in BACKENDS:
                talk(pki, other, server.port(), name=None, host="localhost")


def test_files_that_cannot_be_used():
    for backend in BACKENDS:
        for option, file in (("--ca", "no-such.pem"), ("--ca", "p256.key"), ("--ca", "."), ("--crl", "ca.pem"), ("--crl", "no-such.pem")):
            done = connect(pki, backend, 1, option, pki(file), ca=None)
            equal(done.returncode, 1, backend, option, file, done.stderr)
            check(os.path.basename(pki(file)).encode() in done.stderr and b"onnection refused" not in done.stderr, done.stderr)
        for cert, key in (("p256.key", "p256.key"), ("p256.pem", "p256.pem"), ("no-such", "p256.key"), ("p256.pem", "no-such")):
            done = run("serve", "--tls", backend, "--cert", pki(cert), "--key", pki(key), "tls:127.0.0.1:0")
            equal((done.returncode, done.stdout), (1, b""), backend, cert, key, done.stderr)


if __name__ == "__main__":
    main(*[f for n, f in list(globals().items()) if n.startswith("test_")])
