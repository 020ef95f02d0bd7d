"""Receptive fields: the arithmetic, the numbers known for well-known networks, and the pixels that really
have a gradient.
"""

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

import vizlib as vz
from vizlib.layers import tap
from vizlib.layers.receptive import EVERYTHING, PIXEL, FieldTracer, ReceptiveField, union, window

# ----------------------------------------------------------------------------------------------------------
# arithmetic


def test_windows_add_up():
    first = window(PIXEL, 11, 4, 2)  # the first layer of AlexNet
    assert first == ReceptiveField((11, 11), (4, 4), (-2, -2))
    pooled = window(first, 3, 2)
    assert pooled == ReceptiveField((19, 19), (8, 8), (-2, -2))  # 11 + 2 * 4
    assert window(pooled, 5, 1, 2) == ReceptiveField((51, 51), (8, 8), (-18, -18))  # 19 + 4 * 8, -2 - 2 * 8


def test_rows_and_columns_are_kept_apart_and_dilation_stretches():
    assert window(PIXEL, (3, 1), (2, 1), (1, 0)) == ReceptiveField((3, 1), (2, 1), (-1, 0))
    assert window(PIXEL, 3, 1, 2, 2) == ReceptiveField((5, 5), (1, 1), (-2, -2))
    assert window(ReceptiveField((4, 4), (2, 2), (0, 0)), 3, dilation=3) == ReceptiveField(
        (16, 16), (2, 2), (0, 0)
    )


def test_the_union_of_two_branches_covers_both():
    a, b = window(PIXEL, 5, 1, 2), window(PIXEL, (1, 9), 1, (0, 3))
    assert union(a, b) == ReceptiveField((5, 9), (1, 1), (-2, -3))
    assert union(a, PIXEL) == a and union(PIXEL, a) == a
    assert union(a, EVERYTHING).size == (float("inf"),) * 2


def test_a_union_takes_the_wider_step_and_two_steps_have_no_common_square():
    slow, fast = window(PIXEL, 3, 2, 1), window(PIXEL, 3, 1, 1)
    assert union(slow, EVERYTHING).stride == union(EVERYTHING, slow).stride == (2, 2)
    assert str(union(slow, fast)) == "all" and union(slow, fast).stride == (2, 2)


def test_a_union_is_local_if_both_branches_are():
    odd = replace(PIXEL, local=False)
    assert union(PIXEL, PIXEL).local and not union(PIXEL, odd).local and not union(odd, PIXEL).local
    assert not EVERYTHING.local and window(PIXEL, 3).local and not window(odd, 3).local


def test_a_field_reads_as_its_size():
    assert [str(f) for f in (PIXEL, window(PIXEL, (3, 5)), EVERYTHING)] == ["1", "3x5", "all"]


# --------------------------------------------------------------------------------------------------
# well-known networks


def headed(features):
    return nn.Sequential(
        OrderedDict(
            features=features,
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.LazyLinear(4),
        )
    )


ARCHITECTURES = {
    "alexnet": lambda: headed(models.AlexNet(num_classes=4).features),
    "vgg16": lambda: headed(models.vgg.make_layers(models.vgg.cfgs["D"])),
    "resnet18": lambda: models.resnet18(num_classes=4),
    "googlenet": lambda: models.googlenet(num_classes=4, init_weights=False, aux_logits=False),
}


@pytest.fixture(scope="module")
def known(network):
    """known(name): an architecture of torchvision in which nothing is ever closed: positive weights that keep
    the size of signals.
    """
    made = {}

    def make(name):
        if name not in made:
            model = ARCHITECTURES[name]()
            generator = torch.Generator().manual_seed(0)
            with torch.no_grad():
                model(torch.zeros(2, 3, 64, 64))  # gives the lazy layer its size
                for module in model.modules():
                    if isinstance(module, (nn.Conv2d, nn.Linear)):
                        noise = 0.5 + torch.rand(module.weight.shape, generator=generator)
                        module.weight.copy_(noise / module.weight[0].numel())
                        if module.bias is not None:
                            module.bias.zero_()
                    elif isinstance(module, nn.BatchNorm2d):
                        module.reset_running_stats()
            made[name] = network(model, side=64, name=name)
        return made[name]

    return make


def sizes(net, layers):
    fields = [vz.receptive_field(net, layer) for layer in layers]
    assert all(
        f.size[0] == f.size[1] and f.stride[0] == f.stride[1] and f.start[0] == f.start[1] for f in fields
    )
    return [f.size[0] for f in fields]


def test_the_fields_of_alexnet_are_the_known_ones(known):
    layers = ["conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool3"]
    assert sizes(known("alexnet"), layers) == [11, 19, 51, 67, 99, 131, 163, 195]


def test_the_fields_of_vgg16_are_the_known_ones(known):
    net = known("vgg16")
    assert sizes(net, ["pool1", "pool2", "pool3", "pool4", "pool5"]) == [6, 16, 44, 100, 212]
    assert sizes(net, ["conv1_1", "conv3_3", "conv5_3"]) == [3, 40, 196]


def test_the_fields_of_resnet18_are_the_known_ones(known):
    assert sizes(known("resnet18"), ["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"]) == [
        7,
        11,
        43,
        99,
        211,
        435,
    ]
    assert vz.receptive_field(known("resnet18"), "layer4").stride == (32, 32)


def test_a_layer_after_global_pooling_sees_everything(known):
    for name in ("resnet18", "googlenet"):
        assert str(vz.receptive_field(known(name), "logits")) == "all"
        assert str(vz.receptive_field(known(name), "avgpool")) == "all"


# ----------------------------------------------------------------------------------------------- the support
# of the gradient


def support(net, layer, at, images):
    """The pixels on which the unit `at` of any channel depends, for any of the pictures: (H, W) booleans."""
    images = images.clone().requires_grad_()
    with tap(net, [layer], stop=True) as taken:
        net(images)
    (g,) = torch.autograd.grad(taken[layer][:, :, at[0], at[1]].sum(), images)
    return g.abs().sum((0, 1)) > 0


def square(field, at, side):
    """The rows and columns that the field of the unit `at` covers, as slices cut to the picture."""
    starts = [a + i * s for a, i, s in zip(field.start, at, field.stride, strict=True)]
    return tuple(slice(max(0, a), min(side, a + r)) for a, r in zip(starts, field.size, strict=True))


def ramps(side):
    """Two pictures that grow brighter towards opposite corners, so that every max-pool takes its outermost
    pixel on that side.
    """
    ramp = torch.linspace(0.1, 0.4, side)
    diagonal = ramp[:, None] + ramp[None]
    return torch.stack([diagonal, diagonal.flip(0, 1)])[:, None].expand(-1, 3, -1, -1).contiguous()


def assert_support_is_the_field(net, layer, at, side, images=None):
    field = vz.receptive_field(net, layer)
    rows, columns = square(field, at, side)
    seen = support(net, layer, at, ramps(side) if images is None else images)
    outside = seen.clone()
    outside[rows, columns] = False
    assert not outside.any(), f"{layer}: the gradient leaves the theoretical field"
    lit_rows, lit_columns = seen.any(1).nonzero()[:, 0], seen.any(0).nonzero()[:, 0]
    assert (lit_rows[0].item(), lit_rows[-1].item() + 1) == (rows.start, rows.stop), (
        f"{layer}: the field's rows are not reached"
    )
    assert (lit_columns[0].item(), lit_columns[-1].item() + 1) == (columns.start, columns.stop), (
        f"{layer}: columns"
    )


def central(net, layer, side):
    """The unit whose field lies in the middle of the picture."""
    field = vz.receptive_field(net, layer)
    return tuple(
        round((side / 2 - r / 2 - a) / s)
        for a, r, s in zip(field.start, field.size, field.stride, strict=True)
    )


SIDES = {
    "alexnet": {"conv1": 64, "pool1": 64, "conv2": 96, "conv3": 128, "conv5": 192, "pool3": 240},
    "vgg16": {"conv1_2": 32, "pool2": 48, "conv3_3": 64, "pool4": 128, "pool5": 248},
    "resnet18": {"conv1": 32, "maxpool": 48, "layer1": 64, "layer2": 128, "layer3": 240},
    "googlenet": {"maxpool1": 48, "conv3": 64, "inception3a": 96, "inception3b": 128, "inception4a": 256},
}


@pytest.mark.parametrize("name, layer", [(name, layer) for name, layers in SIDES.items() for layer in layers])
def test_the_pixels_with_a_gradient_fill_the_theoretical_square_and_stay_inside_it(known, name, layer):
    net, side = known(name), SIDES[name][layer]
    at = central(net, layer, side)
    rows, columns = square(vz.receptive_field(net, layer), at, side)
    assert rows.start > 0 and rows.stop < side and columns.start > 0 and columns.stop < side, (
        "the field should lie inside the picture"
    )
    assert_support_is_the_field(net, layer, at, side)


@pytest.mark.parametrize(
    "name, layer",
    [("alexnet", "conv3"), ("vgg16", "conv3_3"), ("resnet18", "layer1"), ("googlenet", "inception3a")],
)
def test_a_unit_at_the_border_sees_the_part_of_its_square_that_is_picture(known, name, layer):
    field, side = vz.receptive_field(known(name), layer), SIDES[name][layer]
    rows, columns = square(field, (0, 0), side)
    assert field.start[0] < 0
    seen = support(
        known(name),
        layer,
        (0, 0),
        torch.cat([ramps(side), torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))]),
    )
    outside = seen.clone()
    outside[rows, columns] = False
    assert seen.any() and not outside.any()


@pytest.mark.parametrize("layer", ["stem", "stage1", "stage2", "stage3"])
def test_the_pixels_with_a_gradient_in_lite0_stay_inside_the_theoretical_square(lite0, pictures, layer):
    field = vz.receptive_field(lite0, layer)
    at = central(lite0, layer, 224)
    rows, columns = square(field, at, 224)
    seen = support(lite0, layer, at, pictures(2, 224))
    inside = seen[rows, columns].float().mean()
    seen[rows, columns] = False
    assert inside > 0.3 and not seen.any()


# --------------------------------------------------------------------------------------------------------
# unusual plumbing


class Plumbing(nn.Module):
    """A body of functions, between a name to ask for and a head."""

    def __init__(self, body, **modules):
        super().__init__()
        for name, module in modules.items():
            setattr(self, name, module)
        self.body, self.asked, self.head = body, nn.Identity(), nn.LazyLinear(3)

    def forward(self, x):
        return self.head(self.asked(self.body(self, x)).flatten(2).mean(2))


def conv(kernel, channels=3, **kwargs):
    return nn.Conv2d(channels, 4, kernel, bias=False, **kwargs)


PLUMBING = {
    "a functional relu": (lambda m, x: F.relu(m.a(x)), {"a": conv(3)}),
    "a relu and a pool as methods and functions": (
        lambda m, x: F.max_pool2d(m.a(x).relu(), 2),
        {"a": conv(3)},
    ),
    "a pool with padding": (lambda m, x: F.max_pool2d(m.a(x), 3, 2, 1), {"a": conv(3)}),
    "a pool by keywords": (
        lambda m, x: F.max_pool2d(m.a(x), kernel_size=3, stride=2, padding=1),
        {"a": conv(3)},
    ),
    "a pool with dilation": (lambda m, x: F.max_pool2d(m.a(x), 2, stride=1, dilation=3), {"a": conv(1)}),
    "an average pool": (lambda m, x: F.avg_pool2d(m.a(x), (2, 4), (1, 2)), {"a": conv(3)}),
    "torch.cat": (
        lambda m, x: torch.cat([m.a(x), m.b(x)], 1),
        {"a": conv(3, padding=1), "b": conv(7, padding=3)},
    ),
    "torch.concat of three": (
        lambda m, x: torch.concat((m.a(x), m.b(x), x), dim=1),
        {"a": conv((1, 5), padding=(0, 2)), "b": conv((5, 1), padding=(2, 0))},
    ),
    "a sum": (lambda m, x: m.a(x) + m.b(x), {"a": conv(3, padding=1), "b": conv(5, padding=2)}),
    "a sum in place": (
        lambda m, x: add_in_place(m.a(x), m.b(x)),
        {"a": conv(3, padding=1), "b": conv(5, padding=2)},
    ),
    "torch.add with a scaled branch": (
        lambda m, x: torch.add(m.a(x), 2 * m.b(x)),
        {"a": conv(1), "b": conv(3, padding=1)},
    ),
    "branches off-centre": (
        lambda m, x: m.a(F.pad(x, (4, 0, 0, 0)))[..., :16] + m.b(x),
        {"a": conv((1, 5)), "b": conv(1)},
    ),
    "F.pad": (lambda m, x: m.a(F.pad(x, (1, 2, 3, 4))), {"a": conv(5)}),
    "F.pad by keyword": (
        lambda m, x: m.a(F.pad(x, pad=(1, 2, 3, 4), mode="constant", value=0.0)),
        {"a": conv(5)},
    ),
    "F.pad that crops": (lambda m, x: m.a(F.pad(x, (-2, -1, -3, 0))), {"a": conv(3)}),
    "F.pad of the columns only": (lambda m, x: m.a(F.pad(x, (2, 1))), {"a": conv(3)}),
    "nn.ZeroPad2d": (lambda m, x: m.a(m.pad(x)), {"a": conv(3, stride=2), "pad": nn.ZeroPad2d((0, 1, 2, 3))}),
    "an asymmetric kernel": (lambda m, x: m.a(x), {"a": conv((3, 7), stride=(2, 1), padding=(1, 3))}),
    "dilation": (lambda m, x: m.a(x), {"a": conv(3, dilation=(2, 3), padding=(2, 3))}),
    "same padding": (lambda m, x: m.a(x), {"a": conv(5, padding="same")}),
    "same padding of an even kernel": (lambda m, x: m.a(x), {"a": conv(4, padding="same")}),
    "same padding with dilation": (lambda m, x: m.a(x), {"a": conv((3, 2), padding="same", dilation=2)}),
    "valid padding": (lambda m, x: m.a(x), {"a": conv(4, padding="valid")}),
    "a functional convolution by keywords": (
        lambda m, x: F.conv2d(x, weight=m.a.weight, stride=2, padding=(1, 1)),
        {"a": conv(3)},
    ),
    "a depthwise convolution": (lambda m, x: m.b(m.a(x)), {"a": conv(3), "b": conv(3, 4, groups=4)}),
    "a chunk and a cat": (
        lambda m, x: torch.cat([m.a(x).chunk(2, 1)[0], m.b(x)], 1),
        {"a": conv(3, padding=1), "b": conv(1)},
    ),
    "a gate": (
        lambda m, x: m.a(x) * torch.sigmoid(m.b(x)),
        {"a": conv(3, padding=1), "b": conv(5, padding=2)},
    ),
    "a module used twice": (lambda m, x: m.a(m.a(x)), {"a": nn.Conv2d(3, 3, 3, bias=False)}),
}


def add_in_place(a, b):
    a += b
    return a


UNKNOWN = {
    "a strided slice": (lambda m, x: m.a(x)[:, :, ::2, 1::2], {"a": conv(3)}),
    "a sum of shifted slices": (lambda m, x: m.a(x[..., 1:, :]) + m.a(x[..., :-1, :]), {"a": conv(1)}),
    "a transposed convolution": (
        lambda m, x: m.b(m.a(x)),
        {"a": conv(3), "b": nn.ConvTranspose2d(4, 4, 3, padding=1, bias=False)},
    ),
}


@pytest.mark.parametrize("plumbing", PLUMBING)
@pytest.mark.filterwarnings("ignore:Using padding=.same.")
def test_unusual_plumbing_is_followed(network, plumbing):
    body, modules = PLUMBING[plumbing]
    model = Plumbing(body, **modules)
    with torch.no_grad():
        model(torch.zeros(1, 3, 16, 16))
        for parameter in model.parameters():
            noise = 0.5 + torch.rand(parameter.shape, generator=torch.Generator().manual_seed(2))
            parameter.copy_(noise / parameter[0].numel())
    net = network(model)
    h, w = net.layer("asked").shape[-2:]
    field = vz.receptive_field(net, "asked")
    if plumbing == "a depthwise convolution":
        assert field.size == (5, 5)
    at = (h // 2, w // 2)
    assert_support_is_the_field(net, "asked", at, 16)
    assert field.local == (plumbing != "branches off-centre")  # a slice that cuts nothing here cuts elsewhere


@pytest.mark.parametrize("plumbing", UNKNOWN)
def test_what_is_not_known_is_taken_to_see_everything(network, plumbing):
    body, modules = UNKNOWN[plumbing]
    model = Plumbing(body, **modules)
    model(torch.zeros(1, 3, 16, 16))
    assert str(vz.receptive_field(network(model), "asked")) == "all"


def mixer(function):
    return lambda m, x: function(m.a(x))


MIXERS = {
    "an adaptive pool": lambda y: F.adaptive_avg_pool2d(y, 3),
    "a mean over positions": lambda y: y - y.mean((2, 3), keepdim=True),
    "a group norm": lambda y: F.group_norm(y, 2),
    "an instance norm": lambda y: F.instance_norm(y),
    "a squeeze and excitation": lambda y: y * torch.sigmoid(F.adaptive_avg_pool2d(y, 1)),
    "attention": lambda y: F.scaled_dot_product_attention(*[y.flatten(2).mT[:, None]] * 3).mT.reshape(
        y.shape
    ),
    "a norm over everything": lambda y: F.layer_norm(y, y.shape[1:]),
    "a softmax over positions": lambda y: y.flatten(2).softmax(2).view_as(y),
    "a softmax over columns": lambda y: y.softmax(3),
    "a running sum": lambda y: y.cumsum(2),
    "a sort": lambda y: y.sort(-1)[0],
    "a norm over columns": lambda y: F.normalize(y, dim=-1),
    "a linear layer over tokens": lambda y: F.linear(y.flatten(2), torch.ones(196, 196)).view_as(y),
    "a linear layer over columns": lambda y: F.linear(y, torch.ones(14, 14)),
    "rows for columns": lambda y: y + y.transpose(2, 3),
    "a flip": lambda y: y.flip(3),
    "a roll": lambda y: y.roll(1, 2),
    "space to depth": lambda y: (
        y.unflatten(2, (7, 2)).unflatten(4, (7, 2)).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    ),
    "a border from the other side": lambda y: F.pad(y, (1, 1, 1, 1), mode="circular"),
    "an interpolation": lambda y: F.interpolate(y, scale_factor=2),
    "weights from the picture": lambda y: F.conv2d(
        y.flatten(0, 1), y.mean((2, 3)).view(-1, 1, 1, 1), groups=4 * len(y)
    ).view_as(y),
    "a canvas that is painted": lambda y: painted(torch.zeros(y.shape), y),
    "a canvas that is copied to": lambda y: copied(torch.zeros(y.shape), y),
    "a view of a canvas, copied to later": lambda y: seen_early(torch.zeros(y.shape), y),
    "a row that is written over": lambda y: painted(y.clone(), y.flip(2)),
    "a view that is written over": lambda y: written(y.clone()),
}


def painted(canvas, y):
    canvas[:, :2] = y[:, :2]
    return canvas


def copied(canvas, y):
    canvas[:, 1:].copy_(y[:, 1:])
    return canvas


def seen_early(canvas, y):
    view = canvas[:, :3]
    canvas.copy_(y)
    return view


def written(y):
    y[:, :, :1].add_(y.mean((2, 3), keepdim=True))
    return y


class Positions(nn.MultiheadAttention):
    """Attention as torchvision's transformers write it."""

    def __init__(self):
        super().__init__(4, 2, batch_first=True)

    def forward(self, x):
        tokens = x.flatten(2).mT
        return super().forward(tokens, tokens, tokens, need_weights=False)[0].mT.reshape(x.shape)


def test_attention_as_one_function_sees_everything(network):
    model = Plumbing(lambda m, x: m.b(m.a(x)), a=nn.Conv2d(3, 4, 3), b=Positions())
    assert str(vz.receptive_field(network(settled(model)), "asked")) == "all"


@pytest.mark.parametrize("step", [1, 2])
def test_a_gate_over_the_whole_picture_keeps_the_step_of_the_grid(network, step):
    body = mixer(MIXERS["a squeeze and excitation"])
    net = network(settled(Plumbing(body, a=nn.Conv2d(3, 4, 3, step, 1))))
    assert vz.receptive_field(net, "asked").stride == (step, step)


def test_statistics_of_the_batch_see_everything_and_fixed_ones_do_not():
    image, zeros, ones = torch.rand(2, 3, 8, 8), torch.zeros(3), torch.ones(3)
    with FieldTracer(image) as tracer:
        looking = F.batch_norm(image, zeros, ones, training=True)
        fixed = F.batch_norm(image, zeros, ones)
    assert str(tracer.field_of(looking)) == "all"
    assert tracer.field_of(fixed) == PIXEL and tracer.field_of(fixed).local


def test_blocks_of_a_transformer_and_of_a_mixer_see_everything():
    vit = vz.load("torchvision/vit_b_32", pretrained=False)
    assert str(vz.receptive_field(vit, "conv_proj")) == "32"
    assert str(vz.receptive_field(vit, "encoder.layers.encoder_layer_0")) == "all"
    mixer = vz.load("timm/mixer_s32_224", pretrained=False)
    assert str(vz.receptive_field(mixer, "stem")) == "32"
    assert str(vz.receptive_field(mixer, "blocks.0")) == str(vz.receptive_field(mixer, "blocks.7")) == "all"


def settled(model):
    """The model after one forward pass, which gives its lazy layer a size."""
    with torch.no_grad():
        model(torch.zeros(1, 3, 16, 16))
    return model


@pytest.mark.parametrize("name", MIXERS)
def test_what_mixes_all_positions_sees_everything(network, name):
    net = network(settled(Plumbing(mixer(MIXERS[name]), a=nn.Conv2d(3, 4, 3))))
    assert str(vz.receptive_field(net, "asked")) == "all"


KEEPERS = {
    "batch norm": lambda y: F.batch_norm(y, torch.zeros(4), torch.ones(4)),
    "an adaptive pool that changes nothing": lambda y: F.adaptive_avg_pool2d(y, 14),
    "a norm over channels": lambda y: F.layer_norm(y.movedim(1, -1), (4,)).movedim(-1, 1),
    "a linear layer over channels": lambda y: F.linear(y.movedim(1, -1), torch.ones(2, 4)).movedim(-1, 1),
    "a mean over channels": lambda y: y.mean(1, keepdim=True),
    "dropout": lambda y: F.dropout(y, training=False),
    "a softmax over channels": lambda y: y.softmax(1),
    "response normalization": lambda y: F.local_response_norm(y, 3),
}


@pytest.mark.parametrize("name", KEEPERS)
def test_what_stays_in_its_place_keeps_the_field(network, name):
    net = network(settled(Plumbing(mixer(KEEPERS[name]), a=nn.Conv2d(3, 4, 3))))
    assert vz.receptive_field(net, "asked") == ReceptiveField((3, 3), (1, 1), (0, 0))
    assert vz.receptive_field(net, "asked").local == (name != "an adaptive pool that changes nothing")


ODD = {
    "a code of positions": lambda y: y + torch.arange(14.0).sin()[:, None],
    "a code of positions in a buffer": lambda y: y * torch.linspace(0, 1, 14 * 14).view(1, 1, 14, 14),
    "coordinates as channels": lambda y: torch.cat([y, torch.arange(14.0).expand(len(y), 1, 14, 14)], 1),
    "a mask": lambda y: y.masked_fill(torch.eye(14) > 0, 0),
    "a mirrored border": lambda y: F.conv2d(
        F.pad(y, (1, 1, 1, 1), "reflect"), torch.ones(4, 1, 3, 3), groups=4
    ),
    "a repeated border": lambda y: F.conv2d(
        F.pad(y, (1, 1, 1, 1), "replicate"), torch.ones(4, 1, 3, 3), groups=4
    ),
    "places of the largest": lambda y: F.max_pool2d(y, 3, 1, 1, return_indices=True)[1].float(),
    "dropout that stays on": lambda y: F.dropout(y, 0.0),
    "a number that was read": lambda y: y * (1 if float(y.sum()) > 0 else 2),
}


@pytest.mark.parametrize("name", ODD)
def test_what_depends_on_the_place_is_not_local_and_has_a_field_all_the_same(network, name):
    net = network(settled(Plumbing(mixer(ODD[name]), a=nn.Conv2d(3, 4, 3))))
    field = vz.receptive_field(net, "asked")
    assert not field.local and field.size in ((3, 3), (5, 5))


EVEN = {
    "a constant for each channel": lambda y: y * torch.arange(4.0).view(1, 4, 1, 1) + 2,
    "a prelu": lambda y: F.prelu(y, torch.arange(4.0)),
    "tokens and back": lambda y: F.gelu(F.linear(y.flatten(2).mT, torch.ones(4, 4))).mT.reshape(y.shape),
    "channels that change places": lambda y: y.view(-1, 2, 2, 14, 14).transpose(1, 2).reshape(y.shape),
    "channels last": lambda y: F.layer_norm(y.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2),
    "picked and stacked channels": lambda y: torch.stack([y[:, 0], *y[:, 1:].unbind(1)], dim=1),
    "a gate from the channels": lambda y: y * torch.cat([y.mean(1, True), y.amax(1, True)], 1).sum(1, True),
    "a shape that was read": lambda y: y.view(y.shape[0], y.size(1), *y.shape[2:]).to(y.dtype),
    "channels padded with zeros": lambda y: F.pad(y, (0, 0, 0, 0, 1, 1)),
    "an activation in place": lambda y: F.relu_(y.clone().add_(1)),
}


@pytest.mark.parametrize("name", EVEN)
def test_what_does_the_same_in_every_place_is_local(network, name):
    net = network(settled(Plumbing(mixer(EVEN[name]), a=nn.Conv2d(3, 4, 3))))
    field = vz.receptive_field(net, "asked")
    assert field.local and field == ReceptiveField((3, 3), (1, 1), (0, 0))


FAMILIES = {  # named layers: the rectangle each of them sees, and whether that is local
    "densenet121": {"features.denseblock1": 59, "features.denseblock2": 255},
    "convnext_tiny": {"features.0": 4, "features.1": 76},
    "inception_v3": {"maxpool1": 15, "Mixed_5b": 63},
    "squeezenet1_1": {"features.2": 7, "features.3": 15, "features.4": 23},
    "shufflenet_v2_x1_0": {"conv1": 3, "maxpool": 7},
    "regnet_x_400mf": {"stem": 3, "trunk_output.block1": 7},
    "mobilenet_v3_small": {"features.0": 3},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_ordinary_families_are_local(name):
    more = {"init_weights": False} if name == "inception_v3" else {}
    model = models.get_model(name, weights=None, **more)
    net = vz.Network(model, name=name, mean=0.5, std=0.5, input_size=224)
    for layer, size in FAMILIES[name].items():
        field = vz.receptive_field(net, layer)
        assert field.size == (size, size) and field.local, layer


def test_a_view_that_nobody_followed_is_recognized_once_its_numbers_are_overwritten():
    image, canvas = torch.rand(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    with FieldTracer(image) as tracer:
        view = canvas[:, :2]
        before = view * 2
        canvas.copy_(image.flip(3))
        after = view * 2
    assert tracer.field_of(before) is None and str(tracer.field_of(after)) == "all"
    assert not tracer.all_through(after, image * 1)


def test_all_that_a_tensor_knows_may_have_gone_through_another():
    image = torch.rand(1, 3, 8, 8)
    with FieldTracer(image) as tracer:
        early = image * 2
        gate = early.relu()
        late, around = gate + gate.mean(), gate + early
        elsewhere = torch.ones(3)
    assert tracer.all_through(late, gate) and tracer.all_through(late, early)
    assert not tracer.all_through(around, gate) and tracer.all_through(around, early)
    assert not tracer.all_through(elsewhere, gate) and not tracer.all_through(gate, late)
    with tracer:
        assert float(late.sum()) != 0
    assert tracer.leaked and not tracer.all_through(late, gate)


def test_an_unknown_layer_is_refused(tiny):
    with pytest.raises(vz.VizlibError, match="toy has no layer 'conv7'"):
        vz.receptive_field(tiny(), "conv7")
