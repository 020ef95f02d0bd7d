"""Everything on an accelerator, beside the CPU: python tests/devices/gpu.py [--device cuda] [--report FILE]

1. Every call of calls.py on the CPU and on the device, from the same seeds, without TF32. One pass agrees to
   1 % of the largest value: nearly everywhere to 1e-5, but at the kink of a ReLU a rounding error is a jump.
   What is optimized in steps, and what counts pixels above a threshold, parts further; its mean difference
   stays under 3 % of the mean value.
2. Five notebooks from top to bottom; `vz.load` takes the device by itself if it is CUDA. Then their panels'
   functions draw there and on the CPU: the pictures differ by less than 5 % of white, on average.
   Without any accelerator, --device pretended runs them on that of elsewhere.py, which refuses what CUDA and
   MPS refuse, and computes on the CPU; slowly.
3. The benchmark of the attribution methods: ours, the peer's where it is installed, the bare passes.

Prints a summary, writes it to FILE as JSON, and ends with status 1 if anything disagreed or failed. Takes
some minutes.
"""

import argparse
import importlib.util
import json
import math
import sys
import time
from pathlib import Path

import torch

import vizlib as vz

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from calls import CALLS, DECEPTION, NETWORKS, SYNTHESIS, numbers, scenes  # noqa: E402

LESSONS = "04,06,08,12,16"
CLOSE, LOOSE, PANELS = 1e-2, 3e-2, 5e-2
BY_MEAN = {*SYNTHESIS, *DECEPTION, "train_equivariance", "train_stitch", "dissect"}
SHARES = {"completeness_error", "relevance_table"}  # of 1; near 0 there is nothing but rounding errors
PRETENDED = "pretended"
FIRST_CELL = f"import sys\nsys.path.insert(0, {str(HERE)!r})"
PRETEND, DRAW = "import elsewhere\nelsewhere.pretend()", "import panels\npanels.report(globals(), %r)"


def apart(x, y, size, least):
    """How far two tensors or numbers lie apart, as a share of their size: the largest or the mean value.

    Whole numbers, such as indices: the share of them that differ. Infinity where two are not alike at all.
    """
    if not isinstance(x, torch.Tensor | float | int) or isinstance(x, bool):
        return 0.0 if x == y else math.inf
    x, y = (torch.as_tensor(value).detach().cpu() for value in (x, y))
    if x.shape != y.shape or x.dtype != y.dtype:
        return math.inf
    if not x.numel():
        return 0.0
    if not x.is_floating_point():
        return float((x != y).float().mean())
    x, y = x.double(), y.double()  # on the CPU
    return float(size((x - y).abs()) / size(x.abs()).clamp(min=least))


def parted(name, a, b):
    """How far the two results of a call are apart, at the worst of all that they hold."""
    size, least = torch.mean if name in BY_MEAN else torch.max, 1.0 if name in SHARES else 1e-6
    a, b = numbers(a), numbers(b)
    if len(a) != len(b):
        return math.inf
    return max((apart(x, y, size, least) for x, y in zip(a, b, strict=True)), default=math.inf)


def timed(call, net):
    started = time.perf_counter()
    result = call(net, scenes())
    if net.device.type == "cuda":
        torch.cuda.synchronize()
    return result, time.perf_counter() - started


def compare(device):
    """A row for each call: {name, deviation, tolerance, seconds, failed}."""
    names = {"scenenet", *NETWORKS.values()}
    nets = {where: {name: vz.load(name, device=where) for name in names} for where in ("cpu", device)}
    for name, call in CALLS.items():
        row = {"name": name, "tolerance": LOOSE if name in BY_MEAN else CLOSE, "seconds": {}}
        try:
            results = []
            for where, known in nets.items():
                result, row["seconds"][where] = timed(call, known[NETWORKS.get(name, "scenenet")])
                results.append(result)
            yield judged(row | {"deviation": parted(name, results[0], results[-1])})
        except Exception as problem:
            yield row | {"failed": f"{type(problem).__name__}: {str(problem).splitlines()[0][:200]}"}


def judged(row):
    """The row with what is wrong about it: None, or words."""
    wrong = not row["deviation"] <= row["tolerance"]
    return row | {"failed": f"{row['deviation']:.1e}, more than {row['tolerance']:g}" if wrong else None}


def run_notebooks(numbers_of_lessons, device, timeout):
    """A row for each notebook, and one for each of its panels."""
    import nbformat
    from nbclient import NotebookClient

    for number in numbers_of_lessons:
        (path,) = (HERE.parents[1] / "notebooks").glob(f"{number}_*.ipynb")
        notebook = nbformat.read(path, as_version=4)
        first, last = (PRETEND, "") if device == PRETENDED else ("", DRAW % device)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(f"{FIRST_CELL}\n{first}"))
        notebook.cells.append(nbformat.v4.new_code_cell(last))
        ends = time.monotonic() + timeout
        client = NotebookClient(
            notebook,
            timeout_func=lambda cell, ends=ends: max(1, int(ends - time.monotonic())),
            resources={"metadata": {"path": str(path.parent)}},
        )
        started, failed = time.perf_counter(), None
        try:
            client.execute()
        except Exception as problem:
            failed = f"{type(problem).__name__}: {str(problem).strip().splitlines()[-1][:200]}"
        yield {"name": path.stem, "seconds": {device: time.perf_counter() - started}, "failed": failed}
        for line in printed(notebook.cells[-1]) if failed is None else ():
            row = json.loads(line)
            yield judged(row | {"name": f"{path.stem}, {row['name']}", "tolerance": PANELS})


def printed(cell):
    """The lines that a cell printed."""
    text = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    return [line for line in text.splitlines() if line.startswith("{")]


def benchmark(device):
    """The rows of the benchmark on the CPU (one picture at a time, in one round) and on the device."""
    spec = importlib.util.spec_from_file_location("benchmark", HERE.parent / "benchmarks" / "attribution.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = module.main(0, "cpu", batches=(1,), rounds=1)
    return rows + ([] if device == "cpu" else module.main(0.5, device))


def say(row):
    """One line for a row, as soon as it is known."""
    seconds = "  ".join(f"{where} {s:.2f} s" for where, s in row["seconds"].items())
    far = f"{row['deviation']:9.1e}" if "deviation" in row else f"{'':9}"
    print(f"{row['name']:40} {far}  {seconds}" + (f"  FAILED {row['failed']}" if row["failed"] else ""))
    sys.stdout.flush()
    return row


def about(device):
    """The machine, in words."""
    kind = torch.cuda.get_device_name(0) if device == "cuda" else device
    return f"torch {torch.__version__}, vizlib {vz.__version__}, {kind}, {torch.get_num_threads()} threads"


def main(chosen):
    rows, measured = [], []
    if chosen.device != PRETENDED:  # test_elsewhere.py does that
        torch.backends.cudnn.allow_tf32 = False  # so that two devices differ by their rounding alone
        rows += map(say, compare(chosen.device))
        torch.backends.cudnn.allow_tf32 = True
    if not chosen.skip_notebooks:
        rows += map(say, run_notebooks(chosen.notebooks.split(","), chosen.device, chosen.timeout))
    if not chosen.skip_benchmark and chosen.device != PRETENDED:
        measured = benchmark(chosen.device)
    failed = [row for row in rows if row["failed"]]
    print(f"\n{about(chosen.device)}: {len(rows)} rows, {len(failed)} failed.")
    for row in failed:
        print(f"  {row['name']}: {row['failed']}")
    print("Not everything agrees." if failed else "Everything agrees.")
    if chosen.report:
        found = {"machine": about(chosen.device), "rows": rows, "benchmark": measured}
        words = json.dumps(found, indent=1).replace("Infinity", "null").replace("NaN", "null")
        Path(chosen.report).write_text(words, encoding="utf-8")
    return bool(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--device", default="cuda", help="cuda (default), mps, cpu to try the script, pretended"
    )
    parser.add_argument("--notebooks", default=LESSONS, help=f"which lessons to run, default {LESSONS}")
    parser.add_argument("--timeout", type=int, default=300, help="seconds for each notebook, default 300")
    parser.add_argument("--skip-notebooks", action="store_true")
    parser.add_argument("--skip-benchmark", action="store_true")
    parser.add_argument("--report", help="a file to write the results to, as JSON")
    sys.exit(main(parser.parse_args()))
