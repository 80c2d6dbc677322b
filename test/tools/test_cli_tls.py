#!/usr/bin/env -S python3 -B
"""TLS in the program, with every backend that is built in: endpoints, names, options, files, -v,
SIGHUP. (Other programs as peers: test/tls/test_peers_*.py.)"""

import re

from cli import *

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tls"))

from pki import Pki  # noqa: the path comes first

NAME = "example.test"


def version(**environment):
    text = run("version", env=os.environ | environment).stdout.decode()
    return re.search(r"^tls: (\w+) \(compiled in: (.*)\)$", text, re.M).groups()


BACKENDS = [] if version()[1] == "none" else version()[1].split(", ")
if not BACKENDS or not shutil.which("openssl"):
    print("no TLS backend is built in" if not BACKENDS else "openssl is not installed")
    sys.exit(77)
PAIRS = [(a, b) for a in BACKENDS for b in BACKENDS]
pki = None


def own(cert="p256"):
    return ["--cert", pki(cert + ".pem"), "--key", pki(cert + ".key")]


def serve(backend, *options, at=("tls:127.0.0.1:0",), cert="p256", **more):
    return Server("serve", "--tls", backend, *own(cert), *options, *at, listeners=len(at), **more)


def client(backend, *options, ca="ca.pem"):
    return ["connect", "--tls", backend, *(["--ca", pki(ca)] if ca else []), *options]


def talk(command, data=b"some words", count=0):
    """It works; standard error has so many lines, which are returned."""
    done = expect(command, 0, None, data, input=data)
    lines = done.stderr.decode().splitlines()
    equal(len(lines), count, lines)
    return lines


def fails(command, *words):
    """It fails at run time, with one line in which these words stand."""
    done = expect(command, 1, None, b"", input=b"never")
    said = done.stderr.decode()
    check(said.startswith("conduit: ") and said.count("\n") == 1, said)
    for word in words:
        check(word in said, repr(word), "is not in", said)
    return said


# ---- backends ------------------------------------------------------------------------------------


def test_backends():
    equal(version(CONDUIT_TLS="")[0], BACKENDS[0])
    names = {"wolfssl": ["wolfssl", "native", "WolfSSL"], "openssl": ["openssl", "libressl", "OPENSSL"]}
    for backend in BACKENDS:
        for name in names[backend]:
            equal(version(CONDUIT_TLS=name)[0], backend)
    for name in ("none", "notls"):
        equal(version(CONDUIT_TLS=name)[0], "none")
        said = "tls:1: TLS is switched off"
        expect(["serve", *own(), "tls:1"], 2, said, "", env=os.environ | {"CONDUIT_TLS": name})
    equal(version(CONDUIT_TLS="nonsense")[0], BACKENDS[0])
    expect(["serve", "--tls", "none", *own(), "tls:1"], 2, "tls:1: TLS is switched off", "")
    expect(["connect", "--tls", "none", "tls+unix:/x"], 2, "tls+unix:/x: TLS is switched off", "")
    # The option wins over the environment.
    with serve(BACKENDS[0], env=os.environ | {"CONDUIT_TLS": "none"}) as server:
        talk(client(BACKENDS[0], f"tls:127.0.0.1:{server.port()}"))


# ---- endpoints -----------------------------------------------------------------------------------


def test_endpoints():
    data = os.urandom(3 << 20)
    with folder() as path:
        texts = ["tls:127.0.0.1:0", "tls:[::1]:0", f"tls+unix:{path}/s", "tls+tls:127.0.0.1:0",
                 f"tls+unix:@conduit-tls-{os.getpid()}", "tcp:127.0.0.1:0", "tls:localhost:0"]
        for one, two in PAIRS:
            with serve(one, at=texts) as server:
                port = server.port
                equal(server.endpoints[0], f"(TLS (127.0.0.1 (TCP (127.0.0.1 {port(0)}))))")
                equal(server.endpoints[1], f"(TLS (::1 (TCP (::1 {port(1)}))))")
                equal(server.endpoints[2], f'(TLS ("" (Unix_domain_socket {path}/s)))')
                equal(server.endpoints[3], f"(TLS (127.0.0.1 (TLS (127.0.0.1 (TCP (127.0.0.1 {port(3)}))))))")
                equal(server.endpoints[5], f"(TCP (127.0.0.1 {port(5)}))")
                for target in (f"tls:127.0.0.1:{port(0)}", f"tls:localhost:{port(0)}", f"tls:[::1]:{port(1)}",
                               f"tls+tls:127.0.0.1:{port(3)}", server.endpoints[0],
                               f"(TLS (example.test (TCP (127.0.0.1 {port(0)}))))",
                               f"(TLS (example.test (Unix_domain_socket {path}/s)))"):
                    talk(client(two, target), data)
                talk(["connect", f"tcp:127.0.0.1:{port(5)}"], data)
                for target in (texts[2], texts[4]):
                    talk(client(two, "--server-name", NAME, target), data)
                equal(server.stop(), (10, 10, 0))
        equal(os.listdir(path), [])


def test_inherited_descriptor():
    for backend in BACKENDS:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            fd, port = listener.fileno(), listener.getsockname()[1]
            with serve(backend, at=[f"tls+fd:{fd}"], pass_fds=[fd]):
                talk(client(backend, f"tls:127.0.0.1:{port}"))
    expect(["connect", "tls+fd:3"], 2, "tls+fd:3: an inherited descriptor is only for listening", "")
    expect(["serve", *own(), "tls+fd:77"], 1, "tls+fd:77: bad file descriptor", "")


def test_sources_and_half_close():
    for one, two in PAIRS:
        with serve(one, "--source", "1M") as server:
            wanted = (bytes(i % 251 for i in range(251)) * ((1 << 20) // 251 + 1))[: 1 << 20]
            done = expect(client(two, f"tls:127.0.0.1:{server.port()}"), 0, "")
            equal(sha256(done.stdout), sha256(wanted))
            equal(server.stop(), (1, 1, 0))


def test_proxy_ends_tls():
    data = os.urandom(1 << 20)
    for one, two in PAIRS:
        with Server("serve", "tcp:127.0.0.1:0") as target:
            with Server("proxy", "--tls", one, *own(), "tls:127.0.0.1:0", target.tcp()) as proxy:
                talk(client(two, f"tls:127.0.0.1:{proxy.port()}"), data)
                fails(client(two, "--server-name", "wrong.test", f"tls:127.0.0.1:{proxy.port()}"))
                # The target hears nothing of a handshake that failed.
                check(proxy.stop()[0] == 2)
            equal(target.stop(), (1, 1, 0))


def test_proxy_begins_tls():
    data = os.urandom(1 << 20)
    for one, two in PAIRS:
        with serve(one) as target:
            at = f"tls:127.0.0.1:{target.port()}"
            with Server("proxy", "--tls", two, "--ca", pki("ca.pem"), "tcp:127.0.0.1:0", at) as proxy:
                talk(["connect", proxy.tcp()], data)
                equal(proxy.stop(), (1, 1, 0))
            # What it does not trust it does not talk to, and says so.
            with Server("proxy", "--tls", two, "--ca", pki("other-ca.pem"), "tcp:127.0.0.1:0", at) as proxy:
                done = run("connect", proxy.tcp(), input=b"never")
                equal((done.returncode, done.stdout), (1, b""))
                check(proxy.process.stderr.readline().decode().startswith(f"conduit: {at}: "))
                proxy.stop()


def test_proxy_of_clients_with_certificates():
    """The proxy's certificate is shown to its clients, and to the target."""
    for one, two in PAIRS:
        with serve(one, "-v", "--client-ca", pki("ca.pem")) as target:
            at = f"tls:127.0.0.1:{target.port()}"
            fails(client(two, at))
            for cert in ("client-expired", "client-unknown"):
                fails(client(two, *own(cert), at))
            lines = talk(client(two, "-v", *own("client"), at), count=4)
            check("names " in lines[2], lines)
            with Server("proxy", "--tls", two, *own("client"), "--ca", pki("ca.pem"), "tcp:127.0.0.1:0", at) as proxy:
                talk(["connect", proxy.tcp()])
                equal(proxy.stop(), (1, 1, 0))
            target.signal(signal.SIGTERM)
            said = target.wait()[1]
            equal(said.count(f"SHA-256 {pki.fingerprint('client')}, names client.test"), 2, said)


# ---- names and trust -----------------------------------------------------------------------------


def test_names():
    for one, two in PAIRS:
        with serve(one) as server, folder() as path:
            at = f"tls:127.0.0.1:{server.port()}"
            nameless = f'(TLS ("" (TCP (127.0.0.1 {server.port()}))))'
            talk(client(two, at))
            talk(client(two, "--server-name", NAME, at))
            fails(client(two, "--server-name", "wrong.test", at), "wrong.test")
            fails(client(two, "--server-name", "127.0.0.2", at), "127.0.0.2")
            fails(client(two, "--server-name", "wrong.test", f"(TLS (example.test (TCP (127.0.0.1 {server.port()}))))"))
            fails(client(two, f"(TLS (wrong.test (TCP (127.0.0.1 {server.port()}))))"), "wrong.test")
            talk(client(two, "--server-name", NAME, nameless))
            talk(client(two, "--insecure", nameless, ca=None))
            talk(client(two, "--pin", pki.fingerprint("p256"), nameless, ca=None))
            talk(client(two, "--pin", pki.fingerprint("p256"), nameless))
            fails(client(two, "--pin", pki.fingerprint("rsa"), nameless))
            equal(os.listdir(path), [])
    why = "whom to reach is not said: needs --server-name, --pin or --insecure"
    for text in ("tls+unix:/x", "tls:443", '(TLS ("" (TCP (127.0.0.1 1))))', '(TLS (a.test (TLS ("" (TCP (127.0.0.1 1))))))'):
        expect(["connect", text], 2, f"{text}: {why}", "")
        expect(["proxy", "tcp:127.0.0.1:0", text], 2, f"{text}: {why}", "")


def test_trust():
    for one, two in PAIRS:
        with serve(one, cert="self-signed") as server:
            at = f"tls:127.0.0.1:{server.port()}"
            fails(client(two, at))
            fails(client(two, at, ca=None))
            talk(client(two, at, ca="self-signed.pem"))
            talk(client(two, "--insecure", at, ca=None))
            pin = pki.fingerprint("self-signed")
            for text in (pin, pin.upper(), ":".join(re.findall("..", pin))):
                talk(client(two, "--pin", text, at, ca=None))
            talk(client(two, "--pin", "0" * 64, "--pin", pin, at, ca=None))
            fails(client(two, "--pin", "0" * 64, at, ca=None))
            fails(client(two, "--pin", pin, at))  # --ca asks for a chain as well
        with serve(one, cert="revoked") as server:
            at = f"tls:127.0.0.1:{server.port()}"
            talk(client(two, at))
            talk(client(two, "--crl", pki("crl-none.pem"), at))
            fails(client(two, "--crl", pki("crl.pem"), at), "revoked")
        with serve(one, "--client-ca", pki("ca.pem"), "--crl", pki("crl.pem")) as server:
            at = f"tls:127.0.0.1:{server.port()}"
            talk(client(two, *own("client"), at))
            fails(client(two, *own("client-revoked"), at))


def test_uris():
    for one, two in PAIRS:
        with serve(one) as server, Server("serve", "tcp:127.0.0.1:0") as plain:
            port = server.port()
            talk(client(two, f"https://localhost:{port}/"))
            talk(client(two, f"https://127.0.0.1:{port}/", "--pin", pki.fingerprint("p256")))
            talk(client(two, "--rewrite", f"example.test=tcp:127.0.0.1:{port}", "https://example.test/"))
            fails(client(two, "--rewrite", f"wrong.test=tcp:127.0.0.1:{port}", "https://wrong.test/"), "wrong.test")
            fails(["connect", "--tls", two, f"https://localhost:{port}/"])
            talk(client(two, f"http://127.0.0.1:{plain.port()}/"))
            with Server("proxy", "--tls", two, "--ca", pki("ca.pem"), "tcp:127.0.0.1:0", f"https://localhost:{port}/") as proxy:
                talk(["connect", proxy.tcp()])
    expect(["connect", "--server-name", "a.test", "https://b.test/"], 2,
           "https://b.test/: --server-name is not for URIs: write tls:HOST:PORT", "")


# ---- what is negotiated --------------------------------------------------------------------------


def test_what_is_told():
    for one, two in PAIRS:
        with serve(one, "-v", "--alpn", "h2,http/1.1", cert="rsa") as server:
            at = f"tls:127.0.0.1:{server.port()}"
            lines = talk(client(two, "-v", "--alpn", "http/1.1,h2", "--server-name", NAME, at), count=4)
            equal(lines[0], f"conduit: {at}: connected to 127.0.0.1:{server.port()}")
            check(re.fullmatch(f"conduit: {at}: TLSv1.3, TLS_[A-Z0-9_]+, ALPN h2, server name {NAME}, full handshake", lines[1]), lines)
            equal(lines[2], f"conduit: {at}: certificate of the peer: SHA-256 {pki.fingerprint('rsa')}, "
                  "names localhost, example.test, 127.0.0.1, ::1")
            equal(lines[3], "conduit: sent 10 bytes, received 10")
            lines = talk(client(two, "-v", "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256", at), count=4)
            check(f"{at}: TLSv1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, ALPN none, server name 127.0.0.1, full handshake" in lines[1], lines)
            equal(run(*client(two, "-q", at), input=b"x").stderr, b"")
            server.signal(signal.SIGTERM)
            said = server.wait()[1].splitlines()
            equal(len(said), 10, said)
            check("accepted" in said[0] and "closed" in said[2], said)
            check(re.fullmatch(f"conduit: tcp 127.0.0.1:[0-9]+: TLSv1.3, [A-Z0-9_]+, ALPN h2, server name {NAME}, full handshake", said[1]), said)
            check(": TLSv1.2, " in said[4] and "ALPN none, server name none," in said[4], said)


def test_alpn_ciphers_versions():
    for one, two in PAIRS:
        with serve(one, "--alpn", "h2") as server:
            fails(client(two, "--alpn", "c", f"tls:127.0.0.1:{server.port()}"))
        with serve(one, "--min-tls", "1.3") as server:
            at = f"tls:127.0.0.1:{server.port()}"
            fails(client(two, "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256", at))
            lines = talk(client(two, "-v", "--ciphers", "TLS_CHACHA20_POLY1305_SHA256", at), count=4)
            check("TLS_CHACHA20_POLY1305_SHA256" in lines[1], lines)
    for backend in BACKENDS:
        done = expect(["serve", "--tls", backend, *own(), "--ciphers", "NONSENSE", "tls:127.0.0.1:0"], 2, None, "")
        check(done.stderr.startswith(b"conduit: --ciphers: ") and b"NONSENSE" in done.stderr, done.stderr)
        done = expect(["connect", "--tls", backend, "--ciphers", "NONSENSE", "tls:127.0.0.1:1"], 2, None, "")
        check(done.stderr.startswith(b"conduit: --ciphers: "), done.stderr)
        only_old = ["--min-tls", "1.3", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"]
        expect(["serve", "--tls", backend, *own(), *only_old, "tls:127.0.0.1:0"], 2, None, "")


# ---- files ---------------------------------------------------------------------------------------


def test_keys():
    for backend in BACKENDS:
        with Server("serve", "--tls", backend, "--cert", pki("p256.both.pem"), "tls:127.0.0.1:0") as server:
            talk(client(backend, f"tls:127.0.0.1:{server.port()}"))
        for key in ("p256.pkcs8.key", "p256.trad.key"):
            secret = ["serve", "--tls", backend, "--cert", pki("p256.pem"), "--key", pki(key)]
            with Server(*secret, "--key-password-file", pki("password"), "tls:127.0.0.1:0") as server:
                talk(client(backend, f"tls:127.0.0.1:{server.port()}"))
            fails([*secret, "--key-password-file", pki("password-wrong"), "tls:127.0.0.1:0"], key)
            fails([*secret, "tls:127.0.0.1:0"], key)


def test_bad_files():
    missing, folder_, text = pki("nothing.pem"), pki("issued"), pki("openssl.cnf")
    for backend in BACKENDS:
        start = ["serve", "--tls", backend, "tls:127.0.0.1:0"]
        expect([*start, "--cert", missing], 1, f"{missing}: no such file or directory", "")
        for bad in (folder_, text, pki("p256.key"), pki("p256.pem")):
            fails([*start, "--cert", bad], bad)
        fails([*start, "--cert", pki("p256.pem"), "--key", pki("p384.key")], "p256.pem")
        expect([*start, *own(), "--key-password-file", missing], 1, f"{missing}: no such file or directory", "")
        expect([*start, *own(), "--key-password-file", folder_], 1, f"{folder_}: is a directory", "")
        expect([*start, *own(), "--client-ca", missing], 1, f"{missing}: no such file or directory", "")
        fails([*start, *own(), "--client-ca", pki("ca.pem"), "--crl", text], text)
        for option in ("--ca", "--crl", "--cert"):
            expect(["connect", "--tls", backend, option, missing, "tls:127.0.0.1:1"], 1,
                   f"{missing}: no such file or directory", "")
            fails(["connect", "--tls", backend, option, text, "tls:127.0.0.1:1"], text)
        # Nothing was bound.
        with folder() as path:
            expect(["serve", "--tls", backend, "--cert", missing, f"unix:{path}/s", f"tls+unix:{path}/t"], 1)
            equal(os.listdir(path), [])


def test_password_that_is_too_long():
    with folder() as path:
        with open(f"{path}/password", "w") as file:
            file.write("x" * 1000)
        expect(["serve", *own(), "--key-password-file", f"{path}/password", "tls:127.0.0.1:0"], 1,
               f"{path}/password: the password is too long", "")


# ---- usage ---------------------------------------------------------------------------------------


def test_usage():
    why = "listening needs --cert and --key"
    for text in ("tls:1", "tls+unix:/x", "tls+tls:1", "(TLS (a (TCP (127.0.0.1 1))))", "tls:host.invalid:1"):
        expect(["serve", text], 2, f"{text}: {why}", "")
        expect(["serve", "tcp:127.0.0.1:0", text], 2, f"{text}: {why}", "")
        expect(["proxy", text, "tcp:127.0.0.1:1"], 2, f"{text}: {why}", "")
    for command in (["serve", "tcp:0"], ["connect", "tcp:1"], ["proxy", "tcp:0", "tcp:1"]):
        expect([*command, "--key", "x"], 2, "--key: needs --cert", "")
        expect([*command, "--key-password-file", "x"], 2, "--key-password-file: needs --cert", "")
        expect([*command, "--alpn", "a,,b"], 2)
        expect([*command, "--alpn", ""], 2)
        expect([*command, "--alpn", "x" * 256], 2)
        for value in ("1.1", "", "13"):
            expect([*command, "--min-tls", value], 2, f"--min-tls {value}: expected 1.2 or 1.3", "")
        expect([*command, "--tls", "gnutls"], 2, "--tls gnutls: expected wolfssl, openssl or none", "")
    for command in (["connect"], ["proxy", "tcp:0"]):
        for value in ("", "0" * 63, "0" * 65, "0" * 62 + "0g", "0:" * 32, ":".join(["00"] * 33), "00::" + "00" * 30):
            expect([*command, "--pin", value, "tcp:1"], 2, f"--pin {value}: expected a SHA-256 fingerprint: "
                   "64 hexadecimal digits, with or without colons", "")
        for value in ("", "a b", "a..b", "a/b", "[::1"):
            expect([*command, "--server-name", value, "tcp:1"], 2,
                   f"--server-name {value}: expected a host name or an IP address", "")
        expect([*command, "--insecure", "--ca", "x", "tcp:1"], 2,
               "--insecure: verifies nothing: not together with --ca", "")
        expect([*command, "--insecure", "--pin", "0" * 64, "tcp:1"], 2,
               "--insecure: verifies nothing: not together with --pin", "")
        for option in (["--insecure"], ["--pin", "0" * 64]):
            expect([*command, *option, "--crl", "x", "tcp:1"], 2, "--crl: no chain of certificates is verified here", "")
    expect(["serve", "--crl", "x", "tcp:0"], 2,
           "--crl: no chain of certificates is verified here: needs --client-ca", "")
    for option in ("--ca", "--pin", "--server-name"):
        expect(["serve", option, "x", "tcp:0"], 2, f"{option}: not an option of serve", "")
    expect(["serve", "--insecure", "tcp:0"], 2, "--insecure: not an option of serve", "")
    expect(["connect", "--client-ca", "x", "tcp:0"], 2, "--client-ca: not an option of connect", "")


def test_options_of_nobody():
    """Who gives an option of TLS wants TLS: without an endpoint that speaks it, that is an error."""
    both = (["--cert", "x"], ["--cert", "x", "--key", "y"], ["--alpn", "h2"], ["--min-tls", "1.3"], ["--ciphers", "x"])
    dials = (["--ca", "x"], ["--pin", "0f" * 32], ["--insecure"], ["--server-name", "a.test"], ["--ca", "x", "--crl", "x"])
    listens = (["--client-ca", "x"], ["--client-ca", "x", "--crl", "x"])
    with folder() as path:
        plain = f"unix:{path}/s"
        for options in both:
            why = f"{options[0]}: no endpoint speaks TLS"
            expect(["serve", *options, plain, "tcp:127.0.0.1:0"], 2, why, "")
            expect(["connect", *options, plain], 2, why, "")
            expect(["proxy", *options, plain, "tcp:1"], 2, why, "")
        for options in dials:
            why = f"{options[0]}: nothing to connect to speaks TLS"
            expect(["connect", *options, plain], 2, why, "")
            expect(["proxy", *options, plain, "tcp:1"], 2, why, "")
            expect(["proxy", *options, *own(), f"tls+{plain}", "tcp:1"], 2, why, "")
        for options in listens:
            why = f"{options[0]}: nothing that listens speaks TLS"
            expect(["serve", *options, plain], 2, why, "")
            expect(["proxy", *options, plain, "tcp:1"], 2, why, "")
        expect(["proxy", "--client-ca", "x", plain, "tls:127.0.0.1:1"], 2, why, "")
        expect(["connect", "--crl", "x", plain], 2, "--crl: nothing to connect to speaks TLS", "")
        expect(["proxy", *own(), "--crl", "x", f"tls+{plain}", "tcp:1"], 2, "--crl: nothing to connect to speaks TLS", "")
        equal(os.listdir(path), [])
    # What a URI becomes is not known beforehand; one endpoint of several is enough.
    with Server("serve", *own(), "tcp:127.0.0.1:0", "tls:127.0.0.1:0", listeners=2) as server:
        talk(["connect", "--ca", pki("ca.pem"), f"http://127.0.0.1:{server.port(0)}/"])
        talk(["connect", "--ca", pki("ca.pem"), f"tls:127.0.0.1:{server.port(1)}"])


# ---- SIGHUP --------------------------------------------------------------------------------------


def hang_up(server):
    """Sends the signal; what it says then."""
    server.signal(signal.SIGHUP)
    while True:
        line = server.process.stderr.readline().decode()
        if "SIGHUP" in line or not line:
            return line


def test_reload():
    again = "conduit: SIGHUP: certificates and keys were read again\n"
    for one, two in PAIRS:
        with folder() as path:
            both, anchors = f"{path}/both.pem", f"{path}/ca.pem"

            def put(file, *names):
                with open(file, "w") as out:
                    out.write("".join(pki.read(name) for name in names))

            put(both, "p256.pem", "p256.key")
            put(anchors, "ca.pem")
            with Server("serve", "-v", "--tls", one, "--cert", both, "--client-ca", anchors, "tls:127.0.0.1:0") as server:
                at = f"tls:127.0.0.1:{server.port()}"
                mine = client(two, *own("client"), at)
                old = subprocess.Popen([CONDUIT, *mine], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                old.stdin.write(b"before")
                old.stdin.flush()
                equal(old.stdout.read1(6), b"before")
                put(both, "rsa.pem", "rsa.key")
                equal(hang_up(server), again)
                lines = talk([*mine, "-v"], count=4)
                check(pki.fingerprint("rsa") in lines[2], lines)
                # What is wrong changes nothing.
                put(both, "p384.pem", "p256.key")
                said = hang_up(server)
                check(said.startswith("conduit: SIGHUP: ") and both in said, said)
                os.unlink(both)
                equal(hang_up(server), f"conduit: SIGHUP: {both}: no such file or directory\n")
                lines = talk([*mine, "-v"], count=4)
                check(pki.fingerprint("rsa") in lines[2], lines)
                # Whose clients are good is read again as well.
                put(both, "p256.pem", "p256.key")
                put(anchors, "other-ca.pem")
                equal(hang_up(server), again)
                fails(mine)
                talk(client(two, *own("client-unknown"), at))
                # What was there before goes on.
                old.stdin.write(b"after")
                old.stdin.close()
                equal(old.stdout.read(), b"after")
                equal(old.wait(PATIENCE), 0)
                old.stdout.close()


def test_reload_of_a_proxy():
    for one, two in PAIRS:
        with folder() as path, serve(one) as target:
            anchors = f"{path}/ca.pem"
            shutil.copy(pki("other-ca.pem"), anchors)
            with Server("proxy", "-v", "--tls", two, "--ca", anchors, "tcp:127.0.0.1:0", f"tls:127.0.0.1:{target.port()}") as proxy:
                equal(run("connect", proxy.tcp(), input=b"x").returncode, 1)
                shutil.copy(pki("ca.pem"), anchors)
                equal(hang_up(proxy), "conduit: SIGHUP: certificates and keys were read again\n")
                talk(["connect", proxy.tcp()])


def test_reload_of_nothing():
    for command in (["serve"], ["proxy", "tcp:127.0.0.1:0"]):
        with Server(*command, "tcp:127.0.0.1:0" if len(command) == 1 else "tcp:127.0.0.1:1", "-v") as server:
            equal(hang_up(server), "conduit: SIGHUP: there is nothing to read again\n")
            equal(server.stop(), (0, 0, 0))
    with Server("serve", "tcp:127.0.0.1:0") as server:  # and quietly
        server.signal(signal.SIGHUP)
        talk(["connect", server.tcp()])
        server.signal(signal.SIGTERM)
        equal(server.wait(), (0, "drained: 1 accepted, 1 closed, 0 aborted\n"))


# ---- peers that do not speak it ------------------------------------------------------------------


def test_no_tls():
    for backend in BACKENDS:
        with Server("serve", "tcp:127.0.0.1:0") as plain:  # it echoes the hello
            fails(client(backend, f"tls:127.0.0.1:{plain.port()}"), f"conduit: tls:127.0.0.1:{plain.port()}: ")
        with serve(backend, "-v", "--handshake-timeout", "0.2") as server:
            with server.connect() as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                try:
                    receive_all(connection)
                except ConnectionResetError:
                    pass
            with server.connect() as silent:
                try:
                    equal(receive_all(silent), b"")
                except ConnectionResetError:
                    pass
            equal(server.stop(), (2, 0, 2))


def test_handshakes_that_fail_are_told():
    for one, two in PAIRS:
        with folder() as path, serve(one, "-v", at=["tls:127.0.0.1:0", f"tls+unix:{path}/s"]) as server:
            at = f"tls:127.0.0.1:{server.port()}"
            for target, peer in ((at, r"tls:127.0.0.1:0: 127.0.0.1:\d+"), (f"tls+unix:{path}/s", f"tls\\+unix:{path}/s: unnamed")):
                fails(client(two, "--server-name", "wrong.test", target), "wrong.test")
                check("accepted" in server.process.stderr.readline().decode())
                said = server.process.stderr.readline().decode()
                check(re.fullmatch(f"conduit: {peer}: .*bad certificate.*\n", said), said)
            equal(server.stop(), (2, 0, 2))


def test_drain():
    """A connection that has not shaken hands does not hold up the end for ever."""
    for backend in BACKENDS:
        with serve(backend, "--drain", "0.2") as server, server.connect():
            talk(client(backend, f"tls:127.0.0.1:{server.port()}"))
            equal(server.stop(), (2, 1, 1))


if __name__ == "__main__":
    with folder() as path:
        pki = Pki(path).make()
        main(*[value for name, value in list(globals().items()) if name.startswith("test_")])
