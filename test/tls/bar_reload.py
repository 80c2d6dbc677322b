#!/usr/bin/env -S python3 -B
"""A bar, run by hand: 10,000 handshakes of real clients while the certificates are replaced and read
again every 50 ms. None may fail. BUILD=build test/tls/bar_reload.py [HANDSHAKES]"""

from peers import *

pki = begin()
HANDSHAKES = int(sys.argv[1]) if len(sys.argv) > 1 else 10000


def one(backend, number):
    both = pki("live.pem")
    certs = ["p256", "next"]
    pki.write("live.pem", pki.read("p256.both.pem"))
    with serve(pki, backend, "--cert", both, "--key", both, cert=None) as server:
        stop, reloads, seen = threading.Event(), 0, {}

        def reload():
            nonlocal reloads
            while not stop.wait(0.05):
                certs.reverse()
                pki.write("live.new", pki.read(certs[0] + ".pem") + pki.read(certs[0] + ".key"))
                os.rename(pki("live.new"), both)
                server.signal(signal.SIGHUP)
                reloads += 1

        thread = threading.Thread(target=reload)
        thread.start()
        failed, begin_time = 0, time.monotonic()
        context = only(python_client(pki), number)
        try:
            for i in range(HANDSHAKES):
                try:
                    client = dial(context, server.port())
                    seen[client.getpeercert()["subject"]] = seen.get(client.getpeercert()["subject"], 0) + 1
                    client.sendall(b"x")
                    if client.recv(1) != b"x":
                        raise Failed("no echo")
                    client.unwrap().close()
                except (OSError, Failed) as error:
                    failed += 1
                    print(f"{backend} TLS {number}: handshake {i}: {error}")
        finally:
            stop.set()
            thread.join()
        seconds = time.monotonic() - begin_time
        sums = server.stop()
        print(f"{backend} TLS {number}: {HANDSHAKES} handshakes in {seconds:.1f} s, {failed} failed, {reloads} reloads, "
              f"certificates seen {sorted(seen.values())}, server {sums}", flush=True)
        return failed


if __name__ == "__main__":
    sys.exit(1 if sum(one(backend, number) for backend in BACKENDS for number in VERSIONS) else 0)
