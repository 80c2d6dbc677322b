"""Relays side by side: conduit proxy, socat, haproxy, nginx and stunnel, each one process (socat: one a
connection), to a sink that discards. The packaged daemons are unpacked under build/relays/root."""
import os
import shutil
import subprocess
import tempfile

from contenders import BUILD, PATIENCE, Contender, identity, last_line, on_cpu, without
from daemons import free_port, library_path, listens

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "build", "relays", "root"))

HAPROXY = """
global
    nbthread 1
    noreuseport
    maxconn 1000
    tune.bufsize 65536
    tune.pipesize 131072
    tune.ssl.default-dh-param 2048
defaults
    mode tcp
    option splice-request
    option splice-response
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen relay
    bind 127.0.0.1:{port} {tls_haproxy}
    server sink {sink}
"""

NGINX = """
load_module "{root}/usr/lib/nginx/modules/ngx_stream_module.so";
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 20000; }}
stream {{
    access_log off;
    server {{ listen 127.0.0.1:{port} {tls_nginx}; proxy_buffer_size 64k; proxy_pass {sink}; }}
}}
"""

STUNNEL = """
foreground = yes
pid =
debug = err
[relay]
accept = 127.0.0.1:{port}
connect = {sink}
cert = {cert}
key = {key}
"""

# name: (program, configuration or None, arguments, speaks plain TCP, speaks TLS)
KINDS = {
    "conduit": (f"{BUILD}/conduit", None, ["proxy", "-q", "{listen_conduit}", "tcp:{sink}"], True, True),
    "haproxy": (f"{ROOT}/usr/sbin/haproxy", HAPROXY, ["-q", "-db", "-f", "{configuration}"], True, True),
    "nginx": (f"{ROOT}/usr/sbin/nginx", NGINX, ["-c", "{configuration}", "-e", "stderr"], True, True),
    "socat": (shutil.which("socat") or "/usr/bin/socat", None,
              ["-b65536", "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "TCP:{sink}"], True, False),
    "stunnel": (f"{ROOT}/usr/bin/stunnel4", STUNNEL, ["{configuration}"], False, True),
}


class Relay:
    """A contender whose server is a relay in front of a small server."""

    def __init__(self, name, **environment):
        self.name = name
        self.kind = name.split(",")[0]
        self.environment = {**environment, "LD_LIBRARY_PATH": library_path(ROOT)} if self.foreign() else environment
        self.folder = self.sink = None

    def foreign(self):
        return KINDS[self.kind][0].startswith(ROOT)

    def missing(self):
        program = KINDS[self.kind][0]
        return without(self.environment.get("CONDUIT_TLS")) if os.path.exists(program) else f"there is no {program}"

    def fields(self, scheme, sink):
        tls, port = scheme == "tls", free_port()
        cert, key = identity() if tls else ("", "")
        self.folder = self.folder or tempfile.mkdtemp()
        both = self.folder + "/both.pem"
        with open(both, "w", encoding="utf-8") as file:
            for part in (cert, key) if tls else ():
                with open(part, encoding="utf-8") as lines:
                    file.write(lines.read())
        return {"port": port, "sink": sink, "root": ROOT, "folder": self.folder, "cert": cert, "key": key,
                "configuration": self.folder + "/configuration",
                "tls_haproxy": f"ssl crt {both} prefer-client-ciphers" if tls else "",
                "tls_nginx": f"ssl; ssl_protocols TLSv1.3; ssl_certificate {cert}; ssl_certificate_key {key}" if tls else "",
                "listen_conduit": f"tls:127.0.0.1:{port}" if tls else f"tcp:127.0.0.1:{port}"}

    def start(self, mode, scheme, before=()):
        self.sink, sink = Contender("epoll").start(mode, "tcp", cpu=1)
        try:
            return self.start_before(sink[len("tcp:"):], scheme, before)
        except BaseException:
            self.stopped()
            raise

    def start_before(self, sink, scheme, before=()):
        program, configuration, arguments, _, _ = KINDS[self.kind]
        fields = self.fields(scheme, sink)
        if configuration:
            with open(fields["configuration"], "w", encoding="utf-8") as file:
                file.write(configuration.format(**fields))
        arguments = [argument.format(**fields) for argument in arguments]
        if self.kind == "conduit" and scheme == "tls":
            arguments[1:1] = ["--cert", fields["cert"], "--key", fields["key"]]
        with open(self.folder + "/errors", "w", encoding="utf-8") as errors:
            server = subprocess.Popen([*before, program, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True,
                                      preexec_fn=on_cpu(0), cwd=self.folder, env={**os.environ, **self.environment})
        self.wait_for(fields["port"], server)
        return server, f"{scheme}:127.0.0.1:{fields['port']}"

    def wait_for(self, port, server):
        try:
            if listens(server, port):
                return
        except BaseException:
            server.kill()
            raise
        ended = server.poll()
        server.kill()
        server.wait()
        server.stdout.close()
        with open(self.folder + "/errors", encoding="utf-8", errors="replace") as errors:
            why = last_line(errors.read())
        raise RuntimeError(f"{self.name} does not listen ({f'within {PATIENCE} s' if ended is None else f'status {ended}'}): "
                           f"{why}")

    def stopped(self):
        if self.sink:
            self.sink.kill()
            self.sink.wait()
            self.sink.stdout.close()
            self.sink = None


def relays(tls):
    """Ours first, then those of the others that speak this."""
    ours = [Relay("conduit, wolfSSL", CONDUIT_TLS="wolfssl"), Relay("conduit, OpenSSL", CONDUIT_TLS="openssl")]
    others = [name for name, kind in KINDS.items() if name != "conduit" and kind[4 if tls else 3]]
    return (ours if tls else [Relay("conduit")]) + [Relay(name) for name in others]
