"""A network of the zoo, twice: as the library has it, and as plain PyTorch, which says what is right.

Untrained networks hide mistakes: their biases and running means are zeros, their scales ones, and some of
their branches are switched off by a zero. So every constant weight is drawn anew, and then batch-norm is
measured on pictures, which gives the signals the sizes that they have in a trained network.
"""

import functools
import gc
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

import vizlib as vz

PHOTOS = ("goldfish", "tabby_cat_chelsea")


class Plain(nn.Module):
    """Pictures in [0, 1] to logits by the model as its library makes it, batch-norm and all."""

    def __init__(self, model, mean, std):
        super().__init__()
        self.model, self.mean, self.std = model, mean, std

    def lay_out(self):
        """See to it that its slopes are right for one picture, too: on a CPU PyTorch's batch-norm confuses
        channels and positions if the slopes lie otherwise in memory than the values did.
        """
        for module in self.modules():
            if isinstance(module, _NormBase):
                module.register_forward_pre_hook(lambda module, inputs: inputs[0].contiguous())
                module.register_forward_hook(_lay_out_slopes)
        return self

    def forward(self, images):
        return self.model((images - self.mean) / self.std)


def _lay_out_slopes(module, inputs, output):
    if output.requires_grad:
        output.register_hook(torch.Tensor.contiguous)


@dataclass
class Case:
    """net and plain: the same network, once from the library. image, other: two pictures (1, 3, H, W).

    errors: how far off the compared values were, as a share of what they should be.
    blind: does the plain model raise at pictures of this size? Then nothing is right but a refusal, so
        whatever it is asked it answers anything, and `guesses` counts the questions.
    """

    net: vz.Network
    plain: Plain
    image: torch.Tensor
    other: torch.Tensor
    errors: list = field(default_factory=list)
    guesses: int = 0

    @functools.cached_property
    def blind(self):
        if self.image.shape[-2:] == self.net.input_shape:
            return False
        try:
            with torch.no_grad():
                self.plain(self.image)
        except Exception:  # whatever a model raises
            return True
        return False

    @property
    def side(self):
        return self.image.shape[-1]

    @functools.cached_property
    def logits(self):
        """(1, K)"""
        return self.ask(self.image)

    @property
    def k(self):
        """The top class, which all questions are about."""
        return int(self.logits.argmax())

    @property
    def score(self):
        return float(self.logits[0, self.k])

    @functools.cached_property
    def gradient(self):
        """d logit / d pixels by plain autograd."""
        return self.slope_at(self.image)

    def ask(self, images):
        if self.blind:
            self.guesses += 1
            return torch.linspace(1, 0, len(self.net.labels)).repeat(len(images), 1)
        with torch.no_grad():
            return self.plain(images)

    def slope_at(self, images, score=None):
        if self.blind:
            self.guesses += 1
            return torch.zeros_like(images)
        x = images.clone().requires_grad_()
        logits = self.plain(x)
        return torch.autograd.grad((score or (lambda z: z[:, self.k]))(logits).sum(), x)[0]

    @property
    def layer(self):
        """The layer that maps are made of unless another is named. Raises VizlibError if there is none."""
        return self.net.last_spatial_layer

    def grids(self, count):
        """`count` names of layers with positions, evenly chosen from early to late; fewer if there are
        fewer.
        """
        names = [name for name, info in self.net.named_layers().items() if info.spatial]
        if not names:
            raise vz.VizlibError(f"{self.net.name} has no layer with a grid of positions.")
        count = min(count, len(names))
        return [names[round(i * (len(names) - 1) / max(1, count - 1))] for i in range(count)]

    def tapped(self, layer, images=None, slope=False):
        """What the module of `layer` puts out, channels first, by a plain hook; with slope also d logit / d
        that.
        """
        info, seen = self.net.layer(layer), []
        handle = info.module.register_forward_hook(lambda *call: seen.append(call[-1]) or call[-1].clone())
        try:
            x = (self.image if images is None else images).clone().requires_grad_(slope)
            with torch.set_grad_enabled(slope):
                logits = self.net(x)
        finally:
            handle.remove()
        A = seen[-1]
        g = torch.autograd.grad(logits[:, self.k].sum(), A)[0] if slope else None
        first = [
            t.detach().movedim(-1, 1) if info.channels_last else t.detach() for t in (A, g) if t is not None
        ]
        return first if slope else first[0]

    def close(self, ours, right, tolerance, zero=False):
        """`ours` is finite, has the shape of `right`, and differs from it by less than `tolerance`, as a
        share of its length. zero: `right` may be nothing but zeros, and then `ours` is, too.
        """
        assert ours.shape == right.shape, f"shape {tuple(ours.shape)}, not {tuple(right.shape)}"
        assert bool(ours.isfinite().all()), "NaN or infinite values"
        assert not ours.requires_grad, "the result hangs on a graph"
        length = float(right.double().norm())
        if zero and length == 0:
            assert not bool(ours.any()), "something, where there should be nothing"
            return
        assert 0 < length < float("inf"), "nothing to compare with: all zeros, or not finite"
        error = float((ours.double() - right.double()).norm()) / length
        self.errors.append(error)
        assert error < tolerance, f"wrong by {error:.2g} of its length, more than {tolerance:g}"


def load(name):
    """(net, plain) of a name that vz.load knows. Raises VizlibError where the library refuses, and
    AssertionError if vz.load returns another network than it should.
    """
    loaded, model = vz.load(name, pretrained=False), built(name)
    plain = Plain(model, loaded.mean.clone(), loaded.std.clone())
    settings = {"mean": loaded.mean.flatten(), "std": loaded.std.flatten(), "labels": loaded.labels}
    size, x = loaded.input_size, pictures(loaded.input_shape[0])[:1]
    with torch.no_grad():
        a, b = loaded(x), vz.Network(model, name=name, input_size=size, **settings)(x)
    assert torch.equal(a, b), "other logits"
    del loaded
    gc.collect()
    enliven(plain, pictures(size, 4))
    net = vz.Network(model, name=name, input_size=size, **settings)
    return net, plain.lay_out()


def built(name):
    """The model that vz.load(name, pretrained=False) is made of, as its own library makes it."""
    library, _, model = name.partition("/")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if library == "timm":
            import timm

            made = timm.create_model(model)
        else:
            from torchvision import models

            extra = {"init_weights": True} if model in ("googlenet", "inception_v3") else {}
            made = models.get_model(model, **extra)
    for module in made.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # captum cannot look behind those
    return made.eval().requires_grad_(False)


def enliven(plain, images):
    """Draw anew every weight that is one constant, and measure the statistics of batch-norm on `images`, as
    they are, under noise, and on noise alone: where only even pictures were seen, noise makes signals
    explode, and then slopes are nothing but rounding.
    """
    generator = torch.Generator().manual_seed(1)
    for tensor in plain.model.parameters():
        first = float(tensor.flatten()[0]) if tensor.numel() else 0.0
        if tensor.numel() > 1 and not bool((tensor == first).all()):
            continue
        if first == 0:
            size = 0.1 if tensor.dim() < 2 else tensor[0].numel() ** -0.5
            tensor.copy_(size * torch.randn(tensor.shape, generator=generator))
        else:
            drawn = 0.5 + torch.rand(tensor.shape, generator=generator)
            tensor.copy_(drawn * max(abs(first), 0.1) * (1 if first > 0 else -1))
    norms = [m for m in plain.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    kept = [m.momentum for m in norms]
    for m in norms:
        m.train()
        m.momentum = 1.0
    noise = torch.rand(images.shape, generator=generator)
    with torch.no_grad():
        plain(torch.cat([images, images + 0.3 * (noise - 0.5), noise[:1]]))
    plain.train().eval()  # some keep a bias that they have computed from their weights until then
    for m, momentum in zip(norms, kept, strict=True):
        m.eval()
        m.momentum = momentum


def pictures(side, count=2):
    """Photographs (count, 3, side, side), the first ones of PHOTOS and then their mirror images.

    A little noise lies over them: in even areas the values that a max-pooling chooses from are equal but for
    rounding, and which one is taken changes the slopes.
    """
    images = torch.cat([vz.photo(name, side) for name in PHOTOS])
    images = torch.cat([images, images.flip(-1)])[:count]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(2))
    return (0.1 + 0.8 * images + 0.03 * noise).clamp(0, 1)


def other_side(side):
    """Another size for a network made for `side` pixels: about 0.6 of it, a multiple of 32."""
    return max(32, round(0.6 * side / 32) * 32)


def case(net, plain, side):
    image, other = pictures(side).split(1)
    return Case(net, plain, image, other)
