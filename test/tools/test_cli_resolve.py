#!/usr/bin/env -S python3 -B
"""conduit resolve: endpoints, normalised."""

import json

from cli import *


def test_forms():
    texts = ["tcp:127.0.0.1:80", "(TLS (example.org (TCP (10.0.0.1 443))))", "unix:/tmp/foo bar",
             "vchan:3/foo", "vchan:vm1/http", " ( TCP ; comment\n (::1 80))"]
    human = ("(TCP (127.0.0.1 80))\n(TLS (example.org (TCP (10.0.0.1 443))))\n"
             '(Unix_domain_socket "/tmp/foo bar")\n(Vchan_direct (3 foo))\n'
             "(Vchan_domain_socket (vm1 http))\n(TCP (::1 80))\n")
    machine = ("(TCP(127.0.0.1 80))\n(TLS(example.org(TCP(10.0.0.1 443))))\n"
               '(Unix_domain_socket"/tmp/foo bar")\n(Vchan_direct(3 foo))\n'
               "(Vchan_domain_socket(vm1 http))\n(TCP(::1 80))\n")
    expect(["resolve", *texts], 0, "", human)
    expect(["resolve", "--sexp", "human", *texts], 0, "", human)
    expect(["resolve", "--sexp=machine", *texts], 0, "", machine)


def test_unknown_and_malformed():
    expect(["resolve", '(Unknown "no scheme")', "tcp:1.2.3.4:5"], 1, "",
           '(Unknown "no scheme")\n(TCP (1.2.3.4 5))\n')
    done = expect(["resolve", "tcp:1.2.3.4:99999", "tcp:1.2.3.4:5", "http://x:99999/", "(TCP"], 1, None,
                  "(TCP (1.2.3.4 5))\n")
    equal(done.stderr.decode().count("\n"), 3)
    expect(["resolve", "fd:3"], 1, "fd:3: an inherited descriptor is only for listening", "")


def test_names():
    lines = expect(["resolve", "tcp:localhost:80"], 0, "").stdout.decode().splitlines()
    check("(TCP (127.0.0.1 80))" in lines or "(TCP (::1 80))" in lines, lines)
    equal(expect(["resolve", "tcp:80"], 0, "").stdout.decode().splitlines(), lines)


def test_json():
    text = expect(["resolve", "--json", '(TLS ("a\\"b\\n" (TCP (::1 80))))', "unix:/caf\u00e9\x01",
                   '(Unknown "\\255")', "vchan:3/p", "vchan:vm/p"], 1).stdout.decode()
    values = [json.loads(line) for line in text.splitlines()]
    equal(values, [
        {"type": "TLS", "host": 'a"b\n', "endpoint": {"type": "TCP", "ip": "::1", "port": 80}},
        {"type": "Unix_domain_socket", "path": "/caf\u00e9\x01"},
        {"type": "Unknown", "reason": "\u00ff"},
        {"type": "Vchan_direct", "domid": 3, "port": "p"},
        {"type": "Vchan_domain_socket", "name": "vm", "port": "p"},
    ])


def test_full_disk():
    with open("/dev/full", "wb") as full:
        expect(["resolve", "tcp:1.2.3.4:5"], 1, "standard output: no space left on device", stdout=full)


if __name__ == "__main__":
    main(test_forms, test_unknown_and_malformed, test_names, test_json, test_full_disk)
