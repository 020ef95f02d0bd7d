"""How alike are two maps?"""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

import vizlib as vz


def maps(n=3, seed=0, channels=1):
    return torch.randn(n, channels, 12, 12, generator=torch.Generator().manual_seed(seed))


def test_the_rank_correlation_worked_out_by_hand():
    # ranks 1 2 3 4 and 2 1 4 3: the squared differences add up to 4, so rho = 1 - 6 * 4 / (4 * 15) = 0.6
    a = torch.tensor([10.0, 20, 30, 40]).view(1, 1, 2, 2)
    b = torch.tensor([-1.0, -7, 9, 5]).view(1, 1, 2, 2)
    assert vz.rank_correlation(a, b).item() == pytest.approx(0.6)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_rank_correlation_is_spearmans(channels):
    a, b = maps(channels=channels), maps(seed=1, channels=channels)
    b[1, 0, :5] = 0.5  # ties
    expected = [
        spearmanr(x.flatten(), y.flatten()).statistic for x, y in zip(a.numpy(), b.numpy(), strict=True)
    ]
    assert vz.rank_correlation(a, b).tolist() == pytest.approx(expected, abs=1e-6)
    expected = [
        spearmanr(np.abs(x).flatten(), np.abs(y).flatten()).statistic
        for x, y in zip(a.numpy(), b.numpy(), strict=True)
    ]
    assert vz.rank_correlation(a, b, absolute=True).tolist() == pytest.approx(expected, abs=1e-6)


def test_a_map_is_like_itself_and_like_anything_in_the_same_order():
    a = maps()
    for other in (a, 5 * a + 3, a.exp()):
        assert vz.rank_correlation(a, other).tolist() == pytest.approx([1, 1, 1])


def test_a_map_and_its_negative_are_opposites_or_alike_if_signs_do_not_count():
    a = maps()
    assert vz.rank_correlation(a, -a).tolist() == pytest.approx([-1, -1, -1])
    assert vz.rank_correlation(a, -a, absolute=True).tolist() == pytest.approx([1, 1, 1])


def test_unrelated_maps_are_hardly_alike():
    a, b = (torch.randn(4, 1, 50, 50, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    assert vz.rank_correlation(a, b).abs().max() < 0.1 and vz.ssim(a, b).abs().max() < 0.1


def test_a_constant_map_is_like_nothing_and_gives_no_nan():
    a, flat = maps(), torch.full((3, 1, 12, 12), 2.0)
    assert vz.rank_correlation(a, flat).tolist() == [0, 0, 0]
    assert torch.isfinite(vz.ssim(a, flat)).all() and torch.isfinite(vz.ssim(flat, flat)).all()


def test_structural_similarity_is_one_for_maps_that_look_the_same():
    a = maps()
    for other in (a, 3 * a, a - 10):
        assert vz.ssim(a, other).tolist() == pytest.approx([1, 1, 1], abs=1e-6)
    assert (vz.ssim(a, -a) < 0.2).all()


def test_structural_similarity_is_that_of_scikit_image_after_stretching():
    a, b = maps(), maps(seed=1)

    def stretched(m):
        m = m[0].double().numpy()
        return (m - m.min()) / (m.max() - m.min())

    expected = [
        structural_similarity(stretched(x), stretched(y), data_range=1) for x, y in zip(a, b, strict=True)
    ]
    assert vz.ssim(a, b).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("measure", [vz.rank_correlation, vz.ssim], ids=lambda m: m.__name__)
def test_both_measures_are_symmetric_and_one_number_per_picture(measure):
    a, b = maps(), maps(seed=1)
    assert measure(a, b).shape == (3,)
    torch.testing.assert_close(measure(a, b), measure(b, a), rtol=0, atol=1e-6)


@pytest.mark.parametrize("measure", [vz.rank_correlation, vz.ssim], ids=lambda m: m.__name__)
def test_maps_of_different_shapes_are_refused(measure):
    with pytest.raises(
        vz.VizlibError, match=r"have the same shape; these have \(3, 1, 12, 12\) and \(2, 1, 12, 12\)"
    ):
        measure(maps(3), maps(2))


def test_structural_similarity_of_a_map_smaller_than_its_window_is_refused_in_words():
    small = maps()[..., :6, :6]
    with pytest.raises(vz.VizlibError, match="7"):
        vz.ssim(small, small)


@pytest.mark.parametrize("measure", [vz.rank_correlation, vz.ssim], ids=lambda m: m.__name__)
def test_maps_with_a_graph_can_be_compared(measure):
    a = maps().requires_grad_()
    assert not measure(a * 2, a).requires_grad


@pytest.mark.parametrize("measure", [vz.rank_correlation, vz.ssim], ids=lambda m: m.__name__)
def test_maps_that_hold_nan_are_refused(measure):
    a = maps()
    broken = a.clone()
    broken[0, 0, 0, 0] = float("nan")
    with pytest.raises(vz.VizlibError, match="NaN"):
        measure(a, broken)


@pytest.mark.parametrize("measure", [vz.rank_correlation, vz.ssim], ids=lambda m: m.__name__)
def test_what_is_no_batch_of_maps_is_refused(measure):
    with pytest.raises(vz.VizlibError, match=r"are tensors \(N, C, H, W\); this is a list"):
        measure([0, 1], maps())
    with pytest.raises(vz.VizlibError, match=r"are tensors \(N, C, H, W\); this is \(12, 12\)"):
        measure(maps(), maps()[0, 0])


@pytest.mark.parametrize("measure", [vz.rank_correlation, vz.ssim], ids=lambda m: m.__name__)
def test_double_precision_is_used_on_the_cpu_only(measure):
    """A device without double precision: its maps come to the CPU first."""

    class Single(torch.Tensor):
        def double(self):
            raise TypeError("this device has no double precision")

        def cpu(self):
            return self.as_subclass(torch.Tensor)

    a, b = maps(), maps(seed=1)
    assert measure(a.as_subclass(Single), b.as_subclass(Single)).equal(measure(a, b))
