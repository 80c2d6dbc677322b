"""Daemons that are only unpacked, not installed: their libraries, ports for them, and whether they listen."""
import glob
import random
import socket
import time

from contenders import PATIENCE


def library_path(root):
    """LD_LIBRARY_PATH of what was unpacked there."""
    return ":".join(glob.glob(root + "/usr/lib/*-linux-gnu") + glob.glob(root + "/lib/*-linux-gnu"))


def free_port():
    """One below those that the kernel gives to clients, and seldom one that another run takes as well."""
    for port in random.sample(range(20000, 32000), 1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free")


def listens(process, port):
    """Waits for it; False if the process has ended, or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.01)
    return False
