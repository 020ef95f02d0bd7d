"""Every method of the library that asks something of a network: run with tiny settings, and checked.

Each function here takes a `Case` and has one of three endings: it returns (the answer is right), it raises
VizlibError (the method refuses this network, in words), or it raises anything else, which is a mistake of the
library.

Tolerances, as shares of the length of what is right: SAME where both sides ask the very same network; FOLDED
for what a network says where one side is plain PyTorch, whose batch-norm has not been folded; SLOPES for
slopes then, because rounding moves a few of a million rectifiers over their kink, and each changes the slope
of many pixels.
"""

import contextlib
import copy
import io
import itertools

import torch
import torch.nn.functional as F
from captum import attr
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

import vizlib as vz
from vizlib.attribution import baseline_pictures
from vizlib.layers import resume
from vizlib.layers.rules import _ceiling

SAME, FOLDED, SLOPES = 1e-3, 5e-3, 0.1
EPSILON = 2 / 255


def once(done, total, preview):
    """A progress function that ends the work after its first piece."""
    return False


# Which pixels mattered?


def gradient(case):
    """That of plain PyTorch; and, nearly to the digit, that of the very network asked."""
    ours, x = vz.gradient(case.net, case.image, case.k), case.image.clone().requires_grad_()
    case.close(ours, case.gradient, SLOPES)
    case.close(ours, torch.autograd.grad(case.net(x)[0, case.k], x)[0], SAME)


def gradient_times_input(case):
    case.close(vz.gradient_times_input(case.net, case.image, case.k), case.gradient * case.image, SLOPES)


def saliency(case):
    case.close(vz.saliency(case.net, case.image), case.gradient.abs().amax(1, keepdim=True), SLOPES)


def deconvnet(case):
    _against_swapped(case, vz.deconvnet(case.net, case.image, case.k), guided=False)


def guided_backprop(case):
    _against_swapped(case, vz.guided_backprop(case.net, case.image, case.k), guided=True)


def _against_swapped(case, ours, guided):
    """The plain model with a rectifier of our own in place of each nn.ReLU, if it has no other rectifiers.

    Not captum: it sets hooks at what goes in, and so it is wrong where something else reads that as well (a
    shortcut around the activation), or where one module runs twice.
    """
    assert bool(ours.isfinite().all()) and ours.shape == case.image.shape
    if case.blind or _all_rectifiers_are_modules(case):
        case.close(ours, _swapped(case, guided).slope_at(case.image), SLOPES)


def _swapped(case, guided):
    """The case with every nn.ReLU of its plain model exchanged."""
    plain = copy.deepcopy(case.plain)
    for module in plain.modules():
        for name, child in list(module.named_children()):
            if type(child) is nn.ReLU:
                setattr(module, name, _OneWay(guided))
    swapped = copy.copy(case)
    swapped.plain = plain
    return swapped


class _OneWay(nn.Module):
    """A rectifier that passes on what is positive on the way back; guided: only where it was active."""

    def __init__(self, guided):
        super().__init__()
        self.guided = guided

    def forward(self, x):
        value = x.relu() if self.guided else x
        y = value.clone()
        if y.requires_grad:
            y.register_hook(lambda g: g.clamp(min=0))
        return y + (x.relu() - value).detach()


class _Rectifiers(TorchFunctionMode):
    calls = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.calls += _ceiling(func, args, kwargs or {}) is not None
        return func(*args, **(kwargs or {}))


def _all_rectifiers_are_modules(case):
    ran, handles = [], []
    for module in case.plain.modules():
        if type(module) is nn.ReLU:
            handles.append(module.register_forward_hook(lambda *_: ran.append(1)))
    with _Rectifiers() as seen:
        case.ask(case.image)
    for handle in handles:
        handle.remove()
    return seen.calls == len(ran)


def cam(case):
    maps = vz.cam(case.net, case.image, case.k, upsample=False)
    head = case.net.layer("logits").module
    bias = float(head.bias[case.k]) if isinstance(head, nn.Linear) and head.bias is not None else 0.0
    assert abs(float(maps.mean()) + bias - case.score) < FOLDED * float(case.logits.abs().max())


def grad_cam(case):
    ours = vz.grad_cam(case.net, case.image, case.k, relu=False, upsample=False)
    case.close(ours, _grad_cam(case), SAME)
    info = case.net.layer(case.layer)
    if not info.channels_last:
        peer = attr.LayerGradCam(case.net, info.module)
        theirs = peer.attribute(case.image.clone().requires_grad_(), target=case.k)
        case.close(ours, theirs.detach(), SAME)


def _grad_cam(case):
    A, g = case.tapped(case.layer, slope=True)
    return (g.mean((2, 3), keepdim=True) * A).sum(1, keepdim=True)


def layer_cam(case):
    ours = vz.layer_cam(case.net, case.image, case.k, upsample=False)
    A, g = case.tapped(case.layer, slope=True)
    case.close(ours, (g.clamp(min=0) * A).sum(1, keepdim=True).clamp(min=0), SAME, zero=True)


def guided_grad_cam(case):
    ours = vz.guided_grad_cam(case.net, case.image, case.k)
    region = _enlarged(_grad_cam(case).clamp(min=0), case)
    case.close(ours, region * vz.guided_backprop(case.net, case.image, case.k), SAME, zero=True)


def _enlarged(maps, case):
    return F.interpolate(maps, case.image.shape[-2:], mode="bilinear", align_corners=False)


def score_cam(case):
    """Of the first four channels."""
    ours = vz.score_cam(case.net, case.image, case.k, upsample=False, batch_size=4, progress=once)
    A = case.tapped(case.layer)[0]
    first = [a for a in A if float(a.max() - a.min()) > 1e-8][:4]
    masks = [_enlarged(a[None, None], case) for a in first]
    masks = torch.cat([(m - m.min()) / (m.max() - m.min()) for m in masks])
    grey = case.plain.mean
    weights = case.ask(grey + masks * (case.image - grey))[:, case.k].softmax(0)
    right = sum(w * a for w, a in zip(weights, first, strict=True)).clamp(min=0)[None, None]
    case.close(ours, right, FOLDED, zero=True)


def integrated_gradients(case):
    """Two steps, as they are; then the same with the sum put right, and how right it says that it is."""
    ask = {"steps": 2, "power": 1}
    ours = vz.integrated_gradients(case.net, case.image, case.k, complete=False, **ask)
    start = case.plain.mean.expand_as(case.image)
    way = case.image - start
    slopes = case.slope_at(torch.cat([start + 0.25 * way, start + 0.75 * way]))
    case.close(ours, way * slopes.mean(0, keepdim=True), SLOPES)
    with torch.no_grad():
        wanted = float((case.net(case.image) - case.net(start))[0, case.k])
    near = SAME * (abs(wanted) + float(ours.abs().sum()))
    said = float(vz.completeness_error(case.net, case.image, case.k, ours)) * abs(wanted)
    assert abs(said - abs(float(ours.sum()) - wanted)) <= near
    complete = vz.integrated_gradients(case.net, case.image, case.k, **ask)
    assert abs(float(complete.sum()) - wanted) <= abs(float(ours.sum()) - wanted) + near


def smoothgrad(case):
    """One noisy copy."""
    ours = vz.smoothgrad(case.net, case.image, case.k, samples=1, noise=0.1)
    sigma = 0.1 * (case.image.max() - case.image.min())
    e = torch.randn(case.image.shape[1:], generator=torch.Generator().manual_seed(0))[None]
    case.close(ours, case.slope_at(case.image + sigma * e), SLOPES)


def occlusion(case):
    """Six small patches, each painted by hand."""
    ours = vz.occlusion(case.net, case.image, case.k, upsample=False, **_patches(case))
    drops = case.score - _covered(case)[:, case.k]
    case.close(ours, drops.view(1, 1, 3, 2), 5 * FOLDED)  # small differences of large scores


def occluded(case):
    ours = vz.occluded(case.net, case.image, **_patches(case))
    case.close(ours, _covered(case).view(1, 3, 2, -1), FOLDED)


def _patches(case):
    side = case.side // 8
    return {"patch": side, "stride": ((case.side - side) // 2, case.side - side)}


def _covered(case):
    """The logits of the picture behind each of the six patches, (6, K)."""
    if not hasattr(case, "_behind"):
        side, last = case.side // 8, case.side - case.side // 8
        x = case.image.repeat(6, 1, 1, 1)
        for picture, (row, column) in zip(
            x, itertools.product((0, last // 2, last // 2 * 2), (0, last)), strict=True
        ):
            picture[:, row : row + side, column : column + side] = case.plain.mean[0]
        case._behind = torch.cat([case.ask(part) for part in x.split(2)])
    return case._behind


def lrp(case):
    """The zero rule's map and what the biases kept of the score make up the score; the usual mixture is
    finite.
    """
    R = vz.lrp(case.net, case.image, case.k, rule="zero")
    assert bool(R.isfinite().all()) and R.shape == case.image.shape
    table = vz.relevance_table(case.net, case.image, case.k, rule="zero")
    kept = torch.tensor(table["kept by its bias"])
    flow = float(R.abs().sum() + kept.abs().sum())
    assert abs(float(R.sum() + kept.sum()) - case.score) < FOLDED * flow
    mixed = vz.lrp(case.net, case.image, case.k)
    assert bool(mixed.isfinite().all()) and bool(mixed.any())


def relevance_table(case):
    """What arrives at a row is passed on, kept or lost, and all of the score arrives at the first."""
    table = vz.relevance_table(case.net, case.image, case.k)
    assert abs(table[0]["arriving"] - case.score) < FOLDED * float(case.logits.abs().max())
    for row in table:
        gone = row["passed on"] + row["kept by its bias"] + row["lost"]
        assert abs(row["arriving"] - gone) < 1e-4 * (1 + abs(row["passed on"]) + abs(row["lost"])), row


def project(case):
    """From the first layer: the rule for rectifiers (see deconvnet) gives the same."""
    layer = case.grids(9)[0]
    A = case.net.layer(layer) and case.tapped(layer)
    k = int(A.amax((0, 2, 3)).argmax())
    ours = vz.project(case.net, case.image, vz.unit(layer, k))
    place = divmod(int(A[0, k].argmax()), A.shape[3])
    x = case.image.clone().requires_grad_()
    with vz.layers.tap(case.net, [layer]) as taken:
        case.net(x)
    value = taken[layer][0, k][place]
    try:
        signal = vz.deconvnet(case.net, case.image, vz.unit(layer, k, at=place))
    except vz.VizlibError:  # no rectifier on the way
        signal = torch.autograd.grad(value, x)[0]
    case.close(ours, value.detach() * signal, SAME)


def randomize(case):
    """The head alone: its weights keep their mean and spread, all others stay, and so does the network."""
    before, other = case.net.state_dict(), vz.randomize(case.net, "logits", cascading=False)
    changed = [name for name, t in other.state_dict().items() if not torch.equal(t, before[name])]
    assert 1 <= len(changed) <= 2, changed
    for name in changed:
        a, b = before[name], other.state_dict()[name]
        assert a.numel() < 1000 or abs(float(a.std() / b.std()) - 1) < 0.2
    with torch.no_grad():
        assert not torch.allclose(other(case.image), case.net(case.image))


def deletion(case):
    ours = vz.deletion(case.net, case.image, case.k, _ramp(case), steps=2)
    gone = case.plain.mean.expand_as(case.image)
    case.close(ours, _curve(case, case.image, gone), FOLDED)


def insertion(case):
    ours = vz.insertion(case.net, case.image, case.k, _ramp(case), steps=2)
    case.close(ours, _curve(case, baseline_pictures(case.net, case.image, "blur"), case.image), FOLDED)


def _ramp(case):
    """A map that finds the lower right most important."""
    return torch.arange(float(case.side**2)).view(1, 1, case.side, case.side)


def _curve(case, before, after):
    """The scores (1, 3) on the way from one picture to the other, the lower half changing first."""
    half = _ramp(case) >= case.side**2 / 2
    x = torch.cat([before, torch.where(half, after, before), after])
    return case.ask(x)[:, case.k][None]


# Which picture lies?


def fgsm(case):
    ours = vz.fgsm(case.net, case.image, case.k, epsilon=EPSILON)
    _in_the_ball(case, ours)
    g = case.slope_at(case.image, lambda z: -z.log_softmax(1)[:, case.k])
    right = (case.image + EPSILON * g.sign()).clamp(0, 1)
    differ = (ours - right).abs() > 1e-4
    assert float((g.abs() * differ).sum() / g.abs().sum()) < SLOPES


def pgd(case):
    """In the ball, and no weaker than the fast gradient sign."""
    ours = vz.pgd(case.net, case.image, case.k, epsilon=EPSILON, steps=1)
    _in_the_ball(case, ours)
    single = vz.fgsm(case.net, case.image, case.k, epsilon=EPSILON)
    mine, theirs = (-case.ask(x).log_softmax(1)[0, case.k] for x in (ours, single))
    assert float(mine) >= float(theirs) - FOLDED * (1 + abs(float(theirs)))


def _in_the_ball(case, x):
    assert x.shape == case.image.shape and bool(x.isfinite().all())
    assert float(x.min()) >= 0 and float(x.max()) <= 1
    assert 0 < float((x - case.image).abs().max()) <= EPSILON + 1e-6


def lbfgs_attack(case):
    wanted = int(case.logits[0].topk(2).indices[1])
    ours = vz.lbfgs_attack(case.net, case.image, wanted, weight=0.01, searches=1, steps=2)
    assert float(ours.min()) >= 0 and float(ours.max()) <= 1 and bool(ours.isfinite().all())
    if not torch.equal(ours, case.image):
        with torch.no_grad():
            assert int(case.net(ours).argmax()) == wanted


def evolve(case):
    classes = [case.k, int(case.logits.argmin())]
    archive = vz.evolve(case.net, classes, generations=1, population=2, size=case.side)
    right = case.ask(archive.image).softmax(1)[[0, 1], classes]
    assert float((archive.scores - right).abs().max()) < 5 * FOLDED  # probabilities of large logits


# What do the layers hold?


def record(case):
    """The logits are those of plain PyTorch, the maps what the modules put out."""
    layers = case.grids(3) if any(i.spatial for i in case.net.named_layers().values()) else []
    taken = vz.record(case.net, case.image, [*layers, "logits"])
    case.close(taken["logits"], case.logits, FOLDED)
    for layer in layers:
        case.close(taken[layer], case.tapped(layer), SAME)


def resume_(case):
    """From each of three layers at which the network can be cut the logits come back."""
    refused, went = None, 0
    for layer in reversed(case.grids(3)):
        values = vz.record(case.net, case.image, layer)[layer]
        try:
            logits = resume(case.net, layer, values)
        except vz.VizlibError as problem:
            refused = refused or problem
            continue
        went += 1
        case.close(logits.detach(), case.logits, FOLDED)
    if not went:
        raise refused


def predict(case):
    table = case.net.predict(case.image, top=3)
    values, indices = case.logits.softmax(1)[0].topk(3)
    case.close(torch.tensor(table["probability"]), values, 5 * FOLDED)
    assert table[0]["index"] == int(indices[0]) and table[0]["label"] == case.net.labels[case.k]


def receptive_field(case):
    """No pixel outside of the field has a slope."""
    for layer in case.grids(4):
        info, field = case.net.layer(layer), vz.receptive_field(case.net, layer)
        x = case.image.clone().requires_grad_()
        with vz.layers.tap(case.net, [layer]) as taken:
            case.net(x)
        if max(field.size) == float("inf"):
            continue
        A = taken[layer]
        assert A.shape[1] == info.shape[0]
        at = [n // 2 for n in A.shape[2:]]
        g = torch.autograd.grad(A[0, :, at[0], at[1]].square().sum(), x)[0][0].abs().sum(0)
        for sums, i, start, stride, size in zip(
            (g.sum(1), g.sum(0)), at, field.start, field.stride, field.size, strict=True
        ):
            seen = sums.nonzero()[:, 0]
            assert len(seen), f"{layer} sees nothing"
            first, last = int(seen[0]), int(seen[-1])
            low = start + i * stride
            assert low - 1e-6 <= first and last < low + size + 1e-6, (
                f"{layer} sees {first} to {last}: {field}"
            )


def anatomy(case):
    """Parameters add up to all that the logits depend on, multiply-adds to half the operations that PyTorch
    counts, if it is made to do attention in steps that it counts.
    """
    table, learning = vz.anatomy(case.net), copy.deepcopy(case.net).requires_grad_()
    learning.train().eval()  # biases that some have computed without slopes, and kept
    used = sum(p.numel() for p in _behind(learning(case.image)))
    assert sum(table["parameters"]) == used, f"{sum(table['parameters'])} parameters, not {used}"
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        case.net(torch.full((1, 3, *case.net.input_shape), 0.5).requires_grad_())
    counted = counter.get_total_flops() // 2
    assert sum(table["multiply-adds"]) == counted, (
        f"{sum(table['multiply-adds'])} multiply-adds, not {counted}"
    )


def _behind(tensor):
    """The parameters that a tensor was computed from, read off its graph."""
    seen, waiting = {}, [tensor.grad_fn]
    while waiting:
        step = waiting.pop()
        if step is not None and step not in seen:
            seen[step] = getattr(step, "variable", None)
            waiting += [before for before, _ in step.next_functions]
    return [parameter for parameter in seen.values() if parameter is not None]


def draw_anatomy(case):
    drawn = vz.draw_anatomy(vz.anatomy(case.net), alt="a network as a row of boxes")
    assert drawn.data[:4] == b"\x89PNG"


def top_patches(case):
    found = vz.top_patches(case.net, [case.image, case.other], case.layer, top=2)
    peaks = torch.stack([case.tapped(case.layer, x)[0].amax((1, 2)) for x in (case.image, case.other)], 1)
    case.close(found.values, peaks.sort(dim=1, descending=True).values, SAME)
    assert found.patches(0).shape[:2] == (2, 3)


def dissect(case):
    """The first unit's overlap with each object, worked out again."""
    scenes = vz.collages(["farm", "kitchen_table"], size=case.side)
    found = vz.dissect(case.net, scenes, case.layer, top=0.05)
    maps = torch.cat([case.tapped(case.layer, x[None])[:, 0] for x in scenes.images])
    threshold = maps.flatten().kthvalue(max(1, round(0.95 * maps.numel()))).values
    strong = F.interpolate(maps[:, None], scenes.images.shape[-2:], mode="bilinear")[:, 0] > threshold
    for c, name in enumerate(found.objects):
        shows = torch.stack(
            [
                o == (n.index(name) if name in n else -9)
                for o, n in zip(scenes.owners, scenes.names, strict=True)
            ]
        )
        right = float((strong & shows).sum() / (strong | shows).sum().clamp(min=1))
        assert abs(float(found.iou[0, c]) - right) < 0.01


def empirical_receptive_field(case):
    layer = case.grids(9)[0]
    side = vz.receptive_field(case.net, layer).size[0]
    A = case.tapped(layer)[0]
    k = int(A[:, 2:-2, 2:-2].amax((1, 2)).argmax())
    field = vz.empirical_receptive_field(
        case.net, case.image, vz.unit(layer, k), top=1, patch=3, stride=max(1, int(min(side, case.side)) // 3)
    )
    assert bool(field.map.isfinite().all()) and float(field.map.min()) >= 0 and field.theoretical == side


def fit_equivariance(case):
    """For a mirror, two filters to a row: no worse than the mean code."""
    M = vz.fit_equivariance(
        case.net, case.image, vz.H_FLIP, layer=_narrow(case), method="ridge", size=1, ridge=1e-6, samples=512
    )
    codes, wanted = (case.tapped(M.layer, x) for x in (case.image.flip(-1), case.image))
    assert vz.map_error(M, codes, wanted) < 1.1


def train_equivariance(case):
    start = _mirror(case)
    images = torch.cat([case.image, case.other])
    M = vz.train_equivariance(case.net, images, torch.tensor([case.k, 0]), start, steps=1, batch=2)
    assert bool(M.weight.isfinite().all()) and not torch.equal(M.weight, start.weight)


def logits_through(case):
    """The codes of the mirrored picture, mirrored back by hand."""
    M = _mirror(case)
    ours = vz.logits_through(case.net, case.image.flip(-1), M)
    codes = case.tapped(M.layer, case.image.flip(-1)).flip(-1)
    case.close(ours, resume(case.net, M.layer, codes).detach(), SAME)


def _mirror(case):
    return vz.fit_equivariance(case.net, case.image, vz.H_FLIP, layer=case.layer, method="places", size=1)


def fit_stitch(case):
    """To itself: the identity, nearly."""
    layer = _narrow(case)
    E = vz.fit_stitch(case.net, case.image, case.net, layer=layer, ridge=1e-6, samples=512)
    codes = case.tapped(layer)
    mean = codes.mean((2, 3), keepdim=True)
    assert float((E(codes) - codes).norm()) < 0.5 * float((codes - mean).norm())


def train_stitch(case):
    start = _identity(case)
    images = torch.cat([case.image, case.other])
    E = vz.train_stitch(case.net, images, case.net, torch.tensor([case.k, 0]), start, steps=1, batch=2)
    assert bool(E.weight.isfinite().all()) and not torch.equal(E.weight, start.weight)


def franken(case):
    """Stitched to itself by the identity it says what it says."""
    from vizlib.representation import franken

    case.close(franken(case.net, case.image, case.net, _identity(case)), case.logits, FOLDED)


def _identity(case):
    return vz.fit_stitch(case.net, case.image, case.net, layer=case.layer, method="identity")


def match_units(case):
    """With itself: every unit that changes is its own partner."""
    matching = vz.match_units(case.net, case.image, case.net, layer=_narrow(case))
    changes = matching.correlation.diagonal() > 0.5
    assert bool(changes.any()) and float((matching.values[changes] - 1).abs().max()) < 1e-3


def _narrow(case):
    """Of three layers with positions the one with the fewest channels."""
    return min(case.grids(3), key=lambda name: case.net.layer(name).shape[0])


def minimal_image(case):
    found = vz.minimal_image(case.net, case.image, segments=4, progress=once)
    assert found.label == case.net.labels[case.k]
    assert abs(found.history[0] - case.score) < FOLDED * float(case.logits.abs().max())
    logits = case.ask(found.image)[0]
    near = FOLDED * float(logits.abs().max())
    assert (
        abs(found.history[-1] - float(logits[case.k])) < near and float(logits.max() - logits[case.k]) < near
    )


def decode(case):
    vz.decode(case.net, case.image, layer=case.layer)


def feature_error(case):
    others = torch.cat([case.image, case.other])
    ours = vz.feature_error(case.net, case.image, case.other, others, layer="logits")
    a, b = case.ask(others)
    case.close(ours, ((a - b).square().sum() / (2 * ((a - b) / 2).square().sum()))[None], FOLDED)


# Which picture does it want?


def visualize(case):
    """The first score is that of the canvas."""
    canvas = vz.synthesis.Fourier(case.side)
    right = float(case.ask(canvas.image().detach())[0, case.k])
    result = vz.visualize(case.net, case.k, canvas=canvas, jitter=None, steps=1)
    _a_picture(result.image, case.side)
    assert abs(result.history[0] - right) < FOLDED * float(case.logits.abs().max())


def class_picture(case):
    result = vz.class_picture(case.net, case.k, size=case.side, steps=1)
    _a_picture(result.image, case.side)
    assert torch.tensor(result.history).isfinite().all()


def dream(case):
    """One step: along the slope of the layer's energy."""
    layer = case.layer
    result = vz.dream(case.net, case.image, layer=layer, octaves=1, steps=1, jitter=0, tile=None)
    x = case.image.clone().requires_grad_()
    with vz.layers.tap(case.net, [layer]) as taken:
        case.net(x)
    g = torch.autograd.grad(0.5 * taken[layer].square().mean(), x)[0]
    right = (case.image + vz.synthesis.dreams.RATE * g / g.abs().mean()).clamp(0, 1)
    case.close(result.image - case.image, right - case.image, SAME)


def zoom_film(case):
    film = vz.zoom_film(case.net, case.image, layer=case.layer, frames=2, octaves=1, steps=1)
    assert film.images.shape == (2, 3, case.side, case.side) and torch.equal(film.images[:1], case.image)
    _a_picture(film.image, case.side)


def dream_film(case):
    film = vz.dream_film(
        case.net, case.image, layer=case.layer, window=case.side, size=16, octaves=1, steps=1
    )
    assert film.images.shape == (2, 3, 16, 16)
    assert torch.equal(film.images, vz.resize(torch.cat([case.image, film.image]), 16))


def invert(case):
    result = vz.invert(case.net, case.image, layer=case.layer, steps=1)
    _a_picture(result.image, case.side)
    start = vz.synthesis.Fourier(case.side).image().detach()
    a, b = case.tapped(case.layer, start), case.tapped(case.layer)
    right = -float((a - b).square().sum() / b.square().sum())
    assert abs(result.history[0] - right) < FOLDED * abs(right)


def texture(case):
    result = vz.texture(case.net, case.image, size=case.side, steps=1)
    _a_picture(result.image, case.side)
    assert result.history[0] < 0


def style_transfer(case):
    """A picture in its own style is right from the beginning."""
    result = vz.style_transfer(case.net, case.image, case.image, steps=1)
    _a_picture(result.image, case.side)
    assert abs(result.history[0]) < 1e-3
    other = vz.style_transfer(case.net, case.image, case.other, steps=1)
    assert other.history[0] < -1e-3


def style_poster(case):
    result = vz.style_poster(case.net, case.image, case.other, sizes=(case.side - 32,), steps=1, margin=16)
    _a_picture(result.image, case.side - 32)


def frame(case):
    result = vz.frame(case.net, case.image, size=case.side, steps=1)
    _a_picture(result.image, case.side)
    assert 0 < result.history[0] < float("inf")


def _a_picture(image, side):
    assert image.shape == (1, 3, side, side), tuple(image.shape)
    assert bool(image.isfinite().all()) and float(image.min()) >= 0 and float(image.max()) <= 1


ATTRIBUTION = (
    gradient, gradient_times_input, saliency, smoothgrad, integrated_gradients, deconvnet, guided_backprop,
    cam, grad_cam, layer_cam, guided_grad_cam, score_cam, occlusion, occluded, lrp, relevance_table, project,
    deletion, insertion, randomize,
)  # fmt: skip
DECEPTION = fgsm, pgd, lbfgs_attack, evolve
LAYERS = record, resume_, predict, receptive_field, anatomy, draw_anatomy
REPRESENTATION = (
    top_patches, dissect, empirical_receptive_field, fit_equivariance, train_equivariance, logits_through,
    fit_stitch, train_stitch, franken, match_units, minimal_image, feature_error, decode,
)  # fmt: skip
SYNTHESIS = (
    visualize, class_picture, dream, zoom_film, dream_film, invert, texture, style_transfer, style_poster,
    frame,
)  # fmt: skip
METHODS = {
    method.__name__.rstrip("_"): method
    for method in (*ATTRIBUTION, *DECEPTION, *LAYERS, *REPRESENTATION, *SYNTHESIS)
}
# These speak of the network at its own size, whatever pictures there are.
SIZELESS = {"randomize", "receptive_field", "anatomy", "draw_anatomy"}
# At the other size only these in the sample for every push.
FEW = ("gradient", "grad_cam", "occlusion", "record")


def outcome(method, case):
    """("yes" | "no" | "FAILURE", why). Whatever happens, the network is left as it was found."""
    before = _state(case.net)
    try:
        guesses = case.guesses
        with contextlib.redirect_stdout(io.StringIO()):
            METHODS[method](case)
        assert case.guesses == guesses, "an answer, where the model itself has none"
        result = "yes", ""
    except vz.VizlibError as problem:
        result = "no", str(problem)
    except Exception as problem:
        result = "FAILURE", f"{type(problem).__name__}: {problem}"
    if _state(case.net) != before:
        result = "FAILURE", "the network is not as it was found"
    return result


def _state(net):
    """What a method may not change. A tensor that is written to counts its versions."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    tensors = [*net.parameters(), *net.buffers()]
    return (
        [(t.data_ptr(), t._version, t.requires_grad, t.grad is None) for t in tensors],
        [(type(m), m.training, *(len(getattr(m, h)) for h in hooks)) for m in net.modules()],
        torch.is_grad_enabled(),
    )
