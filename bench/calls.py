"""System calls of servers, by strace: in runs of their own, since to be traced changes all other figures."""
import functools
import subprocess
import tempfile
import time

from contenders import PATIENCE, last_line


def summary(path):
    """{call: how often} of a summary of strace -c, which comes when all that it traces has ended."""
    for _ in range(500):
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        if lines and lines[-1].split()[-1:] == ["total"]:
            rows = [line.split() for line in lines[:-1]]
            return {row[4]: int(row[3]) for row in rows if len(row) == 5 and row[3].isdigit()}
        time.sleep(0.01)
    raise RuntimeError(f"strace has written no summary: {' / '.join(lines)}")


STRACE = ["strace", "-D", "-f", "-c", "-U", "time-percent,total-time,avg-time,calls,name", "-o"]


@functools.lru_cache(maxsize=None)
def cannot_trace():
    """Why; None if it can."""
    with tempfile.NamedTemporaryFile() as file:
        try:
            done = subprocess.run([*STRACE, file.name, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  text=True, timeout=PATIENCE, check=False)
            summary(file.name)  # without a right to trace the program runs all the same
        except FileNotFoundError:
            return "there is no strace"
        except RuntimeError as error:
            return last_line(done.stderr) or str(error)
    return None


def system_calls(workload, contender, operations):
    """For each operation, by the name of the call: what as many operations again cost more. Under strace
    the server is slower than any load, so that each wait finds all that can be there."""
    counts = []
    for factor in (1, 2):
        with tempfile.NamedTemporaryFile() as file:
            workload.once(contender, operations * factor, [*STRACE, file.name])
            counts.append(summary(file.name))
    more = {name: count - counts[0].get(name, 0) for name, count in counts[1].items()}
    return {name: count / operations / (1 + workload.warm) for name, count in more.items() if count > 0}
