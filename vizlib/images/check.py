"""Is this a batch of pictures?  Every method asks before it starts."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import VizlibError

TOLERANCE = 1e-4  # rounding may leave [0, 1] by this much


def check_images(images: Any) -> torch.Tensor:
    """Return `images`, detached and as float32, if it is a tensor (N, 3, H, W) with values in [0, 1].

    Raises VizlibError with what was seen and what to do: wrong type, shape or range, NaN or infinity.
    """
    check_shape(images)
    if images.numel() == 0:
        raise VizlibError(f"This batch holds no picture: its shape is {tuple(images.shape)}.")
    low, high = images.detach().aminmax()
    if not bool(torch.isfinite(low + high)):  # NaN wins in aminmax
        raise VizlibError(
            "This picture holds NaN or infinite values. Look for a division by zero in the step that made it."
        )
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        hint = (
            "Divide it by 255."
            if high > 8
            else "Networks normalize for themselves: pass the plain picture, or images.clamp(0, 1)."
        )
        raise VizlibError(f"Pictures lie in [0, 1]; this one runs from {low:.3g} to {high:.3g}. {hint}")
    return images.detach().float()


def check_shape(images: Any) -> None:
    """Raise VizlibError unless this is a tensor of floats (N, 3, H, W)."""
    if not isinstance(images, torch.Tensor):
        raise VizlibError(
            f"Pictures are tensors of shape (N, 3, H, W); this is a {type(images).__name__}. "
            "vz.open_image(...) turns files, arrays and PIL pictures into one."
        )
    shape = tuple(images.shape)
    if images.dim() == 4 and shape[1] == 3:
        if not images.is_floating_point():
            raise VizlibError(
                f"Pictures are floats in [0, 1]; this tensor holds {images.dtype}. Divide it: images / 255."
            )
        return
    if images.dim() == 3 and shape[0] == 3:
        hint = "Add the batch dimension: images[None]."
    elif shape[-1:] == (3,):
        hint = "The channels come before height and width: images.movedim(-1, -3)."
    elif images.dim() == 4 and shape[1] == 1:
        hint = "Grey pictures become RGB by images.expand(-1, 3, -1, -1)."
    elif images.dim() == 4 and shape[1] == 4:
        hint = "vz.open_image(picture) turns a transparent picture into RGB."
    else:
        hint = "vz.open_image(...) makes such a tensor from files, arrays and grey or transparent tensors."
    raise VizlibError(f"Pictures have the shape (N, 3, H, W); this one has {shape}. {hint}")


def check_colour(fill: Any, name: str = "fill") -> torch.Tensor:
    """A colour, a number or three in [0, 1], as a float32 tensor (1, 3, 1, 1); else a VizlibError."""
    try:
        colour = torch.as_tensor(fill).detach().to("cpu", torch.float32).flatten()
    except (TypeError, ValueError, RuntimeError):
        colour = torch.empty(0)
    if colour.numel() not in (1, 3) or not bool(((colour >= 0) & (colour <= 1)).all()):
        raise VizlibError(f"{name} is a colour, a number or three in [0, 1]; this is {fill!r}.")
    return colour.expand(3).reshape(1, 3, 1, 1)
