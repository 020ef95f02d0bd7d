"""An explorable figure: a picture with its description, the measurements behind it, and the program that lets
a reader explore them. It works in a saved page without Python, and in a notebook with Python behind it.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import VizlibError
from ..files import write_whole
from .packing import uri

MOST = 150_000  # bytes of a figure with all that is in it
NOTE = "A still picture. In a trusted notebook and on a web page it answers mouse, finger and keyboard."


@cache
def program(kind: str) -> str:
    """The program of this kind for the reader's browser: one ES module, put together of two files."""
    folder = Path(__file__).parent
    return "\n".join(
        (folder / name).read_text(encoding="utf-8") for name in ("explore.js", f"kinds/{kind}.js")
    )


@dataclass(frozen=True, repr=False)
class Explorable:
    """An explorable figure (interactive figure): a notebook shows it, `save` writes it as a page of its own.

    data: what the program reads, plain values that JSON takes. still: the encoded picture that is seen where
    no program runs. alt: what is to be seen, in words. reduce: what makes the figure smaller, in words.

    Raises VizlibError for a missing description, and for more than 150 KB.
    """

    data: dict[str, Any]
    still: bytes
    alt: str
    reduce: str = field(default="Give less at a time.")

    def __post_init__(self) -> None:
        if not (isinstance(self.alt, str) and self.alt.strip()):
            raise VizlibError("A figure needs alt=..., a sentence that says what is to be seen.")
        size = self.size
        if size > MOST:
            raise VizlibError(
                f"This {self.data['kind']} figure would be {size / 1000:.0f} KB large, and {MOST // 1000} KB "
                f"is the most. {self.reduce}"
            )

    @property
    def size(self) -> int:
        """Bytes of the figure as it is saved, program and measurements included."""
        return len(self.html().encode())

    def html(self) -> str:
        """The figure as a piece of a page: an <img> with its description, the measurements, the program."""
        data = json.dumps({**self.data, "alt": self.alt}, separators=(",", ":")).replace("<", "\\u003c")
        name = hashlib.sha256(data.encode() + self.still).hexdigest()[:12]
        picture = f'<img src="{uri(self.still)}" alt="{html.escape(self.alt)}" style="max-width: 100%">'
        run = f'{program(self.data["kind"])}\nboot("{name}");'
        return (
            f'<div data-vizlib="{name}">{picture}<p><small>{NOTE}</small></p>'
            f'<script type="application/json">{data}</script></div>'
            f'<script type="module">{run}</script>'
        )

    def save(self, path: str | os.PathLike) -> Path:
        """Write the figure as a page of its own that any browser opens, without Python. Returns the path."""
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise VizlibError(f"An explorable figure is saved as .html; this is {path.name!r}.")
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{html.escape(self.alt)}</title>"
            f'<body style="font-family: system-ui, sans-serif">{self.html()}'
        )
        write_whole(path, lambda part: part.write_text(page, encoding="utf-8"))
        return path

    def live(self, answer: Callable[..., Any] | None = None) -> Any:
        """The figure with Python behind it: a widget whose `place` says where the reader is.

        answer: a function that returns words, numbers for the bars of drag, a picture, or a tuple of these.
            It is called with the place: drag and guess (row, column), hover (row, column, map), scrub
            (step), flip (share), sheet and atlas (index). While the reader moves, one question is on its
            way at a time, and the newest place wins.

        Where anywidget is not installed it returns the figure itself, which works without Python.
        """
        try:
            from .widget import Live
        except ImportError:
            return self
        return Live(self, answer)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"Explorable figure ({self.data['kind']}): {self.alt}"
