"""How fast are the methods that optimize a picture?  python tests/benchmarks/synthesis.py [--quick]

Every method is timed beside a peer that takes as many steps at the same size: lucent's render_vis with its
default settings where lucent is installed (pip install torch-lucent; no part of this course), and else, and
for what lucent does not have, the loop that people write: the ordinary model with batch-norm and parameters
that require gradients, run to its end, a hook that keeps the layer, loss.backward(). The two take turns; the
table shows medians over the rounds, in seconds.
"""

import argparse
import copy
import warnings

import torch
import torch.nn.functional as F
from attribution import medians, peer_model

import vizlib as vz
from vizlib.models.architectures import ZFNET, PlainNet
from vizlib.synthesis import Fourier, gram

try:
    with warnings.catch_warnings(action="ignore"):
        from lucent.optvis import param, render
except ImportError:
    render = None
PATH = "blocks.4"  # of lite0's stage5
BAR = 2.0  # times as fast


class Loop:
    """The loop that people write, on a model that takes normalized pictures and has one layer watched."""

    def __init__(self, model, layers):
        self.model, self.seen = model.requires_grad_(True), {}
        for name in layers:
            model.get_submodule(name).register_forward_hook(
                lambda module, _, out, name=name: self.seen.update({name: out})
            )

    def __call__(self, x):
        self.model((x - 0.5) / 0.5)
        return self.seen

    def climb(self, x, score, steps, rate=0.01):
        x = x.clone().requires_grad_()
        adam = torch.optim.Adam([x], rate)
        for _ in range(steps):
            adam.zero_grad()
            (-score(self(x))).backward()
            adam.step()

    def waves(self, score, steps):
        canvas = Fourier(224)
        adam = torch.optim.Adam([canvas.knobs], 0.05)
        for _ in range(steps):
            adam.zero_grad()
            (-score(self(canvas.image()))).backward()
            adam.step()

    def dream(self, x, steps, octaves=4, scale=1.4):
        size, detail = x.shape[-1], torch.zeros(1, 3, 1, 1)
        for octave in reversed(range(octaves)):
            base = F.interpolate(x, round(size / scale**octave), mode="bilinear")
            now = base + F.interpolate(detail, base.shape[-1], mode="bilinear")
            for _ in range(steps):
                now = now.detach().requires_grad_()
                self(now)[PATH].pow(2).mean().backward()
                now = (now + 1.5 / 255 * now.grad / now.grad.abs().mean()).clamp(0, 1)
            detail = now.detach() - base


def rows(steps):
    """(what, ours, the peer's, who that is): functions without arguments that do the work once."""
    net, plain = vz.load("lite0"), vz.load("zfnet")
    photo, style = vz.photo("german_shepherd", 384), vz.photo("style_great_wave", 192)
    face = photo[..., 80:304, 80:304]
    model = peer_model("lite0")
    logit, stage = Loop(model, ["classifier"]), Loop(model, [PATH])
    # the networks as they were trained, with batch-norm; each with its layers for style, and the one for
    # content
    painters = {
        "zfnet": (Loop(PlainNet(ZFNET, 200, norm=True).eval(), [f"relu{i}" for i in range(1, 6)]), "relu3"),
        "lite0": (Loop(copy.deepcopy(model), ["bn1", "blocks.1", "blocks.3", "blocks.5", "bn2"]), "blocks.3"),
    }
    k, code = net.index("goldfish"), stage(face)[PATH].detach()
    content = F.interpolate(photo, 192, mode="bilinear")

    def lucent(objective):
        transforms = {"show_image": False, "progress": False, "thresholds": (steps,)}
        return lambda: render.render_vis(model, objective, lambda: param.image(224), **transforms)

    def paint(network):
        return lambda: vz.style_transfer(network, content, style, optimizer="adam", steps=steps, snapshots=0)

    def painted(name):
        painter, middle = painters[name]
        grams = {n: gram(a.detach()) for n, a in painter(style).items()}
        wanted = painter(content)[middle].detach()

        def alike(a):
            return (
                -sum(((gram(a[n]) - g) ** 2).sum() / (g**2).sum() for n, g in grams.items())
                - ((a[middle] - wanted) ** 2).mean()
            )

        return lambda: painter.climb(content, alike, steps)

    def match(a):
        return -((a[PATH] - code) ** 2).mean()

    def channel():
        stage.waves(lambda a: a[PATH][:, 17].mean(), steps)

    def label():
        logit.waves(lambda a: a["classifier"][:, k].sum(), steps)

    def waves(target):
        return lambda: vz.visualize(net, target, canvas=Fourier(224), steps=steps, snapshots=0)

    def invert():
        return vz.invert(net, face, layer="stage5", steps=steps, snapshots=0)

    def dream():
        return vz.dream(net, photo, layer="stage5", steps=steps // 4)

    who = "lucent" if render else "loop"
    return [
        ("class, 224 px", waves(k), lucent(f"classifier:{k}") if render else label, who),
        (
            "channel of stage5, 224 px",
            waves(vz.unit("stage5", 17)),
            lucent("blocks_4:17") if render else channel,
            who,
        ),
        ("dream, 384 px, 4 octaves", dream, lambda: stage.dream(photo, steps // 4), "loop"),
        ("inversion of stage5, 224 px", invert, lambda: stage.climb(face, match, steps), "loop"),
        ("style, lite0, 192 px", paint(net), painted("lite0"), "loop"),
        ("style, zfnet, 192 px", paint(plain), painted("zfnet"), "loop"),
    ]


def main(budget, steps):
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; {steps} steps (dream: {steps // 4} "
        "an octave); seconds"
    )
    print(f"{'what':30}{'ours':>8}{'peer':>8}{'peer/ours':>11}  peer")
    for what, ours, peer, who in rows(steps):
        mine, theirs = medians((ours, peer), budget)
        missed = f"  missed: < {BAR:g} times as fast" if theirs / mine < BAR else ""
        print(f"{what:30}{mine:8.2f}{theirs:8.2f}{theirs / mine:11.2f}  {who}{missed}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="8 steps, 3 rounds")
    quick = parser.parse_args().quick
    main(*((0, 8) if quick else (30, 32)))
