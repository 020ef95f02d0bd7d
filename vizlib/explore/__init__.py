"""Explorable figures: drag, hover, scrub, flip, click and guess, with the measurements inside the page.

Each function returns a figure that a notebook shows and saves. It answers the mouse, a finger and the
keyboard in JupyterLab, on a page that nbconvert or a site makes of the notebook, and in a file of its own,
without Python; `.live(answer)` puts Python behind it. Where no program may run, a picture with its
description remains.
"""

from .figure import Explorable
from .places import drag, guess, hover
from .sequences import atlas, flip, scrub, sheet

__all__ = ["Explorable", "atlas", "drag", "flip", "guess", "hover", "scrub", "sheet"]
