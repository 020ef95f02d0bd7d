"""Right and wrong answers to the exercises of notebook 18, object detectors."""

import torch

from vizlib.course import checks


def iou(M, L, union=lambda M, L: (M | L).sum()):
    either = union(M, L)
    return float((M & L).sum() / either) if either else 0.0


def strong(maps, top, dims=(0, 2, 3)):
    K = maps.shape[1]
    threshold = torch.stack(
        [
            maps[:, k].flatten().sort(descending=True).values[round(top * maps[:, k].numel()) - 1]
            for k in range(K)
        ]
    )
    return maps >= threshold.view(1, K, 1, 1)


def per_picture(maps, top):
    flat = maps.flatten(2)
    return maps >= flat.topk(round(top * flat.shape[2]), dim=2).values[..., -1:, None]


def one_for_all(maps, top):
    return maps >= maps.flatten().topk(round(top * maps.numel())).values[-1]


def stay(net, image, pieces, k, grey=0.5, fresh=True, look=True):
    left, falls = set(range(int(pieces.max()) + 1)), None
    while len(left) > 1:
        if fresh or falls is None:
            falls = {s: float(net(torch.where(pieces == s, grey, image))[0, k]) for s in left}
        best = max(left, key=falls.get)
        after = torch.where(pieces == best, grey, image)
        if look and int(net(after).argmax()) != k:
            break
        image, left = after, left - {best}
        if not look and int(net(image).argmax()) != k:
            break
    return left


def painted(net, image, pieces, k, grey=0.5):
    image[:, :, pieces == 0] = grey
    return stay(net, image, pieces, k)


RIGHT = {checks.overlap: iou, checks.strong_cells: strong, checks.pieces_that_stay: stay}

WRONG = [
    (checks.overlap, lambda M, L: iou(M, L, lambda M, L: M.sum() + L.sum()), "counted twice"),
    (checks.overlap, lambda M, L: iou(M, L, lambda M, L: M.sum()), "the area of one mask"),
    (
        checks.overlap,
        lambda M, L: float(((M & L).flatten(1).sum(1) / (M | L).flatten(1).sum(1)).mean()),
        "the mean over the pictures",
    ),
    (checks.overlap, lambda M, L: (M & L).sum() / (M | L).sum(), "two empty masks"),
    (checks.strong_cells, per_picture, "one per unit, for all pictures together"),
    (checks.strong_cells, one_for_all, "each has its own"),
    (checks.strong_cells, lambda maps, top: strong(maps, 2 * top), "a quarter of each unit's cells"),
    (checks.strong_cells, lambda maps, top: strong(maps, top).float(), "should be a bool tensor"),
    (checks.pieces_that_stay, lambda *given: stay(*given, look=False), "look before you remove"),
    (checks.pieces_that_stay, painted, "painted on the picture"),
    (checks.pieces_that_stay, lambda *given: stay(*given, fresh=False), "measured anew"),
    (checks.pieces_that_stay, lambda *given: None, "a set; yours is a NoneType"),
]
