"""Contenders side by side: they take turns (A B C, A B C, ...), so that a noisy machine is equally unkind
to all."""
import statistics

from calls import cannot_trace, system_calls
from contenders import ERRORS, CannotTakePart
from terminal import progress, say


def figures(run):
    """Those of one run, by name."""
    flat = {key: value for key, value in run.items() if isinstance(value, (int, float))}
    for name in ("latency", "late"):
        flat.update({f"{name}_{key}_us": value for key, value in run.get(name + "_us", {}).items()})
    if "user_instructions" in run and "kernel_instructions" in run:
        flat["instructions"] = run["user_instructions"] + run["kernel_instructions"]
    return flat


def median_and_spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def paired_ratios(ours, theirs):
    """Ours divided by theirs, round by round, of all that both have."""
    ratios = {}
    for key in ours[0]:
        pairs = [a[key] / b[key] for a, b in zip(ours, theirs) if a.get(key) and b.get(key)]
        if len(pairs) == len(ours):
            ratios[key] = median_and_spread(pairs)
    return ratios


class Contest:
    """A workload and those that take part; the first one is ours."""

    def __init__(self, workload, operations):
        self.workload, self.operations = workload, operations
        self.skipped, self.failed, self.runs = {}, {}, {}
        if workload.unable():
            self.leave_out("all", workload.unable())
            return
        for contender in workload.contenders:
            if contender.missing():
                self.leave_out(contender.name, contender.missing())
            else:
                self.runs[contender.name] = []

    def leave_out(self, name, reason):
        self.report("SKIPPED", self.skipped, name, reason)

    def fail(self, name, reason):
        self.report("FAILED", self.failed, name, reason)

    def report(self, what, where, name, reason):
        progress()
        say(f"{what} {self.workload.name}, {name}: {reason}")
        where[name] = reason
        self.runs.pop(name, None)

    def contenders(self):
        return [contender for contender in self.workload.contenders if contender.name in self.runs]

    def ours(self):
        return [contender for contender in self.contenders() if contender.name.startswith("conduit")]

    def round(self, title):
        for contender in self.contenders():
            progress(f"{self.workload.name}: {title}, {contender.name}")
            try:
                self.runs[contender.name].append(figures(self.workload.once(contender, self.operations)))
            except CannotTakePart as reason:
                self.leave_out(contender.name, str(reason))
            except ERRORS as error:
                self.fail(contender.name, str(error))

    def medians(self):
        medians = {}
        for name, rows in self.runs.items():
            keys = sorted(set.intersection(*(set(row) for row in rows)))
            medians[name] = {key: median_and_spread([row[key] for row in rows]) for key in keys}
        return medians

    def calls(self, operations, contenders):
        """What the medians have besides."""
        counted = {}
        if self.runs and cannot_trace():
            self.leave_out("system calls", cannot_trace())
            return counted
        for contender in contenders:
            progress(f"{self.workload.name}: system calls, {contender.name}")
            try:
                by_name = system_calls(self.workload, contender, operations)
            except ERRORS as error:
                self.fail(f"system calls of {contender.name}", str(error))
                continue
            counted[contender.name] = {"system_calls": median_and_spread([sum(by_name.values())]),
                                       "calls_by_name": by_name}
        return counted

    def ratios(self):
        ours = self.workload.contenders[0].name
        return {name: paired_ratios(self.runs[ours], rows)
                for name, rows in self.runs.items() if ours in self.runs and name != ours}


def contest(workload, rounds, quick):
    it = Contest(workload, max(1, workload.operations // (10 if quick and workload.scales else 1)))
    for number in range(rounds):
        it.round(f"round {number + 1} of {rounds}")
    calls = {}
    if workload.counts_calls:
        calls = it.calls(workload.traced // 4, it.ours()) if quick else it.calls(workload.traced, it.contenders())
    progress()
    medians = {name: {**figures, **calls.get(name, {})} for name, figures in it.medians().items()}
    return {"contenders": medians, "ratios": it.ratios(), "skipped": it.skipped, "failed": it.failed}
