#!/usr/bin/env -S python3 -B
"""testssl.sh against `conduit serve tls:...` with each backend: nothing that it finds is worse than
LOW. That our certificates come from no real authority does not count. By hand: `test_testssl.py all` looks
with other kinds of key too (version 3.0 stops at Ed25519), and asks everything that testssl.sh knows to ask."""

import csv

from peers import *

pki = begin()
if not shutil.which("testssl"):
    skip("testssl.sh is not installed")
if os.environ.get("CDT_TEST_SLOW"):
    skip("testssl.sh takes too long here")

# Of certificates made for tests: no chain that browsers know, no OCSP.
OURS = ("cert_chain_of_trust", "cert_trust", "cert_revocation", "cert_crlRevoked", "overall_grade")
EVERYTHING = sys.argv[1:] == ["all"]
# Protocols, ciphers, their order, defaults, weaknesses; not HTTP, which an echo does not speak.
PARTS = ["-p", "-s", "-f", "-P", "-S", "-U"] if EVERYTHING else ["-p", "-s", "-f", "-S", "-U"]
BAD = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")


def look(backend, cert):
    out = pki(f"testssl-{backend}-{cert}.csv")
    with serve(pki, backend, cert=cert) as server:
        done = subprocess.run(["testssl", "--quiet", "--warnings", "batch", "--color", "0", "--sneaky", "--openssl", shutil.which("openssl"),
                               "--csvfile", out, "--add-ca", pki("ca.pem"), *PARTS, f"localhost:{server.port()}"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=float(os.environ.get("TIMEOUT", "600")))
        check(os.path.exists(out), backend, done.stdout.decode()[-2000:])
        talk(pki, backend, server.port())
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    check(len(rows) > 30, backend, cert, len(rows), done.stdout.decode()[-2000:])
    found = []
    for row in rows:
        ours = row["id"].split(" ")[0] in OURS
        if row["severity"] in BAD and not ours:
            found.append((row["id"], row["severity"], row["finding"]))
        if row["severity"] not in ("OK", "INFO"):  # WARN: testssl.sh could not find out
            print(f"{backend} {cert}: {row['severity']} {row['id']}: {row['finding']}{' (does not count)' if ours else ''}", flush=True)
    return found


def test_testssl():
    """Both backends at once: most of the time is waiting."""
    found, threads = {}, []
    for cert in ("rsa", "p256", "p384") if EVERYTHING else ("rsa",):
        for backend in BACKENDS:
            def run_one(backend=backend, cert=cert):
                try:
                    found[backend, cert] = look(backend, cert)
                except Exception as error:
                    found[backend, cert] = [str(error)]
            threads.append(threading.Thread(target=run_one))
            threads[-1].start()
        for thread in threads:
            thread.join()
    for which, what in found.items():
        equal(what, [], *which)


if __name__ == "__main__":
    main(test_testssl)
