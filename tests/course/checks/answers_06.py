"""Right and wrong answers to the exercises of notebook 06, class activation maps."""

import torch

import vizlib as vz
from vizlib.course import checks
from vizlib.layers import tap


def hires(net, images, target, layer):
    with tap(net, [layer], restart=True) as taken:
        score = net(images)[:, net.index(target)].sum()
    (g,) = torch.autograd.grad(score, taken[layer])
    return (g * taken[layer].detach()).sum(1, keepdim=True)


RIGHT = {
    checks.weighted_sum: lambda A, g: (g.mean((2, 3), keepdim=True) * A).sum(1, keepdim=True).clamp(min=0),
    checks.energy_in_mask: lambda m, masks: (
        (m.clamp(min=0) * masks).sum((1, 2, 3)) / m.clamp(min=0).sum((1, 2, 3))
    ),
    checks.hires_cam: hires,
}

WRONG = [
    (
        checks.weighted_sum,
        lambda A, g: (g.mean((2, 3), keepdim=True) * A).sum(1, keepdim=True),
        "has values below zero",
    ),
    (checks.energy_in_mask, lambda m, masks: (m * masks).sum((1, 2, 3)) / m.sum((1, 2, 3)), "off by up to"),
    (
        checks.hires_cam,
        lambda net, x, k, layer: vz.layer_cam(net, x, k, layer=layer, upsample=False),
        "At the last layer",
    ),
]
