"""The panels of a notebook, drawn where its network is and on the CPU: a last cell of gpu.py's notebooks.

The draw function of each panel is called twice with the values that its controls show: as the notebook left
everything, and after all networks, tensors and objects that hold them were brought home to the CPU.
"""

import contextlib
import dataclasses
import io
import json
import time

import numpy as np
import torch
from PIL import Image

from vizlib.display import Panel


def at(value, device):
    """The same on another device: tensors and modules, also inside lists, tuples, dicts and dataclasses."""
    if isinstance(value, torch.Tensor | torch.nn.Module):
        return value.to(device)
    if isinstance(value, dict):
        return type(value)((k, at(v, device)) for k, v in value.items()) if type(value) is dict else value
    if type(value) in (list, tuple):
        return type(value)(at(v, device) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        with contextlib.suppress(TypeError, ValueError):  # made in another way than by its fields
            fields = [f.name for f in dataclasses.fields(value) if f.init]
            return dataclasses.replace(value, **{name: at(getattr(value, name), device) for name in fields})
    return value


def drawn(panel):
    """The picture of a panel, (H, W, 3) in [0, 1], drawn anew, and the seconds that it took."""
    panel._cache.clear()
    started = time.perf_counter()
    panel.set()
    seconds = time.perf_counter() - started
    pixels = Image.open(io.BytesIO(panel.picture.data)).convert("RGB")
    return np.asarray(pixels, dtype=np.float32) / 255, seconds


def deviation(a, b):
    """The mean difference of two pictures, of 1; infinity for two sizes."""
    return float(np.abs(a - b).mean()) if a.shape == b.shape else float("inf")


def report(names, device):
    """Print a line of JSON for each panel among the variables of a notebook."""
    panels = {name: value for name, value in names.items() if isinstance(value, Panel) and name[0] != "_"}
    there = {name: drawn(panel) for name, panel in panels.items()}
    for name in [n for n in names if n[0] != "_" and n not in ("In", "Out")]:
        names[name] = at(names[name], "cpu")
        if hasattr(names[name], "cache_clear"):  # a function that remembers what it computed there
            names[name].cache_clear()
    for name, panel in panels.items():
        (picture, seconds), (other, at_home) = there[name], drawn(panel)
        row = {"name": f"panel {name}", "deviation": deviation(picture, other)}
        print(json.dumps(row | {"seconds": {"cpu": at_home, device: seconds}}))
