"""Requests of wrk and curl through a proxy to a packaged nginx, unpacked under build/."""
import contextlib
import os
import re
import subprocess
import time

from cli import PATIENCE, Failed, Server, folder
from daemons import free_port, library_path, listens

from . import QUICK, TOP, Skipped, need, scaled

WRK, CURL, SECONDS_AT_ONCE = 990000, 10000, 2 if QUICK else 5

CONFIGURATION = """
daemon off;
master_process off;
pid {path}/pid;
error_log {path}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {path}; proxy_temp_path {path}; fastcgi_temp_path {path};
    uwsgi_temp_path {path}; scgi_temp_path {path};
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "hello\\n"; }} }}
}}
"""


def find_nginx():
    """The folder in which it was unpacked."""
    for root in ("relays", "daemons"):
        path = os.path.join(TOP, "build", root, "root")
        if os.access(path + "/usr/sbin/nginx", os.X_OK):
            return path
    raise Skipped("no nginx under build/relays or build/daemons")


@contextlib.contextmanager
def nginx():
    """Its port."""
    root = find_nginx()
    with folder() as path:
        port = free_port()
        with open(path + "/nginx.conf", "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(path=path, port=port))
        with subprocess.Popen([root + "/usr/sbin/nginx", "-c", path + "/nginx.conf", "-e", path + "/error.log"],
                              env={**os.environ, "LD_LIBRARY_PATH": library_path(root)}) as process:
            try:
                if not listens(process, port):
                    raise Failed(f"nginx does not listen (status {process.poll()})")
                yield port
            finally:
                process.kill()


def wrk(port):
    """(requests, failed) of some seconds, 100 connections."""
    done = subprocess.run(["wrk", "-t1", "-c100", f"-d{SECONDS_AT_ONCE}s", f"http://127.0.0.1:{port}/"], check=False,
                          stdout=subprocess.PIPE, text=True, timeout=PATIENCE)
    requests = re.search(r"(\d+) requests in", done.stdout)
    if done.returncode or not requests:
        raise Failed(f"wrk: status {done.returncode}: {done.stdout}")
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
    others = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    return int(requests[1]), sum(map(int, errors.groups() if errors else [])) + (int(others[1]) if others else 0)


def requests_of_wrk():
    """wrk runs for a time, not for a number: until there were enough, or far too much time has passed."""
    need("wrk")
    total = failed = 0
    deadline = time.monotonic() + 150
    with nginx() as port, Server("proxy", "-q", "tcp:127.0.0.1:0", f"tcp:127.0.0.1:{port}") as proxy:
        while total < scaled(WRK) and time.monotonic() < deadline:
            more, bad = wrk(proxy.port())
            total, failed = total + more, failed + bad
    return {"requests": total, "missing": max(0, scaled(WRK) - total), "failed": failed}


def requests_of_curl():
    """Each with a connection of its own, 50 at a time."""
    need("curl")
    total = scaled(CURL)
    with nginx() as port, Server("proxy", "-q", "tcp:127.0.0.1:0", f"tcp:127.0.0.1:{port}") as proxy:
        done = subprocess.run(["curl", "-q", "--silent", "--noproxy", "*", "--parallel", "--max-time", str(PATIENCE),
                               "--header", "Connection: close", "--output", "/dev/null",
                               "--write-out", "%{http_code} %{num_connects}\\n",
                               f"http://127.0.0.1:{proxy.port()}/[1-{total}]"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
                              timeout=2 * PATIENCE)
    answers = done.stdout.splitlines()
    return {"requests": total, "connections": sum(int(line.split()[1]) for line in answers),
            "failed": total - sum(line.startswith("200 ") for line in answers)}
