"""Names for layers that a person would use: "conv3", "pool1", "stage5" instead of "features.6"."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from torch import nn

KINDS = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu",
    nn.MaxPool2d: "pool",
    nn.AvgPool2d: "pool",
    nn.AdaptiveAvgPool2d: "avgpool",
}
SKIPPED = (nn.Identity, nn.Dropout, nn.Flatten)
MOST = 0.9  # a child with this share of all layers, or more, is the network itself, in a wrapper


def readable_names(
    model: nn.Module, ran: Iterable[str], *, head: str | None = None, vgg: bool = False
) -> dict[str, str]:
    """{name: module path} for the layers along the main road of `model`, in the order in which they ran.

    ran: the paths of modules that ran, in order. head: the path of the module that puts out the logits; it
        gets no name, as "logits" is what the network returns. Children with a word for a name keep it;
        numbered ones in a Sequential are counted by kind. With `vgg`, convolutions count within blocks:
        conv3_1.
    """
    names: dict[str, str] = {}
    count, block = {"conv": 0, "pool": 0, "fc": 0}, {"number": 1, "place": 0}
    order = {path: i for i, path in enumerate(ran)}
    road = sorted((path for path in _main_road(model, order) if path in order), key=order.__getitem__)
    for path in road:
        module, own = model.get_submodule(path), path.rpartition(".")[2]
        if path == head:
            continue
        if not own.isdigit():
            name = own
        elif isinstance(module, nn.Conv2d):
            count["conv"] += 1
            block["place"] += 1
            name = f"conv{block['number']}_{block['place']}" if vgg else f"conv{count['conv']}"
        elif isinstance(module, nn.Linear):
            count["fc"] += 1
            name = f"fc{(block['number'] - 1 if vgg else count['conv']) + count['fc']}"
        elif KINDS.get(type(module)) == "relu":
            before = next(reversed(names), "1")
            name = (
                "relu" + before.lstrip("convf")
                if before.startswith(("conv", "fc"))
                else f"relu_after_{before}"
            )
        elif KINDS.get(type(module)) == "pool":
            count["pool"] += 1
            block.update(number=block["number"] + 1, place=0)
            name = f"pool{count['pool']}"
        elif type(module) in KINDS:
            name = KINDS[type(module)]
        else:
            name = _counted(module, count)
        free = (n for n in (name, path, f"{name}@{path}") if n not in names and n != "logits")
        names[next(free)] = path
    return names


def looks_like_vgg(model: nn.Module) -> bool:
    """Blocks of 3 x 3 convolutions between five poolings, whose convolutions are usually called conv3_1."""
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    pools = sum(isinstance(m, nn.MaxPool2d) for m in model.modules())
    return pools == 5 and len(convolutions) >= 8 and all(m.kernel_size == (3, 3) for m in convolutions)


def _counted(module: nn.Module, count: dict[str, int]) -> str:
    kind = "stage" if isinstance(module, nn.Sequential) else type(module).__name__.lower()
    kind = kind if len(kind) < 10 else "block"
    count[kind] = count.get(kind, 0) + 1
    return f"{kind}{count[kind]}"


def _main_road(model: nn.Module, ran: Container[str], path: str = "", root: bool = True) -> Iterator[str]:
    """Paths of the children a reader meets from pixels to logits.

    Opened are Sequentials of single layers or of stages; containers that do not run themselves, such as lists
    of modules; and, at the root, a wrapper: a child with nearly all of the network's layers, as in
    Sequential(normalize, resnet) or a backbone with a head.
    """
    everything = _weighted(model)
    for name, child in model.named_children():
        full = f"{path}.{name}" if path else name
        inside = any(True for _ in child.children())
        wrapper = root and inside and _weighted(child) >= MOST * everything
        road = isinstance(child, nn.Sequential) and _is_road(child) and (root or _numbered(child))
        if inside and (wrapper or road or full not in ran):
            yield from _main_road(child, ran, full, root=wrapper)
        elif not isinstance(child, SKIPPED):
            yield full


def _weighted(module: nn.Module) -> int:
    """How many convolutions and linear layers there are."""
    return sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in module.modules())


def _is_road(sequential: nn.Sequential) -> bool:
    children = list(sequential.children())
    return any(isinstance(c, (nn.Sequential, nn.Conv2d, nn.Linear)) for c in children)


def _numbered(sequential: nn.Sequential) -> bool:
    return all(name.isdigit() for name, _ in sequential.named_children())
