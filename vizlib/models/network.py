"""A network in pixel space: pictures in [0, 1] go in, logits come out; its layers have names."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..errors import VizlibError, did_you_mean
from ..images.check import check_images, check_shape
from ..layers.receptive import FieldTracer, ReceptiveField
from ..table import Card, Table
from .fold import prepare_model
from .labels import find_class
from .naming import readable_names


@dataclass(frozen=True)
class Layer:
    """What is known of a layer: its name, its path in the module tree, and its output for one picture of
    `net.input_size`.
    """

    name: str
    path: str
    module: nn.Module
    shape: tuple
    receptive_field: ReceptiveField
    calls: int  # how often it runs in one forward pass

    @property
    def spatial(self):
        """Does it have a grid of more than 1 x 1 positions?"""
        return len(self.shape) == 3 and self.shape[-1] > 1


class Network(nn.Module):
    """A classifier that takes (N, 3, H, W) pictures in [0, 1] and returns logits (N, K).

    model: any module that takes normalized pictures and returns logits. It is copied, frozen, put in eval
    mode; its batch-norm is
        folded into the convolutions and its in-place activations are made out-of-place.
    mean, std: the normalization the model was trained with, three numbers each, for pictures in [0, 1].
    input_size: the side of the square it was trained on, in pixels. labels: K names. names: {layer name:
        module path}.
    card: a dict that says where the weights come from.
    """

    def __init__(self, model, *, name, mean, std, input_size=224, labels=None, names=None, card=None):
        super().__init__()
        self.name, self.input_size, self.card = name, input_size, Card(card or {})
        self.register_buffer("mean", torch.as_tensor(mean).clone().view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.as_tensor(std).clone().view(1, 3, 1, 1), persistent=False)
        example = torch.full((1, 3, input_size, input_size), 0.5)
        model = prepare_model(copy.deepcopy(model), (example - self.mean) / self.std)
        # Depthwise convolutions run much faster with the channels last; plain ones gain nothing at small
        # batches.
        depthwise = any(isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1 for m in model.modules())
        self.memory_format = torch.channels_last if depthwise else torch.contiguous_format
        self.model = model.to(memory_format=self.memory_format)
        self._names, self._layers = names, None
        with torch.no_grad():
            classes = self(example).shape[1]
        self.labels = tuple(labels) if labels else tuple(f"class {i}" for i in range(classes))
        if len(self.labels) != classes:
            raise VizlibError(
                f"This model tells {classes} classes apart, and there are {len(self.labels)} labels."
            )
        self.eval()

    def forward(self, images):
        check_shape(images)
        x = (images - self.mean) / self.std
        logits = self.model(x.contiguous(memory_format=self.memory_format))
        if not isinstance(logits, torch.Tensor) or logits.dim() != 2:
            raise VizlibError(
                f"The model {self.name!r} does not return logits (N, K), so it is no classifier."
            )
        return logits

    @property
    def device(self) -> torch.device:
        return self.mean.device

    @property
    def neutral(self):
        """The colour that the network sees as zero: (1, 3, 1, 1) in [0, 1]."""
        return self.mean

    def index(self, target):
        """The class index of an index or a label: net.index("tabby") is 281. Raises VizlibError for what is
        not a class.
        """
        return find_class(self.labels, target)

    def predict(self, images, top=5):
        """The `top` classes of each picture: a Table with picture (if there are several), label, probability
        and index.
        """
        images = check_images(images)
        with torch.no_grad():
            probabilities = self(images).softmax(1)
        values, indices = probabilities.topk(min(top, len(self.labels)))
        rows = Table()
        for i, (ps, classes) in enumerate(zip(values.tolist(), indices.tolist(), strict=True)):
            for p, k in zip(ps, classes, strict=True):
                row = {"label": self.labels[k], "probability": p, "index": k}
                rows.append(row if len(images) == 1 else {"picture": i, **row})
        return rows

    @property
    def layers(self):
        """The layers a person would name, from pixels to logits: a Table with name, shape, stride, receptive
        field and path.
        """
        self._trace()
        return Table(
            {
                "name": name,
                "shape": "x".join(map(str, info.shape)),
                "stride": max(info.receptive_field.stride) if len(info.shape) == 3 else None,
                "receptive field": str(info.receptive_field),
                "path": info.path,
            }
            for name, info in ((n, self._layers[p]) for n, p in self._names.items())
        )

    def layer(self, name):
        """What is known of the layer with this name or module path: a Layer. Raises VizlibError with the
        nearest names.
        """
        self._trace()
        path = self._names.get(name, name)
        if path not in self._layers:
            raise VizlibError(
                f"{self.name} has no layer {name!r}. {did_you_mean(name, [*self._names, *self._layers])} "
                "net.layers lists them."
            )
        return self._layers[path]

    @property
    def last_spatial_layer(self):
        """The name of the deepest named layer with a grid of more than 1 x 1 positions (adaptive pooling,
        which may invent one, aside).
        """
        self._trace()
        infos = {name: self._layers[path] for name, path in self._names.items()}
        spatial = [
            name
            for name, info in infos.items()
            if info.spatial and not isinstance(info.module, nn.AdaptiveAvgPool2d)
        ]
        if not spatial:
            raise VizlibError(f"{self.name} has no layer with a grid of positions.")
        return spatial[-1]

    def _trace(self):
        """One forward pass that notes each module's output shape, receptive field and number of calls."""
        if self._layers is not None:
            return
        image = torch.full((1, 3, self.input_size, self.input_size), 0.5)
        tracer, seen, modules = FieldTracer(image), {}, dict(self.model.named_modules())

        def note(path):
            def hook(module, inputs, output):
                field = tracer.field_of(output) if isinstance(output, torch.Tensor) else None
                if field is not None:
                    calls = seen[path].calls + 1 if path in seen else 1
                    seen[path] = Layer(path, path, module, tuple(output.shape[1:]), field, calls)

            return hook

        handles = [module.register_forward_hook(note(path)) for path, module in modules.items() if path]
        try:
            with torch.no_grad(), tracer:
                self(image)
        finally:
            for handle in handles:
                handle.remove()
        names = self._names or readable_names(self.model, seen, vgg="vgg" in self.name)
        self._names = {name: path for name, path in names.items() if path in seen}
        readable = {path: name for name, path in self._names.items()}
        self._layers = {path: replace(info, name=readable.get(path, path)) for path, info in seen.items()}

    def __repr__(self):
        return (
            f"Network {self.name}: {len(self.labels)} classes, {self.input_size} x {self.input_size} pixels"
        )
