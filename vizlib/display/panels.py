"""Panels: controls on the left, a picture on the right, progress, Stop, and a status line in words."""

import html
import inspect
import threading
import time

import ipywidgets as widgets
import torch

from ..errors import VizlibError
from .controls import argument, assign, control
from .figures import Picture
from .grids import show

CACHED = 64  # pictures kept, so that going back to a setting is instant


class Panel(widgets.VBox):
    """Controls and the picture that a function draws from them. Made by `panel`.

    In a browser every change of a control redraws in the background; Stop ends a long run and keeps the
        picture so far; an error lands
    in the status line. From Python, `.set(name=value)` changes controls, waits for the picture and raises
        what went wrong.
    """

    def __init__(self, draw, controls, width):
        self._draw, self._cache, self._run = draw, {}, None
        wanted = inspect.signature(draw).parameters
        self._reports = "progress" in wanted
        self.controls = {n: control(n, spec, _default(wanted, n)) for n, spec in controls.items()}
        self._image = widgets.HTML(
            layout={"flex": "1 1 420px", "min_width": "0", "max_width": f"{width}px"}
        )  # Image knows no alt
        self._tallest = (
            0  # height by width of the tallest picture so far: room that is kept, so that nothing jumps
        )
        self._bar = widgets.IntProgress(min=0, max=1, layout={"width": "220px", "visibility": "hidden"})
        self._button = widgets.Button(description="Stop", disabled=True, layout={"width": "72px"})
        self._status = widgets.HTML()
        self.status, self.picture = "", None
        self._button.on_click(lambda _: self.stop())
        left = widgets.VBox(
            [*self.controls.values(), widgets.HBox([self._bar, self._button])], layout={"flex": "0 0 312px"}
        )
        super().__init__([widgets.HBox([left, self._image], layout={"flex_flow": "row wrap"}), self._status])
        self._compute(_Run())
        for widget in self.controls.values():
            widget.observe(self._changed, "value")
            if widget.has_trait("problem"):
                widget.observe(
                    lambda change: change["new"] and self._say(change["new"], problem=True), "problem"
                )

    @property
    def values(self):
        """What is chosen now: {control: value}."""
        return {name: widget.value for name, widget in self.controls.items()}

    def set(self, **values):
        """Change controls and wait for the picture. Raises VizlibError for unknown controls and values, and
        whatever drawing raises.
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

    def stop(self):
        """End the run in progress; the picture so far stays."""
        if self._run is not None:
            self._run.stopped.set()

    def wait(self):
        """Wait until the run in progress has ended."""
        if self._run is not None and self._run.thread is not None:
            self._run.thread.join()

    def _changed(self, _change):
        run = self._begin()
        run.thread = threading.Thread(target=self._in_background, args=(run,), daemon=True)
        run.thread.start()

    def _begin(self):
        """Stop the run in progress and make a new one that starts when the old one has ended."""
        old, self._run = self._run, _Run(after=self._run)
        if old is not None:
            old.stopped.set()
        return self._run

    def _in_background(self, run):
        run.wait_for_the_one_before()
        if run.stopped.is_set():
            if (
                run is self._run
            ):  # not overtaken by a later change, but stopped while it waited for the one before
                self._say("Stopped before the first step; the picture is that of the settings before.")
            return
        try:
            self._compute(run)
        except Exception as problem:  # there is nobody to raise to: say it where the person looks
            if run is self._run:
                self._say(
                    str(problem)
                    if isinstance(problem, VizlibError)
                    else f"{type(problem).__name__}: {problem}",
                    problem=True,
                )

    def _compute(self, run):
        key = tuple(self.values.items())
        started = time.perf_counter()
        try:
            if key in self._cache:
                self._display(*self._cache[key])
                return
            self._button.disabled, self._bar.value = False, 0
            arguments = {name: argument(widget) for name, widget in self.controls.items()}
            if self._reports:
                arguments["progress"] = lambda done, total, preview=None: self._progress(
                    run, done, total, preview
                )
            drawn, words = _picture_and_words(self._draw(**arguments))
            if self._run not in (run, None):  # a later change has overtaken this one and draws itself
                return
            if run.stopped.is_set():
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

    def _progress(self, run, done, total, preview):
        self._bar.max, self._bar.value = total, done
        self._bar.layout.visibility = "visible"
        if run.stopped.is_set():
            return False
        if preview is not None:
            self._display(_picture_and_words(preview)[0], f"Working: step {done} of {total}")
        else:
            self._say(f"Working: step {done} of {total}")
        return not run.stopped.is_set()

    def _display(self, drawn, words):
        self.picture = drawn
        self._tallest = max(self._tallest, drawn.size[1] / drawn.size[0])
        self._image.value = f'<div style="aspect-ratio: 1 / {self._tallest:.4f}">{drawn.html()}</div>'
        self._say(words)

    def _say(self, words, problem=False):
        self.status = words
        colour = "#b3261e" if problem else "inherit"
        words = ("&#9888; " if problem else "") + html.escape(words)
        self._status.value = f'<div role="status" style="color:{colour}">{words}</div>'

    def __repr__(self):
        return f"Panel({', '.join(f'{name}={value!r}' for name, value in self.values.items())})"


class _Run:
    def __init__(self, after=None):
        self.stopped, self.thread, self.after = threading.Event(), None, after

    def wait_for_the_one_before(self):
        if self.after is not None and self.after.thread is not None:
            self.after.thread.join()
        self.after = None


def _default(parameters, name):
    if name not in parameters or parameters[name].default is inspect.Parameter.empty:
        return None
    return parameters[name].default


def _picture_and_words(result):
    drawn, words = result if isinstance(result, tuple) else (result, "")
    if isinstance(drawn, torch.Tensor):
        drawn = show(drawn, alt="the result of the settings beside it")
    if not isinstance(drawn, Picture):
        raise VizlibError(
            "A panel's function returns vz.show(...), a picture tensor, or (picture, words); this one "
            f"returned {type(drawn).__name__}."
        )
    return drawn, words


def panel(draw, *, width=620, **controls):
    """An interactive panel: draw(**values) is called with the controls' values and its picture is shown.

    draw: a function that returns vz.show(...), a picture tensor (1, 3, H, W), or (picture, words). If it
    takes `progress`, it may call
        progress(done, total, preview=None) and should end early when that returns False.
    controls: for each argument a widget (vz.choose_photo(), vz.choose_label(net), vz.choose_layer(net) or any
    of ipywidgets), a list (a
        menu), (low, high[, step]) (a slider) or a bool (a box to tick). Start values come from draw's
        defaults.
    """
    return Panel(draw, controls, width)
