"""What became of each network, method and size: a file of JSON lines, and a page of tables made from it."""

import json
import re
import time
from collections import Counter
from importlib import metadata
from pathlib import Path

import methods
from cases import case, load, other_side

import vizlib as vz

PAGE = Path(__file__).with_name("outcome.md")
GROUPS = {
    "Which pixels mattered?": methods.ATTRIBUTION,
    "Which picture lies?": methods.DECEPTION,
    "What is inside, and what does it cost?": methods.LAYERS,
    "What does the code keep?": methods.REPRESENTATION,
    "Which picture does it want?": methods.SYNTHESIS,
}


def of_network(name, said=print):
    """Every method on one network, at its own size and at another: a dict to be written as a line.

    outcomes: {side: {method: [outcome, why]}}, the network's own side first. load: [outcome, why] of loading.
    """
    began = time.time()
    row = {"network": name, "with": versions(), "load": ["yes", ""], "outcomes": {}}
    try:
        net, plain = load(name)
    except vz.VizlibError as problem:
        return row | {"load": ["no", str(problem)]}
    except Exception as problem:
        return row | {"load": ["FAILURE", f"{type(problem).__name__}: {problem}"]}
    own = net.input_shape[0]
    for side in (own, other_side(own)):
        asked, rows = case(net, plain, side), {}
        for method in methods.METHODS:
            if side == own or method not in methods.SIZELESS:
                rows[method] = list(methods.outcome(method, asked))
                if rows[method][0] == "FAILURE":
                    said(f"{name} at {side}, {method}: {rows[method][1]}")
        row["outcomes"][str(side)] = rows
    return row | {"seconds": round(time.time() - began)}


def versions():
    return ", ".join(f"{p} {metadata.version(p)}" for p in ("torch", "torchvision", "timm", "captum"))


def read(file):
    """{network: row}, the last line of each network."""
    lines = Path(file).read_text(encoding="utf-8").splitlines() if Path(file).is_file() else []
    return {row["network"]: row for row in map(json.loads, lines)}


class Reasons:
    """Sentences, numbered. Those that differ only in names and numbers are one."""

    def __init__(self):
        self.numbers, self.examples, self.counts = {}, [], []

    def number(self, network, why):
        general = why.splitlines()[0].replace(network, "NET") if why else ""
        general = re.sub(
            r"'[^']*'|\d+( x \d+)*|\([^()]*\)", "*", general.replace(network.split("/")[-1], "NET")
        )
        i = self.numbers.setdefault(general, len(self.numbers))
        if i == len(self.examples):
            self.examples.append(why)
            self.counts.append(0)
        self.counts[i] += 1
        return i + 1


def page(rows, wanted):
    """The page of tables. rows: what `read` gives. wanted: the names of all networks of the zoo."""
    reasons, missing = Reasons(), [name for name in wanted if name not in rows]
    rows = [rows[name] for name in wanted if name in rows]
    tables = [_group(title, group, rows, reasons) for title, group in GROUPS.items()]
    every = [o for row in rows for side in row["outcomes"].values() for o in side.values()]
    counts = {kind: sum(o == kind for o, _ in every) for kind in ("yes", "no", "FAILURE")}
    refused = [f"- {row['network']}: {row['load'][1]}" for row in rows if row["load"][0] != "yes"]
    libraries = Counter(row["with"] for row in rows).most_common()
    libraries = "; ".join(f"{count} with {which}" for which, count in libraries)
    head = [
        "# Which method works on which network?",
        "",
        f"Made by `python tests/zoo` from {len(rows)} networks of {len(wanted)}"
        + (f"; not run yet: {', '.join(missing)}." if missing else ".")
        + f" {libraries[:1].upper()}{libraries[1:]}. Random weights, one thread.",
        "",
        f"Each network was asked by each method, at its own size and at another (about 0.6 of it): "
        f"{counts['yes']} right answers, {counts['no']} refusals in words, {counts['FAILURE']} failures.",
        "",
        "*yes*: the answer is right: equal to plain PyTorch, to captum, to patches painted by hand, or a sum "
        "comes out that has to (methods.py says which). Where PyTorch's batch-norm and captum are wrong "
        "themselves, cases.py and methods.py say how that is avoided. Tolerances, as a share of the length "
        f"of what is right: {methods.SAME:g} where both sides ask the same network; {methods.FOLDED:g} where "
        f"batch-norm is folded on one side only, and {methods.SLOPES:g} for slopes then. *no*: VizlibError; "
        "the numbers lead to its sentence below. "
        "Two entries: at the network's own size / at the other. *not asked*: the method is newer than "
        "the row.",
        "",
    ]
    if refused:
        head += ["Networks that are refused when they are loaded:", "", *refused, ""]
    sentences = [
        f"{i}. ({count} times) {why}"
        for i, (why, count) in enumerate(zip(reasons.examples, reasons.counts, strict=True), 1)
    ]
    return "\n".join([*head, *tables, "## Reasons, each as it was first met", "", *sentences, ""])


def _group(title, group, rows, reasons):
    names = [method.__name__.rstrip("_") for method in group]
    lines = [f"## {title}", "", f"| network | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        if row["load"][0] == "yes":
            cells = [_cell(row, name, reasons) for name in names]
            lines.append(f"| {row['network']} ({', '.join(row['outcomes'])}) | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cell(row, method, reasons):
    said = []
    for side in row["outcomes"].values():
        if method in side:
            outcome, why = side[method]
            said.append("yes" if outcome == "yes" else f"{outcome} {reasons.number(row['network'], why)}")
    return " / ".join(dict.fromkeys(said)) or "not asked"
