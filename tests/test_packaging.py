"""What pyproject.toml promises: every import is declared, every package and every extra is there."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCES = sorted((ROOT / "vizlib").rglob("*.py"))


def _name(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def _imported(path):
    """The top-level names of the modules that a file imports, its own package aside."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def test_every_import_of_the_library_is_a_declared_dependency():
    dask = [_name(line) for line in PROJECT["optional-dependencies"]["dask"]]
    declared = {*(_name(line) for line in PROJECT["dependencies"]), *dask}
    modules = (
        {name for path in SOURCES for name in _imported(path)} - set(sys.stdlib_module_names) - {"vizlib"}
    )
    packages = importlib.metadata.packages_distributions()
    owners = {module: {_name(owner) for owner in packages.get(module, [module])} for module in modules}
    assert {"torch", "numpy", "PIL", "timm"} <= modules
    assert {module: owner for module, owner in owners.items() if not owner & declared} == {}


def test_every_folder_with_code_is_a_package():
    assert all((path.parent / "__init__.py").is_file() for path in SOURCES)


def test_the_requirements_take_the_project_with_all_its_extras():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line and not line.startswith("#"))
    extras = set(re.fullmatch(r"-e \.\[([\w,]+)\]", line)[1].split(","))
    assert extras == set(PROJECT["optional-dependencies"]) == {"notebooks", "dask", "test"}


@pytest.mark.parametrize("line", [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]])
def test_every_dependency_says_from_which_version_on(line):
    assert re.search(r"[>=]=\d", line), line


def test_the_version_is_the_same_everywhere():
    import vizlib

    assert PROJECT["version"] == vizlib.__version__
