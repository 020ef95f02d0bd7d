"""Films: as many pictures as went in, for as long as was asked, close to what they were, and what cannot be
saved.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vizlib as vz


@pytest.fixture
def reel():
    """Three pictures in which a red square moves to the right on grey."""
    images = torch.full((3, 3, 16, 24), 0.5)
    for i in range(3):
        images[i, :, 4:12, 8 * i : 8 * i + 8] = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    return images


@pytest.mark.parametrize("name", ["film.gif", "FILM.GIF", "film.webp"])
def test_a_film_has_its_pictures_its_pace_and_no_end(reel, tmp_path, name):
    path = vz.save_film(reel, tmp_path / name, per_second=10)
    assert path == tmp_path / name
    with Image.open(path) as film:
        assert film.n_frames == 3 and film.info["loop"] == 0 and film.size == (24, 16)
        for i in range(3):
            film.seek(i)
            film.load()
            assert film.info["duration"] == 100
            assert (vz.open_image(film.convert("RGB")) - reel[i : i + 1]).abs().mean() < 0.05


def test_a_single_picture_is_a_film_too(reel, tmp_path):
    with Image.open(vz.save_film(reel[:1], str(tmp_path / "one.gif"))) as film:
        assert film.n_frames == 1


@pytest.mark.parametrize(
    ("name", "options", "telling"),
    [
        ("film.mp4", {}, "saved as .gif or .webp; this is 'film.mp4'"),
        ("film", {}, "saved as .gif or .webp"),
        ("no/film.gif", {}, "There is no folder .*no' to save 'film.gif' in"),
        (
            "film.gif",
            {"per_second": 0},
            "per_second is a number of pictures, above 0 and at most 50; this is 0",
        ),
        ("film.gif", {"per_second": float("nan")}, "per_second is a number"),
        ("film.gif", {"per_second": "fast"}, "per_second is a number .* this is 'fast'"),
        ("film.gif", {"per_second": None}, "per_second is a number"),
    ],
)
def test_what_cannot_be_saved(reel, tmp_path, name, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.save_film(reel, tmp_path / name, **options)


def test_what_is_no_picture_cannot_be_saved(reel, tmp_path):
    with pytest.raises(vz.VizlibError, match="Pictures lie in"):
        vz.save_film(3 * reel, tmp_path / "film.gif")
    assert not list(tmp_path.iterdir())


def test_half_precision_and_numbers_of_numpy_make_the_same_film(reel, tmp_path):
    expected = vz.save_film(reel, tmp_path / "a.webp", per_second=10).read_bytes()
    path = vz.save_film(reel.half().requires_grad_(), tmp_path / "b.webp", per_second=np.float32(10))
    assert path.read_bytes() == expected


def test_a_film_that_cannot_be_written_is_said_in_words_and_leaves_the_one_before(
    reel, tmp_path, monkeypatch
):
    path = vz.save_film(reel, tmp_path / "film.gif")
    before = path.read_bytes()

    def full(self, target, **options):
        Path(target).write_bytes(b"half a film")
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(vz.VizlibError, match="could not be written .No space left on device"):
        vz.save_film(reel[:2], path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
