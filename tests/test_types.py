"""The type hints of the library, checked by mypy as [tool.mypy] in pyproject.toml says."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_mypy_finds_nothing():
    run = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_people_who_use_the_library_get_its_hints():
    assert (ROOT / "vizlib" / "py.typed").is_file()


def test_a_wrong_call_is_found(tmp_path):
    """What the hints are good for, and a sign that mypy reads them."""
    (tmp_path / "mine.py").write_text("import vizlib as vz\n\nvz.errors.did_you_mean(1, [], 3)\n")
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    command = [sys.executable, "-m", "mypy", *options, "mine.py"]
    env = {**os.environ, "MYPYPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Too many arguments" in run.stdout and "mine.py:3" in run.stdout
