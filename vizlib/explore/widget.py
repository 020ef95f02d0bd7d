"""An explorable figure with Python behind it, through anywidget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import torch
import traitlets

from ..display.figures import Picture
from ..display.stills import display_with_still, hidden_by
from ..errors import VizlibError
from .figure import Explorable, program
from .packing import encoded, one_picture, to_pil, uri


class Live(anywidget.AnyWidget):
    """An explorable figure with Python: `place` says where the reader is. Made by `Explorable.live`."""

    figure = traitlets.Dict().tag(sync=True)
    still = traitlets.Unicode().tag(sync=True)
    asks = traitlets.Bool().tag(sync=True)
    place = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    hides = traitlets.Unicode().tag(sync=True)

    def __init__(self, explorable: Explorable, answer: Callable[..., Any] | None = None) -> None:
        self._answer, self.explorable = answer, explorable
        figure = {**explorable.data, "alt": explorable.alt}
        super().__init__(
            _esm=program(figure["kind"]), figure=figure, still=uri(explorable.still), asks=answer is not None
        )
        self.hides = hidden_by(self)
        if answer is not None:
            self.observe(self._reply, "place")

    def _ipython_display_(self) -> None:
        display_with_still(self, self.explorable.html(), repr(self.explorable))

    def _reply(self, change: Any) -> None:
        """Ask the function about the place; what goes wrong is said in words where the reader looks."""
        place = {key: value for key, value in change["new"].items() if key != "count"}
        try:
            message = _message(self._answer(**place))  # type: ignore[misc]
        except Exception as problem:
            ours = isinstance(problem, VizlibError)
            message = {"words": str(problem) if ours else f"{type(problem).__name__}: {problem}"}
        self.answer = {**message, "count": change["new"].get("count", 0)}


def _message(result: Any) -> dict[str, Any]:
    """An answer as the program reads it: words, numbers, or a picture, or a tuple of these."""
    if isinstance(result, tuple):
        return {key: value for part in result for key, value in _message(part).items()}
    if result is None or isinstance(result, str):
        return {"words": result or ""}
    if isinstance(result, Picture):
        return {"picture": uri(result.data), "alt": result.alt}
    if isinstance(result, torch.Tensor) and result.dim() in (3, 4) and result.shape[-3] == 3:
        return {"picture": uri(encoded(to_pil(one_picture(result, "the answer")))), "alt": "the answer"}
    try:
        return {"numbers": torch.as_tensor(result).detach().cpu().double().flatten().tolist()}
    except (TypeError, ValueError, RuntimeError):
        raise VizlibError(
            f"An answer is words, numbers or a picture; this one is a {type(result).__name__}."
        ) from None
