"""Everything on an accelerator, beside the CPU:  python tests/devices/gpu.py [--device cuda]
[--skip-notebooks]

1. Every call of calls.py on the CPU and on the device, from the same seeds. One pass agrees to 1e-3 of the
largest value; what is
   optimized in steps, or picks a largest value, may part further: those rows are listed in LOOSE with a
   tolerance of their own.
2. Five notebooks from top to bottom; `vz.load` takes the device by itself if it is CUDA.
3. The benchmark of the attribution methods there: ours, the peer's, the bare passes.
Ends with status 1 if anything disagreed or failed. Takes some minutes.
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient

import vizlib as vz

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from calls import CALLS, SYNTHESIS, numbers, scenes  # noqa: E402

LESSONS = ("04", "06", "08", "12", "16")
CLOSE, LOOSE = 1e-3, dict.fromkeys(SYNTHESIS, 5e-2)


def parted(a, b):
    """How far two results lie apart, as a share of the largest value; infinity where they are not alike at
    all.
    """
    a, b = numbers(a), numbers(b)
    if len(a) != len(b):
        return float("inf")
    worst = 0.0
    for x, y in zip(a, b, strict=True):
        if isinstance(x, torch.Tensor):
            x, y = x.detach().cpu().float(), y.detach().cpu().float()
            if x.shape != y.shape:
                return float("inf")
            if x.numel():
                worst = max(worst, float((x - y).abs().max() / x.abs().max().clamp(min=1e-6)))
        elif isinstance(x, float):
            worst = max(worst, abs(x - y) / max(abs(x), 1e-6))
        elif x != y:
            return float("inf")
    return worst


def compare(device):
    failed, nets = [], [vz.load("scenenet", device=where) for where in ("cpu", device)]
    for name, call in CALLS.items():
        try:
            far = parted(*(call(net, scenes()) for net in nets))
        except Exception as problem:
            print(f"{name:34} FAILED {type(problem).__name__}: {str(problem).splitlines()[0][:90]}")
            failed.append(name)
            continue
        bad = far > LOOSE.get(name, CLOSE)
        failed += [name] * bad
        print(f"{name:34} {far:9.1e}" + (f"  MORE THAN {LOOSE.get(name, CLOSE):g}" if bad else ""))
    return failed


def run_notebooks():
    failed = []
    for number in LESSONS:
        (path,) = (HERE.parents[1] / "notebooks").glob(f"{number}_*.ipynb")
        started, notebook = time.perf_counter(), nbformat.read(path, as_version=4)
        try:
            NotebookClient(
                notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}
            ).execute()
            print(f"{path.stem:34} {time.perf_counter() - started:6.1f} s")
        except Exception as problem:
            print(f"{path.stem:34} FAILED {str(problem).splitlines()[-1][:100]}")
            failed.append(path.stem)
    return failed


def benchmark(device):
    spec = importlib.util.spec_from_file_location("benchmark", HERE.parent / "benchmarks" / "attribution.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for where in ("cpu", device):
        module.main(4, where)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--device", default="cuda", help="cuda (default), mps, or cpu to try the script itself"
    )
    parser.add_argument("--skip-notebooks", action="store_true")
    parser.add_argument("--skip-benchmark", action="store_true")
    chosen = parser.parse_args()
    failed = compare(chosen.device)
    failed += [] if chosen.skip_notebooks else run_notebooks()
    if not chosen.skip_benchmark:
        benchmark(chosen.device)
    print(f"{len(failed)} of the calls failed: {', '.join(failed)}" if failed else "Everything agrees.")
    sys.exit(bool(failed))
