"""Results as tables on the terminal. Only what was measured has a column."""
import sys

# title, name of the figure, digits
COLUMNS = [("user instr", "user_instructions", 1), ("kernel instr", "kernel_instructions", 0),
           ("calls", "system_calls", 2), ("CPU us", "cpu_us", 2), ("CPU ms/GiB", "cpu_ms_per_gib", 0), ("MB/s", "mb_per_s", 0),
           ("p50 us", "latency_p50_us", 1), ("p99 us", "latency_p99_us", 1), ("p99.9 us", "latency_p999_us", 1), ("load late", "late_p99_us", 1),
           ("us", "us", 3), ("bells", "bells", 4), ("private bytes", "private_bytes", 0),
           ("resident bytes", "resident_bytes", 0), ("heap bytes", "heap_bytes", 0),
           ("% CPU", "cpu_percent", 1), ("fds left", "descriptors_left", 0)]

# What ours is compared by: the first that was measured.
COMPARED = [("bytes", "private_bytes"), ("bytes", "resident_bytes"), ("time", "us"), ("CPU", "cpu_ms_per_gib"),
            ("instr", "instructions"), ("instr", "user_instructions"), ("CPU", "cpu_us")]


def spread(figure):
    """How far the rounds are from the median at most, in per cent."""
    median = figure["median"]
    return max(figure["max"] - median, median - figure["min"]) / median * 100 if median else 0


def cell(figure, digits):
    if figure is None:
        return "-"
    far = spread(figure)
    return f"{figure['median']:.{digits}f}" + (f" ±{far:.0f}%" if far >= 1 else "")


def columns(result):
    """Those of COLUMNS that any of the contenders has."""
    measured = {key for figures in result["contenders"].values() for key in figures}
    return [column for column in COLUMNS if column[1] in measured]


def comparison(ratios):
    """(by what, ours / its) or None."""
    return next(((name, ratios[key]) for name, key in COMPARED if key in ratios), None)


def print_workload(name, result):
    if not result["contenders"]:
        return
    shown = columns(result)
    print(f"\n{name}\n{'':30}" + "".join(f"{title:>16}" for title, _, _ in shown) + "      ours / its")
    for contender, figures in result["contenders"].items():
        cells = "".join(f"{cell(figures.get(key), digits):>16}" for _, key, digits in shown)
        compared = comparison(result["ratios"].get(contender, {}))
        ratio = f"   {cell(compared[1], 3):>13} {compared[0]}" if compared else ""
        print(f"  {contender:28}{cells}{ratio}")
    sys.stdout.flush()


def print_check(name, figures):
    print(f"\n{name}")
    for key, value in (figures or {"skipped": None}).items():
        print(f"  {key:58}" + ("" if value is None else f"{value:14.3f}"), flush=True)


def print_bars(bars):
    print("\nbars")
    for bar in bars:
        value = "not measured" if bar["value"] is None else f"{bar['value']:.3f}"
        print(f"  {bar['what']:58}{value:>14}   at most {bar['limit']:.6g}" + ("   BROKEN" if bar["holds"] is False else ""))


def print_broken(bars):
    """Those that do not hold, each with what it belongs to; how many they are."""
    heading, broken = "", 0
    for bar in bars:
        heading = heading if bar["what"].startswith(" ") else bar["what"]
        if bar["holds"] is False:
            whole = bar["what"] if heading == bar["what"] else f"{heading};{bar['what'][1:]}"
            print(f"BROKEN {whole}: {bar['value']:.6g}, at most {bar['limit']:.6g}")
            broken += 1
    return broken


def print_behind(rows):
    """Where a peer is far better: the page has to say why."""
    print("\nworse than the best packaged peer by more than 10 %" + ("" if rows else ": nothing"))
    for name, peer, what, ratio in rows:
        print(f"  {name + ', ' + peer:68}{ratio:10.3f} {what}")
