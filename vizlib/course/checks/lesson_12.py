"""Checks of the exercises of notebook 12, adversarial examples."""

from collections.abc import Callable

import torch

from ...attribution import gradient
from .verdict import NotYet, exercise, network, rounding, same, unless


def _pictures(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@exercise("12.1")
def back_into_ball(answer: Callable) -> None:
    """answer(x, original, epsilon) -> (N, 3, H, W): the nearest point no further than epsilon from the
    original and in [0, 1].
    """
    original = torch.tensor([0.5, 0.5, 0.02, 0.98, 0.5, 0.5]).view(1, 3, 1, 2)
    x = torch.tensor([0.7, 0.35, -0.3, 1.3, 0.55, 0.5]).view(1, 3, 1, 2)
    expected = torch.tensor([0.6, 0.4, 0.0, 1.0, 0.55, 0.5]).view(1, 3, 1, 2)
    seen = answer(x.clone(), original.clone(), 0.1)
    if isinstance(seen, torch.Tensor) and (seen.min() < 0 or seen.max() > 1):
        raise NotYet("the result leaves [0, 1], so it is no picture.")
    around_black = x.clamp(-0.1, 0.1).clamp(0, 1)
    unless(seen, around_black, "this is within epsilon of black; the ball is around the original.")
    unless(seen, x.clamp(0, 1), "this is a picture, but further from the original than epsilon.")
    same(seen, expected, "For six values the result")
    original, x = _pictures(0, 2, 3, 5, 6), _pictures(1, 2, 3, 5, 6) * 1.4 - 0.2
    lowest, highest = (original - 0.15).clamp(min=0), (original + 0.15).clamp(max=1)
    same(
        answer(x.clone(), original.clone(), 0.15),
        torch.minimum(torch.maximum(x, lowest), highest),
        "For a batch the result",
    )


@exercise("12.2")
def towards(answer: Callable) -> None:
    """answer(net, x, k, epsilon, rate, steps) -> (1, 3, H, W): the iterated attack that leads towards class
    k.
    """
    net, x = network("zfnet"), 0.2 + 0.6 * _pictures(2, 1, 3, 64, 64)
    k, epsilon, rate, steps = 7, 0.02, 0.008, 4

    def walk(sign, project=True):
        a = x
        for _ in range(steps):
            a = a + sign * rate * gradient(net, a.clamp(0, 1), lambda z: z.log_softmax(1)[:, k]).sign()
            a = (a.clamp(x - epsilon, x + epsilon) if project else a).clamp(0, 1)
        return a

    seen = answer(net, x.clone(), k, epsilon, rate, steps)
    if isinstance(seen, torch.Tensor) and seen.shape == x.shape and seen.is_floating_point():
        r = (seen.detach() - x).abs().max()
        if r > epsilon + max(1e-5, rounding(seen)):
            raise NotYet(f"values have changed by up to {float(r):.3f}; epsilon is {epsilon}.")
        if _alike(seen, walk(-1)):
            raise NotYet("this leads away from the class: its loss should fall.")
        one = (x + epsilon * gradient(net, x, lambda z: z.log_softmax(1)[:, k]).sign()).clamp(0, 1)
        if _alike(seen, one):
            raise NotYet(
                "this is one step of length epsilon; take `steps` steps of length `rate`, and a new slope "
                "for each."
            )
        if _alike(seen, walk(1)):
            return
    same(seen, walk(1), "The picture", tolerance=1e-3)


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal but for a few pixels whose slope is so small that its sign is rounding."""
    return bool(((a.detach() - b).abs() < max(1e-4, rounding(a))).float().mean() > 0.995)


@exercise("12.3")
def as_a_file(answer: Callable) -> None:
    """answer(x, original, epsilon) -> (N, 3, H, W): the nearest multiples of 1 / 255 that are no further than
    epsilon from the original.
    """
    epsilon = 2 / 255
    original = torch.tensor([10.3, 10.3, 10.0, 0.4, 254.8, 100.5]).view(1, 3, 1, 2) / 255
    x = torch.tensor([12.3, 8.4, 11.6, 0.0, 255.0, 101.2]).view(1, 3, 1, 2) / 255
    expected = torch.tensor([12.0, 9.0, 12.0, 0.0, 255.0, 101.0]).view(1, 3, 1, 2) / 255
    seen = answer(x.clone(), original.clone(), epsilon)
    if isinstance(seen, torch.Tensor) and seen.shape == x.shape and seen.is_floating_point():
        levels, slack = 255 * seen.detach().float(), max(1e-3, 255 * rounding(seen))
        if not (levels - levels.round()).abs().max() <= slack:
            raise NotYet("these are not all multiples of 1 / 255, so a file cannot hold them.")
        if (levels - 255 * original).abs().max() > 255 * epsilon + slack:
            far = int((levels - 255 * original).abs().flatten().argmax())
            was, became = (t.flatten()[far] for t in (255 * original, levels))
            raise NotYet(
                f"a value of {was:.1f} / 255 became {became:.0f} / 255, which is further away than 2 / 255."
            )
    same(seen, expected, "For six values the result")
    original = _pictures(3, 2, 3, 5, 6)
    x = (original + epsilon * (2 * _pictures(4, 2, 3, 5, 6) - 1)).clamp(0, 1)
    lowest, highest = ((original - epsilon) * 255).ceil() / 255, ((original + epsilon) * 255).floor() / 255
    nearest = torch.minimum(torch.maximum((x * 255).round() / 255, lowest), highest).clamp(0, 1)
    same(answer(x.clone(), original.clone(), epsilon), nearest, "For a batch the result")
