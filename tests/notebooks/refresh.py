"""Run notebooks on a fresh kernel and save them the way they are kept: python tests/notebooks/refresh.py [NAME ...]

Outputs are kept; widget state, timings and the details of the kernel are not. Without a name, every notebook is run.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2] / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def refresh(path):
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    seconds = time.perf_counter() - started
    notebook.metadata = nbformat.from_dict(KERNEL)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)  # its model is gone with the kernel
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    return seconds


def main(names):
    os.environ["PYTHONWARNINGS"] = "error::DeprecationWarning:vizlib"
    for path in sorted([*ROOT.glob("*.ipynb"), *ROOT.glob("solutions/*.ipynb")]):
        if not names or any(path.stem.startswith(name) for name in names):
            print(f"{path.name}: {refresh(path):.0f} s, {path.stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
