#!/usr/bin/env -S python3 -B
"""testssl.sh against `conduit serve tls:...` with each backend: nothing that it finds is worse than
LOW. What has to do with our certificates of a month and without a real authority does not count."""

import csv

from peers import *

pki = begin()
if not shutil.which("testssl"):
    skip("testssl.sh is not installed")

# Of certificates made for tests: no chain that browsers know, no transparency, no OCSP.
OURS = ("cert_chain_of_trust", "cert_trust", "cert_revocation", "cert_ocspRevoked", "cert_crlRevoked", "cert_expirationStatus",
        "cert_validityPeriod", "OCSP_stapling", "OCSP_must_staple", "DNS_CAArecord", "certificate_transparency", "cert_caIssuers",
        "cert_crlDistributionPoints", "cert_ocspURL", "overall_grade", "scanTime")
# About HTTP, which an echo does not speak.
PARTS = ["-p", "-s", "-f", "-S", "-U"]
BAD = ("MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL")


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
    for row in rows:
        if row["severity"] in BAD:
            ours = any(row["id"].startswith(o) for o in OURS)
            print(f"{backend} {cert}: {row['severity']} {row['id']}: {row['finding']}{' (of the certificate)' if ours else ''}")
    return [(row["id"], row["severity"], row["finding"]) for row in rows
            if row["severity"] in BAD and not any(row["id"].startswith(o) for o in OURS)]


def test_testssl():
    for backend in BACKENDS:
        for cert in ("rsa", "p256"):
            equal(look(backend, cert), [], backend, cert)


if __name__ == "__main__":
    main(test_testssl)
