"""Posters: from coarse to fine, each size from the one before; what is mirrored around the picture never
shows.
"""

import pytest
import torch

import vizlib as vz
from vizlib import synthesis as sy


@pytest.fixture(scope="module")
def pair(pictures):
    """A wide picture, 60 x 40 pixels, and a style."""
    return vz.resize(pictures(1), (40, 60)), pictures(1, side=24, seed=1, tinted=True)


def test_one_size_is_style_transfer_in_a_mirrored_frame_that_is_cut_off(tiny, pair):
    content, style = pair
    seen = torch.nn.functional.pad(
        content, (16, 20, 16, 24), mode="reflect"
    )  # 60 + 36 and 40 + 40 are multiples of 16
    inner = sy.style_transfer(tiny(), seen, vz.resize(style, (60, 60)), steps=4).image[..., 16:56, 16:76]
    result = vz.style_poster(tiny(), content, style, sizes=[60], steps=4)
    assert torch.allclose(result.image, inner, atol=1e-5) and result.image.shape == content.shape


def test_it_has_the_last_size_a_picture_for_each_size_and_the_steps_of_all(tiny, pair):
    seen = []
    result = vz.style_poster(
        tiny(),
        *pair,
        sizes=(48, 64),
        steps=(3, 2),
        progress=lambda i, n, image: seen.append((i, n, image.shape)),
    )
    assert result.image.shape == (1, 3, 43, 64) and result.images.shape == (2, 3, 43, 64)
    assert torch.equal(result.images[-1:], result.image) and len(result.history) == 5 and not result.stopped
    assert seen == [(i, 5, result.image.shape) for i in range(1, 6)]


def test_it_keeps_what_is_asked_for_at_every_size(tiny, pictures):
    x = vz.resize(pictures(1, side=8), (64, 64))  # smooth: reducing and enlarging leaves it as it is
    result = vz.style_poster(tiny(), x, x, sizes=(48, 64), steps=2, style_weight=0, smoothness=0)
    assert (result.image - x).abs().mean() < 0.01
    other = vz.style_poster(tiny(), x, 1 - x, sizes=(48, 64), steps=8, smoothness=0)
    assert (other.image - x).abs().mean() > 0.03


@pytest.mark.parametrize("at", [2, 3, 4])  # within a size, at its end, within the next
def test_stop_keeps_the_picture_so_far_at_full_size_and_leaves_the_network_alone(
    tiny, pair, left_as_found, at
):
    net, seen = tiny(), []

    def stop(done, total, image):
        seen.append(image)
        return done < at

    with left_as_found(net):
        result = vz.style_poster(net, *pair, sizes=(48, 64), steps=3, progress=stop)
    assert result.stopped and len(result.history) == at == len(seen)
    assert result.image.shape == (1, 3, 43, 64) and torch.allclose(result.image, seen[-1])


def test_a_refusal_at_the_last_step_leaves_nothing_to_stop(tiny, pair):
    options = {"sizes": (48, 64), "steps": 2, "progress": lambda done, total, image: done < 4}
    result = vz.style_poster(tiny(), *pair, **options)
    assert not result.stopped and len(result.history) == 4


def test_an_interrupt_keeps_the_picture_too(tiny, pair):
    def interrupt(done, total, image):
        if done == 4:
            raise KeyboardInterrupt

    result = vz.style_poster(tiny(), *pair, sizes=(48, 64), steps=3, progress=interrupt)
    assert result.stopped and len(result.history) == 4 and result.image.shape == (1, 3, 43, 64)


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({"sizes": (64, 48)}, "sizes grow"),
        ({"sizes": ()}, "sizes grow"),
        ({"sizes": (16, 48)}, "from 32 on"),
        ({"sizes": (48.0,)}, "in whole pixels"),
        ({"sizes": (48, 64), "steps": (1, 2, 3)}, "one for each size; there are 2 sizes and 3 numbers"),
        ({"margin": 40}, "margin is 0 to 16 pixels"),
        ({"stroke": 0}, "stroke is a factor above 0"),
        ({"sizes": (32,), "steps": 1}, "32 x 21 pixels is too narrow"),
        ({"style": torch.zeros(2, 3, 16, 16)}, "A style is one picture"),
        ({"colours": "sepia", "sizes": (64,), "steps": 1}, "colours is one of"),
    ],
)
def test_what_cannot_be_asked(tiny, pair, options, telling):
    asked = {"style": pair[1], **options}
    with pytest.raises(vz.VizlibError, match=telling):
        vz.style_poster(tiny(), pair[0], asked.pop("style"), **asked)
