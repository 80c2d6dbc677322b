#!/usr/bin/env -S python3 -B
"""vchan in the program, over the local backend: serve, connect and proxy by domain and by name, who may
have a name, what is left behind, TLS over it, options, -v."""

import re

from cli import *

directory = None


def environment(domid=None, **more):
    """Domain `domid`; the places are in the folder of the test."""
    values = {name: value for name, value in os.environ.items() if not name.startswith("CONDUIT_")}
    values["CONDUIT_VCHAN_DIR"] = directory + "/vchan"
    values["CONDUIT_VCHAN"] = "local"
    if domid is not None:
        values["CONDUIT_DOMID"] = str(domid)
    return values | more


def serve(*args, domid=None, listeners=1, **options):
    return Server("serve", *args, listeners=listeners, env=environment(domid), **options)


def talk(*args, domid=None, data=b"some words"):
    return expect(["connect", *args], 0, None, data, input=data, env=environment(domid))


def in_folder(test):
    def run_it():
        global directory
        with folder() as directory:
            test()
    run_it.__name__ = test.__name__
    return run_it


def nodes():
    """The files, sockets and folders without anything in them that are left."""
    return sorted(os.path.join(path, name)[len(directory):] for path, _, names in os.walk(directory)
                  for name in names)


# ---- connecting and serving ----------------------------------------------------------------------

@in_folder
def test_direct():
    with serve("vchan:5/foo", domid=3) as server:
        equal(server.endpoints, ["(Vchan_direct (5 foo))"])
        talk("vchan:3/foo", domid=5)
        talk("(Vchan_direct (3 foo))", domid=5, data=b"x" * 3000000)
        expect(["connect", "--connect-timeout", "0.1", "vchan:3/foo"], 1,
               "vchan:3/foo: no connection within the connect timeout: no server has appeared at "
               "/local/domain/3/data/vchan/6/foo", "", env=environment(6))
        equal(server.stop(), (2, 2, 0))
    equal(nodes(), [])


@in_folder
def test_by_name():
    with serve("vchan:web/http", "vchan:web/echo-2", listeners=2, domid=3) as server:
        equal(server.endpoints, ["(Vchan_domain_socket (web http))", "(Vchan_domain_socket (web echo-2))"])
        for domid in (3, 4, 5, 4):
            talk("vchan:web/http", domid=domid)
        talk("vchan:web/echo-2")
        talk("http://web.xen/", domid=7)
        equal(server.stop(), (6, 6, 0))
    equal(nodes(), [])


@in_folder
def test_client_first():
    for target, listen in (("vchan:0/foo", "vchan:0/foo"), ("vchan:web/foo", "vchan:web/foo")):
        child = subprocess.Popen([CONDUIT, "connect", target], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 env=environment())
        child.stdin.write(b"early")
        child.stdin.close()
        with serve(listen) as server:
            equal(child.stdout.read(), b"early")
            equal(child.wait(PATIENCE), 0)
            equal(server.stop(), (1, 1, 0))
        child.stdout.close()
    equal(nodes(), [])


@in_folder
def test_many_at_once():
    count = 24
    with serve("--max-active", "4", "vchan:web/foo") as server:
        data = [os.urandom(20000) for _ in range(count)]
        children = [subprocess.Popen([CONDUIT, "connect", "vchan:web/foo"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, env=environment(i % 6)) for i in range(count)]
        for child, part in zip(children, data):
            child.stdin.write(part)
            child.stdin.close()
        for child, part in zip(children, data):
            equal(child.stdout.read(), part)
            equal(child.wait(PATIENCE), 0)
            child.stdout.close()
        equal(server.stop(), (count, count, 0))
    equal(nodes(), [])


@in_folder
def test_proxy():
    path = directory + "/socket"
    with serve("vchan:web/foo"), \
         Server("proxy", "vchan:0/bar", "vchan:web/foo", env=environment()) as inner, \
         Server("proxy", "unix:" + path, "vchan:0/bar", env=environment()) as outer:
        equal(inner.endpoints, ["(Vchan_direct (0 bar))"])
        talk("unix:" + path, data=b"y" * 500000)
        outer.stop()
        inner.stop()


@in_folder
def test_tls():
    if "none)" in run("version").stdout.decode().split("\n")[1] or not shutil.which("openssl"):
        print("TLS is not built in, or openssl is not installed: not tested over vchan")
        return
    cert, key = directory + "/cert.pem", directory + "/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=vm", "-addext", "subjectAltName=DNS:vm.test,DNS:web.xen", "-keyout", key,
                    "-out", cert], check=True, capture_output=True)
    with serve("--cert", cert, "--key", key, "tls+vchan:web/foo") as server:
        equal(server.endpoints, ['(TLS ("" (Vchan_domain_socket (web foo))))'])
        options = ["--ca", cert, "--server-name", "vm.test"]
        talk(*options, "tls+vchan:web/foo", data=b"z" * 300000)
        done = talk("-v", *options, "tls+vchan:web/foo")
        check(b"vchan local, rings" in done.stderr and b"TLSv1.3" in done.stderr, done.stderr)
        expect(["connect", "--ca", cert, "--server-name", "other.test", "tls+vchan:web/foo"], 1,
               env=environment(), input=b"never")
        expect(["connect", "tls+vchan:web/foo"], 2, None, "", env=environment())
        server.stop()
    with serve("--cert", cert, "--key", key, "tls+vchan:web/https") as server:
        talk("--ca", cert, "https://web.xen/")
        server.stop()


# ---- names ---------------------------------------------------------------------------------------

@in_folder
def test_a_name_has_one_server():
    with serve("vchan:web/foo") as first:
        for port in ("foo", "bar"):
            expect(["serve", "vchan:web/" + port], 1,
                   f"vchan:web/{port}: another server has registered this name", "", env=environment())
        expect(["serve", "vchan:other/foo", "vchan:other/foo"], 1,
               "vchan:other/foo: this port of the name is served already", "", env=environment())
        talk("vchan:web/foo")
        equal(first.stop(), (1, 1, 0))
    equal(nodes(), [])


@in_folder
def test_killed_server():
    """What it has left is taken over; a client waits meanwhile."""
    with serve("vchan:web/foo", "vchan:0/bar", listeners=2) as server:
        talk("vchan:web/foo")
        server.signal(signal.SIGKILL)
        server.wait()
    check(len(nodes()) > 0)
    child = subprocess.Popen([CONDUIT, "connect", "vchan:web/foo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env=environment())
    child.stdin.write(b"patience")
    child.stdin.close()
    us = re.sub("[^a-zA-Z0-9_-]", "-", os.uname().nodename) + "-0"
    expect(["connect", "--connect-timeout", "0.1", "vchan:web/other"], 1,
           "vchan:web/other: no connection within the connect timeout: domain 0 has not taken the request "
           f"/conduit/web/{us}/other", "", env=environment())
    with serve("vchan:web/foo", "vchan:0/bar", listeners=2) as server:
        equal(child.stdout.read(), b"patience")
        equal(child.wait(PATIENCE), 0)
        talk("vchan:0/bar")
        talk("vchan:web/foo")
        server.stop()
    child.stdout.close()
    equal(nodes(), [])


@in_folder
def test_killed_clients():
    """Clients that are killed whatever they do leave nothing, and the server goes on."""
    with serve("vchan:web/foo", "vchan:0/bar", listeners=2) as server:
        for i in range(40):
            child = subprocess.Popen([CONDUIT, "connect", ["vchan:web/foo", "vchan:0/bar"][i % 2]],
                                     stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment())
            if i % 4 > 1:
                child.stdin.write(b"x" * 100000)
                child.stdin.flush()
            child.kill()
            child.wait()
            try:
                child.stdin.close()
            except BrokenPipeError:
                pass
        talk("vchan:web/foo")
        talk("vchan:0/bar")
        fds = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        check(fds < 24, fds)
        server.stop()
    equal(nodes(), [])


# ---- options and errors --------------------------------------------------------------------------

@in_folder
def test_sizes():
    with serve("-v", "--read-size", "100K", "--write-size", "5000", "vchan:0/foo") as server:
        done = talk("-v", "vchan:0/foo")
        lines = done.stderr.decode().splitlines()
        check("conduit: vchan:0/foo: connected to 0/foo" in lines, lines)
        check("conduit: vchan:0/foo: vchan local, rings to read 8192 bytes, to write 131072" in lines, lines)
        server.signal(signal.SIGTERM)
        status, said = server.wait()
        equal(status, 0)
        check("conduit: vchan 0/foo: vchan local, rings to read 131072 bytes, to write 8192" in said, said)
    for size in ("0", "1M1", "1048577", "2M", "x", "-1", ""):
        expect(["serve", "--read-size", size, "vchan:0/foo"], 2,
               f"--read-size {size}: expected bytes from 1 to 1048576", "", env=environment())


@in_folder
def test_backends():
    def vchan(**more):
        return run("version", env=environment() | more).stdout.decode().splitlines()[2]
    built_in = vchan().partition("(compiled in: ")[2]
    check(built_in in ("local)", "xen, local)"), built_in)
    equal(vchan(), f"vchan: local (compiled in: {built_in}")
    equal(vchan(CONDUIT_VCHAN="NONE"), f"vchan: none (compiled in: {built_in}")
    for command in (["serve"], ["connect"], ["proxy", "tcp:127.0.0.1:0"]):
        for text in ("vchan:1/x", "vchan:web/x"):
            expect([*command, "--vchan", "none", text], 2, f"{text}: vchan is switched off", "")
            expect([*command, text], 2, f"{text}: vchan is switched off", "",
                   env=environment(CONDUIT_VCHAN="none"))
    expect(["serve", "--vchan", "nothing", "vchan:1/x"], 2,
           "--vchan nothing: expected xen, local or none", "")
    if "xen" not in built_in:
        expect(["serve", "--vchan", "xen", "vchan:1/x"], 2, "--vchan xen: not built in", "")
    with Server("serve", "--vchan", "local", "vchan:0/foo", env=environment(CONDUIT_VCHAN="none")):
        expect(["connect", "--vchan", "local", "vchan:0/foo"], 0, "", "",
               env=environment(CONDUIT_VCHAN="none"))
    done = run("connect", "--connect-timeout", "0.1", "vchan:0/foo", env=environment(CONDUIT_VCHAN="shiny"))
    check(b'CONDUIT_VCHAN is "shiny", which is no backend of vchan: ignored' in done.stderr, done.stderr)


@in_folder
def test_errors():
    def fails(text, why, **more):
        for command in ("connect", "serve"):
            expect([command, text], 1, f"{text}: {why}", "", env=environment() | more)
    wrong_name = ("a domain's name has 1 to 250 bytes, no slash or control character, and no dot at its "
                  "beginning")
    fails("vchan:0/foo", "CONDUIT_DOMID is no number from 0 to 65535", CONDUIT_DOMID="99999")
    fails(f"vchan:0/{'p' * 64}", "a port of vchan is 1 to 63 of a-z, A-Z, 0-9, _ and -")
    fails("(Vchan_domain_socket (a/b foo))", wrong_name)
    fails("vchan:.web/foo", wrong_name)
    fails("vchan:0/foo", "/proc/none cannot be used: no such file or directory", CONDUIT_VCHAN_DIR="/proc/none")
    shared = directory + "/shared"
    os.mkdir(shared)
    os.chmod(shared, 0o777)
    fails("vchan:web/foo", f"{shared} cannot be used: it is not ours, or others may write there",
          CONDUIT_VCHAN_DIR=shared)


@in_folder
def test_spoiled_store():
    """What stands where a name, or a place, should be: the error tells where."""
    places = directory + "/vchan"
    os.makedirs(places + "/conduit", 0o700)
    os.chmod(places, 0o700)
    for path in ("/conduit/web", "/local"):
        open(places + path, "w").close()
    expect(["serve", "vchan:web/foo"], 1, "vchan:web/foo: /conduit/web cannot be served: not a directory", "",
           env=environment())
    expect(["serve", "vchan:5/foo"], 1,
           "vchan:5/foo: /local/domain/3/data/vchan/5/foo cannot be served: not a directory", "",
           env=environment(3))


if __name__ == "__main__":
    main(test_direct, test_by_name, test_client_first, test_many_at_once, test_proxy, test_tls,
         test_a_name_has_one_server, test_killed_server, test_killed_clients, test_sizes, test_backends,
         test_errors, test_spoiled_store)
