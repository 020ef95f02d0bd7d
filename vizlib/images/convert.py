"""Files, bytes, arrays and uploads to tensors in pixel space, and back."""

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import VizlibError
from .check import check_images

MOST_PIXELS = 64_000_000  # a larger file is refused before it is decoded
LONGEST_SIDE = 2048  # a larger picture is reduced to this
SMALLEST_SIDE = 8
MATTE = (255, 255, 255)  # what shows through transparent pixels


def open_image(source, size=None):
    """Read one picture as a float32 tensor (1, 3, H, W), RGB, in [0, 1].

    source: a path, bytes, a PIL picture, an array (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16 or floats
    in [0, 1],
        a tensor (3, H, W) or (1, 3, H, W), or the value of an ipywidgets FileUpload.
    size: None keeps the picture whole; an integer reduces the short side to size * 256 / 224 and cuts the
    centre square of
        `size` pixels, as is usual for ImageNet.

    EXIF rotation is applied, grey, palette, CMYK and 16-bit pictures become RGB, transparent pixels become
        white, an
    animation gives its first frame, and a picture longer than 2048 pixels is reduced to that.
    Raises VizlibError for a missing, broken or empty file, a picture under 8 or over 64 million pixels, NaN,
        or values
    outside [0, 1].
    """
    if isinstance(source, torch.Tensor):
        image = check_images(source[None] if source.dim() == 3 else source)
        if len(image) != 1:
            raise VizlibError(
                f"open_image reads one picture; this tensor holds {len(image)}. Pick one: images[:1]."
            )
    else:
        image = _to_tensor(_upright_rgb(source))
    if min(image.shape[-2:]) < SMALLEST_SIDE:
        raise VizlibError(
            f"This picture is {image.shape[-1]} x {image.shape[-2]} pixels; at least {SMALLEST_SIDE} x "
            f"{SMALLEST_SIDE} are needed."
        )
    return image if size is None else centre_square(image, size)


def centre_square(image, size):
    """Short side to size * 256 / 224 (bicubic), then the centre square of `size` pixels: ImageNet's usual
    test crop.
    """
    if not (isinstance(size, int) and size >= SMALLEST_SIDE):
        raise VizlibError(f"size is a number of pixels, at least {SMALLEST_SIDE}; this is {size!r}.")
    height, width = image.shape[-2:]
    scale = round(size * 256 / 224) / min(height, width)
    image = resize(image, (max(size, round(height * scale)), max(size, round(width * scale))))
    top, left = (image.shape[-2] - size) // 2, (image.shape[-1] - size) // 2
    return image[..., top : top + size, left : left + size].contiguous()


def resize(image, size):
    """Resize (N, C, H, W) to size = (height, width): bicubic, antialiased, clipped to [0, 1]."""
    resized = torch.nn.functional.interpolate(
        image, size, mode="bicubic", antialias=True, align_corners=False
    )
    return resized.clamp(0, 1)


def to_pil(image):
    """The tensor (3, H, W) or (1, 3, H, W) in [0, 1] as an 8-bit PIL picture."""
    image = check_images(image[None] if image.dim() == 3 else image)
    if len(image) != 1:
        raise VizlibError(f"to_pil takes one picture; this batch holds {len(image)}. Pick one: images[0].")
    pixels = (image[0].detach().cpu().clamp(0, 1) * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def _to_tensor(picture):
    pixels = torch.from_numpy(np.array(picture, dtype=np.uint8))
    return pixels.permute(2, 0, 1)[None].float().div(255).contiguous()


def _upright_rgb(source):
    ours = not isinstance(source, Image.Image)
    picture = source if not ours else _array(source) if hasattr(source, "__array__") else _file(source)
    if picture.width * picture.height > MOST_PIXELS:
        raise VizlibError(
            f"This picture has {picture.width} x {picture.height} pixels; "
            f"at most {MOST_PIXELS // 1_000_000} million are read. Reduce it first."
        )
    try:
        if ours:
            picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG decodes straight to a smaller size
        picture = ImageOps.exif_transpose(picture)
        picture = _rgb(picture)
    except (OSError, SyntaxError, ValueError) as problem:  # PIL's ways of saying that a file is damaged
        raise VizlibError(f"This picture is damaged and cannot be decoded ({problem}).") from problem
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return picture


def _rgb(picture):
    if picture.mode.startswith("I;16"):  # PIL clips 16 bits at 255 instead of scaling them
        return Image.fromarray((np.array(picture, dtype=np.float64) / 257).round().astype(np.uint8)).convert(
            "RGB"
        )
    if picture.mode in ("I", "F"):
        values = np.array(picture, dtype=np.float64)
        if not np.isfinite(values).all():
            raise VizlibError("This picture holds NaN or infinite values.")
        top = 1 if picture.mode == "F" and values.max() <= 1 else 255 if values.max() <= 255 else 65535
        return Image.fromarray((values.clip(0, top) / top * 255).round().astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, MATTE), picture).convert("RGB")
    return picture.convert("RGB")


def _file(source):
    if isinstance(source, (str, Path)):
        try:
            path = Path(source).expanduser()
            source, name = path.read_bytes(), repr(path.name)
        except (OSError, RuntimeError, ValueError) as problem:  # RuntimeError: no such person's home
            raise VizlibError(
                f"There is no file {str(source)[:200]!r} that can be read (looked in {str(Path.cwd())!r})."
            ) from problem
    else:
        name, source = _upload(source)
    if len(source) == 0:
        raise VizlibError(f"The file {name} is empty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # our own limit comes next, with a sentence of its own
            return Image.open(io.BytesIO(source))
    except Image.DecompressionBombError as problem:
        raise VizlibError(
            f"The file {name} claims too many pixels; at most {MOST_PIXELS // 1_000_000} million are read."
        ) from problem
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as problem:
        raise VizlibError(
            f"The file {name} is not a picture that can be read. JPEG, PNG, WebP, GIF, BMP and TIFF are."
        ) from problem


def _upload(source):
    """Name and bytes of plain bytes or of a FileUpload's value (a tuple of dicts with 'name' and
    'content').
    """
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


def _array(source):
    values = np.asarray(source)
    if values.ndim not in (2, 3) or values.ndim == 3 and values.shape[2] not in (1, 3, 4):
        raise VizlibError(
            f"An array picture has the shape (H, W), (H, W, 3) or (H, W, 4); this one has {values.shape}."
        )
    if values.size == 0:
        raise VizlibError(f"This array is empty: its shape is {values.shape}.")
    if values.dtype == np.uint16:
        values = values / 65535
    elif values.dtype == bool:
        values = values.astype(np.float64)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise VizlibError("This array holds NaN or infinite values.")
        if values.min() < 0 or values.max() > 1:
            raise VizlibError(
                f"Float pictures lie in [0, 1]; this one runs from {values.min():.3g} to {values.max():.3g}. "
                "Divide by 255?"
            )
        values = (values * 255).round().astype(np.uint8)
    if values.dtype != np.uint8:
        raise VizlibError(
            f"An array picture holds uint8, uint16 or floats in [0, 1]; this one holds {values.dtype}."
        )
    return Image.fromarray(values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values)
