"""What is a batch of pictures, and what is said of everything else; by each method, before anything is
computed.
"""

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.images import check_images

WRONG = {
    "a list": ([[0.5]], "Pictures are tensors of shape .* this is a list.*vz.open_image"),
    "an array": (np.zeros((1, 3, 16, 16), np.float32), "this is a ndarray"),
    "a path": ("cat.jpg", "this is a str"),
    "None": (None, "this is a NoneType"),
    "no batch dimension": (
        torch.zeros(3, 16, 16),
        r"this one has \(3, 16, 16\). Add the batch dimension: images\[None\]",
    ),
    "channels last": (
        torch.zeros(1, 16, 16, 3),
        r"channels come before height and width: images.movedim\(-1, -3\)",
    ),
    "channels last without a batch": (torch.zeros(16, 16, 3), "channels come before height and width"),
    "grey": (torch.zeros(1, 1, 16, 16), r"become RGB by images.expand\(-1, 3, -1, -1\)"),
    "with alpha": (torch.zeros(1, 4, 16, 16), "vz.open_image.picture. turns a transparent picture into RGB"),
    "two channels": (
        torch.zeros(1, 2, 16, 16),
        r"have the shape \(N, 3, H, W\); this one has \(1, 2, 16, 16\)",
    ),
    "rank 2": (torch.zeros(16, 16), r"this one has \(16, 16\)"),
    "rank 5": (torch.zeros(1, 1, 3, 16, 16), r"this one has \(1, 1, 3, 16, 16\)"),
    "bytes": (
        torch.zeros(1, 3, 16, 16, dtype=torch.uint8),
        r"this tensor holds torch.uint8. Divide it: images / 255",
    ),
    "integers": (torch.zeros(1, 3, 16, 16, dtype=torch.int64), "this tensor holds torch.int64"),
    "an empty batch": (torch.zeros(0, 3, 16, 16), "holds no picture"),
    "NaN": (torch.full((1, 3, 16, 16), float("nan")), "NaN or infinite"),
    "one NaN": (torch.zeros(1, 3, 16, 16).index_fill(3, torch.tensor(5), float("nan")), "NaN or infinite"),
    "infinity": (torch.full((1, 3, 16, 16), float("inf")), "NaN or infinite"),
    "0 to 255": (
        torch.full((1, 3, 16, 16), 255.0),
        r"lie in \[0, 1\]; this one runs from 255 to 255. Divide it by 255",
    ),
    "normalized": (
        torch.linspace(-2, 2, 768).view(1, 3, 16, 16),
        "runs from -2 to 2. Networks normalize for themselves",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_batch_of_pictures_is_refused_with_a_hint(wrong):
    images, telling = WRONG[wrong]
    with pytest.raises(vz.VizlibError, match=telling):
        check_images(images)


@pytest.mark.parametrize("wrong", WRONG)
def test_every_method_refuses_it_in_the_same_words(tiny, method, wrong):
    images, telling = WRONG[wrong]
    with pytest.raises(vz.VizlibError, match=telling):
        method(tiny(), images, 0)


@pytest.mark.parametrize("wrong", WRONG)
def test_so_do_record_and_predict(tiny, wrong):
    images, telling = WRONG[wrong]
    for ask in (lambda: vz.record(tiny(), images, "conv1"), lambda: tiny().predict(images)):
        with pytest.raises(vz.VizlibError, match=telling):
            ask()


def test_an_empty_height_or_width_is_refused_in_words():
    with pytest.raises(vz.VizlibError):
        check_images(torch.zeros(1, 3, 0, 16))


def test_a_picture_comes_back_as_it_is(pictures):
    x = pictures(2)
    seen = check_images(x)
    assert torch.equal(seen, x) and seen.data_ptr() == x.data_ptr()  # no copy
    assert not check_images(x.clone().requires_grad_()).requires_grad


def test_half_and_double_precision_come_back_as_single(pictures):
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert check_images(pictures(1).to(dtype)).dtype == torch.float32


def test_a_rounding_error_outside_the_range_is_forgiven_and_more_is_not(pictures):
    x = pictures(1)
    x[0, 0, 0, 0], x[0, 0, 0, 1] = 1 + 5e-5, -5e-5
    check_images(x)
    for value in (1.001, -0.001):
        x[0, 0, 0, 0] = value
        with pytest.raises(vz.VizlibError, match="lie in"):
            check_images(x)


def test_the_methods_accept_pictures_in_other_layouts(tiny, pictures, method):
    x = pictures(2)
    expected = method(tiny(), x, 0)
    torch.testing.assert_close(
        method(tiny(), x.to(memory_format=torch.channels_last), 0), expected, rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(
        method(tiny(), x.flip(0).flip(0).double(), 0).float(), expected, rtol=1e-4, atol=1e-6
    )


def test_the_methods_leave_the_picture_alone_and_return_a_plain_tensor(tiny, pictures, method):
    x = pictures(2)
    before = x.clone()
    result = method(tiny(), x, 0)
    assert torch.equal(x, before) and x.grad is None and not x.requires_grad
    assert (
        not result.requires_grad
        and result.grad_fn is None
        and result.is_contiguous()
        and result.dtype == torch.float32
    )


def test_a_picture_that_requires_a_gradient_gets_none_and_the_result_has_no_graph(tiny, pictures, method):
    x = pictures(1).requires_grad_()
    result = method(tiny(), x, 0)
    assert x.grad is None and not result.requires_grad
