#!/usr/bin/env -S python3 -B
"""Bars that are figures and that no workload gives. CHECKS has names and functions; each returns {figure:
number} in bounded time, or None where it cannot run, which it says, or raises RuntimeError. Alone:

  BUILD=build QUICK=1 bench/checks.py [PART OF A NAME]"""
import functools
import os
import signal
import subprocess
import sys
import time

os.environ.setdefault("BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build"))
os.environ["BUILD"] = os.path.abspath(os.environ["BUILD"])
sys.dont_write_bytecode = True

from checking import Skipped, bytes as data, http, limits, names, reload, vchan  # noqa: E402
from cli import Failed  # noqa: E402
from terminal import progress, say  # noqa: E402


class TooLate(Exception):
    """No OSError, which checks expect of their peers."""


ERRORS = (Failed, TooLate, OSError, EOFError, ValueError, SystemExit, subprocess.SubprocessError)


def too_late(*_):
    raise TooLate("stopped")


def bounded(name, function, seconds):
    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(seconds)
    progress(name)
    try:
        return function()
    except Skipped as why:
        say(f"SKIPPED {name}: {why}")
        return None
    except ERRORS as error:
        raise RuntimeError(f"{name}: {type(error).__name__}: {error}") from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        progress()


# Name, function, the most seconds that it may take.
ALL = [
    ("overload: what is said, and who comes next", limits.starved, 60),
    ("at most 10 active, 200 clients", limits.max_active, 120),
    ("two listeners share a limit of 1", limits.shared_limit, 60),
    ("random data through connect, serve and proxy", data.same_bytes, 180),
    ("relay with a stalled sink, peak memory", data.stalled_sink, 60),
    ("relay of requests, wrk to nginx", http.requests_of_wrk, 180),
    ("relay of requests, curl to nginx", http.requests_of_curl, 120),
    ("names: connecting, first name server and IPv6 dead", names.connected, 60),
    ("TLS: handshakes while certificates are read again", reload.reloaded, 240),
    ("vchan: clients that are killed", vchan.left_behind, 240),
]
CHECKS = [(name, functools.partial(bounded, name, function, seconds)) for name, function, seconds in ALL]


def main():
    failed = skipped = 0
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    for name, check in CHECKS:
        if only not in name:
            continue
        start = time.monotonic()
        try:
            figures = check()
        except RuntimeError as error:
            say(f"FAILED {error}")
            failed += 1
            continue
        skipped += figures is None
        print(f"{name}, {time.monotonic() - start:.1f} s")
        for figure, value in (figures or {}).items():
            print(f"  {figure:30}{value:14.3f}", flush=True)
    print(f"{failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
