"""Reading pictures: every file, array and upload becomes (1, 3, H, W) in [0, 1], upright and in the right
colours, or a sentence.
"""

import io
import random
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vizlib as vz
from vizlib.images.convert import centre_square


def encoded(picture, format="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def colours_of(image):
    """The set of colours in a picture, rounded to 8 bits."""
    assert image.dtype == torch.float32 and image.dim() == 4 and image.shape[:2] == (1, 3)
    assert image.min() >= 0 and image.max() <= 1
    return {tuple(c) for c in (image[0].flatten(1).T * 255).round().int().tolist()}


@pytest.fixture
def checked(pictures):
    """A random 12 x 20 PIL picture and the tensor that it should become."""
    pixels = (pictures(1, 20, seed=1)[0, :, :12] * 255).byte()
    return Image.fromarray(pixels.permute(1, 2, 0).numpy()), pixels[None].float() / 255


@pytest.mark.parametrize(
    "format, options", [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WebP", {"lossless": True})]
)
def test_a_lossless_file_comes_in_as_it_is(tmp_path, checked, format, options):
    picture, expected = checked
    path = tmp_path / "picture.dat"
    path.write_bytes(encoded(picture, format, **options))
    for source in (
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        memoryview(path.read_bytes()),
        picture,
    ):
        image = vz.open_image(source)
        torch.testing.assert_close(image, expected)
        assert image.is_contiguous()


def test_the_home_directory_may_be_written_as_a_tilde(tmp_path, monkeypatch, checked):
    monkeypatch.setenv("HOME", str(tmp_path))
    checked[0].save(tmp_path / "me.png")
    torch.testing.assert_close(vz.open_image("~/me.png"), checked[1])


def test_a_jpeg_comes_in_close_to_what_it_was():
    picture = Image.new("RGB", (32, 16), (200, 100, 50))
    ((r, g, b),) = colours_of(vz.open_image(encoded(picture, "JPEG", quality=95)))
    assert abs(r - 200) <= 3 and abs(g - 100) <= 3 and abs(b - 50) <= 3


@pytest.mark.parametrize("level", [0, 128, 255])
def test_grey_becomes_three_equal_colours(level):
    assert colours_of(vz.open_image(encoded(Image.new("L", (9, 8), level)))) == {(level,) * 3}


def test_transparent_grey_becomes_white_where_nothing_is():
    picture = Image.new("LA", (16, 8), (40, 255))
    picture.paste((40, 0), (8, 0, 16, 8))
    image = vz.open_image(encoded(picture))
    assert colours_of(image[..., :8]) == {(40, 40, 40)} and colours_of(image[..., 8:]) == {(255, 255, 255)}


def test_transparent_pixels_become_white_and_half_transparent_ones_half_white():
    picture = Image.new("RGBA", (24, 8), (200, 0, 0, 255))
    picture.paste((200, 0, 0, 0), (8, 0, 16, 8))
    picture.paste((200, 0, 0, 128), (16, 0, 24, 8))
    for source in (picture, encoded(picture), np.array(picture)):
        image = vz.open_image(source)
        assert colours_of(image[..., :8]) == {(200, 0, 0)} and colours_of(image[..., 8:16]) == {
            (255, 255, 255)
        }
        ((r, g, b),) = colours_of(image[..., 16:])
        assert abs(r - 227) <= 1 and abs(g - 127) <= 1 and abs(b - 127) <= 1


def test_a_palette_with_a_transparent_colour_becomes_white_there():
    picture = Image.new("P", (16, 8), 1)
    picture.putpalette([0, 0, 0, 10, 200, 30] + [0] * 750)
    picture.paste(0, (8, 0, 16, 8))
    for format in ("PNG", "GIF"):
        image = vz.open_image(encoded(picture, format, transparency=0))
        assert colours_of(image[..., :8]) == {(10, 200, 30)} and colours_of(image[..., 8:]) == {
            (255, 255, 255)
        }


def test_a_palette_without_transparency_keeps_its_colours():
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 0, 10, 200, 30] + [0] * 750)
    assert colours_of(vz.open_image(encoded(picture))) == {(10, 200, 30)}


def test_one_bit_becomes_black_and_white():
    picture = Image.new("1", (16, 8), 0)
    picture.paste(1, (8, 0, 16, 8))
    image = vz.open_image(encoded(picture))
    assert colours_of(image[..., :8]) == {(0, 0, 0)} and colours_of(image[..., 8:]) == {(255, 255, 255)}


@pytest.mark.parametrize("value, level", [(0, 0), (257, 1), (32768, 128), (65535, 255)])
def test_a_grey_png_of_16_bits_is_scaled_and_not_clipped(value, level):
    data = encoded(Image.fromarray(np.full((8, 9), value, np.uint16)))
    assert Image.open(io.BytesIO(data)).mode == "I;16"
    assert colours_of(vz.open_image(data)) == {(level,) * 3}


@pytest.mark.parametrize("top, values", [(255, [0, 51, 255]), (65535, [0, 13107, 65535])])
def test_32_bit_integers_are_read_as_8_or_16_bits_by_their_largest_value(top, values):
    picture = Image.fromarray(np.repeat(np.array([values], np.int32), 8, 0).repeat(4, 1))
    assert picture.mode == "I"
    assert colours_of(vz.open_image(picture)) == {(0,) * 3, (51,) * 3, (255,) * 3}


def test_float_pictures_of_pil_run_from_0_to_1():
    picture = Image.fromarray(np.repeat(np.array([[0.0, 0.2, 1.0]], np.float32), 8, 0).repeat(4, 1))
    assert picture.mode == "F"
    assert colours_of(vz.open_image(picture)) == {(0,) * 3, (51,) * 3, (255,) * 3}


def test_float_pictures_of_pil_with_nan_are_refused():
    picture = Image.fromarray(np.full((8, 8), np.nan, np.float32))
    with pytest.raises(vz.VizlibError, match="NaN"):
        vz.open_image(picture)


@pytest.mark.parametrize(
    "cmyk, rgb",
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((0, 255, 255, 0), (255, 0, 0)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((255, 0, 0, 0), (0, 255, 255)),
    ],
)
def test_a_cmyk_jpeg_has_the_colours_that_its_inks_print(cmyk, rgb):
    data = encoded(Image.new("CMYK", (16, 16), cmyk), "JPEG", quality=95)
    assert Image.open(io.BytesIO(data)).mode == "CMYK"
    ((r, g, b),) = colours_of(vz.open_image(data))
    assert max(abs(r - rgb[0]), abs(g - rgb[1]), abs(b - rgb[2])) <= 4


# how a picture whose top half is white is stored on the sensor, for each value of EXIF's orientation: the
# side where the white is
STORED = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "left", 7: "right", 8: "right"}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WebP"])
def test_a_photo_that_lies_on_its_side_comes_out_upright(orientation, format):
    width, height = (32, 16) if orientation < 5 else (16, 32)
    stored = np.zeros((height, width, 3), np.uint8)
    half = {"top": np.s_[:8], "bottom": np.s_[8:], "left": np.s_[:, :8], "right": np.s_[:, 8:]}[
        STORED[orientation]
    ]
    stored[half] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = vz.open_image(encoded(Image.fromarray(stored), format, exif=exif))
    assert image.shape == (1, 3, 16, 32)
    assert image[..., :7, :].min() > 0.9 and image[..., 9:, :].max() < 0.1


def test_orientation_6_turns_clockwise_and_does_not_mirror():
    stored = np.zeros((16, 16), np.uint8)
    stored[:8, :8] = (
        255  # white at the top left of the sensor: after a quarter turn clockwise at the top right
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    image = vz.open_image(encoded(Image.fromarray(stored), exif=exif))[0, 0]
    assert image[:8, 8:].min() == 1 and image.sum() == 64


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (10, 8), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert colours_of(vz.open_image(data)) == {(255, 0, 0)}


def test_a_picture_longer_than_2048_pixels_is_reduced_to_that():
    for format in ("JPEG", "PNG"):
        image = vz.open_image(encoded(Image.new("RGB", (5000, 50), (0, 128, 255)), format))
        assert image.shape in ((1, 3, 20, 2048), (1, 3, 21, 2048))
        ((r, g, b),) = colours_of(image)
        assert r <= 3 and abs(g - 128) <= 3 and b >= 252


def test_opening_a_pil_picture_leaves_it_as_it_was():
    picture = Image.open(io.BytesIO(encoded(Image.new("L", (4200, 4200), 99), "JPEG")))
    vz.open_image(picture)
    assert picture.size == (4200, 4200) and picture.mode == "L"


def test_a_small_picture_is_accepted_down_to_8_pixels_and_refused_below():
    assert vz.open_image(np.zeros((8, 8), np.uint8)).shape == (1, 3, 8, 8)
    for source in (np.zeros((7, 30), np.uint8), torch.zeros(3, 30, 7), encoded(Image.new("L", (1, 1)))):
        with pytest.raises(vz.VizlibError, match="pixels; at least 8 x 8 are needed"):
            vz.open_image(source)


def png_header(width, height):
    """The first bytes of a PNG that claims a size, with hardly any data behind it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [8001, 100_000])
def test_a_file_that_claims_more_than_64_million_pixels_is_refused_before_it_is_decoded(side):
    with pytest.raises(vz.VizlibError, match="pixels; at most 64 million are read"):
        vz.open_image(png_header(side, side))


def test_the_limit_of_pil_is_afterwards_what_it_was(checked):
    limit = Image.MAX_IMAGE_PIXELS
    vz.open_image(encoded(checked[0]))
    for broken in (b"no picture", png_header(100_000, 100_000)):
        with pytest.raises(vz.VizlibError):
            vz.open_image(broken)
    assert limit == Image.MAX_IMAGE_PIXELS and limit is not None


@pytest.mark.parametrize("side", [50, 8001, 10_000, 100_000])
def test_warnings_are_not_silenced_for_a_moment_because_other_threads_would_be_too(
    checked, monkeypatch, side
):
    """10,000 x 10,000 pixels are where PIL warns, 100,000 x 100,000 where it raises."""

    def silenced(*args, **kwargs):
        raise AssertionError("the filters of the whole process were changed")

    with monkeypatch.context() as patched:
        for name in ("catch_warnings", "simplefilter", "filterwarnings", "resetwarnings"):
            patched.setattr(warnings, name, silenced)
        if side == 50:
            assert vz.open_image(encoded(checked[0].resize((side, side)))).shape == (1, 3, side, side)
        else:
            with pytest.raises(vz.VizlibError, match=f"has {side} x {side} pixels; at most 64 million"):
                vz.open_image(png_header(side, side))


def test_four_threads_that_open_pictures_leave_the_filters_of_warnings_as_they_were(checked, in_thread):
    files = [
        encoded(checked[0]),
        encoded(checked[0], "JPEG"),
        png_header(9000, 9000),
        png_header(12_000, 9000),
    ]

    def open_many(start):
        for i in range(100):
            try:
                vz.open_image(files[(start + i) % 4])
            except vz.VizlibError as problem:
                assert "at most 64 million" in str(problem)

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        for job in [in_thread(open_many, start) for start in range(4)]:
            job.result()
        assert warnings.filters == before and not said


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WebP"])
def test_a_file_cut_off_in_the_middle_is_called_damaged(checked, format):
    data = encoded(checked[0].resize((64, 64)), format)
    with pytest.raises(vz.VizlibError, match="damaged and cannot be decoded|not a picture that can be read"):
        vz.open_image(data[: len(data) // 2])


@pytest.mark.filterwarnings("ignore::UserWarning")  # PIL comments on broken EXIF and TIFF tags
@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WebP"])
def test_whatever_is_wrong_inside_a_file_ends_in_a_picture_or_a_sentence(checked, format):
    """Four hundred ways of damaging a file: cut off, or with a few bytes changed."""
    whole, dice, accepted = encoded(checked[0], format), random.Random(0), 0
    for i in range(400):
        data = bytearray(whole)
        if i % 2:
            del data[dice.randrange(len(data)) :]
        else:
            for _ in range(dice.choice((1, 3, 20))):
                data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            colours_of(vz.open_image(bytes(data)))
            accepted += 1
        except vz.VizlibError as problem:
            assert len(str(problem)) > 20
    assert accepted < 400


def test_a_file_that_is_not_there_is_named_with_the_place_that_was_searched():
    with pytest.raises(vz.VizlibError) as caught:
        vz.open_image("nowhere.jpg")
    assert "There is no file 'nowhere.jpg'" in str(caught.value) and str(Path.cwd()) in str(caught.value)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(vz.VizlibError, match="no file"):
        vz.open_image(tmp_path)


@pytest.mark.parametrize(
    "path",
    ["x" * 5000, "nul\0byte.png", "~nobody_of_this_name/x.png", ""],
    ids=["too long", "a null byte", "nobody's home", "empty"],
)
def test_an_impossible_path_is_no_file_either(path):
    with pytest.raises(vz.VizlibError, match="no file"):
        vz.open_image(path)


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "void.png").touch()
    with pytest.raises(vz.VizlibError, match="The file 'void.png' is empty"):
        vz.open_image(tmp_path / "void.png")
    with pytest.raises(vz.VizlibError, match="is empty"):
        vz.open_image(b"")


def test_a_text_file_is_no_picture(tmp_path):
    (tmp_path / "notes.txt").write_text("dear diary, " * 100)
    with pytest.raises(
        vz.VizlibError, match="The file 'notes.txt' is not a picture that can be read. JPEG, PNG"
    ):
        vz.open_image(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    "source, seen", [(None, "NoneType"), (7, "int"), ((), "tuple"), ({"a": 1}, "dict"), (object(), "object")]
)
def test_anything_else_is_named(source, seen):
    with pytest.raises(
        vz.VizlibError,
        match=f"A picture is a path, bytes, a PIL picture, an array or an upload; this is a {seen}",
    ):
        vz.open_image(source)


def test_the_value_of_a_file_upload_is_read(checked):
    data = encoded(checked[0])
    upload = {"name": "mine.png", "type": "image/png", "size": len(data), "content": memoryview(data)}
    for value in ((upload,), [upload], upload):
        torch.testing.assert_close(vz.open_image(value), checked[1])


def test_a_broken_upload_is_named():
    with pytest.raises(vz.VizlibError, match="The file 'mine.png' is not a picture"):
        vz.open_image(({"name": "mine.png", "content": memoryview(b"oops, no picture")},))


def test_arrays_of_every_kind_give_the_same_picture(checked):
    pixels = np.array(checked[0])
    for source in (
        pixels,
        pixels.astype(np.uint16) * 257,
        pixels / 255,
        (pixels / 255).astype(np.float32),
        np.asfortranarray(pixels),
    ):
        torch.testing.assert_close(vz.open_image(source), checked[1])


def test_grey_arrays_with_and_without_a_channel_give_the_same_picture(checked):
    grey = np.array(checked[0])[..., 0]
    expected = checked[1][:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(vz.open_image(grey), expected)
    torch.testing.assert_close(vz.open_image(grey[..., None]), expected)


def test_an_array_of_booleans_is_black_and_white():
    mask = np.eye(8, dtype=bool)
    torch.testing.assert_close(vz.open_image(mask)[0, 0], torch.eye(8))


def test_a_16_bit_mid_grey_array_is_one_half():
    assert vz.open_image(np.full((8, 8), 32768, np.uint16)).mean().item() == pytest.approx(0.5, abs=0.003)


@pytest.mark.parametrize(
    "array, telling",
    [
        (np.zeros(9, np.uint8), r"An array picture has the shape .* this one has \(9,\)"),
        (np.zeros((2, 9, 9, 3), np.uint8), r"this one has \(2, 9, 9, 3\)"),
        (np.zeros((3, 9, 9), np.uint8), r"this one has \(3, 9, 9\)"),
        (np.zeros((9, 9, 2), np.uint8), r"this one has \(9, 9, 2\)"),
        (np.zeros((0, 9, 3), np.uint8), "This array is empty"),
        (np.zeros((9, 9), np.int64), "this one holds int64"),
        (np.zeros((9, 9), complex), "this one holds complex128"),
        (np.full((9, 9), "a"), "this one holds <U1"),
        (np.full((9, 9), np.nan), "holds NaN or infinite"),
        (np.full((9, 9), np.inf), "holds NaN or infinite"),
        (np.full((9, 9), 255.0), "runs from 255 to 255. Divide it by 255"),
        (np.linspace(-0.5, 1, 81).reshape(9, 9), "runs from -0.5 to 1"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_with_what_was_seen(array, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.open_image(array)


def test_a_tensor_goes_through_unchanged_with_or_without_a_batch_dimension(pictures):
    x = pictures(1, 16)
    torch.testing.assert_close(vz.open_image(x), x)
    torch.testing.assert_close(vz.open_image(x[0]), x)


def test_a_tensor_comes_back_in_memory_of_its_own(pictures):
    x = pictures(1, 16)
    for source in (x, x[0], x[0, 0]):
        before = source.clone()
        vz.open_image(source).zero_()
        assert torch.equal(source, before)


def test_a_tensor_that_requires_a_gradient_comes_back_as_a_plain_one(pictures):
    image = vz.open_image(pictures(1, 16).requires_grad_())
    assert not image.requires_grad and image.is_leaf


def test_tensors_and_arrays_of_every_kind_give_the_same_picture(checked):
    pixels = torch.from_numpy(np.array(checked[0])).movedim(2, 0)
    for source in (
        pixels,
        pixels[None],
        pixels.to(torch.uint16) * 257,
        pixels / 255,
        pixels.double() / 255,
        np.array(checked[0]).astype(">u2") * 257,  # the other byte order, as some readers give it
        (np.array(checked[0]) / 255).astype(">f4"),
        np.array(checked[0])[::-1][::-1],
    ):
        torch.testing.assert_close(vz.open_image(source), checked[1])
    torch.testing.assert_close(vz.open_image(checked[1].half()), checked[1], atol=1e-3, rtol=0)


def test_grey_tensors_become_three_equal_colours(pictures):
    x = pictures(1, 16)[:, :1]
    for source in (x, x[0], x[0, 0]):
        torch.testing.assert_close(vz.open_image(source), x.expand(-1, 3, -1, -1))
    mask = x > 0.5
    torch.testing.assert_close(vz.open_image(mask[0, 0]), mask.float().expand(-1, 3, -1, -1))


def test_transparent_tensors_and_arrays_lie_on_white():
    x = torch.tensor([0.8, 0.2, 0.0, 0.25]).view(4, 1, 1).expand(4, 8, 8)
    expected = torch.tensor([0.95, 0.8, 0.75]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    for source in (x, x[None], x.permute(1, 2, 0).numpy()):
        torch.testing.assert_close(vz.open_image(source), expected)
    with pytest.raises(vz.VizlibError, match="runs from 0 to 255"):
        vz.open_image(torch.cat([x[:3], torch.linspace(0, 255, 64).view(1, 8, 8)]))


@pytest.mark.parametrize(
    "kind", [torch.from_numpy, lambda values: values.transpose(1, 2, 0)], ids=["tensor", "array"]
)
def test_arrays_are_judged_as_tensors_are_with_the_same_tolerance_and_the_same_hint(kind):
    values = np.full((3, 20, 20), 0.5)
    values[0, 0, :2] = 1 + 5e-5, -5e-5
    image = vz.open_image(kind(values))
    assert image.min() == 0 and image.max() == 1
    for low, high, hint in ((-2.05, 2.5, "Networks normalize for themselves"), (0, 255, "Divide it by 255")):
        values[0, 0, :2] = low, high
        with pytest.raises(vz.VizlibError, match=f"this one runs from {low} to {high}. {hint}"):
            vz.open_image(kind(values))


@pytest.mark.parametrize(
    "tensor, telling",
    [
        (torch.zeros(3, 9, 9, dtype=torch.int64), "this tensor holds torch.int64. Divide it"),
        (torch.zeros(9, 9, dtype=torch.complex64), "this tensor holds torch.complex64"),
        (torch.zeros(9, 9, 3), r"channels come before height and width"),
        (torch.zeros(2, 9, 9), r"this one has \(1, 2, 9, 9\)"),
        (torch.zeros(9), r"this one has \(1, 1, 1, 9\)|at least 8 x 8"),
        (torch.zeros(1, 1, 3, 9, 9), r"this one has \(1, 1, 3, 9, 9\)"),
        (torch.zeros(3, 0, 9), "holds no picture"),
        (torch.full((9, 9), float("nan")), "NaN or infinite"),
    ],
    ids=lambda value: str(tuple(value.shape)) if isinstance(value, torch.Tensor) else "",
)
def test_a_tensor_that_is_no_picture_is_refused_with_what_was_seen(tensor, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.open_image(tensor)


def test_a_long_array_or_tensor_is_reduced_as_a_file_is():
    long = np.full((16, 4096, 3), 200, np.uint8)
    for source in (long, torch.from_numpy(long).movedim(2, 0)):
        image = vz.open_image(source)
        assert image.shape == (1, 3, 8, 2048) and (image - 200 / 255).abs().max() < 1e-3


def test_paths_out_of_numpy_arrays_are_paths(tmp_path, checked):
    checked[0].save(tmp_path / "me.png")
    paths = np.array([str(tmp_path / "me.png"), str(tmp_path / "nobody.png")])
    assert isinstance(paths[0], np.str_)
    for source in (paths[0], paths[:1].reshape(())):
        torch.testing.assert_close(vz.open_image(source), checked[1])
    with pytest.raises(vz.VizlibError, match="There is no file .*nobody.png"):
        vz.open_image(paths[1])
    for several in (paths, paths.astype(object)):
        with pytest.raises(vz.VizlibError, match=r"Open paths one by one: vz.open_image\(paths\[0\]\)"):
            vz.open_image(several)


def test_bytes_out_of_a_numpy_array_are_a_file(checked):
    data = np.bytes_(encoded(checked[0]))
    torch.testing.assert_close(vz.open_image(data), checked[1])


def test_sizes_may_be_numpy_integers(pictures):
    x = pictures(1, 32)
    assert (
        vz.open_image(x, np.int64(16)).shape == vz.resize(x, torch.tensor([16, 16])).shape == (1, 3, 16, 16)
    )
    assert torch.equal(vz.resize(x, np.int32(16)), vz.resize(x, (16, 16)))


@pytest.mark.parametrize("size", [(16,), (16, 0), 2.5, "16", (1, 2, 3), None, (8.0, 8.0)])
def test_resizing_to_what_is_no_size_is_refused(pictures, size):
    with pytest.raises(vz.VizlibError, match=r"size is \(height, width\)"):
        vz.resize(pictures(1), size)


@pytest.mark.parametrize(
    "image", [np.zeros((1, 3, 8, 8)), torch.zeros(3, 8, 8), None, torch.zeros(1, 3, 8, 8) * 1j]
)
def test_resizing_what_is_no_picture_is_refused(image):
    with pytest.raises(vz.VizlibError, match=r"resize takes pictures \(N, C, H, W\); this is"):
        vz.resize(image, 8)


def test_resizing_half_precision_gives_single_precision(pictures):
    x = pictures(1, 16)
    for dtype in (torch.float16, torch.bfloat16):
        small = vz.resize(x.to(dtype), (8, 8))
        assert small.dtype == torch.float32 and (small - vz.resize(x, (8, 8))).abs().max() < 0.01


def test_to_pil_refuses_what_is_no_tensor():
    with pytest.raises(vz.VizlibError, match="Pictures are tensors .* this is a ndarray"):
        vz.to_pil(np.zeros((8, 8, 3)))


def test_a_batch_of_two_is_not_one_picture(pictures):
    for function in (vz.open_image, vz.to_pil):
        with pytest.raises(vz.VizlibError, match="holds 2. Pick one"):
            function(pictures(2))


def test_size_cuts_the_centre_square_after_reducing_the_short_side_to_256_of_224():
    """A white disc in the middle of a wide picture stays in the middle and keeps its shape."""
    rows, columns = torch.meshgrid(torch.arange(128.0), torch.arange(256.0), indexing="ij")
    disc = ((rows - 63.5) ** 2 + (columns - 127.5) ** 2 < 20**2).float().expand(1, 3, -1, -1).contiguous()
    image = vz.open_image(disc, size=112)  # the short side of 128 is 112 * 256 / 224 already
    torch.testing.assert_close(image, disc[..., 8:120, 72:184], atol=1e-4, rtol=0)
    image = vz.open_image(disc, size=56)
    assert image.shape == (1, 3, 56, 56)
    assert image.mean().item() == pytest.approx(3.14159 * 10**2 / 56**2, rel=0.02)
    torch.testing.assert_close(image, image.flip(-1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [0, -5, 7, 32.0, "32", True])
def test_a_size_that_is_no_number_of_pixels_is_refused(pictures, size):
    with pytest.raises(vz.VizlibError, match="size is a number of pixels, 8 or more"):
        centre_square(pictures(1), size)


def test_a_small_picture_is_enlarged_to_the_size_asked_for(pictures):
    for side in (8, 9, 20):
        assert vz.open_image(pictures(1, side), size=32).shape == (1, 3, 32, 32)


def test_resizing_keeps_constant_colours_and_the_range(pictures):
    assert vz.resize(torch.full((1, 3, 9, 9), 0.3), (20, 5)).sub(0.3).abs().max() < 1e-5
    sharp = (pictures(1, 16) > 0.5).float()  # bicubic overshoots at edges
    assert vz.resize(sharp, (33, 33)).min() >= 0 and vz.resize(sharp, (33, 33)).max() <= 1


def test_to_pil_and_back_loses_less_than_half_a_step_of_8_bits(pictures):
    x = pictures(1, 16)
    picture = vz.to_pil(x)
    assert picture.mode == "RGB" and picture.size == (16, 16)
    assert (vz.open_image(picture) - x).abs().max() <= 0.5 / 255 + 1e-6
    assert vz.to_pil(x[0]).tobytes() == picture.tobytes()


def test_to_pil_puts_red_first():
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert vz.to_pil(red).getpixel((0, 0)) == (255, 0, 0)
