#!/usr/bin/env python3
"""Draws what a run has measured: BUILD/bench/results.json to BUILD/bench/plots/*.svg, by gnuplot. Which
plots there are is a table (PLOTS); one whose workloads were not run is left out, and that is said. The
same figures give the same files. Colours and letters are of middle lightness: they can be read on white
and on black, and nothing is painted behind them."""
import html
import json
import math
import os
import re
import shutil
import subprocess
import sys

INK, WIDTH, ROW = "#777777", 760, 22

# Contenders: how plots and page call them, and their colour, the same everywhere. Ours are the first.
CONTENDERS = {
    "conduit": ("conduit", "#e8590c"),
    "conduit, wolfSSL": ("conduit, wolfSSL", "#e8590c"),
    "conduit, OpenSSL": ("conduit, OpenSSL", "#f2994a"),
    "epoll": ("bare epoll loop", "#868e96"),
    "libev": ("libev", "#2f9e44"),
    "libevent": ("libevent", "#1c7ed6"),
    "libevent_bufferevent": ("libevent, bufferevent", "#6aa5d8"),
    "libuv": ("libuv", "#9c36b5"),
    "libuv_write": ("libuv, uv_write", "#c77dd8"),
    "haproxy": ("haproxy", "#0c8599"),
    "nginx": ("nginx", "#7a9a1f"),
    "socat": ("socat", "#a0793d"),
    "stunnel": ("stunnel", "#d6336c"),
    "conduit, vchan": ("conduit, vchan", "#e8590c"),
    "conduit, Unix": ("conduit, Unix socket", "#f2994a"),
}
SPARE = ["#5c7cfa", "#b08900", "#20a090", "#c0504d"]  # for those that the table does not know


def is_ours(name):
    return name.split(",")[0] == "conduit"


def label(name):
    return CONTENDERS.get(name, (name.replace("_", " "), ""))[0]


def colour(name):
    if is_ours(name) and name not in CONTENDERS:
        name = "conduit"
    return CONTENDERS[name][1] if name in CONTENDERS else SPARE[sum(name.encode()) % len(SPARE)]


class Lines:
    """A line for each contender. Workloads are those that the pattern matches whole; its group is x. Figures
    of 0 have no place: the scale is logarithmic."""

    def __init__(self, file, title, x_title, y_title, pattern, figure):
        self.file, self.title, self.x_title, self.y_title = file, title, x_title, y_title
        self.pattern, self.figure = pattern, figure

    def points(self, results):
        """[(x, label)], {contender: [(x, y)]}; empty if fewer than two workloads were measured."""
        found = {}
        for name in results["workloads"]:
            match = re.fullmatch(self.pattern, name)
            if match:
                found[float(match.group(1))] = name
        lines = {}
        for x in sorted(found):
            for contender, figures in results["workloads"][found[x]]["contenders"].items():
                if figures.get(self.figure, {}).get("median", 0) > 0:
                    lines.setdefault(contender, []).append((x, figures[self.figure]["median"]))
        tics = [(x, f"{x:,.0f}") for x in sorted({x for line in lines.values() for x, _ in line})]
        return (tics, lines) if len(tics) > 1 else ([], {})


class Percentiles(Lines):
    """A line for each contender: the latency of one workload, the first that the pattern matches. If that has
    a group, the rate, it stands in the title instead of {}."""

    PLACES = [("latency_p50_us", "50 %"), ("latency_p90_us", "90 %"), ("latency_p99_us", "99 %"),
              ("latency_p999_us", "99.9 %"), ("latency_max_us", "slowest")]

    def __init__(self, file, title, x_title, pattern):
        super().__init__(file, title, x_title, "microseconds", pattern, "")
        self.original = title

    def points(self, results):
        for name, workload in results["workloads"].items():
            match = re.fullmatch(self.pattern, name)
            if match:
                self.title = self.original.replace("{}", "".join(f"{float(rate):,.0f}" for rate in match.groups()))
                tics = [(x, text) for x, (_, text) in enumerate(self.PLACES)]
                lines = {contender: [(x, figures[key]["median"]) for x, (key, _) in enumerate(self.PLACES)
                                     if figures[key]["median"] > 0]
                         for contender, figures in workload["contenders"].items() if self.PLACES[0][0] in figures}
                return tics, lines
        return [], {}


class Bars:
    """A bar for each contender, from the least to the greatest of the rounds; in groups, each of
    (heading, pattern of the workload, figure), of which the first that matches whole is taken. `relative`: the
    figure divided by ours of the same round."""

    def __init__(self, file, title, x_title, groups, factor=1.0, relative=False):
        self.file, self.title, self.x_title, self.groups = file, title, x_title, groups
        self.factor, self.relative = factor, relative

    def rows(self, workload, figure):
        """[(contender, median, min, max)]"""
        rows = []
        for contender, figures in workload["contenders"].items():
            if not self.relative:
                values = figures.get(figure)
                if values:
                    rows.append((contender, *(values[key] * self.factor for key in ("median", "min", "max"))))
            elif workload["ratios"] and contender not in workload["ratios"] and figure in figures:
                rows.append((contender, 1.0, 1.0, 1.0))
            elif figure in workload["ratios"].get(contender, {}):
                ratio = workload["ratios"][contender][figure]
                rows.append((contender, *(1 / ratio[key] for key in ("median", "max", "min"))))
        return rows

    def groups_of(self, results):
        """[(heading, rows)], and the headings of those that were not measured."""
        groups, missing = [], []
        for heading, pattern, figure in self.groups:
            rows = []
            for name, workload in results["workloads"].items():
                if not rows and re.fullmatch(pattern, name):
                    rows = self.rows(workload, figure)
            if rows:
                groups.append((heading, rows))
            else:
                missing.append(heading)
        return groups, missing


ECHO = r"echo 64 B, (\d+) connections?"
RELAY = "relay {} to {}, 64 KiB at a time"
REARM, LATE = r"timers: re-arm one of (\d+)", r"timers: lateness.*"
PLOTS = [
    Lines("echo", "User instructions for a round trip of 64 bytes (lower is better)",
          "connections", "user instructions", ECHO, "user_instructions"),
    Bars("echo-whole", "A round trip, all that it costs, in terms of ours (lower is better)",
         "times ours, in the same round", [
             ("100 connections: user and kernel instructions", "echo 64 B, 100 connections", "instructions"),
             ("100 connections: CPU time", "echo 64 B, 100 connections", "cpu_us"),
             ("1000 connections: user and kernel instructions", "echo 64 B, 1000 connections", "instructions"),
             ("1000 connections: CPU time", "echo 64 B, 1000 connections", "cpu_us")], relative=True),
    Percentiles("latency", "Latency, 100 connections, {} messages a second (lower is better)",
                "share of the messages that took at most this", r"echo 64 B, 100 connections, (\d+) a second"),
    Bars("calls", "System calls (lower is better)", "system calls for each", [
        ("round trip, 100 connections", "echo 64 B, 100 connections", "system_calls"),
        ("connection: accept, echo, close", "accept, echo a byte, the client closes", "system_calls"),
        ("TLS round trip, 100 connections", "TLS: echo 64 B, 100 connections", "system_calls")]),
    Bars("accept", "User instructions for a connection: accept, echo, close (lower is better)",
         "user instructions for each", [
             ("the client closes", "accept, echo a byte, the client closes", "user_instructions"),
             ("the server closes", "accept, echo a byte, the server closes", "user_instructions")]),
    Bars("memory", "Memory of an idle connection (lower is better)", "bytes for each", [
        ("TCP", r"idle connections, \d+", "private_bytes")]),
    Bars("memory-tls", "Memory of an idle TLS connection (lower is better)", "KiB for each", [
        ("TLS", r"TLS: idle connections, \d+", "private_bytes")], factor=1 / 1024),
    Lines("timers", "User instructions to set one of many timers anew (lower is better)",
          "timers pending", "user instructions", REARM, "user_instructions"),
    Percentiles("timers-late", "Timers, one after the other: how late they come (lower is better)",
                "share of the timers that came at most this late", LATE),
    Bars("posts", "User instructions of a post that wakes a sleeping loop (lower is better)",
         "user instructions for each, in both threads", [
             ("1 watch", "posts: waking a loop with 1 watches", "user_instructions"),
             ("1000 watches", "posts: waking a loop with 1000 watches", "user_instructions")]),
    Bars("tls-handshake", "User instructions of a TLS handshake (lower is better)", "thousand user instructions", [
        ("full", "TLS: full handshake", "user_instructions"),
        ("resumed", "TLS: resumed handshake", "user_instructions")], factor=1e-3),
    Bars("tls-data", "User instructions of data over TLS, in terms of ours (lower is better)",
         "times ours, in the same round", [
             ("round trip of 64 bytes, 100 connections", "TLS: echo 64 B, 100 connections", "user_instructions"),
             ("16 KiB received", "TLS: 16 KiB received", "user_instructions"),
             ("16 KiB sent", "TLS: 16 KiB sent", "user_instructions")], relative=True),
    Bars("vchan", "Between two processes: a vchan and a Unix socket (lower is better)",
         "microseconds for each", [
             ("64 B to and fro", "vchan: 64 B to and fro", "us"),
             ("64 B to and fro, looking for 50 us before it sleeps", "vchan: 64 B to and fro, looking.*", "us"),
             ("64 KiB blocks one way, rings of 1 MiB", "vchan: 64 KiB blocks.*", "us")]),
    Bars("relay", "CPU time of a relay (lower is better)", "ms for each GiB", [
        ("TCP to TCP", RELAY.format("TCP", "TCP"), "cpu_ms_per_gib"),
        ("TLS to TCP", RELAY.format("TLS", "TCP"), "cpu_ms_per_gib"),
        ("TCP to TLS", RELAY.format("TCP", "TLS"), "cpu_ms_per_gib")]),
    Bars("relay-stalled", "A relay whose sink takes nothing: memory of each connection (lower is better)", "KiB", [
        ("TCP to TCP", "relay with a stalled sink", "private_bytes"),
        ("TLS to TCP", "relay with a stalled sink, TLS to TCP", "private_bytes")], factor=1 / 1024),
    Bars("overload", "CPU time of an idle server that is out of descriptors (lower is better)", "% of a CPU", [
        ("CPU time", "overload: .*", "cpu_percent")]),
]


# ---- gnuplot's language ----------------------------------------------------------------------------

def quoted(text, bold=False):
    """A text, in which gnuplot finds no markup but ours."""
    plain = re.sub(r"[\\{}_^@&~]", lambda match: "\\\\" + match.group(), text).replace('"', "''")
    return f'"{{/:Bold {plain}}}"' if bold else f'"{plain}"'


def tic(text, bold=False):
    """The same where gnuplot takes a text for a format."""
    return quoted(text, bold).replace("%", "%%")


def number(value):
    """Three figures, more in front of the point, and at most two behind it."""
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}" if value else "0"


def steps(longest):
    """About six round numbers from 0 on."""
    step = 10 ** math.floor(math.log10(longest / 5))
    step = next(step * factor for factor in (1, 2, 5, 10) if step * factor >= longest / 8)
    return [step * index for index in range(int(longest / step) + 1)]


def beginning(plot, height, left, right, sides):
    return [f'set terminal svg size {WIDTH},{height} fixed enhanced font "sans-serif,14" butt',
            "unset key", f"set border {sides} lc rgb '{INK}'", f"set tics textcolor rgb '{INK}' nomirror scale 0.5",
            f"set lmargin at screen {left / WIDTH:.4f}", f"set rmargin at screen {1 - right / WIDTH:.4f}",
            f"set tmargin at screen {1 - 48 / height:.4f}", f"set bmargin at screen {60 / height:.4f}",
            "set grid lc rgb '#b0808080' lw 0.6 lt 1",
            f"set label {quoted(plot.title, True)} at screen {12 / WIDTH:.4f},{1 - 20 / height:.4f} left"
            f" tc rgb '{INK}' font ',16'",
            f"set xlabel {quoted(plot.x_title)} offset 0,0.4 tc rgb '{INK}'"]


def lines_script(plot, results):
    tics, lines = plot.points(results)
    if not lines:
        return None, []
    names = sorted(lines, key=lambda name: not is_ours(name))
    script = beginning(plot, 400, 92, 222, 3)
    script += [f"set label {quoted(plot.y_title)} at screen {22 / WIDTH:.4f}, graph 0.5 center rotate tc rgb '{INK}'",
               f"set key at screen {1 - 212 / WIDTH:.4f}, graph 1 left top Left reverse samplen 2 spacing 1.3"
               f" tc rgb '{INK}'"]
    values = [y for line in lines.values() for _, y in line]
    script += ["set logscale y", f"set yrange [{min(values) / 1.25:.6g}:{max(values) * 1.25:.6g}]",
               "set ytics (" + ", ".join(f"{tic(format(y, ',g'))} {y:g}" for y in decades(values)) + ")"]
    if tics[0][0] > 0 and tics[-1][0] / tics[0][0] >= 50:
        script += ["set logscale x", f"set xrange [{tics[0][0] / 1.3:.6g}:{tics[-1][0] * 1.3:.6g}]"]
    else:
        room = (tics[-1][0] - tics[0][0]) * 0.04
        script.append(f"set xrange [{tics[0][0] - room:.6g}:{tics[-1][0] + room:.6g}]")
    script.append("set xtics (" + ", ".join(f'{tic(text)} {x:g}' for x, text in tics) + ")")
    for index, name in enumerate(names):
        script += [f"$line{index} << EOD", *(f"{x:g} {y:.6g}" for x, y in lines[name]), "EOD"]
    # The others above ours, which is so wide that it is seen below them.
    drawn = [f"$line{index} with linespoints lc rgb '{colour(name)}' lw {4 if is_ours(name) else 1.6} pt 7"
             f" ps {0.8 if is_ours(name) else 0.5} title {quoted(label(name), is_ours(name))}"
             for index, name in enumerate(names)]
    return script + ["plot " + ", \\\n ".join(drawn)], []


def decades(values):
    """1, 2 and 5 of each decade that the values reach, or only 1."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = (1, 2, 5) if high - low <= 3 else (1,)
    return [step * 10 ** exponent for exponent in range(low, high + 1) for step in steps]


def bars_script(plot, results):
    groups, missing = plot.groups_of(results)
    if not groups or not any(value for _, rows in groups for _, value, _, _ in rows):
        return None, missing
    y, data, tics, headings = 0.0, [], [], []
    for heading, rows in groups:
        if len(plot.groups) > 1:
            y += 1.2 if y == 0 else 1.6
            headings.append((heading, y - 0.15))
        for name, value, least, greatest in rows:
            y += 1
            data.append(f"{y:g} {value:.6g} {least:.6g} {greatest:.6g} {int(colour(name)[1:], 16)}"
                        f" {quoted(f'{value:.2f}' if plot.relative else number(value), is_ours(name))}")
            tics.append(f"{tic(label(name), is_ours(name))} {y:g}")
    height = round((y + 0.8) * ROW) + 48 + 60
    script = beginning(plot, height, 190, 40, 1)
    # The axis reaches beyond the longest bar and its spread, by what a figure beside it needs.
    longest = max(max(value, greatest) for _, rows in groups for _, value, _, greatest in rows)
    script += [f"set yrange [{y + 0.8:g}:0]", f"set xrange [0:{longest * 1.14:.6g}]", "unset grid",
               "set grid xtics lc rgb '#b0808080' lw 0.6 lt 1",
               "set xtics (" + ", ".join(f"{tic(format(x, ',.6g'))} {x:g}" for x in steps(longest * 1.14)) + ")",
               "set ytics (" + ", ".join(tics) + ") scale 0"]
    script += [f"set label {quoted(heading, True)} at screen {12 / WIDTH:.4f}, first {at:g} left tc rgb '{INK}'"
               for heading, at in headings]
    if plot.relative:
        script.append(f"set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb '{colour('conduit')}' lw 1 back")
    script += ["$data << EOD", *data, "EOD",
               "plot $data using (0):1:(0):2:($1-0.36):($1+0.36):5 with boxxyerror fs solid 1 noborder fc rgb variable,"
               f" \\\n $data using ($4-$3>{longest / 100:.6g}?$2:NaN):1:3:4 with xerrorbars"
               f" pt -1 lw 1.2 lc rgb '{INK}',"
               f" \\\n $data using ($4>$2?$4:$2):1:6 with labels left offset 0.6,0 tc rgb '{INK}' font ',12'"]
    return script, missing


# ---- files -----------------------------------------------------------------------------------------

def tidy(svg, title):
    """Without what no plot uses: marks, filters, empty groups; and with a title of its own."""
    svg = re.sub(r"<title>.*?</title>\s*<desc>.*?</desc>", f"<title>{html.escape(title)}</title>", svg, flags=re.S)
    svg = re.sub(r"\s*<filter.*?</filter>", "", svg, flags=re.S)
    svg = re.sub(r"\s*<(\w+) id='(gpPt\d+|gpDot)'[^>]*/>",
                 lambda mark: mark.group() if svg.count(f"#{mark.group(2)}'") else "", svg)
    svg = re.sub(r"\s*<(use) [^>]*id='(gpPt\d+)'[^>]*/>",
                 lambda mark: mark.group() if svg.count(f"#{mark.group(2)}'") else "", svg)
    svg = re.sub(r'<tspan font-family="sans-serif"\s*>([^<]*)</tspan>', r"\1", svg)
    svg = re.sub(r"<g [^>]*>\s*</g>\s*", "", svg)
    return re.sub(r"[ \t]*\n\s*", "\n", svg)


def gnuplot():
    return shutil.which("gnuplot") or shutil.which("gnuplot-nox")


def draw(results, folder):
    """Writes FOLDER/*.svg: the plots that were drawn. Without gnuplot there are none."""
    program, drawn, left_out = gnuplot(), [], []
    shutil.rmtree(folder, ignore_errors=True)
    if not program:
        say("SKIPPED plots: there is no gnuplot (package gnuplot-nox)")
        return drawn
    os.makedirs(folder)
    for each in PLOTS:
        script, missing = (bars_script if isinstance(each, Bars) else lines_script)(each, results)
        if not script:
            left_out.append(each.file)
            continue
        if missing:
            say(f"plot {each.file}: not measured: {'; '.join(missing)}")
        done = subprocess.run([program, "-d", "-"], input="\n".join(script) + "\n", capture_output=True, text=True,
                              env={**os.environ, "LC_ALL": "C"}, check=False)
        if done.returncode != 0 or not done.stdout.rstrip().endswith("</svg>"):
            say(f"FAILED plot {each.file}: {done.stderr.strip()}")
            continue
        with open(f"{folder}/{each.file}.svg", "w", encoding="utf-8") as file:
            file.write(tidy(done.stdout, each.title))
        drawn.append(each)
    if left_out and not results["machine"].get("only"):
        say(f"plots of what was not measured, left out: {', '.join(left_out)}")
    return drawn


def say(text):
    print(text, file=sys.stderr, flush=True)


def plot(path):
    """From the file with the results to the folder plots beside it."""
    folder = os.path.dirname(path) + "/plots"
    with open(path, encoding="utf-8") as file:
        drawn = draw(json.load(file), folder)
    print(f"plots: {len(drawn)} in {folder}")


if __name__ == "__main__":
    plot(os.environ.get("BUILD", "build") + "/bench/results.json")
