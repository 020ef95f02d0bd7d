"""Every public function of the library that computes with a network or on pictures, once, with small
settings.

CALLS: {name: function(net, x)}; net: scenenet, or what NETWORKS names, wherever it computes; x: two scenes
(2, 3, 96, 96) on the CPU. The functions return what is compared: tensors, numbers, tables, and objects that
hold them.
"""

import contextlib
import dataclasses
import tempfile
from pathlib import Path

import torch

import vizlib as vz
from vizlib import attribution as at
from vizlib import deception as de
from vizlib import representation as re
from vizlib import synthesis as sy
from vizlib.attribution.path import BASELINES
from vizlib.layers import average_pooling, prepare, relu_rule, resume, scores, tap
from vizlib.synthesis import priors

LAYER = "conv4"
NETWORKS = {"decode": "zfnet", "decoder": "zfnet"}  # decoders are made for it

# Public functions that compute nothing on a device, and so are not called here.
NOT_CALLED = {
    "choose_label": "a widget; it reads the network's labels",
    "choose_layer": "a widget; it reads the network's layers",
    "collection": "it reads pictures, and sweeps call it",
    "polynomial_mutation": "genomes live and mutate on the CPU",
}


def scenes():
    """Two scenes, (2, 3, 96, 96)."""
    return vz.collages(2, seed=3).images


def several(count=6):
    return vz.collages(count, seed=5).images


def _masks(x):
    masks = torch.zeros(len(x), 1, 96, 96)
    masks[:, :, 20:60, 30:70] = 1
    return masks


def _maps(net, x):
    return vz.saliency(net, x, 2)


def _there(net, x):
    return x.to(net.device)


def _tapped(net, x, context):
    """What the network does while something is open around it."""
    with context, tap(net, [LAYER]) as taken:
        logits = net(x)
    return taken[LAYER], logits


def _film(x):
    """The bytes of a film."""
    with tempfile.TemporaryDirectory() as folder:
        return list(vz.save_film(x, Path(folder) / "film.gif").read_bytes())


def _model(net, x):
    return vz.frame(net, x[:1], layers="relu1", size=32, steps=2).model


def _ascended(net, x, goal):
    return sy.ascend(net, goal, sy.Pixels(_there(net, x)), steps=2)


def _dissected(found):
    """Without the list of strong pixels: its length hangs on a rounding error."""
    return found.objects, found.iou, found.threshold, found.has, found.peak, found.mask(3, 0).mean()


def _samples(net):
    logits = vz.record(net, several(40), "logits")["logits"]
    return re.moments(logits, logits.flip(1))


def _stitch(net):
    return vz.fit_stitch(net, several(), net, layer=LAYER, samples=400)


def _equivariant(net, method="ridge"):
    return vz.fit_equivariance(net, several(), vz.H_FLIP, layer=LAYER, method=method, samples=400)


ATTRIBUTION = {
    "backward": lambda net, x: at.backward(net, x, 2, "guided"),
    "slopes": lambda net, x: at.slopes(net, *prepare(net, x, 2)),
    "relu_rule": lambda net, x: _tapped(net, x, relu_rule("guided")),
    "baseline_pictures": lambda net, x: [at.baseline_pictures(net, _there(net, x), b) for b in BASELINES],
    "channel_masks": lambda net, x: at.channel_masks(vz.record(net, x, LAYER)[LAYER][0], (96, 96)),
    "gradient": lambda net, x: vz.gradient(net, x, 2),
    "gradient of labels": lambda net, x: vz.gradient(net, x, list(net.labels[:2])),
    "gradient of a unit": lambda net, x: vz.gradient(net, x, vz.unit(LAYER, 3, at=(5, 6))),
    "gradient of a score": lambda net, x: vz.gradient(net, x, lambda z: z[:, 1] - z[:, 2]),
    "saliency": lambda net, x: vz.saliency(net, x),
    "gradient_times_input": lambda net, x: vz.gradient_times_input(net, x, 2),
    "deconvnet": lambda net, x: vz.deconvnet(net, x, vz.unit("relu4", 3)),
    "guided_backprop": lambda net, x: vz.guided_backprop(net, x, 2),
    "project": lambda net, x: vz.project(net, x, vz.unit("relu4", 3)),
    "project at": lambda net, x: vz.project(net, x, vz.unit("relu4", 3, at=(5, 6))),
    "smoothgrad": lambda net, x: vz.smoothgrad(net, x, 2, samples=3, batch_size=4),
    "integrated_gradients": lambda net, x: vz.integrated_gradients(net, x, 2, steps=4, batch_size=3),
    "integrated_gradients from a blur": lambda net, x: vz.integrated_gradients(
        net, x, 2, steps=3, baseline="blur", complete=False
    ),
    "completeness_error": lambda net, x: vz.completeness_error(
        net, x, 2, vz.integrated_gradients(net, x, 2, steps=4)
    ),
    "cam": lambda net, x: vz.cam(net, x),
    "grad_cam": lambda net, x: vz.grad_cam(net, x, 2),
    "layer_cam": lambda net, x: vz.layer_cam(net, x, 2, layer="conv3"),
    "guided_grad_cam": lambda net, x: vz.guided_grad_cam(net, x, 2),
    "score_cam": lambda net, x: vz.score_cam(net, x, 2, layer="conv1"),
    "score_cam on grey": lambda net, x: vz.score_cam(net, x, 2, layer="conv1", fill=0.5),
    "lrp": lambda net, x: vz.lrp(net, x, 2),
    "lrp zero": lambda net, x: vz.lrp(net, x, 2, rule="zero"),
    "lrp epsilon": lambda net, x: vz.lrp(net, x, 2, rule="epsilon"),
    "relevance_table": lambda net, x: vz.relevance_table(net, x[:1], 2),
    "occlusion": lambda net, x: vz.occlusion(net, x, 2, patch=32, stride=32),
    "occlusion of a unit": lambda net, x: vz.occlusion(net, x, vz.unit(LAYER, 2), patch=32, stride=32),
    "occluded": lambda net, x: vz.occluded(net, x, layer=LAYER, patch=48, stride=48, fill=0.5),
    "randomize": lambda net, x: vz.randomize(net, LAYER)(x),
    "deletion": lambda net, x: vz.deletion(net, x, 2, _maps(net, x), steps=3),
    "insertion": lambda net, x: vz.insertion(net, x, 2, _maps(net, x), steps=3),
    "pointing_game": lambda net, x: vz.pointing_game(_maps(net, x), _masks(x).to(net.device)),
    "pointing_game near": lambda net, x: vz.pointing_game(
        _maps(net, x), _masks(x).to(net.device), tolerance=5
    ),
    "energy_inside": lambda net, x: vz.energy_inside(_maps(net, x), _masks(x).to(net.device)),
    "rank_correlation": lambda net, x: vz.rank_correlation(_maps(net, x), vz.saliency(net, x, 1)),
    "ssim": lambda net, x: vz.ssim(_maps(net, x), vz.saliency(net, x, 1)),
}

SYNTHESIS = {
    "visualize": lambda net, x: vz.visualize(net, 2, steps=3),
    "visualize a unit": lambda net, x: vz.visualize(net, vz.unit(LAYER, 3), steps=2),
    "class_picture": lambda net, x: vz.class_picture(net, 2, steps=3, size=64),
    "class_picture of two": lambda net, x: vz.class_picture([net, net], 2, steps=2, size=64),
    "likelihood": lambda net, x: vz.visualize(net, vz.synthesis.likelihood(net, 2), steps=2),
    "ascend on pixels": lambda net, x: sy.ascend(
        net,
        2,
        sy.Pixels(_there(net, x)),
        steps=3,
        optimizer="normalized",
        after=[sy.priors.every(2, lambda image, g, step: sy.priors.clip_small_contribution(image, g, 20))],
    ),  # fmt: skip
    "ascend in tiles": lambda net, x: sy.ascend(
        net, sy.energy(LAYER), sy.Pixels(_there(net, x)), steps=2, tile=64
    ),
    "diversity": lambda net, x: sy.ascend(
        net, sy.channel(LAYER, 3) + sy.diversity(LAYER), sy.Fourier(64, 2, device=net.device), steps=2
    ),
    "best_match": lambda net, x: _ascended(net, x, sy.best_match(net, x[1:], LAYER)),
    "direction": lambda net, x: _ascended(net, x, sy.direction(LAYER, torch.linspace(-1, 1, 128))),
    "objective": lambda net, x: _ascended(net, x, sy.objective(net, net.labels[1])),
    "same_code": lambda net, x: _ascended(net, 0.9 * x, sy.same_code(net, x, LAYER)),
    "same_style": lambda net, x: _ascended(net, 0.9 * x, sy.same_style(net, x[:1], ["relu1", LAYER])),
    "jitter": lambda net, x: sy.jitter(
        _there(net, x), torch.Generator().manual_seed(0), shift=3, scale=0.1, rotate=10, roll=4, pad=2
    ),
    "zoomed": lambda net, x: sy.zoomed(_there(net, x), 1.2, 10.0),
    "luminance": lambda net, x: sy.luminance(_there(net, x)),
    "with_luminance_of": lambda net, x: sy.with_luminance_of(_there(net, x[:1]), x[1:]),
    "match_colours": lambda net, x: sy.match_colours(_there(net, x[:1]), x[1:]),
    "noise": lambda net, x: sy.noise(32, 2, device=net.device),
    "gram": lambda net, x: sy.gram(vz.record(net, x, LAYER)[LAYER]),
    "style_layers_of": lambda net, x: sy.style_layers_of(net),
    "paper_smoothness": lambda net, x: sy.paper_smoothness(net, LAYER),
    "priors": lambda net, x: [
        priors.total_variation(_there(net, x)),
        priors.total_variation(_there(net, x), beta=1),
        priors.alpha_norm(_there(net, x)),
        priors.outside(3 * _there(net, x) - 1),
        priors.decay(_there(net, x), 0.1),
        priors.blur(_there(net, x), 1.5),
        priors.in_ball(_there(net, x), 5.0),
        priors.clip_small_norm(_there(net, x), 30),
        priors.clip_small_contribution(_there(net, x), vz.gradient(net, x, 2), 30),
        priors.high_share(_there(net, x)),
    ],
    "invert": lambda net, x: vz.invert(net, x[:1], layer=LAYER, steps=3),
    "invert as in the paper": lambda net, x: vz.invert(net, x[:1], layer=LAYER, method="paper", steps=4),
    "code_error": lambda net, x: sy.code_error(
        *(vz.record(net, some, LAYER)[LAYER] for some in (x, x.flip(0), several()))
    ),
    "thumbnail_size": lambda net, x: vz.thumbnail_size(x.to(net.device), x.flip(3)),
    "pixel_error": lambda net, x: vz.pixel_error(x[:1].to(net.device), x[1:], several()),
    "feature_error": lambda net, x: vz.feature_error(
        net, x[:1], x[1:].to(net.device), several(), layer=LAYER
    ),
    "dream": lambda net, x: vz.dream(net, x[:1], layer=LAYER, octaves=2, steps=2),
    "dream guided": lambda net, x: vz.dream(net, x[:1], layer=LAYER, guide=x[1:], octaves=1, steps=2),
    "dream_film": lambda net, x: vz.dream_film(net, x[:1], layer=LAYER, window=32, octaves=1, steps=2),
    "zoom_film": lambda net, x: vz.zoom_film(net, x[:1], layer=LAYER, frames=2, octaves=1, steps=1),
    "style_transfer": lambda net, x: vz.style_transfer(net, x[:1], x[1:], steps=2),
    "style_transfer in its colours": lambda net, x: vz.style_transfer(
        net, x[:1], x[1:], colours="matched", steps=2
    ),
    "style_transfer of light": lambda net, x: vz.style_transfer(
        net, x[:1], x[1:], colours="luminance", steps=2
    ),
    "style_poster": lambda net, x: vz.style_poster(net, x[:1], x[1:], sizes=(48, 64), steps=2),
    "texture": lambda net, x: vz.texture(net, x[:1], size=64, steps=2),
    "frame": lambda net, x: vz.frame(net, x[:1], size=48, steps=2),
    "langevin": lambda net, x: sy.langevin(net, _model(net, x), size=32, steps=2, chains=2),
    "moment_error": lambda net, x: sy.moment_error(
        *({LAYER: vz.record(net, some, LAYER)[LAYER].mean((0, 2, 3))} for some in (x, 1 - x))
    ),
}

DECEPTION = {
    "fgsm": lambda net, x: vz.fgsm(net, x, epsilon=0.02),
    "fgsm, Euclidean": lambda net, x: vz.fgsm(net, x, 2, epsilon=1.0, norm=2),
    "pgd": lambda net, x: vz.pgd(net, x, epsilon=0.02, steps=2, starts=2),
    "pgd, Euclidean": lambda net, x: vz.pgd(net, x, [1, 2], epsilon=1.0, norm=2, steps=2, targeted=True),
    "lbfgs_attack": lambda net, x: vz.lbfgs_attack(net, x[:1], 3, searches=2, steps=2),
    "evolve": lambda net, x: vz.evolve(net, generations=2, population=6),
    "evolve directly": lambda net, x: vz.evolve(net, encoding="direct", generations=2, population=6),
}

DECEPTION |= {
    "eight_bits": lambda net, x: de.eight_bits(_there(net, 0.99 * x)),
    "eight_bits, towards the originals": lambda net, x: de.eight_bits(
        _there(net, 0.99 * x), around=de.eight_bits(x)
    ),
    "distortion": lambda net, x: de.distortion(_there(net, 0.9 * x), x),
}

REPRESENTATION = {
    "decode": lambda net, x: vz.decode(net, vz.resize(x, 64), layer="pool5"),
    "decoder": lambda net, x: vz.decoder(net, "pool5")(vz.record(net, vz.resize(x, 64), "pool5")["pool5"]),
    "scores": lambda net, x: scores(net, *prepare(net, x, [1, 2])),
    "tap": lambda net, x: _tapped(net, x, contextlib.nullcontext()),
    "average_pooling": lambda net, x: _tapped(net, x, average_pooling()),
    "receptive_field": lambda net, x: vz.receptive_field(net, LAYER),
    "record": lambda net, x: vz.record(net, x, ["conv1", LAYER, "logits"]),
    "resume": lambda net, x: resume(net, LAYER, vz.record(net, x, LAYER)[LAYER]),
    "predict": lambda net, x: net.predict(x),
    "anatomy": lambda net, x: vz.anatomy(net),
    "top_patches": lambda net, x: vz.top_patches(net, several(), LAYER, top=2).patches(3),
    "dissect": lambda net, x: _dissected(vz.dissect(net, vz.collages(6, seed=5), LAYER, top=0.02)),
    "empirical_receptive_field": lambda net, x: vz.empirical_receptive_field(
        net, several(), vz.unit("relu2", 3), top=2, patch=3, stride=3
    ),
    "minimal_image": lambda net, x: vz.minimal_image(net, x[:1], segments=6),
    "minimal_image on grey": lambda net, x: vz.minimal_image(net, x[:1], segments=6, fill=0.5),
    "smooth_fill": lambda net, x: re.smooth_fill(_there(net, x), 1 - _there(net, _masks(x))),
    "embed": lambda net, x: vz.embed(vz.record(net, several(8), "logits")["logits"], method="pca"),
    "neighbours": lambda net, x: vz.neighbours(vz.record(net, several(8), "logits")["logits"], 2),
    "neighbour_agreement": lambda net, x: vz.neighbour_agreement(
        "ababbbaa", vz.record(net, several(8), "logits")["logits"], 2
    ),
    "fit_equivariance": lambda net, x: _equivariant(net).weight,
    "fit_equivariance, chosen places": lambda net, x: _equivariant(net, "selection").weight,
    "logits_through": lambda net, x: vz.logits_through(net, x, _equivariant(net)),
    "map_error": lambda net, x: vz.map_error(
        lambda f: 0.9 * f, *[vz.record(net, x, LAYER)[LAYER] for _ in range(2)]
    ),
    "train_equivariance": lambda net, x: (
        vz.train_equivariance(net, several(), [0, 1, 2, 3, 4, 5], _equivariant(net), steps=2, batch=3).weight
    ),
    "fit_stitch": lambda net, x: _stitch(net).weight,
    "franken": lambda net, x: re.franken(net, x, net, _stitch(net)),
    "train_stitch": lambda net, x: (
        vz.train_stitch(net, several(), net, [0, 1, 2, 3, 4, 5], _stitch(net), steps=2, batch=3).weight
    ),
    "unit_correlations": lambda net, x: re.unit_correlations(net, several(), net, layer=LAYER),
    "match_units": lambda net, x: vz.match_units(net, several(), net, layer=LAYER),
    "least_squares": lambda net, x: re.least_squares(_samples(net), ridge=0.1),
    "forward_selection": lambda net, x: re.forward_selection(_samples(net), k=2),
}

SWEEPS = {
    "run": lambda net, x: vz.sweep.run(
        several(), lambda numbers, images: (net(images),), vz.sweep.Moments(), batch_size=4
    ).result(),
    "curves": lambda net, x: vz.sweep.curves(net, several(), vz.grad_cam, steps=3, batch_size=4),
    "compare": lambda net, x: vz.sweep.compare(
        net, x, {"saliency": vz.saliency, "Grad-CAM": vz.grad_cam}, masks=_masks(x), steps=3
    ),
}

DRAWING = {
    "show": lambda net, x: vz.show([_there(net, x)[:1], _maps(net, x)[:1]], alt="a scene and a map").size,
    "overlay": lambda net, x: vz.overlay(x[:1].to(net.device), vz.grad_cam(net, x[:1], 2)),
    "mosaic": lambda net, x: vz.mosaic(vz.record(net, x[:1], "conv1")["conv1"][0][:, None]),
    "centre": lambda net, x: vz.centre(vz.gradient(net, x, 2)),
    "to_pil": lambda net, x: torch.tensor(list(vz.to_pil(x[0].to(net.device)).tobytes())),
    "thumbnails": lambda net, x: (
        vz.thumbnails(
            vz.embed(vz.record(net, several(8), "logits")["logits"], method="pca"),
            several(8).to(net.device),
            alt="points",
        ).size
    ),
    "check_images": lambda net, x: vz.images.check_images(_there(net, x)),
    "paste": lambda net, x: vz.paste(_there(net, x[:1]), "zebra", (0.6, 0.5), 0.5),
    "save_film": lambda net, x: _film(_there(net, x)),
    "resize": lambda net, x: vz.resize(_there(net, x), (48, 64)),
    "warps": lambda net, x: [
        g(_there(net, x)) for g in (vz.H_FLIP, vz.rotation(90), vz.rotation(30), vz.scaling(1.5))
    ],
}

CALLS = ATTRIBUTION | SYNTHESIS | DECEPTION | REPRESENTATION | SWEEPS | DRAWING


def numbers(value):
    """The tensors and numbers in a result, in order."""
    if isinstance(value, (torch.Tensor, int, float, str, bool)) or value is None:
        return [value]
    if isinstance(value, dict):
        return [n for entry in value.values() for n in numbers(entry)]
    if isinstance(value, (list, tuple)):
        return [n for entry in value for n in numbers(entry)]
    if dataclasses.is_dataclass(value):
        return [n for f in dataclasses.fields(value) for n in numbers(getattr(value, f.name))]
    return []
