#!/usr/bin/env -S python3 -B
"""Names at the program's face, with a real name server: resolve, connect and proxy by name, --dns, CONDUIT_DEBUG."""

import names
from cli import *

ZONE = """
v4 A 192.0.2.1
v6 AAAA 2001:db8::1
alias CNAME chain
chain CNAME v4
here A 127.0.0.1
_http._tcp.web SRV 10 0 8001 v4
_http._tcp.web SRV 20 0 8002 v6
_echo._tcp.none SRV 0 0 0 .
empty TXT nothing
xn--bcher-kva A 192.0.2.7
"""


def test_dns():
    with names.NameServer({"example.test": ZONE}) as server:
        dns = ["--dns", f"127.0.0.1:{server.port}"]
        hosts = ["http://v4.example.test/", "https://alias.example.test:444/", "tcp:v6.example.test:5", "tls:V4.Example.TEST.:6",
                 "srv+http://web.example.test/", "http://b\u00fccher.example.test/"]
        expect(["resolve", *dns, *hosts], 0, "",
               "(TCP (192.0.2.1 80))\n(TLS (alias.example.test (TCP (192.0.2.1 444))))\n(TCP (2001:db8::1 5))\n"
               "(TLS (V4.Example.TEST. (TCP (192.0.2.1 6))))\n(TCP (192.0.2.1 8001))\n(TCP (2001:db8::1 8002))\n"
               "(TCP (192.0.2.7 80))\n")
        expect(["resolve", *dns, "--json", hosts[1]], 0, "",
               '{"type":"TLS","host":"alias.example.test","endpoint":{"type":"TCP","ip":"192.0.2.1","port":444}}\n')
        expect(["resolve", *dns, "https://nope.example.test/", "http://empty.example.test/", "http://other.test/"], 1, "",
               '(Unknown "name resolution failed: NXDOMAIN")\n(Unknown "name resolution failed: no data")\n'
               '(Unknown "name resolution failed: refused")\n')
        expect(["connect", *dns, "tcp:nope.example.test:5"], 1,
               "tcp:nope.example.test:5: nope.example.test: name resolution failed: NXDOMAIN")
        many = [f"tcp:v4.example.test:{port}" for port in range(1, 300)]
        expect(["resolve", *dns, *many], 0, "", "".join(f"(TCP (192.0.2.1 {port}))\n" for port in range(1, 300)))
        with Server("serve", "tcp:127.0.0.1:0") as echo:
            uri = f"http://here.example.test:{echo.port()}/"
            expect(["connect", *dns, uri], 0, "", "hello", input=b"hello")
            with Server("proxy", *dns, "tcp:127.0.0.1:0", uri) as proxy, proxy.connect() as client:
                client.sendall(b"through")
                client.shutdown(socket.SHUT_WR)
                equal(receive_all(client), b"through")
        trace = run("resolve", *dns, hosts[1], env={**os.environ, "CONDUIT_DEBUG": "1"}).stderr.decode()
        for word in ("https", "alias.example.test", "192.0.2.1"):
            check(word in trace, word, trace)
        equal(run("resolve", *dns, hosts[1], env={**os.environ, "CONDUIT_DEBUG": ""}).stderr, b"")


if __name__ == "__main__":
    if not names.there():
        print("no name server under build/daemons: make deps DEPS=daemons")
        sys.exit(77)
    main(test_dns)
