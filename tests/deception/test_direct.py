"""The direct encoding: how numbers mutate, and which colours genes become."""

import colorsys

import pytest
import torch

from vizlib.deception import Direct, polynomial_mutation
from vizlib.deception.direct import rgb


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def steps(strength, count=200_000):
    """Mutations of one half that met every value, and none of them the borders of [0, 1]'s clipping for
    strengths of 15 and more.
    """
    return polynomial_mutation(torch.full((count,), 0.5), seeded(), rate=1.0, strength=strength) - 0.5


@pytest.mark.parametrize("strength", [15.0, 60.0])
def test_a_mutation_is_centred_and_its_mean_size_is_one_over_strength_plus_two(strength):
    step = steps(strength)
    assert abs(float(step.mean())) < 0.001
    assert float(step.abs().mean()) == pytest.approx(1 / (strength + 2), rel=0.01)


def test_the_distribution_of_a_mutation_is_the_formula():
    """P(d <= x) = (1 + x)^16 / 2 for x < 0: a step below -0.1 has the probability 0.9^16 / 2 = 0.0927."""
    assert float((steps(15.0) <= -0.1).float().mean()) == pytest.approx(0.9**16 / 2, abs=0.003)


def test_a_share_of_the_values_mutates_and_they_stay_in_range():
    values = torch.rand(100_000, generator=seeded(1))
    mutated = polynomial_mutation(values, seeded(), rate=0.1)
    assert float((mutated != values).float().mean()) == pytest.approx(0.1, abs=0.005)
    assert mutated.min() >= 0 and mutated.max() <= 1
    assert torch.equal(polynomial_mutation(values, seeded(), rate=0.0), values)


def test_the_share_halves_after_each_thousand_generations():
    encoding = Direct(64, grey=True)
    genomes = encoding.draw(10, seeded())
    for generation, share in ((0, 0.1), (999, 0.1), (1000, 0.05), (2500, 0.025)):
        after = encoding.mutate(genomes, seeded(1), generation)["pixels"]
        assert float((after != genomes["pixels"]).float().mean()) == pytest.approx(share, abs=0.005)


def test_hue_saturation_and_value_become_the_colours_that_the_standard_library_gives():
    planes = torch.rand(1, 3, 20, 20, generator=seeded())
    seen = rgb(planes)[0].flatten(1).T.tolist()
    for colour, genes in zip(seen, planes[0].flatten(1).T.tolist(), strict=True):
        expected = [round(255 * c) for c in colorsys.hsv_to_rgb(*genes)]
        assert max(abs(a - b) for a, b in zip(colour, expected, strict=True)) <= 1


def test_grey_genes_are_levels_of_256():
    pictures = rgb(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3))
    assert pictures.dtype == torch.uint8 and pictures.shape == (1, 3, 1, 3)
    assert pictures[0, :, 0].tolist() == [[0, 128, 255]] * 3
