"""Run notebooks on a fresh kernel and save them the way they are kept: python tests/notebooks/refresh.py
[NAME ...]

Outputs are kept; widget state, timings and the details of the kernel are not. The navigation line at the top
is written anew. Without a name, every notebook is run; "06" runs 06 and its solutions.
"""

import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2] / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
STILL = re.compile(r"vizlib-still\S*(?=\">)")  # the class of a picture that stands in for a widget
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
NAVIGATION = re.compile(r"<!-- nav -->\n.*?\n<!-- /nav -->", re.DOTALL)


def lessons():
    """The notebooks of the course that are there, in order."""
    return sorted(ROOT.glob("[0-9][0-9]_*.ipynb"))


def title(path):
    """The first heading of a notebook, without the #."""
    first = next(
        line
        for line in nbformat.read(path, as_version=4).cells[0].source.splitlines()
        if line.startswith("# ")
    )
    return first[2:].split(":")[0].strip()


def navigation(path):
    """The line of links to the lesson before, the contents and the lesson after."""
    everything = lessons()
    i = everything.index(path)
    links = ["[Contents](00_start_here.ipynb)"]
    if i > 0:
        links.insert(0, f"[&larr; {title(everything[i - 1])}]({everything[i - 1].name})")
    if i + 1 < len(everything):
        links.append(f"[{title(everything[i + 1])} &rarr;]({everything[i + 1].name})")
    return f"<!-- nav -->\n{' | '.join(links)}\n<!-- /nav -->"


def refresh(path):
    notebook = nbformat.read(path, as_version=4)
    if path in lessons():
        notebook.cells[0].source = NAVIGATION.sub(lambda _: navigation(path), notebook.cells[0].source)
    started = time.perf_counter()
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    seconds = time.perf_counter() - started
    notebook.metadata = nbformat.from_dict(KERNEL)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(WIDGET, None)  # its model is gone with the kernel
            if "text/html" in data:
                data["text/html"] = STILL.sub("vizlib-still", data["text/html"])  # and its name is drawn anew
        if "outputs" in cell:  # the picture beside it stays
            cell.outputs = [output for output in cell.outputs if output.get("data", True)]
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    return seconds


def main(names):
    for path in [*lessons(), *sorted(ROOT.glob("solutions/*.ipynb"))]:
        if not names or any(path.stem.startswith(name) for name in names):
            print(f"{path.name}: {refresh(path):.0f} s, {path.stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
