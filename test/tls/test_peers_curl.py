#!/usr/bin/env -S python3 -B
"""curl over HTTPS, TLS ended by `conduit proxy` in front of a plain server, and begun by it towards
a server of Python's: requests, 50 MB each way with checksums, HTTP spoken to a TLS port."""

import http.server

from peers import *

pki = begin()
SIZE = (8 if os.environ.get("CDT_TEST_SLOW") else 50) << 20
BULK = random_file(pki("bulk"), SIZE)


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    uploaded = None

    def do_GET(self):
        self.send_response(200)
        if self.path == "/bulk":
            self.send_header("Content-Length", str(SIZE))
            self.end_headers()
            with open(pki("bulk"), "rb") as file:
                shutil.copyfileobj(file, self.wfile)
        else:
            self.send_header("Content-Length", str(len(self.path)))
            self.end_headers()
            self.wfile.write(self.path.encode())

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            piece = self.rfile.read(min(left, 1 << 16))
            digest.update(piece)
            left -= len(piece)
        answer = digest.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def pages(context=None):
    """Serves HTTP, or HTTPS; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


def curl(url, *options, status=0):
    port = url.split("/")[2].split(":")[1]
    done = subprocess.run(["curl", "-sS", "--http1.1", "--cacert", pki("ca.pem"), "--resolve", f"{NAME}:{port}:127.0.0.1", *options, url],
                          capture_output=True, timeout=PATIENCE)
    equal(done.returncode, status, url, options, done.stderr.decode())
    return done


def front(backend, port, *options):
    """A proxy that ends TLS."""
    return Server("proxy", "--tls", backend, "--cert", pki("p256.pem"), "--key", pki("p256.key"), *options, "tls:127.0.0.1:0", f"tcp:127.0.0.1:{port}")


def test_requests():
    with pages() as port:
        for backend in BACKENDS:
            with front(backend, port, "--alpn", "http/1.1") as proxy:
                for option in ("--tlsv1.2 --tls-max 1.2", "--tlsv1.3"):
                    done = curl(f"https://{NAME}:{proxy.port()}/hello", *option.split(), "-v")
                    equal(done.stdout, b"/hello")
                    check(b"accepted" in done.stderr and b"http/1.1" in done.stderr, done.stderr)
                several = [f"https://{NAME}:{proxy.port()}/{i}" for i in range(5)]
                done = curl(several[0], *several[1:])
                equal(done.stdout, b"/1/2/3/4/0")
                curl(f"https://wrong.test:{proxy.port()}/", "--resolve", f"wrong.test:{proxy.port()}:127.0.0.1", status=60)


def test_bulk_down():
    with pages() as port:
        for backend in BACKENDS:
            with front(backend, port) as proxy:
                for option in ("--tlsv1.2 --tls-max 1.2", "--tlsv1.3"):
                    equal(sha256(curl(f"https://{NAME}:{proxy.port()}/bulk", *option.split()).stdout), BULK, backend, option)


def test_bulk_up():
    with pages() as port:
        for backend in BACKENDS:
            with front(backend, port) as proxy:
                for option in ("--tlsv1.2 --tls-max 1.2", "--tlsv1.3"):
                    done = curl(f"https://{NAME}:{proxy.port()}/", *option.split(), "-T", pki("bulk"), "-H", "Expect:")
                    equal(done.stdout.decode(), BULK, backend, option)


def test_bulk_towards_a_server():
    """TLS from the proxy to a server, plain from the client."""
    for number in VERSIONS:
        with pages(python_server(pki, number=number)) as port:
            for backend in BACKENDS:
                target = ["--ca", pki("ca.pem"), "--server-name", NAME, "tcp:127.0.0.1:0", f"tls:127.0.0.1:{port}"]
                with Server("proxy", "--tls", backend, *target) as proxy:
                    url = f"http://{NAME}:{proxy.port()}/"
                    equal(sha256(curl(url + "bulk").stdout), BULK, backend)
                    equal(curl(url, "-T", pki("bulk"), "-H", "Expect:").stdout.decode(), BULK, backend)


def test_bulk_through_both():
    """TLS to TLS: two proxies, one of each backend, in a row."""
    with pages() as port:
        for one, two in PAIRS:
            with front(one, port) as inner:
                target = [f"tls:127.0.0.1:{inner.port()}", "--ca", pki("ca.pem"), "--server-name", NAME]
                with Server("proxy", "--tls", two, "--cert", pki("rsa.pem"), "--key", pki("rsa.key"), "tls:127.0.0.1:0", *target) as outer:
                    url = f"https://{NAME}:{outer.port()}/"
                    equal(sha256(curl(url + "bulk").stdout), BULK, one, two)
                    equal(curl(url, "-T", pki("bulk"), "-H", "Expect:").stdout.decode(), BULK, one, two)


def test_plain_http_to_a_tls_port():
    for backend in BACKENDS:
        with serve(pki, backend, "-v") as server:
            for _ in range(3):
                done = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{server.port()}/"], capture_output=True, timeout=PATIENCE)
                check(done.returncode != 0, backend, done)
            talk(pki, BACKENDS[0], server.port())
            equal(server.stop(), (4, 1, 3), backend)


def test_tls_to_a_plain_http_port():
    with pages() as port:
        for backend in BACKENDS:
            refused(pki, backend, port, why="TLS")


def test_a_server_that_says_nothing():
    """It must not be waited for longer than the handshake timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for backend in BACKENDS:
            before = time.monotonic()
            refused(pki, backend, listener.getsockname()[1], "--handshake-timeout", "0.3", why="handshake")
            check(0.25 < time.monotonic() - before < PATIENCE / 2)


if __name__ == "__main__":
    main(*[f for n, f in list(globals().items()) if n.startswith("test_")])
