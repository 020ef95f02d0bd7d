"""The library without Jupyter, and how fast it starts: what is only needed to draw is imported to draw."""

import subprocess
import sys
import textwrap


def run(code):
    """What a new Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_jupyter_everything_works_but_panels_which_say_what_to_install():
    said = run(
        """
        import sys
        sys.modules["ipywidgets"] = None  # importing it now fails, as where it is not installed
        import torch, vizlib as vz
        print(vz.show(torch.rand(1, 3, 8, 8), alt="noise"))
        for ask in (
            lambda: vz.panel(lambda on: vz.show(torch.rand(1, 3, 8, 8), alt="noise"), on=True),
            lambda: vz.choose_photo(),
            lambda: vz.choose_label(None),
            lambda: vz.choose_layer(None),
            lambda: vz.Panel,
        ):
            try:
                ask()
            except vz.VizlibError as problem:
                print(problem)
        """
    ).splitlines()
    assert said[0] == "Figure: noise"
    assert (
        said[1:]
        == ['Panels need Jupyter and its widgets, which are not installed: pip install "vizlib[notebooks]".']
        * 5
    )


def test_what_pictures_and_figures_need_is_imported_when_they_are_asked_for():
    code = """
        import sys
        loaded = set()
        for name in ("errors", "batching", "files", "table", "images", "display"):
            {import_}
            print(name, sorted({{"matplotlib", "ipywidgets", "scipy"}} & set(sys.modules)))
        """
    # The rooms alone, without vizlib/__init__.py, which opens all of them.
    import_ = """if name == "errors":
                import importlib.machinery, importlib.util, pathlib
                spec = importlib.util.find_spec("vizlib")
                package = importlib.util.module_from_spec(importlib.machinery.ModuleSpec("vizlib", None))
                package.__path__ = list(spec.submodule_search_locations)
                sys.modules["vizlib"] = package
            __import__(f"vizlib.{name}")"""
    said = run(code.format(import_=import_)).splitlines()
    assert said == [f"{name} []" for name in ("errors", "batching", "files", "table", "images", "display")]


def test_the_class_of_panels_is_a_public_name_and_others_are_not_made_up():
    said = run(
        """
        import vizlib as vz
        from vizlib.display import Panel
        print(vz.Panel is Panel, Panel.__name__, hasattr(vz, "panl"), hasattr(vz.display, "panl"))
        """
    )
    assert said.split() == ["True", "Panel", "False", "False"]
