#!/usr/bin/env -S python3 -B
"""A bar, run by hand: memory of idle TLS connections; see bench/own/tls_memory.c.
make BUILD/bench/own/tls_memory, then BUILD=build test/tls/bar_memory.py [CONNECTIONS [BACKEND]]"""

from peers import *

pki = begin()
program = os.path.join(os.path.dirname(CONDUIT), "bench", "own", "tls_memory")
if not os.path.exists(program):
    skip(f"{program} is not built")
sys.exit(subprocess.run([program, pki("p256.pem"), pki("p256.key"), *sys.argv[1:]]).returncode)
