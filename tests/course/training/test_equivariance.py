"""The measurement behind notebook 16, on a data set of 200 pictures: what it writes, and the parts that can
be worked out by hand.
"""

import json

import pytest
import torch

import vizlib as vz
from vizlib.course.training import equivariance
from vizlib.course.training.__main__ import main
from vizlib.images import H_FLIP
from vizlib.representation.equivariance import EquivariantMap
from vizlib.resources import data_file


def test_errors_are_the_shares_of_wrong_first_and_first_five_answers():
    logits = torch.eye(8)[[0, 1, 2, 3]] + torch.linspace(
        0.1, 0, 8
    )  # answers 0 to 3, then the first ones in order
    assert equivariance.errors(logits, torch.tensor([0, 1, 0, 7])) == [0.5, 0.25]


def test_channels_stay_until_the_accuracy_suffers(monkeypatch):
    """Four channels, of which 0 and 1 stay; with 2 or 3 left alone every answer is wrong."""
    A = torch.eye(4)[[0, 1, 3, 2]][:, :, None, None]
    M = EquivariantMap(H_FLIP, "bank", A, torch.zeros(4))
    labels = torch.zeros(10, dtype=torch.long)

    def tail(net, layer, codes, M):
        wrong = int((M.weight != A).any())
        return torch.eye(6)[torch.full((10,), wrong)]

    monkeypatch.setattr(equivariance, "_tail", tail)
    assert equivariance.still(None, None, labels, M) == 2


def test_the_command_measures_and_writes_what_the_notebook_reads(packed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(equivariance, "LAYERS", ("conv1",))
    monkeypatch.setattr(equivariance, "WARPS", {"mirror": H_FLIP})
    monkeypatch.setattr(equivariance, "SAMPLES", 1000)
    assert main(["equivariance", "--data", str(packed), "--out", str(tmp_path)]) == 0
    written = json.loads((tmp_path / "equivariance.json").read_text())
    course = json.loads(data_file("equivariance.json").read_text())
    assert written.keys() == course.keys() and written["rows"][0].keys() == course["rows"][0].keys()
    assert [row["method"] for row in written["rows"]] == [
        "places",
        "least squares",
        "ridge",
        "selection",
        "task",
    ]
    assert (written["fitted on"], written["measured on"]) == (40, 20)
    assert (
        written["channels that stay"][0].items() >= {"picture": "mirror", "layer": "conv1", "of": 48}.items()
    )
    assert "equivariance.json" in capsys.readouterr().out


def test_the_courses_numbers_are_of_the_courses_network():
    course = json.loads(data_file("equivariance.json").read_text())
    assert course["network's SHA-256"] == vz.load("zfnet").card["sha256"]
    assert {row["layer"] for row in course["rows"]} == set(equivariance.LAYERS)
    assert {row["picture"] for row in course["rows"]} <= set(equivariance.WARPS)


def test_without_data_the_command_says_so(capsys):
    with pytest.raises(SystemExit):
        main(["equivariance"])
    assert "--data is missing" in capsys.readouterr().err
