"""What a model must be before anything is asked of it. Every assumption of the library is checked here, once,
in words.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..errors import VizlibError, first_line

TASKS = ("multiclass", "multilabel", "binary")
ONE_LOGIT = (
    'With task="binary" a single logit z becomes the logits 0 and z of the labels "no" and "yes"; '
    "a regression has no classes, so nothing here can be asked of it."
)


def plain_copy(model: nn.Module) -> nn.Module:
    """A copy of the model of its own: float32, in eval mode, frozen; DataParallel and compilation taken off.

    Raises VizlibError for what is no module (a file name, a state dict, a function, TorchScript) or cannot be
    copied.
    """
    if isinstance(model, str):
        raise VizlibError(
            f"A model is a torch.nn.Module; this is the string {model!r}. vz.load({model!r}) loads a network "
            "by its name; "
            "for a file of weights build the model first, then model.load_state_dict(torch.load(file))."
        )
    if isinstance(model, Mapping):
        raise VizlibError(
            "A model is a torch.nn.Module; this is a dict, a state dict perhaps. Build the model first, "
            "then model.load_state_dict(...), then vz.Network(model, ...)."
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise VizlibError(
            "This is a TorchScript module, whose inner steps cannot be watched. Give the model that it was "
            "made of."
        )
    if not isinstance(model, nn.Module):
        raise VizlibError(
            f"A model is a torch.nn.Module; this is a {type(model).__name__}. A function f goes into a small "
            "class: "
            "class Model(torch.nn.Module): forward = staticmethod(f)."
        )
    while True:  # these run copies, or code of their own, in which hooks do not work
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), nn.Module):
            model = getattr(model, "_orig_mod")  # noqa: B009  (which type checkers do not know)
        else:
            break
    try:
        copied = copy.deepcopy(model)
    except Exception as problem:  # anything may be kept in a model: activations, locks, files
        raise VizlibError(
            f"This model cannot be copied ({problem}). It may keep something of its last forward pass, such "
            "as an "
            "activation (detach it), or a lock or an open file; after pruning or weight_norm make the "
            "weights plain: "
            "torch.nn.utils.prune.remove(module, 'weight'), torch.nn.utils.remove_weight_norm(module)."
        ) from problem
    devices = {str(tensor.device) for tensor in (*copied.parameters(), *copied.buffers())}
    if len(devices) > 1:
        raise VizlibError(
            f"This model lies on several devices ({', '.join(sorted(devices))}). Move it to one: "
            "model.to('cpu')."
        )
    if any(module.is_quantized for module in copied.parameters() if hasattr(module, "is_quantized")):
        raise VizlibError("This model is quantized and has no slopes. Give the one in floating point.")
    return forget_caches(copied.float()).requires_grad_(False)


def forget_caches(model: nn.Module) -> nn.Module:
    """The model in eval mode, without what it has kept of its weights: some compute a bias once and keep it
    until they are trained again.
    """
    return model.train().eval()


def channel_values(values: Any, what: str, low: float, high: float) -> torch.Tensor:
    """A mean or a std as a float32 tensor (1, C, 1, 1): one number for all colours, or one for each."""
    try:
        tensor = torch.as_tensor(values).detach().to("cpu", torch.float32).flatten()
    except (TypeError, ValueError, RuntimeError):
        tensor = torch.empty(0)
    if len(tensor) not in (1, 3) or not bool(torch.isfinite(tensor).all()):
        raise VizlibError(f"{what} is a number, or one for red, green and blue; this is {values!r}.")
    if not bool(((tensor >= low) & (tensor <= high)).all()):
        hint = " Divide it by 255: pictures lie in [0, 1]." if float(tensor.max()) > 1 else ""
        raise VizlibError(
            f"{what} is for pictures in [0, 1], so it lies between {low:g} and {high:g}; this is "
            f"{[round(v, 4) for v in tensor.tolist()]}.{hint}"
        )
    return tensor.clone().view(1, -1, 1, 1)


def read(output: str | int | Callable | None, given: Any) -> Any:
    """The logits in what a model returned. output: a key or an attribute, a position, a function, or None
    (all of it is logits).
    """
    if output is None:
        return given
    if callable(output):
        return output(given)
    if isinstance(output, str) and hasattr(given, output):
        return getattr(given, output)
    try:
        return given[output]
    except (KeyError, IndexError, TypeError):
        raise VizlibError(f"There is no {output!r} in what the model returns, {described(given)}.") from None


def described(given: Any) -> str:
    """What a model returned, in words."""
    if isinstance(given, torch.Tensor):
        return f"a tensor {tuple(given.shape)}"
    if isinstance(given, Mapping):
        return f"a {type(given).__name__} with {', '.join(map(repr, given))}"
    if isinstance(given, (tuple, list)):
        return f"a {type(given).__name__} of {len(given)}"
    return f"a {type(given).__name__}"


def check_logits(logits: Any, count: int, task: str) -> None:
    """Raise VizlibError, with the wrapper that helps, unless these are logits (N, K) for `count` pictures."""
    if not isinstance(logits, torch.Tensor):
        raise VizlibError(
            f"This model returns {described(logits)}, not logits (N, K). Say where they are: "
            'output="logits", output=0, or a function, output=lambda out: out["logits"].'
        )
    shape = tuple(logits.shape)
    if task == "binary" and shape in ((count,), (count, 1)):
        return
    if logits.dim() == 4 and shape[2:] == (1, 1):
        raise VizlibError(
            f"This model returns {shape}; logits are (N, K): output=lambda out: out.flatten(1)."
        )
    if logits.dim() == 4:
        raise VizlibError(
            f"This model returns a map for each class, {shape}, as for segmentation; logits are (N, K). "
            "The mean over the picture makes it a classifier: output=lambda out: out.mean((2, 3))."
        )
    if logits.dim() == 1:
        raise VizlibError(f"This model returns one number for each picture, {shape}. {ONE_LOGIT}")
    if logits.dim() != 2:
        raise VizlibError(
            f"This model returns {shape}, not logits (N, K), so it is no classifier. "
            "A function may make logits of it: output=lambda out: ..."
        )
    if len(logits) != count:
        raise VizlibError(
            f"{count} pictures went in and {len(logits)} rows of logits came out. A view(-1, ...) in the "
            "model mixes "
            "pictures of a size that it was not made for; torch.flatten(x, 1) would refuse them."
        )
    if shape[1] < 2 and task == "multiclass":
        raise VizlibError(f"This model returns a single logit, {shape}. {ONE_LOGIT}")
    if task == "binary":
        raise VizlibError(f'task="binary" is for a single logit, (N, 1); this model returns {shape}.')


class LastFunction(TorchFunctionMode):
    """While open, remembers which function made each tensor."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[int, tuple[torch.Tensor, str]] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self._made[id(out)] = out, getattr(func, "__name__", "")
        return out

    def of(self, tensor: torch.Tensor) -> str:
        return self._made.get(id(tensor), (tensor, ""))[1]


def check_behaviour(run: Callable[[torch.Tensor], torch.Tensor], pictures: torch.Tensor) -> torch.Tensor:
    """Run two different pictures and each alone. Returns the logits; refuses probabilities, chance and mixed
    pictures.

    run: pictures (N, C, H, W) -> logits (N, K).
    """
    with LastFunction() as last:
        both = run(pictures)
    one, again = run(pictures[:1]), run(pictures[:1])
    if not bool(both.isfinite().all()):
        raise VizlibError(
            "This model's logits are NaN or infinite. Look at its weights, and at mean and std."
        )
    positive = bool((both >= 0).all() and (both <= 1).all())
    sums = bool(((both.sum(1) - 1).abs() < 1e-4).all())
    if positive and (sums or last.of(both) in ("softmax", "sigmoid")):
        name = "sigmoid" if last.of(both) == "sigmoid" else "softmax"
        more = ' and say task="multilabel"' if name == "sigmoid" else ""
        raise VizlibError(
            "This model returns probabilities, not logits: their slopes vanish where it is sure. Take the "
            f"{name} off{more}, "
            "for example by putting torch.nn.Identity() in its place."
        )
    scale = float(both.abs().max().clamp(min=1e-12))
    if float((one - again).abs().max()) > 1e-4 * scale:
        raise VizlibError(
            "The same picture gets other logits each time, in eval mode too. Look for F.dropout(x) without "
            "training=self.training, "
            "or other randomness."
        )
    if _is_mixed(run, pictures, both, one):
        raise VizlibError(
            "The logits of a picture depend on the pictures beside it. Look for batch-norm with "
            "track_running_stats=False, "
            "or a mean over the batch."
        )
    return both


def _is_mixed(run: Callable, pictures: torch.Tensor, both: torch.Tensor, one: torch.Tensor) -> bool:
    """Do the logits of the first picture depend on the second, or on their number?

    A batch of two is rounded otherwise than a batch of one, and deep untrained networks may blow that up to
    any size. But then another second picture changes nothing, and a change of the first by a millionth does
    as much.
    """
    scale, apart = float(both.abs().max()), float((both[:1] - one).abs().max())
    if apart <= 1e-4 * scale:
        return False
    other = run(torch.cat([pictures[:1], 1 - pictures[1:]]))
    if float((both[:1] - other[:1]).abs().max()) > 2e-3 * scale:
        return True
    moved = float((run(pictures[:1] * (1 - 1e-6)) - one).abs().max())
    return apart > max(1e-2 * scale, 10 * moved)


def in_words(problem: Exception, size: tuple[int, int], channels: int) -> VizlibError:
    """Why a forward pass on pictures of the size given at construction failed."""
    said = first_line(problem)
    if isinstance(problem, TypeError) and "positional argument" in said:
        return VizlibError(
            f"This model wants more than pictures ({said}). Give the rest in a small module: "
            "forward(self, x): return self.model(x, ...)."
        )
    return VizlibError(
        f"This model cannot look at pictures ({channels}, {size[0]}, {size[1]}): {said}. Is input_size, the "
        "size it was trained on, "
        "right? Models for "
        f"{'grey pictures or for more than three channels' if channels == 3 else 'other channels'} "
        "need a first layer that makes what they want of red, green and blue."
    )


def label_names(labels: Any, classes: int) -> tuple[str, ...]:
    """K names, from a list, a tuple, an array, {index: name} or {name: index}. None: "class 0", "class 1",
    ...
    """
    if labels is None or (hasattr(labels, "__len__") and len(labels) == 0):
        return tuple(f"class {i}" for i in range(classes))
    if isinstance(labels, Mapping):
        pairs = list(labels.items())
        if not all(isinstance(index, int) for index, _ in pairs):
            pairs = [(index, name) for name, index in pairs]
        try:
            found = {int(index): name for index, name in pairs}
        except (TypeError, ValueError):
            raise VizlibError(
                "A dict of labels is {index: name} or {name: index}, with whole numbers."
            ) from None
        if sorted(found) != list(range(classes)):
            raise VizlibError(
                f"This model tells {classes} classes apart, 0 to {classes - 1}; "
                f"the dict of labels has the indices {sorted(found)[:8]}."
            )
        labels = [found[i] for i in range(classes)]
    names = tuple(str(name).strip() for name in labels)
    if len(names) != classes:
        raise VizlibError(f"This model tells {classes} classes apart, and there are {len(names)} labels.")
    return names
