"""Mosaics, thumbnails in the plane, and the drawing of an anatomy."""

import io

import numpy as np
import PIL.Image
import pytest
import torch

import vizlib as vz


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
