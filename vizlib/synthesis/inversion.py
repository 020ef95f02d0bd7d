"""Which pictures share a code?  Inverting a representation by optimization (Mahendran & Vedaldi 2015), and
how far off the answer is.
"""

import torch

from ..errors import VizlibError
from ..images.check import check_images
from ..layers import record
from .ascent import Result, ascend
from .canvas import Fourier, Pixels, noise
from .objectives import same_code
from .priors import alpha_norm, total_variation

SPREAD = (
    27098.1157 / 255 / (3 * 227 * 227) ** 0.5
)  # of a value around its mean, in [0, 1]: 0.270, from the norm of the paper's pictures
ALPHA = (
    2.157e8 / (3 * 227 * 227) ** 2
)  # the weight of the alpha-norm, printed for 227 x 227, by the square of the number of values
STAGES = (
    (1.0, 0.25),
    (0.1, 0.5),
    (0.01, 0.25),
)  # the paper's schedule: parts of the rate, for parts of the steps
METHODS = ("fourier", "paper")


def invert(
    net,
    images,
    *,
    layer,
    method="fourier",
    restarts=1,
    smoothness=None,
    beta=2.0,
    grey=False,
    steps=None,
    rate=None,
    seed=0,
    snapshots=8,
    progress=None,
    **options,
):
    """Pictures that have the same code as `images`, made from noise. Returns a Result; .image is (N *
    restarts, 3, H, W).

        loss = ||phi(x) - phi_0||^2 / ||phi_0||^2  +  smoothness * TV^beta(x / sigma)  [ +  ALPHA (3HW)^2 *
        sum |x / sigma|^6 ]

    phi: the activations of `layer`; phi_0: those of the picture. sigma = SPREAD sqrt(3 H W) is the usual norm
        of a picture minus mid-grey:
    x / sigma has a norm of about 1, and the weights mean the same on every layer. TV^beta: sum of (dx^2 +
        dy^2)^(beta / 2) over pixels and
    colours.
    method "paper": pixels, gradient descent with momentum 0.9 in three stages (rate x 1, 0.1, 0.01 for 1/4,
        1/2, 1/4 of `steps`, 400), the
    momentum forgotten in between; rate 0.004 sigma^2; the alpha-norm keeps values bounded; what leaves [0, 1]
        is clipped in the end.
    method "fourier": a Fourier canvas (its sigmoid bounds the values), Adam, rate 0.05, 200 steps.
    smoothness: the paper's weight of TV; default: `paper_smoothness` for "paper", 0.2 for "fourier".
    restarts: start so many times, as one batch, from the seeds seed, seed + 1, ...; the restarts of the first
        picture come first.
    grey: paint with one brightness, for networks such as `hog` that see no colours (and leave them to
        chance).
    progress, snapshots and other options: as in `ascend` (penalties come on top); history holds minus the
        first term. An interrupt, or
    progress returning False, keeps the picture so far.
    Raises VizlibError for an unknown layer or method, pictures that are none, and a code of zeros.
    Mahendran & Vedaldi 2015, "Understanding Deep Image Representations by Inverting Them", section 3;
        constants from their code.
    """
    images = check_images(images)
    if method not in METHODS:
        raise VizlibError(f"method is one of {', '.join(METHODS)}; this is {method!r}.")
    if not (isinstance(restarts, int) and restarts > 0):
        raise VizlibError(f"restarts is a positive number; this is {restarts!r}.")
    if steps is not None and not (isinstance(steps, int) and steps > 0):
        raise VizlibError(f"steps is a positive number; this is {steps!r}.")
    code = record(net, images, layer)[layer].flatten(1)
    if not bool((code.abs().amax(1) > 0).all()):
        raise VizlibError(
            f"The code of {layer} is zero for one of these pictures, and everything and nothing has that "
            "code."
        )
    paper, sigma = method == "paper", _sigma(images)
    smoothness = (paper_smoothness(net, layer) if paper else 0.2) if smoothness is None else smoothness
    if not smoothness >= 0:
        raise VizlibError(f"smoothness is a weight, 0 or more; this is {smoothness!r}.")
    penalties = [(3 * smoothness / sigma**beta, lambda x: total_variation(x, beta))] * (smoothness > 0)
    if paper:
        penalties.append((ALPHA * images[0].numel() ** 2 / sigma**6, alpha_norm))
    canvas = _start(images, restarts, seed, paper, grey)
    goal = same_code(net, images.repeat_interleave(restarts, 0), layer)
    steps, rate = steps or (400 if paper else 200), rate or (0.004 * sigma**2 if paper else 0.05)
    settings = {"seed": seed} | options | {"penalties": [*penalties, *options.get("penalties", ())]}
    if not paper:
        return ascend(
            net, goal, canvas, steps=steps, rate=rate, snapshots=snapshots, progress=progress, **settings
        )
    return _descend(net, goal, canvas, steps, rate, snapshots, progress, settings)


def paper_smoothness(net, layer):
    """The paper's weight of TV: 0.5 in the first third of the layers, 5 in the second, 50 in the last.

    The paper: 0.5 up to relu2, 5 up to relu4, 50 from conv5 on, which are the thirds of `zfnet`; 0.5 for HOG
        and dense SIFT,
    where it has to be said: smoothness=0.5. Raises VizlibError for a layer that is not in net.layers.
    """
    names = [n for n in net.layers["name"] if n in (layer, net.layer(layer).name)]
    if not names:
        raise VizlibError(
            f"{layer!r} is not one of net.layers, so its depth is not known: pass smoothness=0.5 (early) to "
            "50 (late)."
        )
    rank, count = net.layers["name"].index(names[0]) + 1, len(net.layers)
    return 0.5 if 3 * rank <= count else 5.0 if 3 * rank <= 2 * count else 50.0


def code_error(codes, wanted, others):
    """||phi - phi_0||^2 / mean_ij ||phi_i - phi_j||^2: (N, ...), (N, ...) or (1, ...) and (M, ...) -> (N,).

    The mean runs over all pairs of `others`, each with itself too, which is twice their variance: whoever
        answers with the mean code
    scores 0.5 on average, and 0 is right. Mahendran & Vedaldi 2015, section 4 (normalizer as in their code).
    """
    codes, wanted, others = (t.flatten(1).double() for t in (codes, wanted, others))
    if len(others) < 2 or not codes.shape[1] == wanted.shape[1] == others.shape[1]:
        raise VizlibError("The normalizer is made of two or more other pictures with codes of the same size.")
    scale = 2 * (others - others.mean(0)).pow(2).sum(1).mean()
    if not scale > 0:
        raise VizlibError(
            "The other pictures all have the same code, so there is no distance to compare with."
        )
    return ((codes - wanted).pow(2).sum(1) / scale).float()


def feature_error(net, images, originals, others, *, layer):
    """`code_error` of `layer`: how far are the codes of `images` from those of `originals` (one each, or one
    for all)? (N,)
    """
    return code_error(*(record(net, x, layer)[layer] for x in (images, originals, others)))


def pixel_error(images, originals, others):
    """The same measure for the pixels themselves, so that the two can be compared: 0.5 for the mean picture
    of `others`. (N,)
    """
    return code_error(*map(check_images, (images, originals, others)))


def _sigma(images):
    return SPREAD * images[0].numel() ** 0.5


def _start(images, restarts, seed, paper, grey):
    """A canvas of N * restarts pictures; those of restart r are the ones that seed + r alone would give."""
    size, count = tuple(images.shape[-2:]), len(images)
    if paper:
        starts = torch.stack(
            [noise(size, count, seed=seed + r, spread=SPREAD) for r in range(restarts)], 1
        ).flatten(0, 1)
        return Pixels(starts[:, :1].expand_as(starts) if grey else starts, clip=False)
    canvases = [
        Fourier(size, count, seed=seed + r, colours="grey" if grey else True) for r in range(restarts)
    ]
    canvases[0].knobs = torch.stack([c.knobs.detach() for c in canvases], 1).flatten(0, 1).requires_grad_()
    return canvases[0]


def _descend(net, goal, canvas, steps, rate, snapshots, progress, settings):
    """The paper's stages, one `ascend` each, so that each begins without momentum. One Result for all of
    them.
    """
    counts = [max(1, round(share * steps)) for _, share in STAGES]
    total, whole = sum(counts), None
    for (factor, _), count in zip(STAGES, counts, strict=True):
        done = len(whole.history) if whole else 0
        told = progress and (lambda i, n, preview, done=done: progress(done + i, total, preview))
        kept = max(1, round(snapshots * count / total)) if snapshots else 0
        part = ascend(
            net,
            goal,
            canvas,
            steps=count,
            rate=rate * factor,
            optimizer="sgd",
            snapshots=kept,
            progress=told,
            **settings,
        )
        if whole:
            part = Result(
                part.image, torch.cat([whole.images, part.images]), whole.history + part.history, part.stopped
            )
        whole = part
        if part.stopped:
            break
    whole.stopped = len(whole.history) < total
    return whole
