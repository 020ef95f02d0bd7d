"""Labels in any script: characters that the usual font lacks are drawn in another font of this machine."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from PIL.ImageFont import FreeTypeFont

# Tried first where several fonts have the characters; any other font that has them will do as well.
PREFERRED = ("Noto Sans", "Source Han Sans", "WenQuanYi", "PingFang", "Hiragino", "Microsoft YaHei", "Malgun")
LAST_RESORT = "Last Resort High-Efficiency"  # comes with matplotlib: a box that names the script


def make_legible(fig: Figure) -> None:
    """Give every text of a figure fonts in which all of its characters can be drawn.

    Where this machine has none, boxes are drawn, and a warning says what to install.
    """
    for text in _texts(fig):
        missing = _missing(text)
        if missing:
            text.set_fontfamily([*text.get_fontfamily(), _font_with(missing) or _no_font(missing)])


def face(words: str, size: float) -> FreeTypeFont:
    """A font of PIL, of so many pixels, in which all of these words can be drawn."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    path = os.path.join(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")  # matplotlib's usual one
    if not words.isascii() and (missing := _lacking(words, _characters(path))):
        from matplotlib.font_manager import FontProperties, findfont

        name = _font_with(_lacking(words, frozenset())) or _font_with(missing) or _no_font(missing)
        path = str(findfont(FontProperties(family=[name])))
    return ImageFont.truetype(path, size)


def _texts(artist: Artist) -> Iterator[Text]:
    """What will be written, but for numbers at axes, which every font can write."""
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    if isinstance(artist, Text):
        yield artist
    for child in artist.get_children():
        if isinstance(child, Axis):
            if getattr(artist, "axison", True) and child.get_visible():
                yield from _texts_at(child)
        else:
            yield from _texts(child)


def _texts_at(axis: Axis) -> Iterator[Text]:
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    yield axis.label
    formatter = axis.get_major_formatter()
    if isinstance(formatter, StrCategoryFormatter):
        if all(map(str.isascii, formatter.format_ticks(list(axis.get_majorticklocs())))):
            return
        axis.get_ticklabels()  # from now on the ticks carry the names
    if isinstance(formatter, (StrCategoryFormatter, FixedFormatter, FuncFormatter)):
        for tick in axis.get_major_ticks():
            yield from (tick.label1, tick.label2)


def _missing(text: Text) -> frozenset[str]:
    words = text.get_text()
    if words.isascii():
        return frozenset()
    from matplotlib.font_manager import FontProperties, findfont

    paths = (str(findfont(FontProperties(family=[family]))) for family in text.get_fontfamily())
    known = frozenset().union(*map(_characters, paths))
    return _lacking(words, known)


def _lacking(words: str, known: frozenset[int]) -> frozenset[str]:
    """The characters of these words that are not among the known code points."""
    return frozenset(c for c in words if not c.isspace() and ord(c) not in known)


@functools.lru_cache(512)
def _characters(path: str) -> frozenset[int]:
    """The code points that a font file can draw; none for files that cannot be read or scaled."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()


@functools.lru_cache(512)
def _font_with(characters: frozenset[str]) -> str | None:
    """The name of a font of this machine that has all of these characters."""
    from matplotlib.font_manager import fontManager

    wanted = frozenset(map(ord, characters))
    fonts = [font for font in fontManager.ttflist if not font.name.startswith("Last Resort")]
    for font in sorted(fonts, key=lambda font: not font.name.startswith(PREFERRED)):
        if wanted <= _characters(str(font.fname)):
            return font.name
    return None


@functools.lru_cache(512)  # one warning for each set of characters
def _no_font(characters: frozenset[str]) -> str:
    warnings.warn(
        f"No font of this machine can draw {''.join(sorted(characters))[:20]!r}: boxes stand in their place. "
        "Install a font for this script, such as Noto Sans CJK, and start again.",
        stacklevel=2,
    )
    return LAST_RESORT
