"""Is everything here that the course needs?  Run by notebook 00, or in a terminal: python
vizlib/course/environment.py

Imports nothing but the standard library until it knows what is there, so that it can say what is missing.
"""

import functools
import importlib
import importlib.metadata
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALL = "install the requirements: python -m pip install -r requirements.txt (in the folder of the README)"


def needed():
    """{package: lowest version} of everything in requirements.txt that is needed to run."""
    wanted = {}
    for line in (
        (ROOT / "requirements.txt").read_text(encoding="utf-8").split("# --- to test")[0].splitlines()
    ):
        match = re.match(r"([\w-]+)[><=]=([\d.]+)", line)
        if match:
            wanted[match[1]] = match[2]
    return wanted


def _numbers(version):
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def check_python():
    version = ".".join(map(str, sys.version_info[:3]))
    return sys.version_info >= (3, 11), f"Python {version}", "the course needs Python 3.11 or newer"


def check_package(name, lowest):
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False, f"{name} is not installed", INSTALL
    return (
        _numbers(version) >= _numbers(lowest),
        f"{name} {version}",
        f"at least {lowest} is needed; {INSTALL}",
    )


def check_pair():
    try:
        importlib.import_module("torchvision")
    except Exception as problem:  # a mismatched pair fails in several ways
        remedy = "install both in one command: python -m pip install -U torch torchvision"
        return False, f"torch and torchvision do not fit together ({problem})", remedy
    return True, "torch and torchvision fit together", ""


def check_network():
    import vizlib as vz

    try:
        net = vz.load("lite0")
        right = net.predict(vz.photo("giant_panda", 224), 1)[0]["label"] == "giant panda"
    except vz.VizlibError as problem:
        return False, "the network lite0 does not load", str(problem)
    return (
        right,
        "the network lite0 knows a giant panda",
        "its weights are not what they should be; " + INSTALL,
    )


def check_pictures():
    import vizlib as vz

    try:
        number = len(vz.photos()) + len(vz.cutouts()) + len(vz.backgrounds())
    except vz.VizlibError as problem:
        return False, "the picture library is missing", str(problem)
    return (
        number > 300,
        f"{number} pictures in data/",
        "the folder data/ is incomplete; fetch the course again",
    )


def check_cores():
    cores = os.cpu_count() or 1
    return cores >= 2, f"{cores} processor cores", "everything runs on one core too, about twice as slowly"


def main():
    packages = [functools.partial(check_package, name, lowest) for name, lowest in needed().items()]
    checks = [check_python, *packages, check_pair, check_network, check_pictures, check_cores]
    failed = 0
    for check in checks:
        try:
            fine, what, remedy = check()
        except ImportError as problem:
            fine, what, remedy = False, f"{problem}", INSTALL
        failed += not fine
        print(f"[{'OK' if fine else 'FAIL'}]  {what}" + ("" if fine else f"\n        -> {remedy}"))
    print(
        "Everything is ready."
        if not failed
        else f"{failed} of {len(checks)} checks failed; the arrows say what to do."
    )


if __name__ == "__main__":
    main()
