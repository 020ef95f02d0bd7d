"""Objectives: what they read, how they add, and the limit cases of the ones that compare."""

import copy

import pytest
import torch
import torch.nn.functional as F

import vizlib as vz
from vizlib import synthesis as sy
from vizlib.synthesis.grams import _style_error


def read(net, images, goal):
    return goal.read(vz.record(net, images, list(goal.layers)))


def test_every_target_of_the_course_is_an_objective(tiny, pictures):
    net, x = tiny(), pictures(3)
    with torch.no_grad():
        logits, conv2 = net(x), vz.record(net, x, "conv2")["conv2"]
    for target, expected in [
        (2, logits[:, 2]),
        ("class 3", logits[:, 3]),
        (lambda z: z.softmax(1)[:, 1], logits.softmax(1)[:, 1]),
        (vz.unit("conv2", 5), conv2[:, 5].mean((1, 2))),
        (vz.unit("conv2", 5, at=(1, 2)), conv2[:, 5, 1, 2]),
        (sy.channel("conv2", 4), conv2[:, 4].mean((1, 2))),
        (sy.energy("conv2"), 0.5 * conv2.pow(2).mean((1, 2, 3))),
        (sy.direction("conv2", torch.arange(8.0)), (conv2.mean((2, 3)) * torch.arange(8.0)).sum(1)),
    ]:
        assert torch.allclose(read(net, x, sy.objective(net, target)), expected, atol=1e-5)


def test_objectives_add_subtract_and_scale(tiny, pictures):
    net, x = tiny(), pictures(2)
    a, b = sy.channel("conv1", 1), sy.channel("conv2", 3)
    both = 2 * a - 0.5 * b + a
    assert both.layers == ("conv1", "conv2")
    assert torch.allclose(read(net, x, both), 3 * read(net, x, a) - 0.5 * read(net, x, b), atol=1e-6)
    assert torch.allclose(read(net, x, -a), -read(net, x, a))


def test_a_list_of_objectives_has_a_sum(tiny, pictures):
    net, x = tiny(), pictures(2)
    parts = [sy.channel("conv1", k) for k in range(3)]
    torch.testing.assert_close(read(net, x, sum(parts)), sum(read(net, x, part) for part in parts))
    with pytest.raises(TypeError):
        parts[0] + 1
    with pytest.raises(vz.VizlibError, match="takes a number as a factor"):
        parts[0] * parts[1]


class Cosine(torch.nn.Module):
    """A cosine head: ten times the cosines of features with four directions; no layer puts out logits."""

    def __init__(self):
        super().__init__()
        self.conv, self.proj = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Linear(8, 16)
        self.directions = torch.nn.Parameter(torch.randn(4, 16, generator=torch.Generator().manual_seed(0)))

    def forward(self, x):
        code = self.proj(self.conv(x).relu().mean((2, 3)))
        return 10 * F.normalize(code, dim=1) @ F.normalize(self.directions, dim=1).T


def test_a_class_is_what_the_network_returns_not_its_last_linear_layer(network, redrawn, pictures):
    net, x = network(redrawn(Cosine())), pictures(3)
    torch.testing.assert_close(read(net, x, sy.objective(net, 2)), net(x)[:, 2])
    made = vz.class_picture(net, sy.objective(net, 2), steps=20, rate=0.3, penalties=(), jitter=None)
    canvas = sy.Fourier(16, window=0.65)
    assert made.history[0] == pytest.approx(float(net(canvas.image().detach())[0, 2]), abs=1e-5)
    assert float(net(made.image)[0, 2]) > made.history[0] + 0.5


def test_codes_and_styles_of_nothing_are_refused(tiny, network, redrawn):
    """A layer that is dead on a picture: its convolution has a bias of minus a hundred."""
    net = tiny()
    with torch.no_grad():
        net.model.conv2.bias -= 100
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with pytest.raises(vz.VizlibError, match="The style picture has no activation in relu2"):
        sy.same_style(net, x, ["relu1", "relu2"])
    with pytest.raises(vz.VizlibError, match="The code of relu2 is zero"):
        sy.same_code(net, x, "relu2")
    with pytest.raises(vz.VizlibError, match="'logits' has no grid of positions"):
        sy.same_style(net, x, ["logits"])


def test_the_code_and_the_style_of_a_picture_are_its_own(tiny, pictures):
    net, x = tiny(), pictures(2)
    assert torch.allclose(read(net, x[:1], sy.same_code(net, x[:1], "conv2")), torch.zeros(1))
    assert torch.allclose(read(net, x[:1], sy.same_style(net, x[:1], ["conv1", "conv2"])), torch.zeros(1))
    assert read(net, x[1:], sy.same_code(net, x[:1], "conv2")) < -0.01
    nothing = sy.same_code(net, x, "conv2").read({"conv2": torch.zeros(2, 8, 8, 8)})
    assert torch.allclose(nothing, torch.full((2,), -1.0))  # a code of zeros is off by 100 %


def test_gram_matrices_do_not_know_places(pictures):
    a = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    g = sy.gram(a)
    assert torch.allclose(g, g.transpose(1, 2)) and torch.linalg.eigvalsh(g).min() > -1e-5
    shuffled = a.flatten(2)[:, :, torch.randperm(24, generator=torch.Generator().manual_seed(1))].view_as(a)
    assert torch.allclose(sy.gram(shuffled), g, atol=1e-6)
    assert torch.allclose(sy.gram(3 * a), 9 * g, rtol=1e-5)


def test_diversity_of_pictures_that_are_alike_is_lowest():
    one = torch.rand(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(
        sy.diversity("x").read({"x": one.repeat(3, 1, 1, 1)}), torch.full((3,), -2.0), atol=1e-5
    )
    apart = torch.zeros(2, 2, 1, 1)
    apart[0, 0], apart[1, 1] = 1, 1
    assert torch.allclose(sy.diversity("x").read({"x": apart}), torch.zeros(2))


def test_what_cannot_be_asked(tiny):
    with pytest.raises(vz.VizlibError, match="Say what the picture should be optimized for"):
        sy.objective(tiny(), None)
    with pytest.raises(vz.VizlibError, match="no layer 'conv9'"):
        sy.objective(tiny(), vz.unit("conv9", 0))
    with pytest.raises(vz.VizlibError, match="class"):
        sy.objective(tiny(), "zebra")


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 20, 2, 3)], ids=["more positions", "more channels"])
def test_the_short_way_to_the_style_error_is_the_long_way(shape):
    """Value and slope, where the Gram matrix is the smaller product and where the other one is."""
    drawn = torch.Generator().manual_seed(0)
    a, goal = (
        torch.rand(shape, generator=drawn, requires_grad=True),
        sy.gram(torch.rand(1, *shape[1:], generator=drawn)),
    )
    long = ((sy.gram(a) - goal) ** 2).sum((1, 2)) / (goal**2).sum((1, 2))
    short = _style_error(a, goal)
    slopes = [torch.autograd.grad(error.sum(), a)[0] for error in (short, long)]
    torch.testing.assert_close(short, long)
    torch.testing.assert_close(*slopes)


def test_an_objective_can_be_asked_of_another_network(tiny, pictures):
    """The sum reads each network for itself, however many layers of the same name there are."""
    one, other, x = tiny(), tiny(seed=1), pictures(2)
    goal = sy.objective(one, 2) + 0.5 * (sy.objective(other, 3) + sy.channel("conv2", 4)).on(other)
    seen = sy.objectives.seen(one, x, goal.layers)
    conv2 = vz.record(other, x, "conv2")["conv2"][:, 4].mean((1, 2))
    torch.testing.assert_close(goal.read(seen), one(x)[:, 2] + 0.5 * (other(x)[:, 3] + conv2))
    assert goal.layers == ("logits",) and torch.equal(seen["pixels"], x)


def test_what_is_bound_to_another_network_is_climbed_there(tiny):
    one, other = tiny(), tiny(seed=1)
    canvas = sy.Fourier(16, seed=3)
    alone = sy.ascend(other, 2, sy.Fourier(16, seed=3), steps=4)
    bound = sy.ascend(one, sy.objective(other, 2).on(other), canvas, steps=4)
    assert torch.equal(alone.image, bound.image) and alone.history == bound.history
    tiled = sy.ascend(one, sy.channel("conv2", 1).on(other), sy.Fourier(16), steps=1, tile=8)
    same = sy.ascend(other, sy.channel("conv2", 1), sy.Fourier(16), steps=1, tile=8)
    assert torch.equal(tiled.image, same.image)


def test_a_network_that_no_objective_asks_is_not_run(tiny, monkeypatch):
    one, other = tiny(), tiny(seed=1)
    monkeypatch.setattr(one, "unchecked", lambda images: pytest.fail("nobody asked"))
    assert len(sy.ascend(one, sy.objective(other, 2).on(other), sy.Fourier(16), steps=2).history) == 2


def test_a_likelihood_is_a_log_probability_at_a_temperature_of_the_network_s_own(tiny, pictures):
    """Ten times the logits: the same score, and the same slope."""
    net, x = tiny(), pictures(3)
    ten = vz.photos()["name"][::9][:10]
    with torch.no_grad():
        logits = net(torch.cat([vz.resize(vz.photo(name), 16) for name in ten]))
        right = 2 * (net(x) / (2 * logits.std(1).mean())).log_softmax(1)[:, 3]
    torch.testing.assert_close(read(net, x, sy.likelihood(net, "class 3")), right)
    model = torch.nn.Sequential(copy.deepcopy(net.model), Times(10.0))
    louder = vz.Network(model, name="louder", mean=net.mean.flatten(), std=net.std.flatten(), input_size=16)
    torch.testing.assert_close(read(louder, x, sy.likelihood(louder, 3)), right, rtol=1e-4, atol=1e-5)
    with pytest.raises(vz.VizlibError, match="There is no class 'class 9'"):
        sy.likelihood(net, "class 9")


class Times(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x
