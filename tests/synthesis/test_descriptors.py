"""HOG and dense SIFT as networks: equal to slow references written from the definition, in part to
scikit-image, and differentiable.
"""

import copy
import math

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.synthesis.descriptors import Orientations


def orientation_histograms(grey, cell, directions, bilinear, offset, grid):
    """Histograms (rows, columns, 2K) pixel by pixel: every gradient goes to the nearest bins and, in shares,
    to the four nearest cells.
    """
    height, width = grey.shape
    cells = np.zeros((grid, grid, 2 * directions))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            dx, dy = (grey[y, x + 1] - grey[y, x - 1]) / 2, (grey[y + 1, x] - grey[y - 1, x]) / 2
            length, place = math.hypot(dx, dy), math.atan2(dy, dx) % (2 * math.pi) / (math.pi / directions)
            low = math.floor(place)
            shares = (
                {low: 1 - (place - low), low + 1: place - low} if bilinear else {math.floor(place + 0.5): 1.0}
            )
            v, u = (
                (y - offset + 0.5) / cell - 0.5,
                (x - offset + 0.5) / cell - 0.5,
            )  # in cells, from the middle of the first one
            for i in (math.floor(v), math.floor(v) + 1):
                for j in (math.floor(u), math.floor(u) + 1):
                    if 0 <= i < grid and 0 <= j < grid:
                        for k, share in shares.items():
                            cells[i, j, k % (2 * directions)] += (
                                length * share * (1 - abs(v - i)) * (1 - abs(u - j))
                            )
    return cells


def reference_hog(grey, cell, directions, bilinear):
    grid = len(grey) // cell
    signed = orientation_histograms(grey, cell, directions, bilinear, 0, grid)
    unsigned = signed[..., :directions] + signed[..., directions:]
    found = np.zeros((grid, grid, 3 * directions))
    for i in range(grid - 1):
        for j in range(grid - 1):
            norm = max(math.sqrt((unsigned[i : i + 2, j : j + 2] ** 2).sum()), 1e-6)
            for y in (i, i + 1):
                for x in (j, j + 1):
                    found[y, x] += 0.5 * np.minimum(
                        np.concatenate([signed[y, x], unsigned[y, x]]) / norm, 0.2
                    )
    return found.transpose(2, 0, 1)


def reference_sift(grey, cell, stride):
    grid = (len(grey) - 2 - 2 * cell) // cell + 1
    signed = orientation_histograms(
        grey, cell, 4, True, 1 + cell // 2, grid
    )  # the first cell's pyramid begins at pixel 1
    rows = []
    for i in range(0, grid - 3, stride):
        for j in range(0, grid - 3, stride):
            block = signed[i : i + 4, j : j + 4].copy()
            for y in range(4):
                for x in range(4):
                    block[y, x] *= math.exp(-((y - 1.5) ** 2 + (x - 1.5) ** 2) / (2 * 1.5**2))
            rows.append(np.minimum(block.ravel() / max(math.sqrt((block**2).sum()), 1e-6), 0.2))
    side = math.isqrt(len(rows))
    return np.array(rows).T.reshape(128, side, side)


def textured(size, seed=0, flat=True):
    """Noise on a slope with a flat square: every kind of gradient, and none."""
    x = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 0.5
    x = x + torch.linspace(0, 0.5, size)
    if flat:
        x[..., 2:9, 2:9] = 0.4
    return x


@pytest.mark.parametrize(
    ("binning", "cell", "directions"),
    [("hard", 8, 9), ("bilinear", 8, 9), ("bilinear", 4, 5), ("hard", 2, 4)],
)
def test_hog_is_the_reference_hog(binning, cell, directions):
    image = textured(
        32, flat=binning == "bilinear"
    )  # beside a flat square lie gradients halfway between two bins
    seen = vz.record(vz.hog(32, cell=cell, directions=directions, binning=binning), image, "hog")["hog"][0]
    expected = reference_hog(image[0].mean(0).double().numpy(), cell, directions, binning == "bilinear")
    assert seen.shape == expected.shape == (3 * directions, 32 // cell, 32 // cell)
    assert np.abs(seen.numpy() - expected).max() < 1e-5 and expected.max() > 0.3


@pytest.mark.parametrize(("cell", "stride"), [(4, 1), (4, 3), (2, 2)])
def test_dense_sift_is_the_reference_sift(cell, stride):
    image = textured(36)
    seen = vz.record(vz.dsift(36, cell=cell, stride=stride), image, "sift")["sift"][0]
    expected = reference_sift(image[0].mean(0).double().numpy(), cell, stride)
    assert seen.shape == expected.shape
    assert np.abs(seen.numpy() - expected).max() < 1e-5 and expected.max() == pytest.approx(0.2)


def test_the_histograms_under_it_are_those_of_scikit_image():
    """Its HOG is Dalal & Triggs': K unsigned bins half a bin further on, square cells without sharing, and
        other blocks. Turned by half a
    bin, with plain sums, without blocks, ours gives its histograms; away from the border, which both treat in
        their own ways."""
    feature = pytest.importorskip("skimage.feature")
    grey = textured(40, seed=3)[0].mean(0).double()
    expected = feature.hog(grey.numpy(), 9, (8, 8), (1, 1), block_norm="L2", feature_vector=False)[:, :, 0, 0]
    t = math.pi * (torch.arange(18) + 0.5) / 9
    dx, dy = torch.zeros(40, 40), torch.zeros(40, 40)
    dx[:, 1:-1], dy[1:-1] = (grey[:, 2:] - grey[:, :-2]).float(), (grey[2:] - grey[:-2]).float()
    bins = Orientations(9, "hard")(t.cos().view(1, 18, 1, 1) * dx + t.sin().view(1, 18, 1, 1) * dy)
    cells = torch.nn.functional.avg_pool2d(bins[:, :9] + bins[:, 9:], 8)[0].permute(1, 2, 0).numpy()
    ours = cells / np.sqrt((cells**2).sum(2, keepdims=True) + 1e-10)
    assert np.abs(ours - expected)[1:-1, 1:-1].max() < 1e-4 and expected.max() > 0.3


def test_responses_have_the_gradients_length_and_bins_add_up_to_it():
    net, image = vz.hog(32), textured(32)
    taken = vz.record(net, image, ["grey", "gradients", "orientations"])
    grey, responses = taken["grey"], taken["gradients"]
    dx, dy = (
        (grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]) / 2,
        (grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]) / 2,
    )
    square = dx**2 + dy**2
    assert torch.allclose(
        responses.pow(2).sum(1, keepdim=True), 9 * square, atol=1e-5
    )  # the authors' own check
    for name in ("hard", "bilinear"):
        bins = Orientations(9, name)(responses)
        assert torch.allclose(bins.sum(1, keepdim=True), square.sqrt(), atol=1e-5)
        assert int((bins > 1e-6).sum(1).max()) == (1 if name == "hard" else 2)


@pytest.mark.parametrize("make", [vz.hog, vz.dsift])
def test_light_and_contrast_do_not_matter_and_flat_pictures_have_an_empty_code(make):
    net, image = make(32), textured(32)
    code = net(image)
    assert torch.allclose(net(0.5 * image + 0.2), code, atol=1e-4)
    assert (code - net(image.flip(3))).abs().max() > 0.1
    assert net(torch.full((1, 3, 32, 32), 0.6)).abs().max() == 0


def test_hog_of_a_picture_moved_by_a_cell_moves_by_a_cell():
    image = textured(64)
    one, other = (vz.record(vz.hog(56), x, "hog")["hog"] for x in (image[..., :56, :56], image[..., :56, 8:]))
    assert torch.allclose(one[..., 2:-2, 3:-2], other[..., 2:-2, 2:-3], atol=1e-5)


@pytest.mark.parametrize("net", [vz.hog(16, cell=4), vz.dsift(22)], ids=lambda net: net.name)
def test_slopes_are_those_of_differences_also_where_the_picture_is_flat(net):
    model = copy.deepcopy(net.model).double()
    image = textured(net.input_size).double().requires_grad_()
    (slope,) = torch.autograd.grad(model(image).pow(2).sum(), image)
    assert torch.isfinite(slope).all()
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        step = torch.randn(image.shape, generator=generator).double()
        step[..., 1:10, 1:10] = 0  # at a flat place the length of the gradient has a kink
        ends = [model(image.detach() + h * step).pow(2).sum() for h in (1e-6, -1e-6)]
        assert float((ends[0] - ends[1]) / 2e-6) == pytest.approx(
            float((slope * step).sum()), rel=1e-3, abs=1e-4
        )


def test_a_bin_that_moves_has_a_slope_only_if_it_is_shared():
    """The direction of a gradient is in the bilinear code; in the hard one it shows only when it changes its
    bin.
    """
    t = torch.tensor(0.1, requires_grad=True)
    k = math.pi * torch.arange(18) / 9
    responses = (t - k).cos().view(1, 18, 1, 1)
    slopes = [
        torch.autograd.grad(Orientations(9, b)(responses).amax(), t, retain_graph=True)[0]
        for b in ("hard", "bilinear")
    ]
    assert slopes[0] == pytest.approx(0, abs=1e-6) and slopes[1] == pytest.approx(-9 / math.pi, rel=1e-4)


@pytest.mark.parametrize(
    ("ask", "telling"),
    [
        (lambda: vz.hog(30), "size a multiple of it"),
        (lambda: vz.hog(30, cell=5), "cell is an even number"),
        (lambda: vz.hog(8), "two cells or more"),
        (lambda: vz.hog(32, binning="soft"), "binning is one of bilinear, hard; this is 'soft'"),
        (lambda: vz.hog(32, directions=1), "2 or more; this is 1"),
        (lambda: vz.dsift(16), "size is 22 or more; this is 16"),
        (lambda: vz.dsift(64, stride=0), "stride is a number of cells, 1 or more; this is 0"),
        (lambda: vz.dsift("64"), "size is a number of pixels, 1 or more; this is '64'"),
    ],
)
def test_what_cannot_be_asked(ask, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        ask()
