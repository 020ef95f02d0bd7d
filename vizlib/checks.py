"""The checks behind the exercises: each takes a learner's answer and prints one line that says how it went.

A check never prints the solution and never leaves a traceback: an answer that is not there yet, one that fails and one that is
wrong each get a sentence.
"""

import functools

import torch
import torch.nn.functional as F

from .attribution import grad_cam, gradient, guided_backprop, integrated_gradients, rank_correlation, saliency
from .errors import VizlibError
from .images import cutouts, paste, photo
from .layers import tap
from .layers.relevance import Rule, shares
from .networks import load


class _NotYet(Exception):
    """The answer is wrong; the message says how it shows."""


def exercise(number):
    """Turn a check, which raises _NotYet with a hint, into one that prints its verdict as a line."""

    def decorate(check):
        @functools.wraps(check)
        def run(answer):
            try:
                check(answer)
                verdict = "correct."
            except NotImplementedError as problem:  # the stub raises it without words, PyTorch with some
                verdict = f"not yet: your code raised NotImplementedError: {problem}" if str(problem) else "not attempted yet."
            except _NotYet as hint:
                verdict = f"not yet: {hint}"
            except VizlibError as problem:
                verdict = f"not yet: vizlib says: {problem}"
            except Exception as problem:
                verdict = f"not yet: your code raised {type(problem).__name__}: {problem}"
            print(f"Exercise {number}: {verdict}")

        return run

    return decorate


def _same(seen, expected, what, tolerance=1e-4):
    """Raise _NotYet unless `seen` is the tensor `expected`."""
    if not isinstance(seen, torch.Tensor):
        hint = " .max(dim) returns values and indices; .amax(dim) only the values." if isinstance(seen, tuple) else ""
        raise _NotYet(f"{what} should be a tensor; yours is a {type(seen).__name__}.{hint}")
    if seen.shape != expected.shape:
        lost = seen.dim() < expected.dim() and seen.numel() == expected.numel()
        hint = " A dimension is missing: keepdim=True keeps it." if lost else ""
        raise _NotYet(f"{what} should have the shape {tuple(expected.shape)}; yours has {tuple(seen.shape)}.{hint}")
    if not seen.is_floating_point():
        raise _NotYet(f"{what} should hold floating-point numbers; yours holds {seen.dtype}.")
    if expected.min() >= 0 and seen.min() < -tolerance:
        raise _NotYet(f"{what} has values below zero, down to {float(seen.min()):.2g}; there should be none.")
    if expected.abs().max() > 0 and torch.allclose(-seen, expected, rtol=tolerance, atol=1e-8):
        raise _NotYet(f"{what} has the wrong sign.")
    gap = (seen.detach() - expected).abs().max() / expected.abs().max().clamp(min=1e-12)
    if not gap <= tolerance:  # also catches NaN
        raise _NotYet(f"{what} has the right shape, but its values are off by up to {float(gap):.0%} of the largest one.")


def _number(seen):
    """The answer as a float; _NotYet if it is not one number."""
    if isinstance(seen, torch.Tensor) and seen.numel() == 1 or isinstance(seen, (int, float)):
        return float(seen)
    raise _NotYet(f"the answer should be one number; yours is a {type(seen).__name__}.")


def _example():
    """The default network and two photographs, a fresh copy each time: an answer may write into what it is given."""
    return load("lite0"), torch.cat([photo("ladybird_on_forget_me_nots", 224), photo("drum_kit_and_guitar", 224)])


@exercise("00.1")
def least_sure(answer):
    """answer(net, names) -> the name of the photo of whose top class the network is least sure."""
    net, _ = _example()
    names = ["giant_panda", "orange_kitten", "goldfish", "cheetah", "koala"]
    seen = answer(net, names)
    if seen not in names:
        raise _NotYet(f"the answer should be one of the names; yours is {seen!r}.")
    tops = {name: net.predict(photo(name, 224), 1)[0]["probability"] for name in names}
    if seen != min(tops, key=tops.get):
        raise _NotYet(f"of {seen} it is sure with probability {tops[seen]:.2f}; of another photo it is less sure.")


@exercise("00.2")
def grey(answer):
    """answer(images) -> (N, 3, H, W): the same pictures without colour, each pixel the mean of its three values."""
    _, images = _example()
    seen = answer(images.clone())
    _same(seen, images.mean(1, keepdim=True).expand_as(images), "The grey picture")


@exercise("00.3")
def change_its_mind(answer):
    """answer() -> (name, centre, height) for vz.paste, so that the kitten is taken for what was pasted. At most half its height."""
    net, _ = _example()
    given = answer()
    if not isinstance(given, tuple) or len(given) != 3:
        raise _NotYet("return three things: the name, (row, column) of the centre, and the height.")
    name, centre, height = given
    if not 0 < height <= 0.5:
        raise _NotYet(f"the cut-out may take half of the picture's height at most; yours takes {height}.")
    label = {row["name"]: row["label"] for row in cutouts()}.get(name)
    if label is None:
        raise _NotYet(f"{name!r} is no cut-out with an ImageNet label; choose one from vz.cutouts() whose label is not empty.")
    pasted, _ = paste(photo("orange_kitten", 224), name, centre, height)
    seen = net.predict(pasted, 1)[0]["label"]
    if seen != label:
        raise _NotYet(f"the network says {seen!r}, not {label!r}. Try another cut-out, place or size.")


@exercise("01.1")
def receptive_field_of_chain(answer):
    """answer(layers) -> the receptive field of a chain of (kernel, stride), a whole number."""
    for layers, expected, hint in (
        ([(3, 1)], 3, ""),
        ([(3, 1), (3, 1)], 5, " Two 3 x 3 convolutions see 5 pixels: the second reaches over neighbours of the first."),
        ([(7, 2), (2, 2), (5, 1)], 25, " How many pixels apart do the neighbours of a layer look?"),
        ([(2, 2), (3, 1)], 6, " The stride of a layer counts for the layers after it, not for its own kernel."),
    ):
        seen = answer(list(layers))
        if seen != expected:
            raise _NotYet(f"for {layers} your answer is {seen!r}, not {expected}.{hint}")


@exercise("01.2")
def active_share(answer):
    """answer(activations) -> (K,): the share of positions above zero, over pictures of different sizes together."""
    a, b = torch.tensor([[[[1.0, -1.0]], [[0.0, 0.0]]]]), torch.tensor([[[[2.0, 3.0], [4.0, 0.0], [1.0, 1.0]], [[0.0] * 2] * 3]])
    seen = answer([a.clone(), b.clone()])
    if isinstance(seen, torch.Tensor) and seen.shape == (2,) and torch.allclose(seen, torch.tensor([(1 / 2 + 5 / 6) / 2, 0])):
        raise _NotYet("this is the mean over pictures; a picture with three times as many positions counts three times as much.")
    _same(seen, torch.tensor([6 / 8, 0]), "The share")


@exercise("01.3")
def top_places(answer):
    """answer(activations, channel, top) -> [(picture, row, column)], strongest first, each picture once."""
    maps = [torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 2, 2)]
    maps[0][0, 1, 1, 2], maps[1][0, 1, 2, 1], maps[1][0, 1, 0, 3], maps[2][0, 1, 0, 1], maps[2][0, 0, 1, 1] = 5, 9, 8, 7, 99
    seen, expected = answer([m.clone() for m in maps], 1, 2), [(1, 2, 1), (2, 0, 1)]
    seen = [tuple(int(i) for i in place) for place in seen]
    if seen == [(1, 2, 1), (1, 0, 3)]:
        raise _NotYet("both places lie in the same picture; each picture may come up once only.")
    if seen != expected and sorted(seen) == sorted(expected):
        raise _NotYet("these are the right places in the wrong order: the strongest comes first.")
    if seen != expected:
        raise _NotYet(f"for three small maps (heights and widths differ) your answer is {seen}, which is not where they are highest.")


@exercise("02.1")
def one_block_down(answer):
    """answer(signal, switches, weight) -> (N, C, 2h, 2w): unpool, ReLU, transposed convolution."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(2, 4, 6, 8, generator=generator), torch.randn(4, 3, 5, 5, generator=generator)
    switches = F.max_pool2d(x, 2, return_indices=True)[1]
    signal = torch.randn(switches.shape, generator=generator)
    seen, unpooled = answer(signal.clone(), switches.clone(), weight.clone()), F.max_unpool2d(signal, switches, 2)
    without = F.conv_transpose2d(unpooled, weight, padding=2)
    if isinstance(seen, torch.Tensor) and seen.shape == without.shape and torch.allclose(seen, without, atol=1e-4):
        raise _NotYet("the ReLU is missing: on its way back the signal loses what is negative.")
    _same(seen, F.conv_transpose2d(unpooled.relu(), weight, padding=2), "The signal")


@exercise("02.2")
def adjoint_error(answer):
    """answer(forward, backward, x_shape, y_shape) -> the largest relative difference of <f(x), y> and <x, b(y)>."""
    weight = torch.tensor([[1.0, -2.0, 0.5], [3.0, 1.0, -1.0]], dtype=torch.double)

    def forward(x):
        return x @ weight.T.to(x.dtype)

    right = answer(forward, lambda y: y @ weight.to(y.dtype), (4, 3), (4, 2))
    if not isinstance(right, float):
        raise _NotYet(f"the answer is a float; yours is a {type(right).__name__}.")
    if not 0 <= right < 1e-4:
        raise _NotYet(f"for a matrix and its transpose the error is 0 but for rounding; you find {right:.2g}.")
    wrong = answer(forward, lambda y: y @ weight.abs().to(y.dtype), (4, 3), (4, 2))
    if not wrong > 1e-2:
        raise _NotYet(f"for a matrix and something that is not its transpose you find an error of only {wrong:.2g}.")


@exercise("02.3")
def project_with_switches_of(answer):
    """answer(w1, w2, picture, other) -> (1, C, H, W): the activation of one picture sent back with the switches of another."""
    generator = torch.Generator().manual_seed(0)
    w1, w2 = torch.randn(4, 3, 5, 5, generator=generator), torch.randn(6, 4, 3, 3, generator=generator)
    pictures = torch.rand(2, 1, 3, 16, 16, generator=generator)

    def project(picture, other):
        kept = []
        for x in (picture, other):
            p1, s1 = F.max_pool2d(F.conv2d(x, w1, padding=2).relu(), 2, return_indices=True)
            p2, s2 = F.max_pool2d(F.conv2d(p1, w2, padding=1).relu(), 2, return_indices=True)
            kept.append((p2, s1, s2))
        signal, s1, s2 = kept[0][0], *kept[1][1:]
        signal = F.conv_transpose2d(F.max_unpool2d(signal, s2, 2).relu(), w2, padding=1)
        return F.conv_transpose2d(F.max_unpool2d(signal, s1, 2).relu(), w1, padding=2)

    seen = answer(w1.clone(), w2.clone(), *(x.clone() for x in pictures))
    mistakes = {(0, 0): "this is the picture with its own switches.", (1, 1): "this is the other picture with its own switches.",
                (1, 0): "the two pictures have changed their roles."}  # fmt: skip
    for pair, hint in mistakes.items():
        twin = project(*pictures[list(pair)])
        if isinstance(seen, torch.Tensor) and seen.shape == twin.shape and torch.allclose(seen, twin, atol=1e-3):
            raise _NotYet(hint)
    _same(seen, project(*pictures), "The projection", tolerance=1e-3)


@exercise("03.1")
def fall_of_box(answer):
    """answer(net, image, label, rows, columns, fill) -> how much the logit of `label` falls when a box is covered."""
    net, images = _example()
    image, k = images[:1], net.index("ladybug")
    for rows, columns, fill in (((96, 144), (176, 224), 0.5), ((0, 60), (20, 110), 0.0)):
        covered, given = image.clone(), image.clone()
        covered[..., slice(*rows), slice(*columns)] = fill
        with torch.no_grad():
            before, after = net(torch.cat([image, covered]))
            fall, in_probability = float(before[k] - after[k]), float(before.softmax(0)[k] - after.softmax(0)[k])
        seen = _number(answer(net, given, "ladybug", rows, columns, fill))
        if not torch.equal(given, image):
            raise _NotYet("your function has painted on the picture that it was given; .clone() makes a copy to paint on.")
        for wrong, hint in (
            (-fall, "this is the rise; the fall is the score before minus the score after."),
            (in_probability, "this is the fall of the probability; the exercise asks for the logit."),
            (0, "nothing has changed; does your box lie on the picture, in the colour of `fill`?"),
        ):
            if abs(seen - wrong) < 1e-3 < abs(fall - wrong):
                raise _NotYet(hint)
        if not abs(seen - fall) < 1e-2:
            raise _NotYet(f"with rows {rows}, columns {columns} and fill {fill} the logit falls by {fall:.2f}; yours says {seen:.2f}.")


@exercise("03.2")
def disagreement_without_zeros(answer):
    """answer(s) -> mean over pairs of rows of the share that differs, among the entries where not both are 0."""
    s = torch.tensor([[1.0, 0, -1, 0], [1, 0, 1, 1], [0, 0, -1, 0]])
    seen = _number(answer(s.clone()))
    for wrong, hint in (
        (1 / 2, "this counts entries where both are 0 as agreement; leave those out of the count, above and below the fraction."),
        (2 / 9, "0 and 1 differ as well: this counts only opposite signs."),
        (3 / 4, "take the share for each pair first, and then the mean over the pairs."),
        (13 / 27, "a row compared with itself is no pair."),
    ):
        if abs(seen - wrong) < 1e-4:
            raise _NotYet(hint)
    if not abs(seen - 13 / 18) < 1e-4:
        raise _NotYet(f"for {s.int().tolist()} the three pairs give 2/3, 1/2 and 1, and their mean is {13 / 18:.3f}; yours is {seen:.3f}.")
    if abs(_number(answer(torch.tensor([[1.0, 0], [-1, 0], [1, 1]]))) - 5 / 6) > 1e-4:
        raise _NotYet("it is right for one example and wrong for another. Does it work for any number of rows and entries?")


@exercise("03.3")
def cover_until_it_changes(answer):
    """answer(net, image, patch) -> [(top, left)]: squares that together change the label, each chosen with those before it covered."""
    net, _ = _example()
    for name, enough in (("windmill_linda", 3), ("screwdriver", 2)):
        image = photo(name, 224)
        before = int(net(image).argmax())
        squares = answer(net, image.clone(), 56)
        if not isinstance(squares, (list, tuple)):
            raise _NotYet(f"return a list of corners, (top, left); yours is a {type(squares).__name__}.")
        for top, left in squares:
            if not (0 <= top < 224 and 0 <= left < 224 and top % 56 == left % 56 == 0):
                raise _NotYet(f"{(top, left)} is no corner of a square; corners are multiples of the patch, inside the picture.")
            image[..., top : top + 56, left : left + 56] = net.neutral
        if int(net(image).argmax()) == before:
            raise _NotYet(f"with your {len(squares)} squares covered, {name} is still {net.labels[before]!r}.")
        if len(squares) > enough + 1:
            raise _NotYet(
                f"your {len(squares)} squares change the label of {name}, but {enough} are enough. "
                "Measure the falls again after each square, with those before it covered."
            )


@exercise("04.1")
def darkening_map(answer):
    """answer(net, images, target) -> (N, 1, H, W): where less light raises the score."""
    net, images = _example()
    seen, lighter = answer(net, images.clone(), "drum"), saliency(net, images, "drum", part="positive")
    if isinstance(seen, torch.Tensor) and seen.shape == lighter.shape and torch.allclose(seen, lighter, atol=1e-4):
        raise _NotYet("this map shows where *more* light would help.")
    _same(seen, saliency(net, images, "drum", part="negative"), "The map")


@exercise("04.2")
def fourth_rule(answer):
    """answer(g, gate) -> tensor: the signal of guided backpropagation turned around, where what is negative passes."""
    g = torch.tensor([[-2.0, -1.0, 0.0], [3.0, -4.0, 5.0]])
    active = torch.tensor([[True, False, True], [True, True, False]])
    _same(answer(g, active.mul), torch.tensor([[-2.0, 0.0, 0.0], [0.0, -4.0, 0.0]]), "The signal")


@exercise("04.3")
def class_sensitivity(answer):
    """answer(method, net, images, a, b) -> (N,): 1 - Spearman correlation of |map for a| and |map for b|, largest over colours."""
    net, images = _example()
    for method in (gradient, guided_backprop):
        a, b = (method(net, images, k).abs().amax(1, keepdim=True) for k in ("drum", "electric guitar"))
        seen = answer(method, net, images, "drum", "electric guitar")
        _same(seen, 1 - rank_correlation(a, b), f"The sensitivity of {method.__name__}", tolerance=1e-3)


@exercise("05.1")
def from_slopes(answer):
    """answer(slopes, image, baseline) -> (1, 3, H, W): integrated gradients from slopes at evenly spaced points."""
    generator = torch.Generator().manual_seed(0)
    slopes = torch.randn(4, 3, 5, 6, generator=generator)
    image, baseline = torch.rand(2, 1, 3, 5, 6, generator=generator)
    mean = slopes.mean(0, keepdim=True)
    seen = answer(slopes.clone(), image.clone(), baseline.clone())
    if isinstance(seen, torch.Tensor) and seen.shape == mean.shape and torch.allclose(seen, mean):
        raise _NotYet("this is the mean slope; on a linear network its sum would not be S(x) - S(x').")
    _same(seen, (image - baseline) * mean, "The attribution")


@exercise("05.2")
def smoothgrad_squared(answer):
    """answer(net, image, target, noises) -> (1, 3, H, W): the mean of the squared gradients at the noisy copies, clipped to [0, 1]."""
    net, images = _example()
    generator = torch.Generator().manual_seed(0)
    noises = [0.1 * torch.randn(images[:1].shape, generator=generator) for _ in range(3)]
    slopes = gradient(net, torch.cat([(images[:1] + noise).clamp(0, 1) for noise in noises]), "ladybug")
    seen = answer(net, images[:1].clone(), "ladybug", [noise.clone() for noise in noises])
    if isinstance(seen, torch.Tensor) and seen.shape == slopes[:1].shape and torch.allclose(seen, slopes.mean(0, keepdim=True) ** 2):
        raise _NotYet("this is the square of the mean; square before you average.")
    _same(seen, (slopes**2).mean(0, keepdim=True), "The map", tolerance=1e-3)


@exercise("05.3")
def expected_gradients(answer):
    """answer(net, image, target, baselines, steps) -> (1, 3, H, W): integrated gradients, averaged over baselines."""
    net, images = _example()
    baselines = ["black", 0.7, (0.1, 0.4, 0.9)]
    each = [integrated_gradients(net, images[:1], "ladybug", baseline=b, steps=4) for b in baselines]
    seen = answer(net, images[:1].clone(), "ladybug", list(baselines), steps=4)
    _same(seen, torch.stack(each).mean(0), "The attribution", tolerance=1e-2)


@exercise("06.1")
def weighted_sum(answer):
    """answer(A, g) -> (N, 1, h, w): Grad-CAM from activations and gradients, (N, K, h, w) each."""
    A = torch.tensor([[[1.0, 2], [0, 1]], [[0, 0], [3, 1]]])[None]
    g = torch.tensor([[[1.0, 3], [2, 2]], [[-4, 0], [-2, 2]]])[None]
    _same(answer(A, g), torch.tensor([[[[2.0, 4], [0, 1]]]]), "The map")
    both = answer(torch.cat([A, 2 * A]), torch.cat([g, g]))
    _same(both[1:], torch.tensor([[[[4.0, 8], [0, 2]]]]), "The map of the second picture of a batch")


@exercise("06.2")
def energy_in_mask(answer):
    """answer(maps, masks) -> (N,): which share of a map's positive values lies inside the mask."""
    maps = torch.tensor([[[[1.0, 2], [3, -4]]], [[[0, 5], [5, 0]]]])
    masks = torch.tensor([[[[0.0, 1], [1, 1]]], [[[1, 1], [0, 0]]]])
    _same(answer(maps, masks), torch.tensor([5 / 6, 1 / 2]), "The share")


@exercise("06.3")
def hires_cam(answer):
    """answer(net, images, target, layer) -> (N, 1, h, w): sum_k dS/dA_kij A_kij, without ReLU, on the layer's own grid."""
    net, images = _example()
    head = grad_cam(net, images, "drum", layer="head", relu=False, upsample=False)
    _same(answer(net, images, "drum", "head"), head, "At the last layer, where it equals Grad-CAM, the map", tolerance=1e-3)
    with tap(net, ["stage5"], restart=True) as taken:
        score = net(images)[:, net.index("drum")].sum()
    (g,) = torch.autograd.grad(score, taken["stage5"])
    expected = (g * taken["stage5"].detach()).sum(1, keepdim=True)
    _same(answer(net, images, "drum", "stage5"), expected, "At stage5 the map", tolerance=1e-3)


def _drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@exercise("07.1")
def epsilon_rule(answer):
    """answer(a, w, R, epsilon) -> (N, J): LRP-epsilon of a linear layer without bias, epsilon away from zero on both sides."""
    a, w = torch.tensor([[2.0, 1.0]]), torch.tensor([[3.0, -2.0], [-3.0, 2.0]])
    up, down = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 9.0]])
    _same(answer(a, w, up, 2.0), torch.tensor([[9.0, -3.0]]), "For a sum of 4, epsilon 2 and a relevance of 9, the relevance")
    _same(answer(a, w, down, 2.0), torch.tensor([[9.0, -3.0]]), "For a sum of -4, epsilon 2 and a relevance of 9, the relevance")
    a, w, R = _drawn(3, 5), _drawn(4, 5, seed=1), _drawn(3, 4, seed=2)
    z = a @ w.T
    parts = a[:, None] * w / (z + 0.5 * torch.where(z >= 0, 1, -1))[..., None] * R[..., None]
    _same(answer(a, w, R, 0.5), parts.sum(1), "For a batch the relevance")


@exercise("07.2")
def gamma_rule(answer):
    """answer(conv, a, R, gamma) -> the shape of a: LRP-gamma of a convolution, its weights and bias favoured alike."""
    one = torch.nn.Conv2d(2, 1, 1)
    with torch.no_grad():
        one.weight.copy_(torch.tensor([3.0, -2.0]).view(1, 2, 1, 1))
        one.bias.fill_(1.0)
    a = torch.tensor([2.0, 1.0]).view(1, 2, 1, 1)
    hand = torch.tensor([12.0, -2.0]).view(1, 2, 1, 1)  # contributions 12 and -2, a bias of 2: 12 in all
    _same(answer(one, a, torch.full((1, 1, 1, 1), 12.0), 1.0), hand, "For contributions 6 and -2, a bias of 1 and gamma 1 the relevance")
    conv = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1).requires_grad_(False)
    conv.weight.copy_(_drawn(4, 3, 3, 3, seed=1))
    conv.bias.copy_(_drawn(4, seed=2).abs() + 1)
    before = conv.weight.clone()
    a, R = _drawn(2, 3, 8, 8).abs(), _drawn(2, 4, 4, 4, seed=3)
    went_up = conv(a) >= 0  # the rule for the sums below zero is another lesson
    expected = shares(a, lambda a, w, b: F.conv2d(a, w, b, 2, 1), conv.weight, conv.bias, R * went_up, Rule(gamma=4.0))[0]
    _same(answer(conv, a.clone(), R * went_up, 4.0), expected, "For a stride of 2 and a padding of 1 the relevance", tolerance=1e-3)
    if not torch.equal(conv.weight, before):
        raise _NotYet("your code changed the weights of the layer it was given; leave it as it was.")


@exercise("07.3")
def through_block(answer):
    """answer(x, branch, R) -> (N, J): LRP-0 through x + branch(x)."""
    branch = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False)).requires_grad_(False)
    branch[0].weight.copy_(torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
    x, R = torch.tensor([[1.0, 2.0]]), torch.tensor([[6.0, 5.0]])  # sums 3 and 5; of 6 the first input gets 2 + 4
    _same(answer(x.clone(), branch, R), torch.tensor([[7.0, 4.0]]), "Of the relevances 6 and 5, what reaches the block's input")
    layers = [torch.nn.Linear(5, 7, bias=False), torch.nn.ReLU(), torch.nn.Linear(7, 5, bias=False)]
    branch = torch.nn.Sequential(*layers).requires_grad_(False)
    branch[0].weight.copy_(_drawn(7, 5, seed=1))
    branch[2].weight.copy_(_drawn(5, 7, seed=2).abs())
    x, R = _drawn(3, 5, seed=3).abs() + 0.1, _drawn(3, 5, seed=4)
    s = R / (x + branch(x))
    through = torch.autograd.functional.vjp(branch, x, s)[1]
    _same(answer(x.clone(), branch, R), x * (s + through), "Through two layers the relevance", tolerance=1e-3)
