"""A network in pixel space: pictures in [0, 1] go in, logits come out; its layers have names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ..batching import whole
from ..errors import VizlibError, did_you_mean, misfits_in_words
from ..images.check import check_images, check_shape
from ..layers.receptive import EVERYTHING, FieldTracer, ReceptiveField
from ..layers.recording import hooked, norms_laid_out
from ..table import Card, Table
from ..threads import yield_to_others
from . import admission
from .devices import find_device
from .fold import fold_batchnorm, make_plain
from .labels import find_class
from .naming import looks_like_vgg, readable_names

LOGITS = "logits"
CHANNELS_FIRST = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)  # always


@dataclass(frozen=True)
class Layer:
    """What is known of a layer: its name, its path in the module tree, and its output for one picture of
    `net.input_size`.

    shape: (K, h, w) for a layer with positions, also where the module itself keeps its channels last: `tap`
        and `record` hand out every grid with the channels first. (K,) for a vector; (T, C) for tokens, whose
        order in the picture is not known.
    module: what puts the output out; for "logits", whose path is "", the whole model if no module does.
    calls: how often it runs in one forward pass.
    """

    name: str
    path: str
    module: nn.Module
    shape: tuple[int, ...]
    receptive_field: ReceptiveField
    calls: int
    channels_last: bool = False

    @property
    def spatial(self) -> bool:
        """Does it have a grid of more than 1 x 1 positions?"""
        return len(self.shape) == 3 and max(self.shape[1:]) > 1


class Network(nn.Module):
    """A classifier that takes (N, 3, H, W) pictures in [0, 1], RGB, and returns logits (N, K).

    model: any module that takes normalized pictures and returns logits. It is copied, frozen, computed in
        float32 and eval mode; its batch-norm is folded into the convolutions, its in-place activations are
        made out-of-place, DataParallel and compilation are taken off. A model for grey pictures gets the mean
        of red, green and blue.
    mean, std: the normalization that the model was trained with, for pictures in [0, 1]: three numbers, or
        one for all colours.
    input_size: the size it was trained on, in pixels: the side of a square, or (height, width).
    labels: K names: a list, a tuple, an array, {index: name} or {name: index}.
    names: {layer name: module path}.
    output: where the logits are in what the model returns: "logits", 0, or a function. None: it returns
        logits.
    task: "multiclass": one of K classes, probabilities by softmax. "multilabel": each label is a question of
        its own, probabilities by sigmoid. "binary": one logit z for "yes"; it becomes the two logits 0 and z.
    device: where to compute: "cpu", "cuda", "mps", a torch.device, or None, where the model is.
    card: a dict that says where the weights come from.

    Pictures may come from any device; results are on the network's. Raises VizlibError, in words, for models
    that are no classifiers, return probabilities, draw at random, or mix the pictures of a batch.

        >>> layers = torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
        >>> vz.Network(torch.nn.Sequential(*layers), name="mine", mean=0.5, std=0.5, input_size=32)
        Network mine: 4 classes, 32 x 32 pixels
    """

    mean: torch.Tensor
    std: torch.Tensor
    model: nn.Module

    def __init__(
        self,
        model: nn.Module,
        *,
        name: str,
        mean: Any,
        std: Any,
        input_size: int | tuple[int, int] = 224,
        labels: Any = None,
        names: dict[str, str] | None = None,
        output: str | int | Callable | None = None,
        task: str = "multiclass",
        device: str | torch.device | None = None,
        card: dict | None = None,
    ) -> None:
        super().__init__()
        if task not in admission.TASKS:
            raise VizlibError(f"task is one of {', '.join(admission.TASKS)}; this is {task!r}.")
        self.name, self.task, self.card = str(name), task, Card(card or {})
        self._output = output
        self._names: dict[str, str] | None = names
        self._layers: dict[str, Layer] | None = None
        self.cuts: dict[str, bool] = {}  # of vizlib.layers.recording: which layers cut the network in two
        self.input_shape = _height_and_width(input_size)
        self.grey, self.memory_format = False, torch.contiguous_format
        with torch.inference_mode(False), torch.no_grad():
            self.register_buffer("mean", admission.channel_values(mean, "mean", 0.0, 1.0), persistent=False)
            self.register_buffer("std", admission.channel_values(std, "std", 1e-4, 1.0), persistent=False)
            self.model = make_plain(admission.plain_copy(model))
            self.to(_device(device, self.model))
            logits = self._admitted()
        self.labels = admission.label_names(
            ["no", "yes"] if task == "binary" and not labels else labels, logits.shape[1]
        )
        self.eval()

    def _admitted(self) -> torch.Tensor:
        """Look at how the model behaves, fold its batch-norm, and return the logits of two pictures."""
        pictures = _two_pictures(self.input_shape).to(self.device)
        channels = next((m.in_channels for m in self.model.modules() if isinstance(m, nn.Conv2d)), 3)
        try:
            before = self._behaviour(pictures)
        except VizlibError:
            if channels != 1 or self.grey:
                raise
            self.grey = True
            before = self._behaviour(pictures)
        plain = self.model
        self.model = fold_batchnorm(plain, self._normalized(pictures[:1]))
        after, scale = self._checked(pictures), float(before.abs().max())
        if not torch.allclose(before, after, rtol=1e-3, atol=1e-3 * scale):
            self.model = plain  # a batch-norm whose place was not seen rightly: it stays
        # Depthwise convolutions run much faster with the channels last; plain ones gain nothing at small
        # batches.
        if any(isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1 for m in self.model.modules()):
            self.memory_format = torch.channels_last
        self.model = self.model.to(memory_format=self.memory_format)
        return self.unchecked(pictures)

    def _behaviour(self, pictures: torch.Tensor) -> torch.Tensor:
        try:
            return admission.check_behaviour(self._checked, pictures)
        except VizlibError:
            raise
        except Exception as problem:  # whatever a person's own code may raise
            raise admission.in_words(problem, self.input_shape, 1 if self.grey else 3) from problem

    def _checked(self, pictures: torch.Tensor) -> torch.Tensor:
        with _float32(self.device):
            given = admission.read(self._output, self.model(self._normalized(pictures)))
        admission.check_logits(given, len(pictures), self.task)
        return given

    def _normalized(self, images: torch.Tensor) -> torch.Tensor:
        if self.grey:
            images = images.mean(1, keepdim=True)
        return ((images - self.mean) / self.std).contiguous(memory_format=self.memory_format)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, K), differentiable. images: (N, 3, H, W), also outside of [0, 1], from any device.

        Raises VizlibError for what is no such tensor, and for a size that the model cannot look at.
        """
        check_shape(images)
        images = images.to(self.mean)  # its device and precision
        size = images.shape[-2], images.shape[-1]
        own, sentence = size == self.input_shape, self._cannot_look_at(size)
        with misfits_in_words(sentence, own):
            logits = self.unchecked(images)
        wanted = len(images), len(self.labels)  # view(-1, ...) mixes pictures, and a head may keep positions
        if logits.shape != wanted and not own:
            raise VizlibError(f"{sentence} (The model returned {tuple(logits.shape)}, not {wanted}.)")
        return logits

    def unchecked(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, whatever goes in: for passes in which a layer's output is replaced by other rows."""
        yield_to_others()
        with _float32(self.device), norms_laid_out(self.model):
            logits = admission.read(self._output, self.model(self._normalized(images)))
        if self.task == "binary":
            logits = logits.reshape(-1, 1)
            logits = torch.cat([torch.zeros_like(logits), logits], 1)
        return logits

    def _cannot_look_at(self, size: tuple[int, int]) -> str:
        mine = self.input_shape
        return (
            f"{self.name} cannot look at {size[0]} x {size[1]} pixels, "
            f"it was made for {mine[0]} x {mine[1]}: vz.resize(images, {mine})."
        )

    @property
    def device(self) -> torch.device:
        """Where the network computes, and where results are."""
        return self.mean.device

    @property
    def input_size(self) -> int | tuple[int, int]:
        """The side of the square that the model was trained on, in pixels; (height, width) if it is no
        square.
        """
        height, width = self.input_shape
        return height if height == width else (height, width)

    @property
    def neutral(self) -> torch.Tensor:
        """The colour that the network sees as zero: (1, 3, 1, 1) in [0, 1]."""
        return self.mean.expand(1, 3, 1, 1)

    def check(self, images: torch.Tensor) -> torch.Tensor:
        """The pictures (N, 3, H, W), float32 and in [0, 1], on the network's device. Raises VizlibError for
        others.
        """
        with torch.inference_mode(False):
            images = check_images(images).to(self.device)
            return images.clone() if images.is_inference() else images

    def index(self, target: Any) -> int:
        """The class index of an index or a label: net.index("tabby") is 281. Raises VizlibError for what is
        not a class.
        """
        return find_class(self.labels, target)

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (N, K) as probabilities: by softmax, or by sigmoid where each label is a question of its
        own.
        """
        return logits.sigmoid() if self.task == "multilabel" else logits.softmax(1)

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """log p, (N, K), of logits (N, K); see `probabilities`."""
        return nn.functional.logsigmoid(logits) if self.task == "multilabel" else logits.log_softmax(1)

    def predict(self, images: torch.Tensor, top: int = 5) -> Table:
        """The `top` classes of each picture: a Table with picture (if there are several), label, probability
        and index.

        >>> vz.load("zfnet").predict(vz.photo("goldfish", 64), top=1)["label"]
        ['goldfish']
        """
        images, top = self.check(images), whole(top, "top is a number of classes")
        with torch.no_grad():
            probabilities = self.probabilities(self(images))
        values, indices = probabilities.topk(min(top, len(self.labels)))
        rows = Table()
        for i, (ps, classes) in enumerate(zip(values.tolist(), indices.tolist(), strict=True)):
            for p, k in zip(ps, classes, strict=True):
                row = {"label": self.labels[k], "probability": p, "index": k}
                rows.append(row if len(images) == 1 else {"picture": i, **row})
        return rows

    @property
    def layers(self) -> Table:
        """The layers a person would name, from pixels to logits: a Table with name, shape, stride, receptive
        field and path.
        """
        return Table(
            {
                "name": name,
                "shape": "x".join(map(str, info.shape)),
                "stride": max(info.receptive_field.stride) if len(info.shape) == 3 else None,
                "receptive field": str(info.receptive_field),
                "path": self._maker() if name == LOGITS else info.path,
            }
            for name, info in self.named_layers().items()
        )

    def named_layers(self) -> dict[str, Layer]:
        """{name: Layer} of the layers a person would name, from pixels to logits."""
        names, layers = self._trace()
        return {name: layers[path] for name, path in names.items()}

    @property
    def traced(self) -> dict[str, Layer]:
        """{module path: Layer} of all modules that put out a tensor, in the order in which they ran; "" is
        the network's own output.
        """
        return self._trace()[1]

    def layer(self, name: str) -> Layer:
        """What is known of the layer with this name or module path: a Layer. Raises VizlibError with the
        nearest names.
        """
        if not isinstance(name, str):
            example = next(iter(self.named_layers()))
            raise VizlibError(
                f"A layer is named by a string such as {example!r}; this is {name!r}. net.layers lists them."
            )
        names, layers = self._trace()
        path = names.get(name, name or None)
        if path is None or path not in layers:
            raise VizlibError(
                f"{self.name} has no layer {name!r}. "
                f"{did_you_mean(name, [*names, *filter(None, layers)])} "
                "net.layers lists them."
            )
        return layers[path]

    @property
    def last_spatial_layer(self) -> str:
        """The name of the last layer with a grid of positions before they are averaged away, for maps of the
        network's answer.

        Raises VizlibError for a network without one, and where tokens, whose places are not known, follow the
        last grid.
        """
        tokens = None
        for name, info in reversed(self.named_layers().items()):
            if info.spatial and not isinstance(info.module, nn.AdaptiveAvgPool2d):
                if tokens is None:
                    return name
                raise VizlibError(
                    f"After its last grid of positions, {name!r}, {self.name} goes on with tokens "
                    f"({tokens!r}), whose places are not "
                    f"known here. Maps need a grid; layer={name!r} shows what the network sees there, early "
                    "on."
                )
            if len(info.shape) == 2:
                tokens = name
        raise VizlibError(f"{self.name} has no layer with a grid of positions.")

    def _maker(self) -> str:
        """The path of the module that puts out the logits, or "" if none does."""
        layers = self.traced
        return next((path for path, info in layers.items() if path and info.module is layers[""].module), "")

    def _trace(self) -> tuple[dict[str, str], dict[str, Layer]]:
        """One forward pass that notes each module's output shape, receptive field and number of calls."""
        if self._layers is not None and self._names is not None:
            return self._names, self._layers
        image = torch.full((1, 3, *self.input_shape), 0.5, device=self.device)
        tracer = FieldTracer(image)
        seen: dict[str, Layer] = {}
        outputs: dict[int, tuple[str, torch.Tensor]] = {}

        def note(path):
            def hook(module, output):
                if not isinstance(output, torch.Tensor):
                    return
                if output.dim() < 2 or len(output) != 1:  # windows, heads: no output for one picture
                    return
                shape, last = tuple(output.shape[1:]), False
                if not isinstance(module, CHANNELS_FIRST):
                    shape, last = _channels_first(shape, self.input_shape)
                field = tracer.field_of(output) or EVERYTHING
                calls = seen[path].calls + 1 if path in seen else 1
                seen[path] = Layer(path, path, module, shape, field, calls, last)
                # a module comes before the block that returns its output
                outputs.setdefault(id(output), (path, output))

            return hook

        with hooked([(m, note(path)) for path, m in self.model.named_modules() if path]):
            with torch.inference_mode(False), torch.no_grad(), tracer:
                logits = self(image)
        maker = outputs.get(id(logits), ("", None))[0]
        head = seen[maker].module if maker else self.model
        seen[""] = Layer(LOGITS, "", head, tuple(logits.shape[1:]), EVERYTHING, 1)
        names = self._names
        if names is None:
            vgg = looks_like_vgg(self.model)
            names = readable_names(self.model, [path for path in seen if path], head=maker, vgg=vgg)
        names = {
            name: path for name, path in names.items() if path in seen and path != maker and name != LOGITS
        }
        readable = {path: name for name, path in names.items()}
        layers = {path: replace(info, name=readable.get(path, info.name)) for path, info in seen.items()}
        self._names, self._layers = {**names, LOGITS: ""}, layers  # at once: other threads may be looking
        return self._names, self._layers

    def __repr__(self) -> str:
        height, width = self.input_shape
        return f"Network {self.name}: {len(self.labels)} classes, {height} x {width} pixels"


def _float32(device: torch.device):
    """No autocast inside: a block that is nothing where none is on."""
    kind = device.type
    mixed = kind in ("cpu", "cuda", "mps") and torch.is_autocast_enabled(kind)
    return torch.autocast(kind, enabled=False) if mixed else nullcontext()


def _height_and_width(size: Any) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) == 3 and sides[0] in (1, 3):  # timm's (channels, height, width)
        sides = sides[1:]
    if len(sides) != 2:
        raise VizlibError(
            f"input_size is the side of a square in pixels, or (height, width); this is {size!r}."
        )
    height, width = (whole(side, "input_size is a number of pixels") for side in sides)
    return height, width


def _device(device: Any, model: nn.Module) -> torch.device:
    """Where to compute: `device`, or where the model's weights are."""
    if device is not None:
        return find_device(device)
    tensor = next((t for t in (*model.parameters(), *model.buffers())), None)
    return torch.device("cpu") if tensor is None else tensor.device


def _two_pictures(size: tuple[int, int]) -> torch.Tensor:
    """Two different pictures (2, 3, H, W) in [0, 1], smooth noise: the same each time."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 7, 7, generator=generator, dtype=torch.float32)
    return nn.functional.interpolate(coarse, size, mode="bilinear")


def _channels_first(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[tuple[int, ...], bool]:
    """The shape (K, h, w) of an output (K, h, w) or (h, w, K), and whether its channels came last.

    A grid has the proportions of the picture: of two readings the one whose grid has them is right; a tie is
    read as (K, h, w).
    """
    if len(shape) != 3:
        return shape, False

    def like_the_picture(h, w):
        return abs(h * size[1] - w * size[0]) <= max(size)  # one position more or less, from rounding

    if like_the_picture(*shape[1:]) or not like_the_picture(*shape[:2]):
        return shape, False
    return (shape[2], *shape[:2]), True
