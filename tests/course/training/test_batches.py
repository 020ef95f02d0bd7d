"""Where the pictures of a training come from: enlarged, side by side, cut out, and led astray."""

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.course.training.batches import attacked, augment, mirrored, normalized
from vizlib.course.training.classifier import RECIPES, under_attack
from vizlib.course.training.large_pictures import LargePictures, enlarged, side_by_side
from vizlib.course.training.tiny_imagenet import Pictures


@pytest.fixture(scope="module")
def net():
    return vz.load("zfnet")


@pytest.fixture(scope="module")
def photos():
    return torch.cat([vz.photo(name, 64) for name in ("goldfish", "scarlet_macaw", "german_shepherd")])


def test_beyond_the_edge_pixels_are_mirrored_as_numpy_does():
    row = np.arange(10)
    assert (mirrored(np.arange(-6, 16), 10) == np.pad(row, 6, mode="reflect")).all()
    pixels = torch.arange(3 * 64 * 64 * 3, dtype=torch.int32).reshape(3, 64, 64, 3)
    cut = augment(pixels, 64, np.random.default_rng(1))
    padded = np.pad(pixels.numpy(), ((0, 0), (6, 6), (6, 6), (0, 0)), mode="reflect")
    for i in range(3):
        windows = (padded[i, y : y + 64, x : x + 64] for y in range(13) for x in range(13))
        assert any((w == cut[i].numpy()).all() or (w[:, ::-1] == cut[i].numpy()).all() for w in windows)


def test_an_attack_raises_the_loss_and_stays_where_it_may_be(net, photos):
    labels, epsilon = net(photos).argmax(1), 4 / 255
    model, mode = net.model, net.model.training

    def loss(x):
        return torch.nn.functional.cross_entropy(model(normalized(x)), labels, reduction="none")

    x = attacked(model, photos, labels, epsilon, 5, seed=0)
    assert (x - photos).abs().max() <= epsilon + 1e-6 and x.min() >= 0 and x.max() <= 1
    assert (loss(x) > loss(photos) + 1).all()
    assert torch.equal(attacked(model, photos, labels, epsilon, 5, seed=0), x)
    assert not torch.equal(attacked(model, photos, labels, epsilon, 5, seed=1), x)
    assert model.training == mode and all(p.grad is None for p in model.parameters())


def test_accuracy_under_attack_falls_with_epsilon(net):
    names = [row["name"] for row in vz.photos()][:24]
    images = torch.cat([vz.photo(name, 64) for name in names])
    pixels = images.mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    pictures = Pictures(pixels, net(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255).argmax(1).numpy(), ())
    shares = [under_attack(net.model, pictures, e, steps=5) for e in (0.0, 1 / 255, 8 / 255)]
    assert shares[0] == 1 and shares[0] > shares[1] > shares[2]


def test_only_the_robust_recipe_attacks():
    assert [name for name, recipe in RECIPES.items() if recipe.epsilon] == ["zfnet-robust"]


def test_large_pictures_are_of_three_kinds_and_a_function_of_the_step():
    small = torch.randint(
        0, 256, (40, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    photos = [torch.full((3, 200, 150), value, dtype=torch.uint8) for value in (0, 255)]
    batch = LargePictures(small, photos, batch=10, seed=0)
    x, same = batch(3)
    assert x.shape == (10, 3, 128, 128) and same is x and x.min() >= 0 and x.max() <= 1
    again = LargePictures(small, photos, batch=10, seed=0)
    again(7)
    assert torch.equal(again(3)[0], x) and not torch.equal(again(4)[0], x)
    rough = (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3))
    assert rough[:4].max() < rough[4:8].min() and rough[8:].max() == 0  # enlarged, side by side, photographs


def test_four_lie_in_two_rows():
    four = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 64, 64) / 3
    quarters = side_by_side(four)[0, 0, ::64, ::64] * 3
    assert quarters.tolist() == [[0, 1], [2, 3]]
    assert enlarged(four).shape == (4, 3, 128, 128)
