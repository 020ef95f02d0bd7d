"""Names for layers that a person would use: "conv3", "pool1", "stage5", "logits" instead of "features.6"."""

from torch import nn

KINDS = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu",
    nn.MaxPool2d: "pool",
    nn.AvgPool2d: "pool",
    nn.AdaptiveAvgPool2d: "avgpool",
}
SKIPPED = (nn.Identity, nn.Dropout, nn.Flatten)


def readable_names(model, ran, vgg=False):
    """{name: module path} for the layers along the main road of `model`, in the order in which they ran.

    ran: the paths of modules that ran, in order. Children with a word for a name keep it; numbered ones in a
        Sequential are
    counted by kind. What returns the class scores is "logits". With `vgg`, convolutions count within blocks:
        conv3_1.
    """
    names, count, block = {}, {"conv": 0, "pool": 0, "fc": 0}, {"number": 1, "place": 0}
    road = [path for path in _main_road(model) if path in set(ran)]
    road.sort(key=list(ran).index)
    linear = [path for path in road if isinstance(model.get_submodule(path), nn.Linear)]
    last = (linear or road)[-1]  # fully convolutional networks end in a pooling layer
    for path in road:
        module, own = model.get_submodule(path), path.rpartition(".")[2]
        if path == last:
            name = "logits"
        elif not own.isdigit():
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
            kind = "stage" if isinstance(module, nn.Sequential) else type(module).__name__.lower()
            kind = kind if len(kind) < 10 else "block"
            count[kind] = count.get(kind, 0) + 1
            name = f"{kind}{count[kind]}"
        free = (n for n in (name, path, f"{name}@{path}") if n not in names)
        names[next(free)] = path
    return names


def _main_road(model, path=""):
    """Paths of the children a reader meets from pixels to logits; Sequentials of single layers or of stages
    are opened.
    """
    for name, child in model.named_children():
        full = f"{path}.{name}" if path else name
        if isinstance(child, nn.Sequential) and _is_road(child) and (not path or _numbered(child)):
            yield from _main_road(child, full)
        elif not isinstance(child, SKIPPED):
            yield full


def _is_road(sequential):
    children = list(sequential.children())
    return any(isinstance(c, (nn.Sequential, nn.Conv2d, nn.Linear)) for c in children)


def _numbered(sequential):
    return all(name.isdigit() for name, _ in sequential.named_children())
