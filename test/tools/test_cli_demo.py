#!/usr/bin/env -S python3 -B
"""conduit demo: its table, its progress on a terminal, and nothing left behind."""

import pty

from cli import *

BACKENDS = {backend: [f"{name}, {carrier}" for carrier in ("TCP", "Unix", "vchan")]
            for backend, name in {"wolfssl": "wolfSSL", "openssl": "OpenSSL"}.items()}
CARRIERS = ["TCP, IPv4", "TCP, IPv6", "Unix, path", "Unix, abstract", "memory pair", "vchan, local"]
BUILT_IN = run("version").stdout.decode().partition("(compiled in: ")[2].partition(")")[0]
CARRIERS += [name for backend, names in BACKENDS.items() if backend in BUILT_IN for name in names]


def check_table(text):
    lines = text.splitlines()
    header = next(i for i, line in enumerate(lines) if line.split()[:2] == ["carrier", "connections"])
    equal(len(lines), header + 1 + len(CARRIERS), text)
    available = 0
    for name, line in zip(CARRIERS, lines[header + 1 :]):
        check(line.startswith(name), line)
        if "not available" in line:
            continue
        available += 1
        connections, peak, throttled, size, rate, errors = line[len(name) :].split()
        check(int(connections) > 32 and int(size) > 0 and int(rate) > 0, line)
        equal(errors, "0", line)
        if name != "memory pair":
            check(int(peak) == 8 and int(throttled) > 0, line)
    check(available >= 4, text)


def test_table():
    with folder() as path:
        done = run("demo", env=os.environ | {"TMPDIR": path})
        equal((done.returncode, done.stderr), (0, b""))
        check_table(done.stdout.decode())
        equal(os.listdir(path), [])


def test_progress_on_a_terminal():
    master, terminal = pty.openpty()
    child = subprocess.Popen([CONDUIT, "demo"], stdin=terminal, stdout=terminal)
    os.close(terminal)
    text = b""
    try:
        while piece := os.read(master, 4096):
            text += piece
    except OSError:  # the end of a terminal
        pass
    os.close(master)
    equal(child.wait(PATIENCE), 0)
    text = text.decode()
    check(text.count("\r\x1b[K") > 10 and "connections," in text, text)
    check_table(text.replace("\r\n", "\n").rpartition("\r\x1b[K")[2])


def interrupt(number):
    with folder() as path:
        child = subprocess.Popen([CONDUIT, "demo"], env=os.environ | {"TMPDIR": path},
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not os.listdir(path):
            equal(child.poll(), None)
        child.send_signal(number)
        out, err = child.communicate(timeout=PATIENCE)
        equal((child.returncode, err), (1, b""))
        check(b"carrier" in out, out)
        equal(os.listdir(path), [])


def test_interrupted():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        interrupt(number)


def test_too_few_descriptors():
    """Clients that wait hold what the server needs: it fails, but soon, and in order."""
    done = run("demo", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)))
    equal(done.returncode, 1)
    lines = done.stdout.decode().splitlines()
    equal(len(lines), 1 + len(CARRIERS))
    for name, line in zip(CARRIERS, lines[1:]):
        errors = -1 if "not available" in line else int(line.split()[-1])
        check(errors == 0 if name == "memory pair" else errors == -1 or 0 < errors < 100, line)


def test_full_disk():
    with open("/dev/full", "wb") as full:
        expect(["demo"], 1, "standard output: no space left on device", stdout=full)


if __name__ == "__main__":
    main(test_table, test_progress_on_a_terminal, test_interrupted, test_too_few_descriptors,
         test_full_disk)
