"""Mosaics, thumbnails in the plane, and the drawing of an anatomy."""

import io
import warnings

import numpy as np
import PIL.Image
import pytest
import torch

import vizlib as vz
from vizlib.table import Table


def test_a_mosaic_by_hand():
    three = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1, 1)
    assert torch.equal(vz.mosaic(three, 2)[0, 0], torch.tensor([[0.1, 1, 0.2], [1, 1, 1], [0.3, 1, 1]]))
    assert vz.mosaic(three, 3, gap=0, scale=2)[0, 0].shape == (2, 6)
    assert vz.mosaic(torch.rand(48, 3, 7, 7)).shape == (
        1,
        3,
        55,
        55,
    )  # seven by seven tiles of 7 pixels, six gaps
    with pytest.raises(vz.VizlibError, match="A mosaic is made of"):
        vz.mosaic(torch.zeros(3, 4, 4))


def test_a_mosaic_stays_on_the_device_of_its_pictures_and_has_no_graph(elsewhere, pictures):
    x = pictures(5)
    made = vz.mosaic(elsewhere(x), 2, gap=3)
    assert type(made) is type(elsewhere(x))
    assert torch.equal(made.cpu(), vz.mosaic(x, 2, gap=3))
    assert vz.mosaic(torch.empty(5, 3, 4, 4, device="meta")).device.type == "meta"
    assert not vz.mosaic(x.clone().requires_grad_()).requires_grad
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert torch.equal(vz.mosaic(x.to(dtype), 2), vz.mosaic(x.to(dtype).float(), 2))


def test_the_gaps_of_a_mosaic_are_filled_and_the_old_name_of_that_still_works():
    two = torch.zeros(2, 1, 1, 1)
    assert vz.mosaic(two, 2, fill=0.25).flatten().tolist() == [0, 0.25, 0]
    with pytest.warns(DeprecationWarning, match="ground=...\\) is now called fill"):
        assert vz.mosaic(two, 2, ground=0.25).flatten().tolist() == [0, 0.25, 0]


def test_numbers_of_a_mosaic_may_be_numpys(pictures):
    x = pictures(4)
    options = {"gap": np.int64(2), "scale": np.int8(3), "fill": np.float32(0.5)}
    assert torch.equal(vz.mosaic(x, np.int64(2), **options), vz.mosaic(x, 2, gap=2, scale=3, fill=0.5))


@pytest.mark.parametrize(
    "options, telling",
    [
        ({"columns": 0}, "columns is a number of pictures, 1 or more; this is 0"),
        ({"columns": -2}, "columns"),
        ({"columns": 1.5}, "columns"),
        ({"gap": -1}, "gap is a number of pixels, 0 or more; this is -1"),
        ({"scale": 0}, "scale is a whole number, 1 or more; this is 0"),
        ({"scale": 1.5}, "scale"),
    ],
)
def test_numbers_that_make_no_mosaic_are_refused(pictures, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.mosaic(pictures(4), **options)


@pytest.mark.parametrize(
    "images", [np.zeros((2, 3, 4, 4)), [torch.zeros(3, 4, 4)], torch.zeros(0, 3, 4, 4), None]
)
def test_what_is_no_batch_makes_no_mosaic(images):
    with pytest.raises(vz.VizlibError, match="A mosaic is made of pictures"):
        vz.mosaic(images)


def test_thumbnails_take_points_and_pictures_of_any_kind(pictures, elsewhere):
    x, points = pictures(3), torch.tensor([[0.0, 1.0], [2.0, 3.0], [1.0, 1.0]])
    expected = vz.thumbnails(points, x, alt="noise").data
    assert vz.thumbnails(elsewhere(points), elsewhere(x), alt="noise").data == expected
    assert (
        vz.thumbnails(points.double().numpy(), x.requires_grad_(), alt="noise", side=np.int64(30)).data
        == expected
    )


def test_thumbnails_at_a_single_place_are_drawn_without_a_warning(pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vz.thumbnails(torch.ones(2, 2), pictures(2), alt="two in one place")
    with pytest.raises(vz.VizlibError, match="have no place in the plane"):
        vz.thumbnails(torch.tensor([[0.0, float("nan")]]), pictures(1), alt="nowhere")


def test_thumbnails_lie_where_their_points_do():
    colours = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]]).view(2, 3, 1, 1).expand(2, 3, 8, 8)
    drawn = vz.thumbnails(torch.tensor([[0.0, 0.0], [1.0, 2.0]]), colours, alt="red below, blue above")
    pixels = torch.from_numpy(np.array(PIL.Image.open(io.BytesIO(drawn.data)))).float()
    red, blue = (
        ((pixels - torch.tensor(c)).abs().sum(2) < 60).nonzero().float().mean(0)
        for c in ([255.0, 0, 0], [0.0, 0, 255])
    )
    assert red[0] > blue[0] and red[1] < blue[1]  # red further down and further left
    with pytest.raises(vz.VizlibError, match="need as many points"):
        vz.thumbnails(torch.zeros(3, 2), colours, alt="x")


def test_the_drawing_of_an_anatomy(tiny):
    drawn = vz.draw_anatomy(vz.anatomy(tiny()), alt="boxes")
    assert drawn.alt == "boxes" and drawn.size[0] > 600


def test_an_anatomy_without_layers_is_refused_and_one_without_parameters_drawn():
    with pytest.raises(vz.VizlibError, match="no layers to draw"):
        vz.draw_anatomy(Table(), alt="nothing")
    row = {"name": "pool", "shape": "3x4x4", "parameters": 0, "multiply-adds": 0}
    assert vz.draw_anatomy(Table([row]), alt="a pool").alt == "a pool"
