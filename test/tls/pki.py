#!/usr/bin/env -S python3 -B
"""Certificates for the tests: an authority, one below it, and leaves that are good or wrong in one
way each. `pki.py FOLDER` makes them all; NAME.pem is a leaf with its chain, NAME.key its key.

  ca.pem              the anchor                        crl.pem        lists of both authorities
  other-ca.pem        an anchor of strangers            crl-old.pem    those of last year
  crl-root.pem        the root's list alone             crl-none.pem   nothing is revoked
  NAME.bare.pem       the leaf without its chain        password       of the encrypted keys
  p256.pkcs8.key, p256.trad.key, rsa.pkcs8.key, rsa.trad.key   keys encrypted with AES-256
  p256.both.pem       chain and key in one file

All is made with the openssl command, and good for three months."""

import os
import subprocess
import sys

PASSWORD = "correct horse"
GOOD = "DNS:localhost,DNS:example.test,IP:127.0.0.1,IP:::1"
NOW = ("", "")  # from now on
PAST = ("20200101000000Z", "20210101000000Z")
FUTURE = ("20980101000000Z", "20990101000000Z")

P256 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
P384 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]

# name: (algorithm, subject's CN, subjectAltName, authority, validity, kind)
LEAVES = {
    "rsa": (["rsa:2048"], "rsa", GOOD, "intermediate", NOW, "server"),
    "p256": (P256, "p256", GOOD, "intermediate", NOW, "server"),
    "p384": (P384, "p384", GOOD, "intermediate", NOW, "server"),
    "ed25519": (["ed25519"], "ed25519", GOOD, "intermediate", NOW, "server"),
    "next": (P256, "next", GOOD, "intermediate", NOW, "server"),
    "direct": (P256, "direct", GOOD, "ca", NOW, "server"),
    "one": (P256, "one", "DNS:one.test", "intermediate", NOW, "server"),
    "two": (P256, "two", "DNS:two.test", "intermediate", NOW, "server"),
    "expired": (P256, "expired", GOOD, "intermediate", PAST, "server"),
    "future": (P256, "future", GOOD, "intermediate", FUTURE, "server"),
    "wrong": (P256, "example.test", "DNS:wrong.test,IP:192.0.2.1", "intermediate", NOW, "server"),
    "wildcard": (P256, "wildcard", "DNS:*.example.test", "intermediate", NOW, "server"),
    "odd-part": (P256, "odd", "DNS:w*.example.test", "intermediate", NOW, "server"),
    "odd-top": (P256, "odd", "DNS:*.test", "intermediate", NOW, "server"),
    "odd-inner": (P256, "odd", "DNS:www.*.test", "intermediate", NOW, "server"),
    "odd-all": (P256, "odd", "DNS:*", "intermediate", NOW, "server"),
    "ip4": (P256, "ip4", "IP:127.0.0.1", "intermediate", NOW, "server"),
    "ip6": (P256, "ip6", "IP:::1", "intermediate", NOW, "server"),
    "ip-as-name": (P256, "127.0.0.1", "DNS:127.0.0.1", "intermediate", NOW, "server"),
    "cn-only": (P256, "example.test", "", "intermediate", NOW, "server"),
    "unknown": (P256, "unknown", GOOD, "other-ca", NOW, "server"),
    "revoked": (P256, "revoked", GOOD, "intermediate", NOW, "server"),
    "rsa1024": (["rsa:1024"], "rsa1024", GOOD, "intermediate", NOW, "server"),
    "client": (P256, "client", "DNS:client.test", "intermediate", NOW, "client"),
    "client-rsa": (["rsa:2048"], "client-rsa", "DNS:client.test", "intermediate", NOW, "client"),
    "client-expired": (P256, "client-expired", "DNS:client.test", "intermediate", PAST, "client"),
    "client-unknown": (P256, "client-unknown", "DNS:client.test", "other-ca", NOW, "client"),
    "client-revoked": (P256, "client-revoked", "DNS:client.test", "intermediate", NOW, "client"),
}
REVOKED = ["revoked", "client-revoked"]

CONFIGURATION = """
[req]
distinguished_name = dn
prompt = no
[dn]
CN = nobody
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:false
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
crlDistributionPoints = URI:http://127.0.0.1:9/crl
[client]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
[below]
basicConstraints = critical,CA:true,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
crlDistributionPoints = URI:http://127.0.0.1:9/crl
"""

CA = """
[ca_{name}]
database = {name}.index
new_certs_dir = issued
certificate = {name}.pem
private_key = {name}.key
rand_serial = yes
default_md = sha256
default_days = 90
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
"""


class Pki:
    """The files of a folder; made by make()."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *args):
        done = subprocess.run(["openssl", *args], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
                              env={**os.environ, "OPENSSL_CONF": self("openssl.cnf")})
        if done.returncode:
            raise SystemExit(f"openssl {' '.join(args)}: {done.stderr.decode()}")
        return done.stdout.decode()

    def read(self, name):
        with open(self(name)) as file:
            return file.read()

    def write(self, name, text):
        with open(self(name), "w") as file:
            file.write(text)

    def fingerprint(self, name):
        """SHA-256 of the first certificate, as hexadecimal digits."""
        line = self.openssl("x509", "-in", name + ".pem", "-noout", "-fingerprint", "-sha256")
        return line.split("=")[1].strip().replace(":", "").lower()

    def authority(self, name, above=None):
        self.write(name + ".index", "")
        self.write(name + ".index.attr", "unique_subject = no\n")
        kind = ["-subj", f"/CN=Test {name}", "-newkey", *P256, "-nodes", "-keyout", name + ".key"]
        if above is None:
            self.openssl("req", "-x509", *kind, "-days", "90", "-extensions", "authority", "-out", name + ".pem")
        else:
            self.openssl("req", "-new", *kind, "-out", name + ".csr")
            self.sign(name, above, NOW, "below")

    def sign(self, name, authority, validity, extensions):
        start, end = validity
        dates = ["-startdate", start, "-enddate", end] if start else []
        self.openssl("ca", "-batch", "-name", "ca_" + authority, "-extensions", extensions, "-notext", *dates,
                     "-in", name + ".csr", "-out", name + ".pem")

    def leaf(self, name, algorithm, cn, san, authority, validity, kind):
        names = ["-addext", "subjectAltName=" + san] if san else []
        self.openssl("req", "-new", "-subj", "/CN=" + cn, *names, "-newkey", *algorithm, "-nodes",
                     "-keyout", name + ".key", "-out", name + ".csr")
        self.sign(name, authority, validity, kind)
        self.write(name + ".bare.pem", self.read(name + ".pem"))
        if authority == "intermediate":
            self.write(name + ".pem", self.read(name + ".bare.pem") + self.read("intermediate.pem"))

    def crl(self, authority, out, *dates):
        self.openssl("ca", "-gencrl", "-name", "ca_" + authority, *dates, "-out", out)

    def lists(self):
        old = ["-crl_lastupdate", PAST[0], "-crl_nextupdate", PAST[1]]
        self.crl("ca", "crl-root.pem")
        self.crl("ca", "old-root.pem", *old)
        self.crl("intermediate", "none.pem")
        for name in REVOKED:
            self.openssl("ca", "-name", "ca_intermediate", "-revoke", name + ".bare.pem")
        self.crl("intermediate", "some.pem")
        self.crl("intermediate", "old.pem", *old)
        self.write("crl.pem", self.read("some.pem") + self.read("crl-root.pem"))
        self.write("crl-none.pem", self.read("none.pem") + self.read("crl-root.pem"))
        self.write("crl-old.pem", self.read("old.pem") + self.read("old-root.pem"))

    def encrypted(self):
        self.write("password", PASSWORD + "\n")
        self.write("password-wrong", "incorrect\n")
        out = ["-passout", "pass:" + PASSWORD]
        for name in ("p256", "rsa"):
            self.openssl("pkcs8", "-topk8", "-in", name + ".key", "-v2", "aes-256-cbc", *out, "-out", name + ".pkcs8.key")
        self.openssl("ec", "-in", "p256.key", "-aes256", *out, "-out", "p256.trad.key")
        self.openssl("rsa", "-in", "rsa.key", "-aes256", "-traditional", *out, "-out", "rsa.trad.key")

    def make(self):
        text = CONFIGURATION + "".join(CA.format(name=n) for n in ("ca", "intermediate", "other-ca"))
        os.mkdir(self("issued"))
        self.write("openssl.cnf", text)
        self.authority("ca")
        self.authority("intermediate", "ca")
        self.authority("other-ca")
        for name, what in LEAVES.items():
            self.leaf(name, *what)
        self.openssl("req", "-x509", "-subj", "/CN=self-signed", "-newkey", *P256, "-nodes", "-days", "90",
                     "-addext", "subjectAltName=" + GOOD, "-keyout", "self-signed.key", "-out", "self-signed.pem")
        self.lists()
        self.encrypted()
        self.write("p256.both.pem", self.read("p256.pem") + self.read("p256.key"))
        return self


if __name__ == "__main__":
    Pki(sys.argv[1]).make()
