"""What is said to whoever watches: on stderr, beside the tables."""
import functools
import sys


def say(text):
    print(text, file=sys.stderr, flush=True)


@functools.lru_cache(maxsize=None)
def say_once(text):
    progress()
    say(text)


def progress(text=""):
    """A line that the next one overwrites; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
