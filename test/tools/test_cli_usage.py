#!/usr/bin/env -S python3 -B
"""Usage: help, commands, every option with good and bad values, one line for each error."""

from cli import *

COMMANDS = ["serve", "connect", "proxy", "resolve", "demo", "version"]


def test_help():
    text = run("--help")
    equal(text.returncode, 0)
    for command in COMMANDS:
        check(f"conduit {command}" in text.stdout.decode(), command)
        done = run(command, "--help")
        equal((done.returncode, done.stderr), (0, b""), command)
        check(done.stdout.startswith(f"usage: conduit {command}".encode()), command)
    equal(run("-h").returncode, 0)
    # Help wins over what else is wrong behind it, and needs no endpoint.
    equal(run("serve", "--max-active", "3", "--help", "--nonsense").returncode, 0)


def test_help_names_the_options_of_a_command():
    text = run("serve", "--help").stdout.decode()
    for option in ["--echo", "--discard", "--source BYTES", "--max-active N", "--unix-mode MODE"]:
        check(option in text, option)
    text = run("connect", "--help").stdout.decode()
    check("--connect-timeout S" in text and "--max-active" not in text)


def test_version():
    version = os.environ.get("CDT_VERSION", "")
    lines = run("version").stdout.decode().split("\n")
    check(lines[0].startswith(f"conduit {version}"), lines[0])
    check(lines[1].startswith("tls: ") and lines[2].startswith("vchan: "), lines)


def test_commands():
    known = "expected serve, connect, proxy, resolve, demo or version"
    expect([], 2, f"no command: {known}", "")
    expect(["foo"], 2, f"foo: {known}", "")
    expect(["--version"], 2, f"--version: {known}", "")
    expect(["a\nb\x1b"], 2, f"a\\x0ab\\x1b: {known}", "")
    expect([""], 2, f": {known}", "")
    said = run("x" * 9000).stderr.decode()
    check(said.endswith(f"xxx...: {known}\n") and len(said) < 4096, said)  # the reason is all there


def test_arguments():
    expect(["serve"], 2, "serve: expected [options] ENDPOINT...", "")
    expect(["connect"], 2, "connect: expected [options] ENDPOINT", "")
    expect(["connect", "tcp:1", "tcp:2"], 2,
           "tcp:2: one argument too many: expected connect [options] ENDPOINT", "")
    expect(["proxy", "tcp:1"], 2, "proxy: expected [options] LISTEN TARGET", "")
    expect(["proxy", "tcp:1", "tcp:2", "tcp:3"], 2)
    expect(["resolve"], 2, "resolve: expected [options] TEXT...", "")
    expect(["demo", "x"], 2)
    expect(["version", "x"], 2)


NUMBER = "expected a number from 0 to 4294967295"
SECONDS = "expected seconds from 0 to 1000000000"
KEEPALIVE = "expected AFTER,INTERVAL,PROBES: seconds, seconds (1 to 32767), count (1 to 127)"
BIND = "expected an IP address or the name of an interface"
MODE = "expected an octal mode from 1 to 777"
BYTES = "expected a number of bytes (K, M, G for powers of 1024)"

BAD_VALUES = [
    ("serve", "--max-active", ["-1", "", "x", "1x", " 1", "4294967296", "1e3", "99999999999999999999"],
     NUMBER),
    ("serve", "--backlog", ["0", "-1", "2147483648", "many"], "expected a number from 1 to 2147483647"),
    ("serve", "--drain", ["-1", "", ".", "1.", "1s", "1e3", "inf", "nan", "1000000001", "1,5"], SECONDS),
    ("serve", "--idle-timeout", ["-0.1", "x"], SECONDS),
    ("serve", "--linger", ["x"], SECONDS),
    ("serve", "--timeout", ["x"], SECONDS),
    ("serve", "--handshake-timeout", ["x"], SECONDS),
    ("connect", "--connect-timeout", ["x", "--"], SECONDS),
    ("serve", "--source", ["-1", "", "K", "1T", "1KK", "9223372036854775808", "9007199254740992K",
                           "5 "], BYTES),
    ("serve", "--keepalive", ["1", "1,2", "0,1,1", "1,0,1", "1,1,0", "1,1,128", "32768,1,1", "1,1,1,1",
                              "1,1,1 ", "a,b,c"], KEEPALIVE),
    ("serve", "--bind", ["", "localhost", "1.2.3", "nosuchif0", "[::1]", "x" * 300], BIND),
    ("serve", "--unix-mode", ["", "0", "8", "1000", "rw", "-1"], MODE),
    ("resolve", "--sexp", ["", "pretty", "Human"], "expected human or machine"),
]


def test_bad_values():
    for command, option, values, why in BAD_VALUES:
        for value in values:
            text = value[:200]
            expect([command, option, value, "tcp:1"], 2, f"{option} {text}: {why}", "")
            expect([command, f"{option}={value}", "tcp:1"], 2, f"{option} {text}: {why}", "")
        expect([command, "tcp:1", option], 2)


def test_unknown_options():
    expect(["serve", "--nonsense", "tcp:0"], 2, "--nonsense: unknown option", "")
    expect(["serve", "-x", "tcp:0"], 2, "-x: unknown option", "")
    expect(["serve", "--max", "1", "tcp:0"], 2, "--max: unknown option", "")
    expect(["serve", "--echo=1", "tcp:0"], 2, "--echo=1: this option takes no value", "")
    expect(["connect", "--max-active", "1", "tcp:1"], 2, "--max-active: not an option of connect", "")
    expect(["proxy", "--echo", "tcp:0", "tcp:1"], 2, "--echo: not an option of proxy", "")
    expect(["serve", "--connect-timeout", "1", "tcp:0"], 2,
           "--connect-timeout: not an option of serve", "")
    expect(["serve", "--", "--echo"], 2)


def test_good_values():
    """Each option where it belongs; the endpoint is one that ends the command at once."""
    values = {
        "--max-active": "10", "--backlog": "10", "--drain": "0.5", "--idle-timeout": ".25",
        "--linger": "0", "--timeout": "000.000000001", "--handshake-timeout": "3",
        "--source": "10K", "--keepalive": "1,1,1", "--bind": "127.0.0.1", "--unix-mode": "600",
        "--tls": "none", "--vchan": "none", "--read-size": "1", "--write-size": "1M",
    }
    for option, value in values.items():
        expect(["serve", option, value, "unix:/nonexistent/x"], 1,
               "unix:/nonexistent/x: no such file or directory", "")
    for option in ["--echo", "--discard", "--reuseport", "-v", "-q"]:
        expect(["serve", option, "unix:/nonexistent/x"], 1)
    expect(["serve", "unix:/nonexistent/x", "--max-active=10", "--backlog", "1"], 1)
    for option in ["--connect-timeout", "--idle-timeout", "--timeout", "--linger", "--handshake-timeout"]:
        expect(["connect", option, "5", "unix:/nonexistent/x"], 1)
    for options in (["--pin", "0f" * 32], ["--alpn", "h2,http/1.1"], ["--insecure"], ["--min-tls", "1.3"]):
        expect(["connect", *options, "--tls", "none", "http+unix://%2Fnonexistent%2Fx/"], 1)
    expect(["connect", "--bind", "lo", "unix:/nonexistent/x"], 1)
    expect(["connect", "--dns", "127.0.0.1:53,[::1]:5353", "--rewrite", "a.b=tcp:1", "unix:/nonexistent/x"], 1,
           "unix:/nonexistent/x: no such file or directory")


def test_not_built_in():
    expect(["serve", "--tls", "none", "--vchan", "none", "unix:/nonexistent/x"], 1)
    built_in = run("version").stdout.decode().split("\n")[1].partition("compiled in: ")[2]
    for backend in ("wolfssl", "openssl"):
        if backend not in built_in:
            expect(["serve", "--tls", backend, "tcp:0"], 2, f"--tls {backend}: not built in", "")
    if "none" in built_in:
        expect(["connect", "tls:127.0.0.1:1"], 2, "tls:127.0.0.1:1: TLS is not built in", "")
        expect(["serve", "tls:1"], 2, "tls:1: TLS is not built in", "")
        # No name is looked up for what is not there.
        for command in (["serve"], ["connect"], ["proxy", "tcp:0"]):
            expect([*command, "tls:host.invalid:1"], 2, "tls:host.invalid:1: TLS is not built in", "")


def test_endpoints():
    for command in (["serve"], ["connect"], ["proxy", "tcp:127.0.0.1:0"]):
        port = "expected a port from 0 to 65535"
        expect([*command, "tcp:127.0.0.1:65536"], 2, f"tcp:127.0.0.1:65536: offset 14: {port}", "")
        expect([*command, "(TCP (127.0.0.1 -1))"], 2, f"(TCP (127.0.0.1 -1)): offset 16: {port}", "")
        expect([*command, "gopher:x"], 2, "gopher:x: offset 0: expected tcp:, unix:, tls:, tls+, "
               "vchan:, fd:, systemd: or (", "")
        expect([*command, "unix:"], 2)
        path = "unix:/" + "x" * 107
        expect([*command, path], 2, f"{path}: a Unix socket's path has at most 107 bytes", "")
        expect([*command, r'(Unix_domain_socket "a\000b")'], 2)
        expect([*command, '(Unix_domain_socket "")'], 2)
    expect(["connect", "fd:3"], 2, "fd:3: an inherited descriptor is only for listening", "")
    expect(["serve", "(Unknown x)"], 2, "(Unknown x): an unknown endpoint", "")
    expect(["serve", "fd:77"], 1, "fd:77: bad file descriptor", "")
    expect(["serve", "systemd:web"], 1,
           "systemd:web: no socket of this name was passed (LISTEN_FDNAMES)", "")
    expect(["connect", "tcp:no-such-host.invalid:1"], 1)


if __name__ == "__main__":
    main(test_help, test_help_names_the_options_of_a_command, test_version, test_commands,
         test_arguments, test_bad_values, test_unknown_options, test_good_values, test_not_built_in,
         test_endpoints)
