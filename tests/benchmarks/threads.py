"""Do several kernels leave each other in peace?  python tests/benchmarks/threads.py [LESSON ...]

Runs the notebooks of the lessons (04, 06, 07 and 10 if none is named) one after the other, each with the
machine to itself, and then all at once, each in a kernel of its own, and compares the time for all of them.
The bar: all at once in at most 1.25 times the sum. It needs a quiet machine. VIZLIB_THREADS=all shows how it
would be without vizlib's policy, VIZLIB_THREADS=1 with one thread each.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT, BAR = Path(__file__).resolve().parents[2], 1.25
LESSONS = ("04", "06", "07", "10")
RUN = """
import sys, tempfile, nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
path, folder = sys.argv[1:]
notebook = nbformat.read(path, as_version=4)
with tempfile.TemporaryDirectory() as place:
    # by files: of two kernels that start at once, both may choose the same TCP port
    kernel = AsyncKernelManager(transport="ipc", ip=place + "/kernel")
    NotebookClient(notebook, km=kernel, timeout=1200, resources={"metadata": {"path": folder}}).execute()
"""


def start(notebook):
    """A process that runs this notebook in a kernel, from its folder, and keeps nothing."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-c", RUN, str(notebook), str(notebook.parent)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})


def seconds(notebooks):
    """How long it takes to run these notebooks all at once."""
    began = time.perf_counter()
    running = [start(notebook) for notebook in notebooks]
    failed = [notebook.name for notebook, run in zip(notebooks, running, strict=True) if run.wait()]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    return time.perf_counter() - began


def main(lessons):
    notebooks = [
        path for lesson in lessons for path in sorted((ROOT / "notebooks").glob(f"{lesson}_*.ipynb"))
    ]
    if not notebooks:
        sys.exit(f"there is no notebook of {', '.join(lessons)}")
    wish = os.environ.get("VIZLIB_THREADS", "not set")
    print(f"{os.cpu_count()} cores, VIZLIB_THREADS {wish}; {os.getloadavg()[0]:.1f} at work before the start")
    seconds(notebooks[:1])  # what is read from the disk is in memory then
    alone = []
    for notebook in notebooks:
        alone.append(seconds([notebook]))
        print(f"{notebook.stem:45} alone {alone[-1]:6.1f} s", flush=True)
    together = seconds(notebooks)
    ratio = together / sum(alone)
    print(f"{'one after the other':45}       {sum(alone):6.1f} s")
    print(f"{'all at once':45}       {together:6.1f} s, {ratio:.2f} times the sum (bar: {BAR})")
    return ratio <= BAR


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "lessons", nargs="*", default=LESSONS, help="numbers of lessons (default: 04 06 07 10)"
    )
    sys.exit(0 if main(parser.parse_args().lessons) else 1)
