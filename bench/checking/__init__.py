"""Bars that no workload of the runner gives, by topic. What these files share: a check that cannot run
here raises Skipped; QUICK takes a tenth; the program is that of the tests (test/tools/cli.py)."""
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
for room in ("tools", "tls"):
    sys.path.append(os.path.join(TOP, "test", room))

QUICK = os.environ.get("QUICK", "") not in ("", "0")


class Skipped(Exception):
    """Why a check cannot run here."""


def scaled(full):
    """So many in a full run."""
    return max(1, full // 10) if QUICK else full


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skipped(f"{program} is not installed")
