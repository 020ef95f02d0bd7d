"""Old names and keywords: they work, they warn where the caller sees it, and tools see the new ones only."""

import contextlib
import importlib
import inspect
import operator
import pickle
import subprocess
import sys
import warnings

import pytest

import vizlib as vz
from vizlib.deprecation import moved, renamed


@renamed(chunk="batch_size", optimiser="optimizer")
def fitted(net, *, batch_size=8, optimizer="adam"):
    """A docstring."""
    return net, batch_size, optimizer


def test_old_keywords_work_and_say_the_new_ones_to_the_caller():
    with pytest.warns(
        DeprecationWarning, match=r"fitted\(chunk=...\) is called fitted\(batch_size=...\) now"
    ):
        assert fitted("net", chunk=2) == ("net", 2, "adam")
    with pytest.warns(DeprecationWarning) as seen:
        assert fitted("net", chunk=2, optimiser="lbfgs") == ("net", 2, "lbfgs")
    assert len(seen) == 2 and {warning.filename for warning in seen} == {__file__}


def test_new_keywords_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitted("net", batch_size=2, optimizer="lbfgs") == ("net", 2, "lbfgs")


def test_both_names_at_once_are_refused_and_unknown_ones_are_pythons():
    with pytest.raises(
        vz.VizlibError, match="fitted: chunk is called batch_size now; it was given under both"
    ):
        fitted("net", chunk=2, batch_size=3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'chunks'"):
        fitted("net", chunks=2)


def test_the_warning_is_given_in_the_name_of_who_called_the_library_not_of_the_library():
    """A function of the library that hands its options on is not to blame."""
    scope = {"__name__": "vizlib.somewhere", "fitted": fitted}
    exec("def outer(**options): return fitted('net', **options)", scope)
    with pytest.warns(DeprecationWarning) as seen:
        scope["outer"](chunk=1)
    assert seen[0].filename == __file__


def test_for_editors_inspect_and_pickle_it_is_the_function_that_is_written_there():
    assert str(inspect.signature(fitted)) == "(net, *, batch_size=8, optimizer='adam')"
    source = inspect.getsource(fitted)
    assert source.startswith("@renamed(") and "return net, batch_size" in source
    assert fitted.__doc__ == "A docstring." and fitted.__name__ == "fitted"
    for method in (fitted, vz.gradient, vz.texture):
        assert pickle.loads(pickle.dumps(method)) is method
    cloudpickle = pytest.importorskip("cloudpickle")
    assert cloudpickle.loads(cloudpickle.dumps(fitted))("net", batch_size=3) == ("net", 3, "adam")


CHUNK = """cam grad_cam layer_cam guided_grad_cam deletion insertion gradient deconvnet guided_backprop
gradient_times_input saliency occlusion occluded integrated_gradients lrp score_cam smoothgrad fgsm pgd
dissect logits_through empirical_receptive_field minimal_image representation.unit_correlations
representation.franken"""
OPTIMISER = "style_transfer texture synthesis.ascend"
KEYWORDS = {name: ("chunk", "batch_size") for name in CHUNK.split()}
KEYWORDS |= {name: ("optimiser", "optimizer") for name in OPTIMISER.split()}
PICTURES = """fit_equivariance train_equivariance fit_stitch train_stitch match_units top_patches
representation.unit_correlations"""
KEYWORDS |= {name: ("images", "pictures") for name in PICTURES.split()}


@pytest.mark.parametrize("name", KEYWORDS)
def test_the_librarys_old_keywords_are_taken_for_the_new_ones(name):
    """Whatever comes of the call, which has nothing to work on: the keyword is known by both names."""
    old, new = KEYWORDS[name]
    method = operator.attrgetter(name)(vz)
    with pytest.warns(DeprecationWarning, match=rf"\({old}=...\) is called \w+\({new}=...\) now") as seen:
        with contextlib.suppress(Exception):
            method(None, None, None, **{old: 3})
    assert seen[0].filename == __file__


OLD = {
    "center": "centre",
    "strongest": "top_patches",
    "detectors": "dissect",
    "checks": "course.checks",
    "environment": "course.environment",
}


@pytest.mark.parametrize("old, new", OLD.items())
def test_the_librarys_old_names_lead_to_what_they_stand_for(old, new):
    with pytest.warns(DeprecationWarning, match=f"^vizlib.{old} is called vizlib.{new} now") as seen:
        found = getattr(vz, old)
    assert seen[0].filename == __file__
    home, _, name = f"vizlib.{new}".rpartition(".")
    assert found is getattr(importlib.import_module(home), name)
    assert old not in dir(vz)


def test_from_vizlib_import_finds_them_too():
    with pytest.warns(DeprecationWarning, match="vizlib.checks is called vizlib.course.checks now") as seen:
        from vizlib import checks
    assert checks is importlib.import_module("vizlib.course.checks")
    assert all(warning.filename == __file__ for warning in seen)


def test_names_that_never_were_are_still_unknown():
    with pytest.raises(AttributeError, match="module 'vizlib' has no attribute 'gradeint'"):
        vz.gradeint  # noqa: B018
    assert not hasattr(vz, "gradeint") and callable(vz.networks)
    with pytest.raises(ImportError, match="cannot import name 'gradeint' from 'vizlib'"):
        from vizlib import gradeint  # noqa: F401


def test_a_table_of_names_is_all_that_a_module_needs():
    find = moved("vizlib.old", {"photo": "vizlib.images.photo", "files": "vizlib.files"})
    with pytest.warns(DeprecationWarning, match="vizlib.old.photo is called vizlib.images.photo now"):
        assert find("photo") is vz.photo
    with pytest.warns(DeprecationWarning):
        assert find("files") is importlib.import_module("vizlib.files")


def test_trainings_are_still_found_where_they_were():
    old = importlib.import_module("vizlib.training")
    new = importlib.import_module("vizlib.course.training")
    for name in new.__all__:
        with pytest.warns(
            DeprecationWarning, match=f"vizlib.training.{name} is called vizlib.course.training"
        ):
            assert getattr(old, name) is getattr(new, name)
    with pytest.warns(DeprecationWarning, match="vizlib.course.training.lenet.train_lenet now"):
        from vizlib.training.lenet import train_lenet
    assert train_lenet is importlib.import_module("vizlib.course.training.lenet").train_lenet


def test_a_script_sees_the_warning_with_pythons_own_settings():
    code = "import vizlib as vz\nvz.center"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "DeprecationWarning: vizlib.center is called vizlib.centre now" in run.stderr
