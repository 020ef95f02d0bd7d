"""Panels: controls on the left, a picture on the right, progress, Stop, and a status line in words."""

from __future__ import annotations

import functools
import hashlib
import html
import inspect
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch

from ..errors import VizlibError
from .controls import argument, assign, control
from .figures import Picture
from .grids import Overlay, show
from .stills import display_with_still, hidden_by

NOTE = "The panel's picture as it was saved. Run the cell to move its controls."
CACHED = 64  # pictures kept, so that going back to a setting is instant


class Panel(widgets.VBox):
    """Controls and the picture that a function draws from them. Made by `panel`.

    In a browser every change of a control redraws in the background, while a slider moves, too: one picture
    is drawn at a time and shown when it is whole, and of the changes that wait the newest comes next. Stop
    ends a long run and keeps the picture so far; an error lands in the status line. From Python,
    `.set(name=value)` changes controls, waits for the picture and raises what went wrong.
    """

    def __init__(self, draw: Callable[..., Any], controls: Mapping[str, Any], width: int) -> None:
        wanted = _arguments(draw, controls)
        self._draw = draw
        self._cache: dict[Any, tuple[Picture, str]] = {}
        self._run: _Run | None = None
        self._reports = "progress" in wanted
        self.controls = {n: control(n, spec, _default(wanted, n)) for n, spec in controls.items()}
        self._image = widgets.HTML(
            layout={"flex": "1 1 420px", "min_width": "0", "max_width": f"{width}px"}
        )  # Image knows no alt
        # Height by width of the tallest picture so far: room that is kept, so that nothing jumps.
        self._tallest = 0.0
        self._bar = widgets.IntProgress(min=0, max=1, layout={"width": "220px", "visibility": "hidden"})
        self._button = widgets.Button(description="Stop", disabled=True, layout={"width": "72px"})
        self._status = widgets.HTML()
        self.status = ""  # what is said now
        self.picture: Picture | None = None  # and shown
        self._button.on_click(lambda _: self.stop())
        left = widgets.VBox(
            [*self.controls.values(), widgets.HBox([self._bar, self._button])], layout={"flex": "0 0 312px"}
        )
        row = widgets.HBox([left, self._image], layout={"flex_flow": "row wrap"})
        super().__init__([row, self._status])
        alone = widgets.HTML(
            f"<style>.{hidden_by(self)} {{ display: none }}</style>", layout={"display": "none"}
        )
        self.children = [row, self._status, alone]
        self._compute(_Run())
        for widget in self.controls.values():
            widget.observe(self._changed, "value")
            if widget.has_trait("problem"):
                widget.observe(
                    lambda change: self._say(change["new"], problem=True) if change["new"] else None,
                    "problem",
                )

    @property
    def values(self) -> dict[str, Any]:
        """What is chosen now: {control: value}."""
        return {name: widget.value for name, widget in self.controls.items()}

    def set(self, /, **values: Any) -> None:
        """Change controls and wait for the picture. Numbers may be NumPy's or torch's; a photo may be a name,
        a path or whatever `open_image` reads, of any size. Raises VizlibError for unknown controls and
        values, and whatever drawing raises.
        """
        for name in values:
            if name not in self.controls:
                raise VizlibError(f"This panel has no control {name!r}; it has {', '.join(self.controls)}.")
        before = self.values
        for widget in self.controls.values():
            widget.unobserve(self._changed, "value")
        try:
            for name, value in values.items():
                assign(self.controls[name], value)
            run = self._begin()
            run.wait_for_the_one_before()
            self._compute(run)
        except BaseException:  # an interrupt too: a picture of the old settings goes with the old settings
            for name in values:
                assign(self.controls[name], before[name])
            raise
        finally:
            for widget in self.controls.values():
                widget.observe(self._changed, "value")

    def stop(self) -> None:
        """End the run in progress; the picture so far stays."""
        if self._run is not None:
            self._run.stopped.set()

    def wait(self) -> None:
        """Wait until the run in progress has ended."""
        if self._run is not None and self._run.thread is not None:
            self._run.thread.join()

    def _changed(self, _change: Any) -> None:
        run = self._begin()
        run.thread = thread = threading.Thread(target=self._in_background, args=(run,), daemon=True)
        thread.start()

    def _begin(self) -> _Run:
        """Stop the run in progress and make a new one that starts when the old one has ended."""
        old, self._run = self._run, _Run(after=self._run)
        if old is not None:
            old.stopped.set()
        return self._run

    def _in_background(self, run: _Run) -> None:
        run.wait_for_the_one_before()
        if run.stopped.is_set():
            if run is self._run:  # not overtaken by a later change, but stopped while it waited
                self._say("Stopped before the first step; the picture is that of the settings before.")
            return
        try:
            self._compute(run)
        except Exception as problem:  # there is nobody to raise to: say it where the person looks
            words = (
                str(problem) if isinstance(problem, VizlibError) else f"{type(problem).__name__}: {problem}"
            )
            if run is self._run:
                self._say(words, problem=True)

    def _compute(self, run: _Run) -> None:
        key, arguments = self._settings()
        started = time.perf_counter()
        try:
            if key in self._cache:
                self._display(*self._cache[key])
                return
            self._button.disabled, self._bar.value = False, 0
            if self._reports:
                arguments["progress"] = functools.partial(self._progress, run)
            drawn, words = _picture_and_words(self._draw(**arguments))
            if run.cut and self._run not in (run, None):  # a later change draws itself
                return
            if run.cut:
                words = f"{words.rstrip('.')}. " if words else ""
                self._display(drawn, f"{words}Stopped after {self._bar.value} of {self._bar.max} steps.")
                return
            while len(self._cache) >= CACHED:
                self._cache.pop(next(iter(self._cache)))
            self._cache[key] = drawn, words
            self._display(drawn, f"{words} ({time.perf_counter() - started:.1f} s)".strip())
        finally:
            self._button.disabled = True
            self._bar.layout.visibility = "hidden"

    def _settings(self) -> tuple[Any, dict[str, Any]]:
        """What is chosen, as a key and as arguments: both of one moment, though a hand moves a slider."""
        while True:
            values = self.values
            arguments = {name: argument(widget) for name, widget in self.controls.items()}
            if all(values[name] is widget.value for name, widget in self.controls.items()):
                return _key(values), arguments

    def _progress(self, run: _Run, done: int, total: int, preview: Any = None) -> bool:
        """What the methods of vizlib call after every step. False once this run has been stopped."""
        self._bar.max, self._bar.value = int(total), int(done)
        self._bar.layout.visibility = "visible"
        if run.stopped.is_set():
            run.cut = True
            return False
        drawn, words = _preview(preview), f"Working: step {done} of {total}"
        if drawn is None:
            self._say(words)
        else:
            self._display(drawn, words)
        run.cut = run.stopped.is_set()
        return not run.cut

    def _display(self, drawn: Picture, words: str) -> None:
        self.picture = drawn
        width, height = drawn.size
        self._tallest = max(self._tallest, height / width)
        self._image.value = (
            f'<div style="aspect-ratio: 1 / {self._tallest:.4f}">{drawn.html(full_width=True)}</div>'
        )
        self._say(words)

    def _say(self, words: str, problem: bool = False) -> None:
        self.status = words
        colour = "#b3261e" if problem else "inherit"
        words = ("&#9888; " if problem else "") + html.escape(words)
        self._status.value = f'<div role="status" style="color:{colour}">{words}</div>'

    def _ipython_display_(self) -> None:
        assert self.picture is not None  # drawn when the panel was made
        note = f"<p>{html.escape(self.status)}</p><p><small>{NOTE}</small></p>"
        display_with_still(self, self.picture.html() + note, repr(self.picture))

    def __repr__(self) -> str:
        return f"Panel({', '.join(f'{name}={value!r}' for name, value in self.values.items())})"


class _Run:
    def __init__(self, after: _Run | None = None) -> None:
        self.stopped, self.after = threading.Event(), after
        self.cut = False  # its function was told to stop and has returned what there was
        self.thread: threading.Thread | None = None

    def wait_for_the_one_before(self) -> None:
        if self.after is not None and self.after.thread is not None:
            self.after.thread.join()
        self.after = None


def _arguments(draw: Callable, controls: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
    """The arguments of a panel's function, by name. Raises VizlibError unless the controls fit them."""
    if not callable(draw):
        raise VizlibError(f"A panel draws with a function; this is a {type(draw).__name__}.")
    try:
        parameters = dict(inspect.signature(draw).parameters)
    except (TypeError, ValueError):  # some functions of C do not say
        return {}
    named = {name: p for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in controls:
        if name == "progress" and name in named:
            raise VizlibError(
                "progress is what the panel gives its function, so no control can have this name."
            )
        if name not in named and not takes_any:
            raise VizlibError(
                f"The panel's function takes no argument {name!r}; it takes {', '.join(named) or 'none'}."
            )
    for name, p in parameters.items():
        required = p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        if p.kind is p.POSITIONAL_ONLY and required:
            raise VizlibError(f"The panel's function takes {name!r} only by its place. Leave out the '/'.")
        if required and name not in controls and name != "progress":
            raise VizlibError(
                f"The panel's function needs {name!r}, which has no control. Add {name}=... to the panel, or "
                "a default to the function."
            )
    return named


def _default(parameters: Mapping[str, inspect.Parameter], name: str) -> Any:
    if name not in parameters or parameters[name].default is inspect.Parameter.empty:
        return None
    return parameters[name].default


def _key(value: Any) -> Any:
    """Something hashable that is equal for equal values only: under this name a picture is kept."""
    if isinstance(value, Mapping):
        return type(value), tuple((key, _key(entry)) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(_key, value))
    if isinstance(value, torch.Tensor):
        value = value.detach()
        value = value.cpu().double().numpy() if value.is_floating_point() else value.cpu().numpy()
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, _key(value.tobytes())
    if isinstance(value, (bytes, bytearray, memoryview)):  # an upload
        return hashlib.sha256(value).hexdigest()
    try:
        hash(value)
    except TypeError:
        return object()  # equal to nothing, so it is drawn anew each time
    return type(value), value  # 1, 1.0 and True are equal, but not the same


def _picture_and_words(result: Any) -> tuple[Picture, str]:
    drawn, words = result if isinstance(result, tuple) and len(result) == 2 else (result, "")
    if isinstance(drawn, (torch.Tensor, Overlay)):
        drawn = show(drawn, alt="the result of the settings beside it")
    if not isinstance(drawn, Picture):
        raise VizlibError(
            "A panel's function returns vz.show(...), a picture tensor, or (picture, words); this one "
            f"returned {type(drawn).__name__}."
        )
    return drawn, str(words)


def _preview(preview: Any) -> Picture | None:
    """What can be drawn of the work so far: methods tell of archives, too, or of values that are no
    picture.
    """
    try:
        return None if preview is None else _picture_and_words(preview)[0]
    except VizlibError:
        return None
