"""However a run ends, it leaves nothing behind: all temporary files are in one folder, children die with us, and
a signal that ends us lets all that is under way clean up."""
import contextlib
import ctypes
import os
import signal
import tempfile

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """By a signal: no Exception, which what is under way may expect of its peers."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def on_signal(number, _):
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)  # cleaning up is not disturbed
    raise Ended(number)


def catch_signals():
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, on_signal)


def die_with_us():
    """In a child that is about to become another program."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def temporary_folder():
    """One for everything that we and our children make."""
    with tempfile.TemporaryDirectory(prefix="conduit-bench-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        yield folder
