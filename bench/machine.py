"""What a run was made on and with, so that its figures can be judged later: the machine, the compiler, the
versions of the peers. What cannot be found out is left out."""
import datetime
import os
import platform
import re
import subprocess

from daemons import library_path

TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
RELAYS = TREE + "/build/relays/root"

# Of which package a library's or a tool's version is.
PACKAGES = {"libev": "libev-dev", "libevent": "libevent-dev", "libuv": "libuv1-dev", "OpenSSL": "libssl-dev",
            "intel-ipsec-mb": "libipsec-mb-dev", "c-ares": "libc-ares-dev", "socat": "socat", "strace": "strace"}

# How the daemons that are only unpacked say theirs.
DAEMONS = {"haproxy": ["usr/sbin/haproxy", "-v"], "nginx": ["usr/sbin/nginx", "-v"],
           "stunnel": ["usr/bin/stunnel4", "-version"]}


def output(*command, **environment):
    """What a command prints; nothing if it fails or is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              text=True, check=False, cwd=TREE, env={**os.environ, "LC_ALL": "C", **environment})
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def file(path):
    try:
        with open(path, encoding="utf-8") as lines:
            return lines.read()
    except OSError:
        return ""


def found(pattern, text, otherwise=""):
    match = re.search(pattern, text, re.M)
    return match.group(1).strip() if match else otherwise


def package(name):
    return output("dpkg-query", "-W", "-f", "${Version}", name)


def daemon(path, *arguments):
    text = output(f"{RELAYS}/{path}", *arguments, LD_LIBRARY_PATH=library_path(RELAYS))
    return found(r"(?:version |nginx/|^stunnel )([\d.]+[\w.+-]*)", text)


def versions():
    """{peer, or library of ours: version}"""
    all_versions = {name: package(which) for name, which in PACKAGES.items()}
    all_versions["wolfSSL"] = found(r"\A(\S+)", file(TREE + "/build/deps/wolfssl/stamp"))
    all_versions.update({name: daemon(*command) for name, command in DAEMONS.items()})
    return {name: version for name, version in sorted(all_versions.items(), key=lambda row: row[0].lower()) if version}


def commit():
    """With a + if the tree has changes of its own."""
    name = output("git", "rev-parse", "--short=10", "HEAD")
    return name + ("+" if name and output("git", "status", "--porcelain", "--untracked-files=no") else "")


def machine():
    """What results.json has as "machine", and the runner adds to."""
    processor = file("/proc/cpuinfo")
    return {"cpu": found(r"^model name\s*:(.*)", processor, platform.machine()), "cpus": len(os.sched_getaffinity(0)),
            "virtual": bool(re.search(r"^flags\s*:.*\bhypervisor\b", processor, re.M)), "kernel": platform.release(),
            "system": found(r'^PRETTY_NAME="?([^"\n]*)', file("/etc/os-release")),
            "compiler": output(*os.environ.get("CC", "cc").split(), "--version").partition("\n")[0],
            "flags": os.environ.get("CFLAGS", ""), "conduit": os.environ.get("CDT_VERSION", ""), "commit": commit(),
            "date": datetime.date.today().isoformat(), "versions": versions()}
