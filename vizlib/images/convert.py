"""Files, bytes, arrays, tensors and uploads to tensors in pixel space, and back."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from ..batching import whole
from ..errors import VizlibError
from .check import check_images

MOST_PIXELS = 64_000_000  # a larger file is refused before it is decoded
LONGEST_SIDE = 2048  # a larger picture is reduced to this
SMALLEST_SIDE = 8
MATTE = (255, 255, 255)  # what shows through transparent pixels
FULL = {torch.uint8: 255, torch.uint16: 65535, torch.bool: 1}  # what is white in tensors that hold no floats

# What PIL and its plugins raise for a file that they cannot make sense of.
_UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError)
# PIL's own limits; a warning is raised where a person's filters make errors of warnings.
_TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def open_image(source: Any, size: int | None = None) -> torch.Tensor:
    """Read one picture, load an image: a float32 tensor (1, 3, H, W), RGB, in [0, 1], that shares no memory
    with its source.

    source: a path, bytes, a PIL picture, an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), a tensor (H, W)
        or (C, H, W) or (1, C, H, W) with 1, 3 or 4 channels, or the value of an ipywidgets FileUpload.
        Arrays and tensors hold uint8, uint16, bool or floats in [0, 1]; a tensor stays on its device.
    size: None keeps the picture whole; a number reduces the short side to size * 256 / 224 and cuts the
        centre square of `size` pixels, as is usual for ImageNet.

    EXIF rotation is applied, grey, palette, CMYK and 16-bit pictures become RGB, transparent pixels become
    white, an animation gives its first frame, and a picture longer than 2048 pixels is reduced to that.
    Raises VizlibError for a missing, broken or empty file, a picture with a side under 8 or with over 64
    million pixels, NaN, or values outside [0, 1].

    >>> vz.open_image(torch.zeros(20, 30)).shape
    torch.Size([1, 3, 20, 30])
    """
    if isinstance(source, np.ndarray) and source.ndim == 0 and source.dtype.kind in "US":
        source = source.item()  # one path, as an array without axes
    if isinstance(source, torch.Tensor):
        image = _from_tensor(source)
    elif isinstance(source, Image.Image):
        image = _from_pil(source)
    elif hasattr(source, "__array__") and not isinstance(source, (str, bytes)):  # np.str_ is a string
        image = _from_array(np.asarray(source))
    else:
        image = _from_file(source)
    if min(image.shape[-2:]) < SMALLEST_SIDE:
        raise VizlibError(
            f"This picture is {image.shape[-1]} x {image.shape[-2]} pixels; at least {SMALLEST_SIDE} x "
            f"{SMALLEST_SIDE} are needed."
        )
    return image if size is None else centre_square(image, size)


def centre_square(image: torch.Tensor, size: int) -> torch.Tensor:
    """Short side to size * 256 / 224 (bicubic), then the centre square of `size` pixels: ImageNet's usual
    test crop.
    """
    size = whole(size, "size is a number of pixels", SMALLEST_SIDE)
    height, width = image.shape[-2:]
    scale = round(size * 256 / 224) / min(height, width)
    image = resize(image, (max(size, round(height * scale)), max(size, round(width * scale))))
    top, left = (image.shape[-2] - size) // 2, (image.shape[-1] - size) // 2
    return image[..., top : top + size, left : left + size].contiguous()


def resize(image: torch.Tensor, size: int | Sequence[int]) -> torch.Tensor:
    """Resize pictures (N, C, H, W) by bicubic interpolation, antialiased, clipped to [0, 1].

    size: (height, width), or one number for a square. The result is float32, on the picture's device.
    Raises VizlibError for a size that is no number of pixels, and for what is no tensor (N, C, H, W).

    >>> vz.resize(vz.photo("goldfish", 64), (32, 48)).shape
    torch.Size([1, 3, 32, 48])
    """
    if not isinstance(image, torch.Tensor) or image.dim() != 4 or image.is_complex():
        seen = tuple(image.shape) if isinstance(image, torch.Tensor) else type(image).__name__
        raise VizlibError(f"resize takes pictures (N, C, H, W); this is {seen}.")
    sides = tuple(size) if isinstance(size, (Sequence, torch.Tensor, np.ndarray)) else (size, size)
    if len(sides) != 2:
        raise VizlibError(f"size is (height, width); this is {size!r}.")
    sides = tuple(whole(side, "size is (height, width) in pixels, each") for side in sides)
    resized = torch.nn.functional.interpolate(
        image.float(), sides, mode="bicubic", antialias=True, align_corners=False
    )
    return resized.clamp(0, 1)


def to_pil(image: torch.Tensor) -> Image.Image:
    """The tensor (3, H, W) or (1, 3, H, W) in [0, 1] as an 8-bit PIL picture (PIL.Image), to save or to edit.

    Raises VizlibError for what is no picture, and for a batch of several.

    >>> vz.to_pil(vz.photo("goldfish", 64)).size
    (64, 64)
    """
    image = check_images(image[None] if isinstance(image, torch.Tensor) and image.dim() == 3 else image)
    if len(image) != 1:
        raise VizlibError(f"to_pil takes one picture; this batch holds {len(image)}. Pick one: images[0].")
    pixels = (image[0].detach().cpu().clamp(0, 1) * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


# ------------------------------------------------------------------------------------- arrays and tensors


def _from_array(values: np.ndarray) -> torch.Tensor:
    """An array (H, W) or (H, W, C) as a picture."""
    if not (values.dtype.kind == "f" or values.dtype in (np.uint8, np.uint16, bool)):
        hint = " Open paths one by one: vz.open_image(paths[0])." if values.dtype.kind in "USO" else ""
        raise VizlibError(
            f"An array picture holds uint8, uint16 or floats in [0, 1]; this one holds {values.dtype}.{hint}"
        )
    if values.ndim not in (2, 3) or values.ndim == 3 and values.shape[2] not in (1, 3, 4):
        first = values.ndim == 3 and values.shape[0] in (1, 3, 4)
        hint = " Channels come last in arrays: array.transpose(1, 2, 0)." if first else ""
        raise VizlibError(
            f"An array picture has the shape (H, W), (H, W, 3) or (H, W, 4); this one has {values.shape}."
            + hint
        )
    if values.size == 0:
        raise VizlibError(f"This array is empty: its shape is {values.shape}.")
    full = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
    floats = np.atleast_3d(values.astype(np.float32) / np.float32(full))
    return _from_tensor(torch.from_numpy(floats).movedim(2, 0))


def _from_tensor(values: torch.Tensor) -> torch.Tensor:
    """A tensor (H, W), (C, H, W) or (1, C, H, W) with 1, 3 or 4 channels as a picture of its own memory."""
    image = values.detach()
    if image.dtype in FULL:
        image = image.float() / FULL[image.dtype]
    if image.dim() < 4:
        image = image[(None,) * (4 - image.dim())]
    if image.dim() == 4 and len(image) > 1:
        raise VizlibError(
            f"open_image reads one picture; this tensor holds {len(image)}. Pick one: images[:1]."
        )
    if image.dim() == 4 and image.shape[1] == 1:
        image = image.expand(-1, 3, -1, -1)
    elif image.dim() == 4 and image.shape[1] == 4:
        image = _over_white(check_images(image[:, :3]), check_images(image[:, 3:].expand(-1, 3, -1, -1)))
    image = check_images(image)
    _check_pixels(image.shape[-1], image.shape[-2])
    longest = max(image.shape[-2:])
    if longest > LONGEST_SIDE:
        return resize(image, [max(1, round(n * LONGEST_SIDE / longest)) for n in image.shape[-2:]])
    return image.clamp(0, 1).contiguous()  # clamp makes a copy


def _over_white(colours: torch.Tensor, opacity: torch.Tensor) -> torch.Tensor:
    matte = colours.new_tensor(MATTE).view(1, 3, 1, 1) / 255
    return colours * opacity + matte * (1 - opacity)


# ------------------------------------------------------------------------------------- files and PIL


def rgb_to_tensor(picture: Image.Image) -> torch.Tensor:
    """An 8-bit RGB picture of PIL as a tensor (1, 3, H, W) in [0, 1]."""
    pixels = torch.from_numpy(np.array(picture, dtype=np.uint8))
    return pixels.permute(2, 0, 1)[None].float().div(255).contiguous()


def _from_file(source: Any) -> torch.Tensor:
    name, data = _read(source) if isinstance(source, (str, os.PathLike)) else _upload(source)
    if len(data) == 0:
        raise VizlibError(f"The file {name} is empty.")
    try:
        picture = _opened(data)
    except _TOO_LARGE as problem:
        raise VizlibError(
            f"The file {name} claims too many pixels; at most {MOST_PIXELS // 1_000_000} million are read."
        ) from problem
    except _UNREADABLE as problem:
        raise VizlibError(
            f"The file {name} is not a picture that can be read. JPEG, PNG, WebP, GIF, BMP and TIFF are."
        ) from problem
    return _from_pil(picture, ours=True)


def _read(path: str | os.PathLike) -> tuple[str, bytes]:
    try:
        path = Path(path).expanduser()
        return repr(path.name), path.read_bytes()
    except (OSError, RuntimeError, ValueError) as problem:  # RuntimeError: no such person's home
        raise VizlibError(
            f"There is no file {str(path)[:200]!r} that can be read (looked in {str(Path.cwd())!r})."
        ) from problem


def _upload(source: Any) -> tuple[str, bytes]:
    """Name and bytes of plain bytes or of a FileUpload's value, dicts with 'name' and 'content'."""
    if isinstance(source, (tuple, list)) and source:
        source = source[0]
    name = "that was uploaded"
    if isinstance(source, dict) and "content" in source:
        name, source = repr(source.get("name", "?")), source["content"]
    if isinstance(source, (bytes, bytearray, memoryview)):
        return name, bytes(source)
    raise VizlibError(
        "A picture is a path, bytes, a PIL picture, an array or an upload; this is a "
        f"{type(source).__name__}."
    )


def _opened(data: bytes) -> Image.Image:
    """Image.open without its warning about large pictures: `_check_pixels` has a sentence of its own.

    Warnings can only be silenced for all threads at once, so we ask PIL's formats one by one, as it does.
    """
    for find_formats in (Image.preinit, Image.init):  # the common ones first, then all
        find_formats()
        for format in list(Image.ID):
            make, accepts = Image.OPEN[format]
            try:
                accepted = accepts is None or accepts(data[:16])
                if accepted and not isinstance(accepted, str):  # a string says what this PIL lacks
                    return make(io.BytesIO(data), "")
            except (SyntaxError, IndexError, TypeError, struct.error):
                continue  # another format
    raise UnidentifiedImageError("no format of PIL knows this file")


def _from_pil(picture: Image.Image, ours: bool = False) -> torch.Tensor:
    """A picture of PIL, upright and in RGB. `ours`: nobody else has it, so it may be changed."""
    _check_pixels(picture.width, picture.height)
    try:
        if ours:
            picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG decodes straight to a smaller size
        picture = _rgb(ImageOps.exif_transpose(picture))
    except (*_TOO_LARGE, *_UNREADABLE) as problem:
        if isinstance(problem, VizlibError):
            raise
        raise VizlibError(f"This picture is damaged and cannot be decoded ({problem}).") from problem
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return rgb_to_tensor(picture)


def _check_pixels(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise VizlibError(
            f"This picture has {width} x {height} pixels; at most {MOST_PIXELS // 1_000_000} million are "
            "read. Reduce it first."
        )


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):  # PIL clips 16 bits at 255 instead of scaling them
        return _grey(np.array(picture, dtype=np.float64) / 65535)
    if picture.mode in ("I", "F"):
        values = np.array(picture, dtype=np.float64)
        if not np.isfinite(values).all():
            raise VizlibError("This picture holds NaN or infinite values.")
        return _grey(values.clip(0) / _white(picture.mode, values.max()))
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, MATTE), picture).convert("RGB")
    return picture.convert("RGB")


def _white(mode: str, largest: float) -> int:
    """Which value of a picture of floats ("F") or 32-bit integers ("I") is white, by its largest one."""
    if mode == "F" and largest <= 1:
        return 1
    return 255 if largest <= 255 else 65535


def _grey(values: np.ndarray) -> Image.Image:
    """Values (H, W) in [0, 1], those above are white, as an 8-bit RGB picture."""
    return Image.fromarray((values.clip(0, 1) * 255).round().astype(np.uint8)).convert("RGB")
