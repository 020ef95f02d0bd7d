"""Right and wrong answers to the exercises of notebook 01, filters and activations."""

import math

import torch

from vizlib.course import checks

RIGHT = {
    checks.receptive_field_of_chain: lambda layers: (
        1 + sum((k - 1) * math.prod(s for _, s in layers[:i]) for i, (k, _) in enumerate(layers))
    ),
    checks.active_share: lambda maps: torch.cat([m.flatten(2) > 0 for m in maps], 2).float().mean((0, 2)),
    checks.top_places: lambda maps, k, top: [
        (i, *divmod(int(maps[i][0, k].argmax()), maps[i].shape[3]))
        for i in sorted(range(len(maps)), key=lambda i: -maps[i][0, k].max())
    ][:top],
}

WRONG = [
    (
        checks.receptive_field_of_chain,
        lambda layers: sum(k for k, _ in layers),
        "for [(3, 1), (3, 1)] your answer is 6",
    ),
    (checks.receptive_field_of_chain, lambda layers: 1 + 2 * len(layers), "How many pixels apart"),
    (
        checks.active_share,
        lambda maps: torch.stack([(m > 0).float().mean((0, 2, 3)) for m in maps]).mean(0),
        "three times as much",
    ),
    (
        checks.active_share,
        lambda maps: torch.cat([m.flatten(2) >= 0 for m in maps], 2).float().mean((0, 2)),
        "off by up to",
    ),
    (checks.top_places, lambda maps, k, top: [(1, 2, 1), (1, 0, 3)], "each picture may come up once only"),
    (checks.top_places, lambda maps, k, top: [(2, 0, 1), (1, 2, 1)], "the strongest comes first"),
    (checks.top_places, lambda maps, k, top: [(1, 1, 3), (2, 0, 1)], "not where they are highest"),
]
