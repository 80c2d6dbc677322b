#!/usr/bin/env python3
"""Writes the measured part of docs/performance.md, all between its two marks, from BUILD/bench/results.json,
and the plots that it shows, docs/performance/*.svg (make bench-page). All else in the page is written by hand.
The same figures give the same page.

  --force   also of a run that was quick, short, incomplete"""
import json
import os
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True

import plots  # noqa: E402
from bars import behind  # noqa: E402
from report import cell, columns, comparison  # noqa: E402

PAGE, IMAGES = "docs/performance.md", "docs/performance"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
ROUNDS = 7  # at least

# Headings, the workloads below each (the first pattern that matches whole takes one), and its plots. What
# finds no place comes last.
CHAPTERS = [
    ("Round trips", r"echo .*", ["echo", "echo-whole", "calls", "latency"]),
    ("Connections that come and go", r"accept.*", ["accept"]),
    ("Memory of idle connections", r"(TLS: )?idle.*", ["memory", "memory-tls"]),
    ("Timers and turns", r"timers.*|a turn .*", ["timers", "timers-late"]),
    ("Posts from other threads", r"posts?\b.*", ["posts"]),
    ("TLS", r"TLS.*", ["tls-handshake", "tls-data"]),
    ("vchan", r"vchan.*", ["vchan"]),
    ("Relays", r"relay.*", ["relay", "relay-stalled"]),
    ("At its limits", r"overload.*|at most .*|two listeners .*", ["overload"]),
    ("Names", r"(names|dns|resolv).*", []),
]

# What the terminal abbreviates.
WORDS = [(r"\binstr\b", "instructions"), (r"^calls$", "system calls")]


def escaped(text):
    return str(text).replace("|", "\\|")


def table(heads, rows):
    """Lines of a table: the first column to the left, the others to the right."""
    return ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1),
            *("| " + " | ".join(escaped(cell) for cell in row) + " |" for row in rows), ""]


def written_out(title):
    for short, long in WORDS:
        title = re.sub(short, long, title)
    return title


def contender(name):
    return f"**{plots.label(name)}**" if plots.is_ours(name) else plots.label(name)


# ---- parts of the page -----------------------------------------------------------------------------

def counted(results):
    return any("user_instructions" in figures for workload in results["workloads"].values()
               for figures in workload["contenders"].values())


def machine(results):
    about = results["machine"]
    lines = [f"Measured on {about['date']}, in {about['rounds']} rounds, with conduit {about['conduit']}"
             + (f" at commit {about['commit']}" if about.get("commit") else "") + ".", ""]
    if about["quick"]:
        lines += ["This was a quick run: a tenth of the operations. Its figures say little.", ""]
    rows = [("processor", f"{about['cpu']}, {about['cpus']} CPUs" + (", virtual" if about.get("virtual") else "")),
            ("kernel", about["kernel"]), ("system", about.get("system")), ("compiler", about.get("compiler")),
            ("its flags", about.get("flags")),
            ("instructions", "counted by the processor" if counted(results) else "could not be counted: CPU time only"),
            *about.get("versions", {}).items()]
    return [*lines, "| made on, with | |", "|---|---|",
            *(f"| {name} | {escaped(value)} |" for name, value in rows if value), ""]


def short(value):
    """Of any size: three digits, or all in front of the point."""
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def bars(results):
    if not results.get("bars"):
        return []
    rows = []
    for bar in results["bars"]:
        what = bar["what"].lstrip()
        verdict = "not measured" if bar["value"] is None else "holds" if bar["holds"] else "**missed**"
        indent = "&nbsp;" * 2 * (len(bar["what"]) - len(what))
        rows.append((indent + what, short(bar["value"]), short(bar["limit"]), verdict))
    return ["### Bars", "", "Limits that the project has set itself; `make bench` fails above them.", "",
            *table(["what", "measured", "at most", ""], rows)]


def far_behind(results):
    rows = [(name, contender(peer), written_out(what), f"{ratio:.2f}")
            for name, peer, what, ratio in behind(results["workloads"], comparison)]
    return ["### More than a tenth behind the best packaged peer", "",
            "What each workload is compared by; the reasons are [below](#where-another-is-ahead-and-why).", "",
            *table(["what", "peer", "compared by", "ours / its"], rows)] if rows else []


def beside_the_point(name, workload, figure):
    """Idle connections come in one burst, and are asked about memory alone. What comes one way has no
    latency. In a closed loop the slowest say how the machine was, not how the server is."""
    if "idle" in name:
        return "bytes" not in figure
    there = [row for row in workload["contenders"].values() if row.get(figure, {}).get("median")]
    if figure.startswith("latency") and not there:
        return True
    return figure == "latency_p999_us" and not re.search(r" a second$|^timers|^posts", name)


def workload_lines(name, workload):
    shown = [column for column in columns(workload) if not beside_the_point(name, workload, column[1])]
    compared = {who: comparison(ratios) for who, ratios in workload["ratios"].items()}
    by = next((found[0] for found in compared.values() if found), None)
    heads = ["", *(written_out(title) for title, _, _ in shown), *([f"ours / its, {written_out(by)}"] if by else [])]
    rows = []
    for who, figures in workload["contenders"].items():
        row = [contender(who), *(cell(figures.get(key), digits) for _, key, digits in shown)]
        if by:
            found = compared.get(who)
            row.append(cell(found[1], 3) + ("" if found[0] == by else f" {written_out(found[0])}") if found else "")
        rows.append(row)
    lines = [f"**{name}**", "", *(table(heads, rows) if rows else [])]
    for what, who_and_why in (("Left out", workload["skipped"]), ("Failed", workload.get("failed"))):
        if who_and_why:
            listed = "; ".join(f"{plots.label(who)}: {reason}" for who, reason in who_and_why.items())
            lines += [f"{what}: {escaped(listed)}.", ""]
    return lines


def check_lines(name, figures):
    if not figures:
        return [f"**{name}**: left out", ""]
    return [f"**{name}**", "", *table(["", "measured"], [(what, short(value)) for what, value in figures.items()])]


def chapters(results, drawn):
    """Each workload in the first chapter that takes it; the last one has the plots that no other names."""
    placed = [file for _, _, images in CHAPTERS for file in images]
    left = {**{name: workload_lines(name, workload) for name, workload in results["workloads"].items()},
            **{name: check_lines(name, figures) for name, figures in results.get("checks", {}).items()}}
    lines = []
    for heading, pattern, images in [*CHAPTERS, ("Other", r".*", [file for file in drawn if file not in placed])]:
        names = [name for name in left if re.fullmatch(pattern, name)]
        pictures = [f"![{drawn[file]}]({os.path.basename(IMAGES)}/{file}.svg)" for file in images if file in drawn]
        if not names and not pictures:
            continue
        lines += [f"### {heading}", ""]
        for picture in pictures:
            lines += [picture, ""]
        for name in names:
            lines += left.pop(name)
    return lines


LEGEND = """### How to read the tables

Medians of all rounds, for each operation: a round trip, a connection, a handshake, a message or block one way.
± tells how far the least and the greatest of the rounds are from the median at most, where that is 1 % or more.
*ours / its* compares the first row with this one, within each round: below 1 ours is cheaper. *Instructions* are
those of user and kernel together, where both were counted.
""".splitlines() + [""]


def measured(results, drawn):
    return [BEGIN, "", *machine(results), *bars(results), *far_behind(results), *LEGEND, *chapters(results, drawn), END]


# ---- files -----------------------------------------------------------------------------------------

def unfit(about):
    """Why a run is not for the page."""
    if about["quick"]:
        return "it was quick"
    if about["rounds"] < ROUNDS:
        return f"it had fewer than {ROUNDS} rounds"
    if about.get("failed"):
        return "a part of it failed"
    return f"it was only of {about['only']}" if about.get("only") else None


def replace(path, lines):
    with open(path, encoding="utf-8") as file:
        page = file.read()
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        sys.exit(f"{path}: there must be one {BEGIN}, and one {END} behind it")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(page[:page.index(BEGIN)] + "\n".join(lines) + page[page.index(END) + len(END):])
    os.replace(path + ".new", path)


def draw(results):
    """{file: title} of the plots, in IMAGES instead of what was there."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = plots.draw(results, folder + "/plots")
        if not drawn:
            sys.exit("the page was not written: it needs its plots")
        shutil.rmtree(IMAGES, ignore_errors=True)
        shutil.copytree(folder + "/plots", IMAGES)
    return {plot.file: plot.title for plot in drawn}


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    path = os.environ.get("BUILD", "build") + "/bench/results.json"
    try:
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
    except FileNotFoundError:
        sys.exit(f"there is no {path}: make bench")
    except ValueError as error:
        sys.exit(f"{path}: {error}")
    reason = unfit(results["machine"])
    if reason and "--force" not in sys.argv[1:]:
        sys.exit(f"{path} is not for the page: {reason} (--force takes it)")
    replace(PAGE, measured(results, draw(results)))
    print(f"written: {PAGE}, {IMAGES}")


if __name__ == "__main__":
    main()
