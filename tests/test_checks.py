"""The checks of the exercises: a line for every kind of answer, and never a traceback."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

import vizlib as vz
from vizlib import checks

RIGHT = {
    checks.least_sure: lambda net, names: min(names, key=lambda n: net.predict(vz.photo(n, 224), 1)[0]["probability"]),
    checks.grey: lambda x: x.mean(1, keepdim=True).expand_as(x),
    checks.change_its_mind: lambda: ("binoculars", (0.72, 0.5), 0.5),
    checks.receptive_field_of_chain: lambda layers: (
        1 + sum((k - 1) * math.prod(s for _, s in layers[:i]) for i, (k, _) in enumerate(layers))
    ),
    checks.active_share: lambda maps: torch.cat([m.flatten(2) > 0 for m in maps], 2).float().mean((0, 2)),
    checks.top_places: lambda maps, k, top: [
        (i, *divmod(int(maps[i][0, k].argmax()), maps[i].shape[3])) for i in sorted(range(len(maps)), key=lambda i: -maps[i][0, k].max())
    ][:top],
    checks.one_block_down: lambda R, s, w: F.conv_transpose2d(F.max_unpool2d(R.clamp(min=0), s, 2), w, padding=w.shape[-1] // 2),
    checks.darkening_map: lambda net, x, k: vz.saliency(net, x, k, part="negative"),
    checks.fourth_rule: lambda g, gate: gate(g).clamp(max=0),
    checks.weighted_sum: lambda A, g: (g.mean((2, 3), keepdim=True) * A).sum(1, keepdim=True).clamp(min=0),
    checks.energy_in_mask: lambda m, masks: (m.clamp(min=0) * masks).sum((1, 2, 3)) / m.clamp(min=0).sum((1, 2, 3)),
}


def projected(w1, w2, picture, other):
    """The activation of `picture` with the switches of `other`, as the slope of the two blocks applied to `other`, ReLUs passing what is
    positive on the way back."""
    switches = []
    for x in (picture, other):
        p1, s1 = F.max_pool2d(F.conv2d(x, w1, padding=w1.shape[-1] // 2).relu(), 2, return_indices=True)
        p2, s2 = F.max_pool2d(F.conv2d(p1, w2, padding=w2.shape[-1] // 2).relu(), 2, return_indices=True)
        switches.append((p2, s2, s1))
    signal = switches[0][0]
    for s, w in zip(switches[1][1:], (w2, w1), strict=True):
        signal = RIGHT[checks.one_block_down](signal, s, w)
    return signal


def adjoint_error(forward, backward, x_shape, y_shape):
    x, y = torch.ones(x_shape, dtype=torch.double), torch.eye(*y_shape, dtype=torch.double)
    left, right = (forward(x) * y).sum(), (x * backward(y)).sum()
    return float((left - right).abs() / left.abs())


RIGHT |= {checks.project_with_switches_of: projected, checks.adjoint_error: adjoint_error}


def epsilon_shares(a, w, R, epsilon, side=torch.sign):
    z = a @ w.T
    return torch.einsum("nj,kj,nk->nj", a, w, R / (z + epsilon * side(z)))


def gamma_shares(conv, a, R, gamma, favour_bias=True, hand_bias_on=False):
    favoured = [p + gamma * p.clamp(min=0) * on for p, on in ((conv.weight, True), (conv.bias, favour_bias))]
    z = F.conv2d(a, favoured[0], None if hand_bias_on else favoured[1], conv.stride, conv.padding)
    return a * torch.nn.grad.conv2d_input(a.shape, favoured[0], R / z, conv.stride, conv.padding)


def block_shares(x, branch, R, both=True):
    s = R / (x + branch(x))
    through = torch.autograd.functional.vjp(branch, x, s)[1]
    return x * (s + through) if both else x * through


RIGHT |= {checks.epsilon_rule: epsilon_shares, checks.gamma_rule: gamma_shares, checks.through_block: block_shares}


def fall_of_box(net, image, label, rows, columns, fill):
    covered = image.clone()
    covered[..., slice(*rows), slice(*columns)] = fill
    return float(net(image)[0, net.index(label)] - net(covered)[0, net.index(label)])


def fall_of_box_on_the_spot(net, image, label, rows, columns, fill):
    before = net(image)[0, net.index(label)]
    image[..., slice(*rows), slice(*columns)] = fill
    return float(before - net(image)[0, net.index(label)])


def fall_of_probability(net, image, label, rows, columns, fill):
    covered = image.clone()
    covered[..., slice(*rows), slice(*columns)] = fill
    return float((net(image).softmax(1) - net(covered).softmax(1))[0, net.index(label)])


def share_that_differs(differ, among):
    """A function of (N, D): the share of entries in which two rows differ, `among` some of them, mean over pairs."""
    return lambda s: torch.stack([(differ(a, b) & among(a, b)).sum() / among(a, b).sum() for a, b in itertools.combinations(s, 2)]).mean()


def greedy(net, image, patch, looks_again=True):
    before, squares, falls = int(net(image).argmax()), [], None
    while int(net(image).argmax()) == before:
        if falls is None or looks_again:
            falls = vz.occlusion(net, image, lambda z: z.softmax(1)[:, before], patch=patch, stride=patch, upsample=False)[0, 0]
        top, left = (patch * i for i in divmod(int(falls.argmax()), falls.shape[1]))
        falls[top // patch, left // patch] = -torch.inf
        squares.append((top, left))
        image[..., top : top + patch, left : left + patch] = net.neutral
    return squares


RIGHT |= {
    checks.fall_of_box: fall_of_box,
    checks.disagreement_without_zeros: share_that_differs(torch.ne, lambda a, b: (a != 0) | (b != 0)),
    checks.cover_until_it_changes: greedy,
}


def not_attempted(*args):
    raise NotImplementedError


def said(check, answer, capsys):
    check(answer)
    line = capsys.readouterr().out
    assert line.startswith("Exercise ") and line.count("\n") == 1
    return line.strip().split(": ", 1)[1]


@pytest.mark.parametrize("check", RIGHT, ids=lambda c: c.__name__)
def test_a_right_answer_is_called_correct_a_second_time_too(check, capsys):
    assert said(check, RIGHT[check], capsys) == said(check, RIGHT[check], capsys) == "correct."


@pytest.mark.parametrize("check", RIGHT, ids=lambda c: c.__name__)
def test_the_stub_is_not_attempted_and_broken_code_is_named(check, capsys):
    assert said(check, not_attempted, capsys) == "not attempted yet."
    assert said(check, lambda *args: 1 / 0, capsys).startswith("not yet: your code raised ZeroDivisionError")
    assert said(check, lambda *args: vz.load("nothing"), capsys).startswith("not yet: vizlib says: There is no network")
    assert said(check, lambda *args: None, capsys).startswith("not yet: ")


@pytest.mark.parametrize(
    "check, wrong, telling",
    [
        (checks.least_sure, lambda net, names: "giant_panda", "of giant_panda it is sure with probability 0.9"),
        (checks.least_sure, lambda net, names: "tabby", "should be one of the names; yours is 'tabby'"),
        (checks.grey, lambda x: x.mean(1, keepdim=True), "should have the shape (2, 3, 224, 224); yours has (2, 1, 224, 224)"),
        (checks.grey, lambda x: x, "its values are off by up to"),
        (checks.change_its_mind, lambda: ("binoculars", (0.72, 0.5), 0.9), "half of the picture's height at most"),
        (checks.change_its_mind, lambda: "binoculars", "return three things"),
        (checks.change_its_mind, lambda: ("crow", (0.5, 0.5), 0.5), "no cut-out with an ImageNet label"),
        (checks.change_its_mind, lambda: ("lemon", (0.05, 0.05), 0.05), "Try another cut-out, place or size"),
        (checks.receptive_field_of_chain, lambda layers: sum(k for k, _ in layers), "for [(3, 1), (3, 1)] your answer is 6"),
        (checks.receptive_field_of_chain, lambda layers: 1 + 2 * len(layers), "How many pixels apart"),
        (checks.active_share, lambda maps: torch.stack([(m > 0).float().mean((0, 2, 3)) for m in maps]).mean(0), "three times as much"),
        (checks.active_share, lambda maps: torch.cat([m.flatten(2) >= 0 for m in maps], 2).float().mean((0, 2)), "off by up to"),
        (checks.top_places, lambda maps, k, top: [(1, 2, 1), (1, 0, 3)], "each picture may come up once only"),
        (checks.top_places, lambda maps, k, top: [(2, 0, 1), (1, 2, 1)], "the strongest comes first"),
        (checks.top_places, lambda maps, k, top: [(1, 1, 3), (2, 0, 1)], "not where they are highest"),
        (checks.one_block_down, lambda R, s, w: F.conv_transpose2d(F.max_unpool2d(R, s, 2), w, padding=2), "the ReLU is missing"),
        (checks.one_block_down, lambda R, s, w: F.conv_transpose2d(F.max_unpool2d(R.relu(), s, 2), w), "should have the shape"),
        (checks.adjoint_error, lambda f, b, xs, ys: 0.0, "you find an error of only 0"),
        (checks.adjoint_error, lambda f, b, xs, ys: 1.0, "but for rounding; you find 1"),
        (checks.adjoint_error, lambda f, b, xs, ys: torch.tensor(0), "the answer is a float"),
        (checks.project_with_switches_of, lambda w1, w2, x, other: projected(w1, w2, x, x), "the picture with its own switches"),
        (checks.project_with_switches_of, lambda w1, w2, x, other: projected(w1, w2, other, other), "the other picture with its own"),
        (checks.fall_of_box, lambda *a: -fall_of_box(*a), "this is the rise"),
        (checks.fall_of_box, fall_of_probability, "fall of the probability"),
        (checks.fall_of_box, fall_of_box_on_the_spot, "has painted on the picture"),
        (checks.fall_of_box, lambda *a: 0.0, "nothing has changed"),
        (checks.fall_of_box, lambda net, x, label, r, c, fill: fall_of_box(net, x, label, c, r, fill), "the logit falls by"),
        (checks.disagreement_without_zeros, share_that_differs(torch.ne, lambda a, b: a == a), "counts entries where both are 0"),
        (
            checks.disagreement_without_zeros,
            share_that_differs(lambda a, b: a * b < 0, lambda a, b: (a != 0) | (b != 0)),
            "0 and 1 differ as well",
        ),
        (checks.disagreement_without_zeros, lambda s: torch.tensor(13 / 27), "is no pair"),
        (checks.disagreement_without_zeros, lambda s: 13 / 18, "right for one example"),
        (checks.disagreement_without_zeros, lambda s: s, "should be one number; yours is a Tensor"),
        (
            checks.cover_until_it_changes,
            lambda net, x, p: greedy(net, x, p, looks_again=False),
            "but 3 are enough. Measure the falls again",
        ),
        (checks.cover_until_it_changes, lambda net, x, p: [(0, 0)], "with your 1 squares covered, windmill_linda is still 'crane'"),
        (checks.cover_until_it_changes, lambda net, x, p: [(1, 0)], "is no corner of a square"),
        (checks.darkening_map, lambda net, x, k: vz.saliency(net, x, k, part="positive"), "where *more* light would help"),
        (checks.darkening_map, lambda net, x, k: vz.saliency(net, x, k, part="negative")[:, 0], "keepdim=True keeps it"),
        (checks.darkening_map, lambda net, x, k: vz.gradient(net, x, k).max(1, keepdim=True), ".amax(dim) only the values"),
        (checks.darkening_map, lambda net, x, k: -vz.gradient(net, x, k).amin(1, keepdim=True), "has values below zero"),
        (checks.fourth_rule, lambda g, gate: -gate(g).clamp(max=0), "has the wrong sign"),
        (checks.fourth_rule, lambda g, gate: gate(g) < 0, "should hold floating-point numbers"),
        (checks.weighted_sum, lambda A, g: (g.mean((2, 3), keepdim=True) * A).sum(1, keepdim=True), "has values below zero"),
        (checks.energy_in_mask, lambda m, masks: (m * masks).sum((1, 2, 3)) / m.sum((1, 2, 3)), "off by up to"),
        (checks.epsilon_rule, lambda a, w, R, epsilon: epsilon_shares(a, w, R, epsilon, torch.ones_like), "For a sum of -4"),
        (checks.epsilon_rule, lambda a, w, R, epsilon: epsilon_shares(a, w, R, 0), "For a sum of 4, epsilon 2"),
        (checks.gamma_rule, lambda *given: gamma_shares(*given, favour_bias=False), "a bias of 1 and gamma 1"),
        (checks.gamma_rule, lambda *given: gamma_shares(*given, hand_bias_on=True), "a bias of 1 and gamma 1"),
        (checks.through_block, lambda *given: block_shares(*given, both=False), "what reaches the block's input"),
        (checks.through_block, lambda x, branch, R: R, "what reaches the block's input"),
    ],
    ids=lambda value: None,
)
def test_a_wrong_answer_is_told_how_it_shows(check, wrong, telling, capsys):
    verdict = said(check, wrong, capsys)
    assert verdict.startswith("not yet: ") and telling in verdict


def test_an_answer_that_writes_into_its_pictures_spoils_nothing(capsys):
    def in_place(x):
        return x.copy_(x.mean(1, keepdim=True).expand_as(x))

    assert said(checks.grey, in_place, capsys) == "correct."
    assert said(checks.grey, lambda x: x, capsys) != "correct."


def test_pytorchs_own_not_implemented_error_does_not_count_as_not_attempted(capsys):
    def boolean_minus(g, gate):
        return 1 - (g > 0)

    assert "not attempted" not in said(checks.fourth_rule, boolean_minus, capsys)


def test_the_harder_two_are_right_for_the_right_reason(capsys):
    def sensitivity(method, net, images, a, b):
        first, second = (method(net, images, k).abs().amax(1, keepdim=True) for k in (a, b))
        return 1 - vz.rank_correlation(first, second)

    assert said(checks.class_sensitivity, sensitivity, capsys) == "correct."
    assert "sensitivity of gradient" in said(checks.class_sensitivity, lambda *args: torch.zeros(2), capsys)

    def layer_cam_instead(net, images, target, layer):
        return vz.layer_cam(net, images, target, layer=layer, upsample=False)

    assert "At the last layer" in said(checks.hires_cam, layer_cam_instead, capsys)
