"""Right and wrong answers to the exercises of notebook 12, adversarial examples."""

import torch
import torch.nn.functional as F

from vizlib.course import checks


def ball(x, original, epsilon):
    return (original + (x - original).clamp(-epsilon, epsilon)).clamp(0, 1)


def towards(net, x, k, epsilon, rate, steps, sign=-1, project=ball):
    a = x
    for _ in range(steps):
        a = a.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(net(a), torch.tensor([k])), a)
        a = project(a + sign * rate * g.sign(), x, epsilon)
    return a.detach()


def as_a_file(x, original, epsilon):
    level = (255 * x).round()
    level = torch.where(level > 255 * (original + epsilon), level - 1, level)
    level = torch.where(level < 255 * (original - epsilon), level + 1, level)
    return level / 255


RIGHT = {checks.back_into_ball: ball, checks.towards: towards, checks.as_a_file: as_a_file}

WRONG = [
    (
        checks.back_into_ball,
        lambda x, original, epsilon: original + (x - original).clamp(-epsilon, epsilon),
        "leaves [0, 1]",
    ),
    (
        checks.back_into_ball,
        lambda x, original, epsilon: x.clamp(-epsilon, epsilon).clamp(0, 1),
        "the ball is around the original",
    ),
    (
        checks.back_into_ball,
        lambda x, original, epsilon: x.clamp(0, 1),
        "further from the original than epsilon",
    ),
    (checks.back_into_ball, lambda x, original, epsilon: ball(x, original, epsilon / 2), "off by up to"),
    (checks.towards, lambda *given: towards(*given, sign=1), "leads away from the class"),
    (
        checks.towards,
        lambda *given: towards(*given, project=lambda a, x, e: a.clamp(0, 1)),
        "epsilon is 0.02",
    ),
    (
        checks.towards,
        lambda net, x, k, epsilon, rate, steps: towards(net, x, k, epsilon, epsilon, 1),
        "one step of length epsilon",
    ),
    (
        checks.towards,
        lambda net, x, k, epsilon, rate, steps: towards(net, x, k, epsilon, rate, steps - 2),
        "off by up to",
    ),
    (checks.as_a_file, lambda x, original, epsilon: x, "not all multiples"),
    (checks.as_a_file, lambda x, original, epsilon: (255 * x).round() / 255, "further away than 2 / 255"),
    (checks.as_a_file, lambda x, original, epsilon: (255 * original).round() / 255, "off by up to"),
]
