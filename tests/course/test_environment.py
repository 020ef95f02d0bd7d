"""The check of the environment: what is missing is named with what to do, whatever it is."""

import subprocess
import sys

from vizlib.course import environment


def test_everything_is_ready_here(capsys):
    environment.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Everything is ready."
    assert all(line.startswith("[OK]  ") for line in lines[:-1])
    assert {line.split()[1] for line in lines} >= {
        "Python",
        "torch",
        "torchvision",
        "timm",
        "jupyterlab",
        "ipywidgets",
    }


def test_it_reads_what_is_needed_from_the_requirements():
    needed = environment.needed()
    assert needed["torch"] == "2.14" and "ipywidgets" in needed
    assert "pytest" not in needed and "captum" not in needed


def test_a_missing_and_an_old_package_are_told_apart():
    fine, what, remedy = environment.check_package("no-such-package", "1.0")
    assert (
        not fine
        and what == "no-such-package is not installed"
        and "pip install -r requirements.txt" in remedy
    )
    fine, what, remedy = environment.check_package("torch", "99.0")
    assert not fine and what.startswith("torch 2") and "at least 99.0" in remedy
    assert environment.check_package("torch", "2.9")[0]  # 2.14 is newer than 2.9


def test_a_pair_that_does_not_fit_is_explained(monkeypatch):
    def refuse(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(environment.importlib, "import_module", refuse)
    fine, what, remedy = environment.check_pair()
    assert not fine and "nms" in what and "torch torchvision" in remedy


def test_it_runs_where_nothing_is_installed(tmp_path):
    """With the standard library alone it still ends with a count and with what to do."""
    run = subprocess.run(
        [sys.executable, "-S", "-I", environment.__file__],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert run.returncode == 0 and run.stderr == ""
    assert (
        "torch is not installed" in run.stdout and "checks failed; the arrows say what to do." in run.stdout
    )
