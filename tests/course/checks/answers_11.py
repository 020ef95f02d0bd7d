"""Right and wrong answers to the exercises of notebook 11, fooling images."""

import torch

from vizlib.course import checks


def mutated(genes, r, strength, one=1, clip=True):
    root = 1 / (strength + one)
    below = (2 * r) ** root - 1
    above = 1 - (2 - 2 * r) ** root
    moved = genes + below * (r < 0.5) + above * (r >= 0.5)
    return moved.clamp(0, 1) if clip else moved


def champions(scores, probabilities, tie=False):
    everyone = torch.cat([scores[None], probabilities] if not tie else [probabilities, scores[None]])
    best = everyone.argmax(0)
    return everyone.amax(0), best - 1 if not tie else torch.where(best == len(probabilities), -1, best)


def drawing(weight, functions, side, indexing="ij", size=torch.abs, top=1.0):
    y, x = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing=indexing)
    values = torch.zeros(len(functions), side, side)
    values[:4] = torch.stack([x, y, torch.hypot(x, y), torch.ones(side, side)])
    for j, function in enumerate(functions[4:], 4):
        values[j] = function((weight[j, :, None, None] * values).sum(0))
    return size(values[-1]).clamp(0, top)


RIGHT = {checks.mutated: mutated, checks.new_champions: champions, checks.drawing: drawing}

WRONG = [
    (checks.mutated, lambda *given: mutated(*given, clip=False), "clip them"),
    (checks.mutated, lambda *given: mutated(*given, one=0), "the exponent is"),
    (
        checks.mutated,
        lambda genes, r, strength: mutated(0 * genes, r, strength, clip=False),
        "the steps alone",
    ),
    (checks.mutated, lambda genes, r, strength: mutated(genes, r, 15), "For a strength of 5"),
    (checks.new_champions, lambda *given: champions(*given, tie=True), "only equals the champion"),
    (checks.new_champions, lambda *given: champions(*given)[0], "two tensors are asked for"),
    (checks.new_champions, lambda scores, p: tuple(p.max(0)), "The scores after three children"),
    (checks.new_champions, lambda scores, p: (torch.maximum(scores, p.amax(0)), p.argmax(0)), "yours go to"),
    (checks.drawing, lambda *given: drawing(*given, indexing="xy"), "changes along the rows"),
    (checks.drawing, lambda *given: drawing(*given, size=lambda v: v), "count by their size"),
    (checks.drawing, lambda *given: drawing(*given, top=9.0), "at most 1"),
    (
        checks.drawing,
        lambda weight, functions, side: drawing(weight, functions, side)[None],
        "should have the shape (5, 5)",
    ),
]
