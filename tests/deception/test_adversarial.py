"""Attacks: exact on a linear network, inside their ball, never weaker than they say, and the network is left
alone.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import vizlib as vz
from vizlib.deception import Ball, distortion, eight_bits
from vizlib.deception.ball import scattered

ATTACKS = {
    "fgsm": vz.fgsm,
    "bim": lambda *a, **k: vz.pgd(*a, starts=0, steps=4, **k),
    "pgd": lambda *a, **k: vz.pgd(*a, starts=2, steps=4, **k),
}
every_attack = pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
both_norms = pytest.mark.parametrize(("norm", "epsilon"), [("inf", 8 / 255), (2, 0.6)])


@pytest.fixture(scope="module")
def linear(network, redrawn):
    """Four logits that are weighted sums of the 768 values of a 16 x 16 picture."""
    return network(redrawn(nn.Sequential(nn.Flatten(), nn.Linear(768, 4)), 3))


def losses(net, x, y):
    with torch.no_grad():
        return F.cross_entropy(net(x), torch.tensor(y), reduction="none")


def test_on_a_linear_score_fgsm_takes_off_epsilon_times_the_sum_of_absolute_weights(linear, pictures):
    x, w = 0.3 + 0.4 * pictures(2), linear.model[1].weight[1]
    for target in (lambda z: z[:, 1], vz.unit("logits", 1)):
        fallen = linear(x)[:, 1] - linear(vz.fgsm(linear, x, target, epsilon=0.05))[:, 1]
        torch.testing.assert_close(fallen, (0.05 * w.abs().sum()).expand(2), rtol=1e-4, atol=0)
        risen = linear(vz.fgsm(linear, x, target, epsilon=0.05, targeted=True))[:, 1] - linear(x)[:, 1]
        torch.testing.assert_close(risen, fallen, rtol=1e-4, atol=0)


def test_in_the_euclidean_norm_a_linear_score_falls_by_epsilon_times_the_length_of_its_weights(
    linear, pictures
):
    x, w = 0.3 + 0.4 * pictures(2), linear.model[1].weight[1]
    for attack in (vz.fgsm, vz.pgd):
        fallen = linear(x)[:, 1] - linear(attack(linear, x, lambda z: z[:, 1], epsilon=0.2, norm=2))[:, 1]
        torch.testing.assert_close(fallen, (0.2 * w.norm()).expand(2), rtol=1e-3, atol=0)


def test_of_all_points_of_the_ball_pgd_finds_the_corner_of_a_linear_score(linear, pictures):
    x, w = 0.3 + 0.4 * pictures(2), linear.model[1].weight[1].view(1, 3, 16, 16)
    found = vz.pgd(linear, x, lambda z: z[:, 1], epsilon=0.05, steps=5)
    torch.testing.assert_close(found, x - 0.05 * w.sign(), atol=1e-6, rtol=0)


def size(r, norm):
    return r.flatten(1).abs().amax(1) if norm == "inf" else r.flatten(1).norm(dim=1)


@every_attack
@both_norms
@pytest.mark.parametrize("targeted", [False, True])
def test_every_picture_stays_in_its_ball_and_in_the_unit_interval(
    tiny, pictures, attack, norm, epsilon, targeted
):
    net, x = tiny(), pictures(5)  # many values near 0 and 1
    found = attack(net, x, 2, epsilon=epsilon, norm=norm, targeted=targeted)
    moved = size(found - x, norm)
    assert bool((moved <= epsilon + 1e-6).all()) and bool((moved > 0.3 * epsilon).all())
    assert found.min() >= 0 and found.max() <= 1
    assert found.shape == x.shape and found.dtype == torch.float32 and not found.requires_grad


@both_norms
def test_rounding_towards_the_original_never_leaves_the_ball(tiny, pictures, norm, epsilon):
    net, x = tiny(), eight_bits(pictures(5))
    found = vz.pgd(net, x, 2, epsilon=epsilon, norm=norm)
    rounded, nearest = eight_bits(found, x), eight_bits(found)
    for file in (rounded, nearest):
        torch.testing.assert_close(file * 255, (file * 255).round(), atol=1e-4, rtol=0)
        assert file.min() >= 0 and file.max() <= 1
    assert bool((size(rounded - x, norm) <= epsilon + 1e-6).all())
    assert bool(((rounded - x).abs() <= (found - x).abs() + 1e-6).all())
    if norm == "inf":  # the ball's border lies on whole steps
        assert bool((size(nearest - x, norm) <= epsilon + 1e-6).all())
    else:  # why the second argument exists
        assert bool((size(nearest - x, norm) > epsilon).any())


def test_rounding_keeps_whole_steps_and_cuts_what_is_less(pictures):
    x = eight_bits(0.2 + 0.6 * pictures(1))
    torch.testing.assert_close(eight_bits(x + 2 / 255, x), x + 2 / 255, atol=1e-6, rtol=0)
    torch.testing.assert_close(eight_bits(x - 2.9 / 255, x), x - 2 / 255, atol=1e-6, rtol=0)
    assert torch.equal(eight_bits(x + 0.4 / 255), eight_bits(x))
    with pytest.raises(vz.VizlibError, match="Round them first"):
        eight_bits(x, x + 0.3 / 255)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("epsilon", [1 / 255, 16 / 255, 0.5])
def test_pgd_is_never_the_weaker_attack(tiny, pictures, epsilon, targeted):
    net, x, y = tiny(), pictures(8), [0, 1, 2, 3, 4, 0, 1, 2]
    sign = -1 if targeted else 1
    single = vz.fgsm(net, x, y, epsilon=epsilon, targeted=targeted)
    for starts in (0, 1, 3):
        several = vz.pgd(net, x, y, epsilon=epsilon, targeted=targeted, steps=3, starts=starts)
        assert bool((sign * losses(net, several, y) >= sign * losses(net, single, y) - 1e-6).all())


def test_more_starts_are_never_worse(tiny, pictures):
    net, x, y = tiny(), pictures(8), [0, 1, 2, 3, 4, 0, 1, 2]
    one, four = (losses(net, vz.pgd(net, x, y, epsilon=0.3, steps=2, starts=n), y) for n in (1, 4))
    assert bool((four >= one - 1e-6).all()) and bool((four > one + 1e-6).any())


def test_one_step_from_the_picture_is_fgsm_and_no_epsilon_is_no_change(tiny, pictures):
    net, x = tiny(), pictures(3)
    torch.testing.assert_close(
        vz.pgd(net, x, 1, epsilon=0.1, steps=1, rate=0.1, starts=0), vz.fgsm(net, x, 1, epsilon=0.1)
    )
    for attack in ATTACKS.values():
        torch.testing.assert_close(attack(net, x, 1, epsilon=0.0), x, atol=1e-7, rtol=0)


def test_the_iterated_attack_written_out(tiny, pictures):
    net, x, k, epsilon, rate = tiny(), pictures(1), 3, 0.1, 0.03
    a = x
    for _ in range(6):
        a = a.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(net(a), torch.tensor([k])), a)
        a = (a - rate * g.sign()).clamp(x - epsilon, x + epsilon).clamp(0, 1)
    assert losses(net, a, [k]) < losses(
        net, vz.fgsm(net, x, k, epsilon=epsilon, targeted=True), [k]
    )  # or fgsm's point would come back
    found = vz.pgd(net, x, k, epsilon=epsilon, rate=rate, steps=6, starts=0, targeted=True)
    torch.testing.assert_close(found, a.detach(), atol=1e-6, rtol=0)


@every_attack
def test_a_picture_is_attacked_alone_whatever_else_is_in_the_batch(tiny, pictures, attack):
    net, x, y = tiny(), pictures(5), [0, 1, 2, 3, 4]
    together = attack(net, x, y, epsilon=0.05, batch_size=5)
    torch.testing.assert_close(attack(net, x, y, epsilon=0.05, batch_size=2), together, atol=1e-6, rtol=0)
    assert bool(((together - x).abs().amax((1, 2, 3)) > 0.01).all())


@every_attack
def test_without_a_target_it_leads_away_from_the_top_class(tiny, pictures, attack):
    net, x = tiny(), pictures(4)
    with torch.no_grad():
        top = net(x).argmax(1).tolist()
    torch.testing.assert_close(attack(net, x, epsilon=0.05), attack(net, x, top, epsilon=0.05))


def test_the_seed_decides_and_the_global_generator_is_left_alone(tiny, pictures):
    net, x, before = tiny(), pictures(3), torch.get_rng_state()
    first, again, other = (vz.pgd(net, x, 1, epsilon=0.5, steps=6, rate=0.2, seed=s) for s in (4, 4, 5))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_random_starts_fill_the_ball():
    x, generator = torch.full((400, 3, 2, 2), 0.5), torch.Generator().manual_seed(0)
    r = scattered(x, 0.3, "inf", generator) - x
    assert r.abs().max() <= 0.3 + 1e-6 and r.abs().mean() == pytest.approx(0.15, rel=0.05)
    sizes = size(scattered(x, 0.3, 2, generator) - x, 2)
    assert sizes.max() <= 0.3 + 1e-6 and sizes.pow(12).mean() == pytest.approx(
        0.3**12 / 2, rel=0.1
    )  # r^n is uniform in n dimensions


def test_the_network_and_the_pictures_are_left_as_found(tiny, pictures, left_as_found):
    net, x = tiny(), pictures(2)
    copy = x.clone()
    with left_as_found(net):
        for attack in (
            *ATTACKS.values(),
            lambda net, x, k, epsilon: vz.lbfgs_attack(net, x, k, searches=2, steps=3),
        ):
            attack(net, x, 1, epsilon=0.05)
    assert torch.equal(x, copy)


def test_a_stopped_attack_keeps_the_best_so_far_and_the_rest_as_it_was(tiny, pictures):
    net, x, calls = tiny(), pictures(4), []

    def progress(done, total, preview):
        calls.append((done, total, len(preview)))
        return done < 7

    found = vz.pgd(net, x, 1, epsilon=0.05, steps=5, batch_size=2, progress=progress)
    assert calls == [(i, 10, 2) for i in range(1, 8)]
    assert torch.equal(found[:2], vz.pgd(net, x, 1, epsilon=0.05, steps=5, batch_size=2)[:2])
    assert bool(((found[2:] - x[2:]).abs().amax((1, 2, 3)) > 0.01).all())  # two steps were done
    only_first = vz.pgd(
        net, x, 1, epsilon=0.05, steps=5, batch_size=2, progress=lambda done, total, preview: done < 3
    )
    assert torch.equal(only_first[2:], x[2:])


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_refusal_at_the_end_of_a_run_ends_all_runs(tiny, pictures, at):
    net, x, calls = tiny(), pictures(4), []

    def stop(done, total, preview):
        calls.append((done, total))
        return done < at

    found = vz.pgd(net, x, 1, epsilon=0.05, steps=1, starts=20, batch_size=2, progress=stop)
    assert calls == [(i, 40) for i in range(1, at + 1)]
    assert torch.equal(found[2:], x[2:]) and not torch.equal(found[:2], x[:2])


def interrupted_at(net, monkeypatch, count):
    calls, forward = [], net.forward

    def interrupted(images):
        calls.append(1)
        if len(calls) == count:
            raise KeyboardInterrupt
        return forward(images)

    monkeypatch.setattr(net, "forward", interrupted)


def test_an_interrupt_ends_every_attack(tiny, pictures, monkeypatch):
    net, x = tiny(), pictures(4)
    net.layer("logits")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupted_at(net, patch, 2)
        vz.fgsm(net, x, 1, epsilon=0.05, batch_size=1)
    with monkeypatch.context() as patch:
        interrupted_at(net, patch, 2)
        found = vz.pgd(net, x, 1, epsilon=0.05, batch_size=1, starts=0, steps=5)
    assert torch.equal(found[1:], x[1:])  # the second look was the first of the run
    with monkeypatch.context() as patch:
        interrupted_at(net, patch, 3)
        assert torch.equal(vz.lbfgs_attack(net, x, 1, searches=2, steps=9), x)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_attacks_work_where_gradients_are_switched_off(tiny, pictures, mode):
    net, x = tiny(), pictures(2)
    with torch.no_grad():
        top = net(x).topk(2).indices[:, 1].tolist()  # the class next to the first
    attacks = [
        lambda x: vz.fgsm(net, x, 1, epsilon=0.05),
        lambda x: vz.pgd(net, x, 1, epsilon=0.05, steps=2),
        lambda x: vz.lbfgs_attack(net, x, top, weight=1e-3, searches=2, steps=5),
    ]
    usual = [attack(x) for attack in attacks]
    with mode():
        same = [attack(x.clone()) for attack in attacks]
    assert all(torch.equal(a, b) and not torch.equal(a, x) for a, b in zip(usual, same, strict=True))


@pytest.mark.parametrize("number", [np.float32, np.float64, torch.tensor])
def test_an_epsilon_of_numpy_or_torch_is_a_number(tiny, pictures, number):
    net, x = tiny(), pictures(2)
    for attack in ATTACKS.values():
        torch.testing.assert_close(attack(net, x, 1, epsilon=number(0.05)), attack(net, x, 1, epsilon=0.05))
    many = vz.pgd(net, x, 1, epsilon=0.05, steps=np.int64(2), starts=np.int64(2), seed=np.int64(3))
    assert torch.equal(many, vz.pgd(net, x, 1, epsilon=0.05, steps=2, starts=2, seed=3))


@every_attack
def test_a_network_whose_logits_come_from_averaged_convolutions_is_attacked_by_what_it_returns(
    network, redrawn, pictures, attack
):
    """Fully convolutional, as SqueezeNet is: conv + ReLU, averaged over a grid, and no linear layer."""
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    net, x, y = network(redrawn(nn.Sequential(*layers, nn.Flatten()), 2)), pictures(3), [0, 1, 2]
    assert bool((losses(net, attack(net, x, y, epsilon=0.05), y) > losses(net, x, y) + 1e-3).all())


def test_what_follows_the_last_linear_layer_counts(network, redrawn, pictures):
    """Logits that are minus those of a linear layer: looking at the layer would help the class."""

    class Negative(nn.Module):
        def forward(self, x):
            return -x

    net = network(redrawn(nn.Sequential(nn.Flatten(), nn.Linear(768, 4), Negative()), 3))
    x, y = pictures(3), [0, 1, 2]
    before = losses(net, x, y)
    for attack in ATTACKS.values():
        assert bool((losses(net, attack(net, x, y, epsilon=0.02), y) > before).all())


def test_the_ball_projects_to_its_nearest_point():
    ball = Ball(torch.full((1, 3, 1, 1), 0.5), 0.5, 2)
    with torch.no_grad():
        ball.knobs.copy_(torch.tensor([0.5, 0.8, 0.9]).view(1, 3, 1, 1))  # (0, 0.3, 0.4) has the length 0.5
    ball.settle()
    assert ball.knobs.flatten().tolist() == pytest.approx([0.5, 0.8, 0.9])
    with torch.no_grad():
        ball.knobs.copy_(torch.tensor([0.5, 1.1, 1.3]).view(1, 3, 1, 1))
    ball.settle()
    assert ball.knobs.flatten().tolist() == pytest.approx([0.5, 0.8, 0.9])


def test_lbfgs_finds_the_known_smallest_change_of_a_linear_network(network, pictures):
    """Two logits with difference d = w . x + b: to reach d = 0 takes ||r|| = |d| / ||w||, along w."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))
    w = torch.randn(768, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([w, -w]) / 2)
        model[1].bias.copy_(torch.tensor([0.0, 0.0]))
    net, x = network(model), 0.4 + 0.2 * pictures(3)
    gap = x.flatten(1) @ w
    target = [1 if g > 0 else 0 for g in gap]
    found = vz.lbfgs_attack(net, x, target, searches=14, steps=30)
    with torch.no_grad():
        assert net(found).argmax(1).tolist() == target
    r = (found - x).flatten(1)
    least = gap.abs() / w.norm()
    assert bool((r.norm(dim=1) >= least - 1e-4).all()) and bool((r.norm(dim=1) <= 1.1 * least + 1e-3).all())
    assert bool((F.cosine_similarity(r, w[None]).abs() > 0.99).all())
    torch.testing.assert_close(distortion(found, x), r.norm(dim=1) / 768**0.5)


def test_lbfgs_stays_in_the_unit_interval_and_gives_up_on_what_cannot_be_done(network, pictures):
    model = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([3.0, 0.0]))  # always the first class
    net, x = network(model), pictures(2)
    assert torch.equal(vz.lbfgs_attack(net, x, 1, searches=2, steps=3), x)
    assert torch.equal(vz.lbfgs_attack(net, x, 0, searches=2, steps=3), x)  # it is that already


def test_lbfgs_returns_the_smallest_of_its_successes(network, pictures, monkeypatch):
    """Three values of c, changes by 0.3, 0.1 and 0.2, all of which succeed."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([1.0, 0.0]))
    changes = iter([0.3, 0.1, 0.2])
    monkeypatch.setattr(
        "vizlib.deception.smallest._least", lambda net, x, target, c, steps: x + next(changes)
    )
    x = 0.5 * pictures(1)
    found = vz.lbfgs_attack(network(model), x, 0, searches=3)
    torch.testing.assert_close(found, x + 0.1)


def test_lbfgs_tells_its_progress_and_stops(tiny, pictures):
    net, x, calls = tiny(), pictures(2), []
    vz.lbfgs_attack(
        net,
        x,
        1,
        searches=2,
        steps=2,
        progress=lambda done, total, preview: calls.append((done, total)) or done < 3,
    )
    assert calls == [(1, 4), (2, 4), (3, 4)]


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({"epsilon": 8}, r"epsilon is in pixel units.*Divide it: 8 / 255"),
        ({"epsilon": -0.1}, "epsilon is a number, 0 or more"),
        ({"epsilon": float("nan")}, "epsilon is a number, 0 or more"),
        ({"epsilon": "8/255"}, "epsilon is a number, 0 or more"),
        ({"epsilon": 0.1, "norm": 1}, 'norm is "inf"'),
        ({"epsilon": 0.1, "targeted": True, "target": None}, "A targeted attack needs a target"),
        ({"epsilon": 0.1, "target": 9}, "knows the classes 0 to 4"),
        ({"epsilon": 0.1, "target": [1, 2, 3]}, "2 pictures and 3 targets"),
        ({"epsilon": 0.1, "batch_size": 0}, "batch_size is a whole number"),
    ],
)
def test_what_makes_no_sense_is_refused(tiny, pictures, options, telling):
    for attack in (vz.fgsm, vz.pgd):
        given = dict(options)
        target = given.pop("target", 1)
        with pytest.raises(vz.VizlibError, match=telling):
            attack(tiny(), pictures(2), target, **given)


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({"steps": 0}, "steps is a whole number, 1 or more"),
        ({"starts": -1}, "starts is a whole number, 0 or more"),
        ({"rate": -1.0}, "rate is the length of a step"),
    ],
)
def test_what_only_pgd_is_asked(tiny, pictures, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.pgd(tiny(), pictures(1), 1, epsilon=0.1, **options)


@pytest.mark.parametrize("options", [{"weight": 0.0}, {"searches": 0}, {"steps": 1.5}])
def test_what_only_lbfgs_is_asked(tiny, pictures, options):
    with pytest.raises(vz.VizlibError, match="weight, searches and steps are above 0"):
        vz.lbfgs_attack(tiny(), pictures(1), 1, **options)
    with pytest.raises(vz.VizlibError, match="leads towards a class"):
        vz.lbfgs_attack(tiny(), pictures(1), lambda z: z[:, 0])
    with pytest.raises(vz.VizlibError, match="leads towards a class"):
        vz.lbfgs_attack(tiny(), pictures(1), None)


def test_on_photographs_two_grey_levels_are_enough(lite0):
    """The bar of the lesson on a sixth of its photographs: accuracy under 0.05 at epsilon = 2 / 255."""
    rows = [row for row in vz.photos() if row["index"] is not None]
    x = torch.cat([vz.photo(row["name"], 224) for row in rows[::4]])
    y = torch.tensor([row["index"] for row in rows[::4]])
    with torch.no_grad():
        right = lite0(x).argmax(1) == y
    x, y = eight_bits(x[right][:8]), y[right][:8].tolist()
    assert len(x) == 8
    found = vz.pgd(lite0, x, y, epsilon=2 / 255, steps=4)
    for rounded in (found, eight_bits(found), eight_bits(found, x)):
        with torch.no_grad():
            assert not bool((lite0(rounded).argmax(1) == torch.tensor(y)).any())
        assert (rounded - x).abs().max() <= 2 / 255 + 1e-6
