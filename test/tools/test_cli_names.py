#!/usr/bin/env -S python3 -B
"""Names and URIs at the program's face, as far as no name server is needed: --rewrite, errors, listening by name."""

from cli import *


def without_dns():
    """What needs no name server; one that does not exist keeps the machine's out of it."""
    return ["--dns", "127.0.0.1:1"]


def test_uris():
    texts = ["http://127.0.0.1/", "https://127.0.0.1/", "http://[::1]:82/", "http://127.0.0.1:8080/x?y#z",
             "http+unix://%2Frun%2Fapp.sock/", "imaps://10.0.0.1", "ssh://u@10.0.0.2", "http://vm1.xen/"]
    expect(["resolve", *without_dns(), *texts], 0, "",
           "(TCP (127.0.0.1 80))\n(TLS (127.0.0.1 (TCP (127.0.0.1 443))))\n(TCP (::1 82))\n(TCP (127.0.0.1 8080))\n"
           "(Unix_domain_socket /run/app.sock)\n(TLS (10.0.0.1 (TCP (10.0.0.1 993))))\n(TCP (10.0.0.2 22))\n"
           "(Vchan_domain_socket (vm1 http))\n")


def test_unknown():
    expect(["resolve", *without_dns(), "//host/x", "nosuch://h/"], 1, "",
           '(Unknown "no scheme")\n(Unknown "unknown scheme")\n')
    for text in ("http://127.0.0.1:99999/", "http://a%zz/", "http://[::1/", "http://exa mple/", "http://" + "a" * 64 + ".b/"):
        done = expect(["resolve", text], 1, None, "")
        check(done.stderr.decode().startswith("conduit: ") and done.stderr.count(b"\n") == 1, text, done.stderr)
        equal(run("connect", text).returncode, 2, text)
    expect(["connect", "nosuch://h/"], 1, "nosuch://h/: nosuch: unknown scheme")


def test_wrong_names():
    """One line that says where and what, for all that takes a host name."""
    for text, offset in (("tcp:a..b:1", 6), ("tls:" + "a" * 64 + ":1", 4), ("tcp:xn--a:1", 4), (b"tcp:\377:1", 4)):
        for command, status in (("connect", 2), ("serve", 2), ("resolve", 1)):
            done = run(command, text)
            equal(done.returncode, status, (command, text))
            check(b": offset %d: expected " % offset in done.stderr and done.stderr.count(b"\n") == 1, text, done.stderr)


def test_rewrites():
    rules = ["--rewrite", "internal=tcp:10.1.2.3:0", "--rewrite=db.internal=unix:/run/db", "--rewrite", "=tcp:10.9.9.9:7"]
    expect(["resolve", *without_dns(), *rules, "http://a.INTERNAL./", "https://x.db.internal/", "http://xinternal:5/",
            "http://internal:81"], 0, "",
           "(TCP (10.1.2.3 80))\n(TLS (x.db.internal (Unix_domain_socket /run/db)))\n(TCP (10.9.9.9 7))\n(TCP (10.1.2.3 81))\n")
    expect(["resolve", "--rewrite", "x", "http://x/"], 2, "--rewrite x: expected SUFFIX=ENDPOINT")
    equal(run("resolve", "--rewrite", "x=nonsense", "http://x/").returncode, 2)
    expect(["resolve", "--rewrite", "a..b=tcp:1", "http://x/"], 2,
           "--rewrite a..b: expected SUFFIX=ENDPOINT, SUFFIX a host name or nothing")
    expect(["resolve", "--dns", "localhost", "http://x/"], 2, "--dns localhost: expected ADDRESS[:PORT],...")


def test_connect_tells_of_each_attempt():
    rule = ["--rewrite", "x.test=tcp:127.0.0.1:1"]
    expect(["connect", *rule, "http://x.test/"], 1, "http://x.test/: 127.0.0.1:1: connection refused")


def test_listening_by_name():
    with Server("serve", "tcp:localhost:0") as server:
        check(server.endpoints[0].startswith(("(TCP (127.0.0.1 ", "(TCP (::1 ")), server.endpoints)
        server.stop()
    expect(["serve", *without_dns(), "tcp:no-such-host.invalid:0"], 1, None)


if __name__ == "__main__":
    main(test_uris, test_unknown, test_wrong_names, test_rewrites, test_connect_tells_of_each_attempt, test_listening_by_name)
