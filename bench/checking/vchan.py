"""Clients of vchan that come and go, many of them killed: what they leave behind, as a test counts it."""
import os
import re
import subprocess

from cli import BUILD, Failed

from . import Skipped, scaled

CYCLES = 10000


def left_behind():
    """Descriptors, files and rings."""
    program = os.path.join(BUILD, "test", "vchan", "test_local_crash")
    if not os.path.exists(program):
        raise Skipped(f"there is no {program}: `make tests` builds it")
    environment = {**os.environ, "CDT_TEST_CYCLES": str(scaled(CYCLES)), "CMOCKA_MESSAGE_OUTPUT": "STDOUT"}
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env=environment)
    figures = re.search(r"(\d+) clients: .* left behind (\d+)", done.stdout)
    if not figures or (done.returncode and figures[2] == "0"):
        raise Failed(f"test_local_crash: status {done.returncode}: ... {done.stdout[-2000:]}")
    return {"cycles": int(figures[1]), "left_behind": int(figures[2])}
