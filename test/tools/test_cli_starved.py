#!/usr/bin/env -S python3 -B
"""Without a free descriptor: no spin, one line a second at most, and the next client at once."""

from cli import *

LIMIT, CLIENTS, SECONDS = 64, 100, 3


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_starved():
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))

    with Server("serve", "tcp:127.0.0.1:0", preexec_fn=limit) as server:
        clients = [server.connect() for _ in range(CLIENTS)]
        for client in clients:
            client.sendall(b"x")
        waiting = list(clients)
        while ready := select.select(waiting, [], [], 1)[0]:
            for client in ready:
                equal(client.recv(1), b"x")
                waiting.remove(client)
        served = CLIENTS - len(waiting)
        check(LIMIT // 2 < served < LIMIT, served)

        before = cpu_seconds(server.process.pid)
        check(not select.select(waiting, [], [], SECONDS)[0], "served without a descriptor")
        used = cpu_seconds(server.process.pid) - before
        check(used <= 0.01 * SECONDS + 0.02, f"{used} s of processor in {SECONDS} s")

        for client in [c for c in clients if c not in waiting]:
            first = waiting.pop(0) if waiting else None
            client.close()
            if first:  # the one that waited longest
                equal(first.recv(1), b"x")
                first.close()
        for client in waiting:
            client.close()
        server.signal(signal.SIGTERM)
        code, said = server.wait()
        equal(code, 0)
        lines = [line for line in said.splitlines() if "too many open files" in line]
        print(f"    {served} of {CLIENTS} served at once, {used:.2f} s of processor, {len(lines)} lines")
        check(1 <= len(lines) <= SECONDS + 4, said)


if __name__ == "__main__":
    main(test_starved)
