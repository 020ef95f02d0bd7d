"""A Network: pixels in, logits out, layers with names; and left as it was found by everything that looks into
it.
"""

import copy
import re
import types
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune
from torch.testing import assert_close

import vizlib as vz


def test_it_normalizes_for_itself(network, redrawn, pictures):
    model = redrawn(
        nn.Sequential(
            OrderedDict(conv=nn.Conv2d(3, 4, 3), flatten=nn.Flatten(), fc=nn.Linear(4 * 14 * 14, 5))
        )
    )
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x = pictures(2)
    by_hand = model((x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1))
    torch.testing.assert_close(network(model, mean=mean, std=std)(x), by_hand, rtol=1e-4, atol=1e-5)


def test_neutral_is_the_colour_that_the_model_sees_as_zero(network, redrawn):
    model = redrawn(
        nn.Sequential(
            OrderedDict(conv=nn.Conv2d(3, 4, 3), flatten=nn.Flatten(), fc=nn.Linear(4 * 14 * 14, 5))
        )
    )
    net = network(model, mean=(0.2, 0.4, 0.6), std=(0.3, 0.3, 0.3))
    torch.testing.assert_close(
        net(net.neutral.expand(1, 3, 16, 16)), model(torch.zeros(1, 3, 16, 16)), rtol=1e-4, atol=1e-5
    )


def test_the_model_it_is_made_from_stays_as_it_was(network, redrawn, pictures):
    model = redrawn(
        nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(3, 4, 3),
                bn=nn.BatchNorm2d(4),
                relu=nn.ReLU(inplace=True),
                drop=nn.Dropout(),
                avgpool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                fc=nn.Linear(4, 5),
            )
        )
    ).train()
    before = copy.deepcopy(model)
    net = network(model)
    vz.gradient(net, pictures(1), 0)
    assert str(model) == str(before) and model.training and model.drop.training
    assert model.relu.inplace and all(parameter.requires_grad for parameter in model.parameters())
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), before.state_dict().values(), strict=True)
    )
    assert not net.training and not any(module.training for module in net.modules())
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_dropout_is_off_so_that_the_same_picture_gives_the_same_logits(network, redrawn, pictures):
    model = redrawn(
        nn.Sequential(
            OrderedDict(
                drop=nn.Dropout(0.5), conv=nn.Conv2d(3, 4, 3), flatten=nn.Flatten(), fc=nn.Linear(784, 5)
            )
        )
    )
    net, x = network(model), pictures(1)
    torch.testing.assert_close(net(x), net(x))


class Returns(nn.Module):
    """A convolution, a ReLU, the average and a linear layer; `what` makes of these logits what the
    model returns.
    """

    def __init__(self, what, classes=5):
        super().__init__()
        self.conv, self.fc, self.what = nn.Conv2d(3, 6, 3), nn.Linear(6, classes), what

    def forward(self, x):
        return self.what(self.fc(self.conv(x).relu().mean((2, 3))))


@pytest.mark.parametrize(
    ("model", "telling"),
    [
        (nn.Conv2d(3, 4, 3), r"a map for each class, \(2, 4, 14, 14\).*output=lambda out: out.mean"),
        (Returns(lambda z: z[:, :, None, None]), r"returns \(2, 5, 1, 1\).*output=lambda out: out.flatten"),
        (Returns(lambda z: (z, z)), "returns a tuple of 2, not logits.*output=0"),
        (Returns(lambda z: {"logits": z}), 'returns a dict with .logits., not logits.*output="logits"'),
        (Returns(lambda z: z[:, 0]), r'one number for each picture, \(2,\).*task="binary"'),
        (Returns(lambda z: z, classes=1), r'a single logit, \(2, 1\).*task="binary"'),
        (Returns(lambda z: z.softmax(1)), "probabilities, not logits.*Take the softmax off"),
        (Returns(lambda z: z.exp() / z.exp().sum(1, keepdim=True)), "probabilities, not logits"),
        (Returns(torch.sigmoid), 'probabilities, not logits.*sigmoid off and say task="multilabel"'),
        (Returns(lambda z: z / 0), "logits are NaN or infinite"),
        (Returns(lambda z: z.view(-1, 10)), "2 pictures went in and 1 rows of logits came out"),
        (Returns(lambda z: nn.functional.dropout(z)), "other logits each time"),
        (Returns(lambda z: z - z.mean(0)), "depend on the pictures beside it"),
        (nn.LSTM(16, 4), "cannot look at pictures"),
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 4)), r"cannot look at pictures \(3, 16, 16\).*input_size"),
        (nn.Conv2d(4, 4, 3), "cannot look at pictures.*more than three channels"),
        (torch.jit.script(nn.Conv2d(3, 4, 3)), "TorchScript"),
        (nn.Conv2d(3, 4, 3).state_dict(), "a state dict perhaps"),
        ("resnet18", r"vz.load\('resnet18'\)"),
        (torch.relu, "class Model"),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_classifier_is_refused_in_words(network, redrawn, model, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        network(
            redrawn(model, seed=1)
            if isinstance(model, nn.Module) and not isinstance(model, torch.jit.ScriptModule)
            else model
        )


def test_a_model_that_wants_more_than_pictures_is_told_how_to_be_wrapped(network):
    class AndAge(nn.Module):
        def forward(self, image, age):
            return image.mean((2, 3)) + age

    with pytest.raises(vz.VizlibError, match="wants more than pictures.*forward.self, x."):
        network(AndAge())


@pytest.mark.parametrize(
    ("wrap", "output"),
    [
        (lambda z: {"logits": z, "features": 2 * z}, "logits"),
        (lambda z: (z, 2 * z), 0),
        (lambda z: types.SimpleNamespace(logits=z), "logits"),
        (lambda z: [2 * z, z], lambda out: out[1]),
    ],
)
def test_output_says_where_the_logits_are(network, redrawn, pictures, wrap, output):
    plain, x = Returns(lambda z: z), pictures(2)
    redrawn(plain)
    expected, plain.what = plain(x), wrap
    net = network(plain, output=output)
    assert_close(net(x), expected.detach())
    assert_close(vz.record(net, x, "logits")["logits"], expected.detach())
    with pytest.raises(vz.VizlibError, match="There is no 'scores' in what the model returns"):
        network(plain, output="scores")


def test_logits_are_what_the_network_returns_whatever_comes_after_the_last_linear_layer(
    network, redrawn, pictures
):
    net, x = network(redrawn(Returns(torch.neg))), pictures(2)
    assert_close(vz.record(net, x, "logits")["logits"], net(x))
    before = net.log_probabilities(net(x))[:, 3]
    after = net.log_probabilities(net(vz.fgsm(net, x, 3, epsilon=0.02)))[:, 3]
    assert bool((after < before).all())
    result = vz.visualize(net, 2, steps=3, jitter=None, canvas=vz.synthesis.Pixels(x[:1]))
    assert result.history[0] == pytest.approx(float(net(x)[0, 2].detach()), abs=1e-5)


def test_one_logit_becomes_two_and_predicts_its_sigmoid(network, redrawn, pictures):
    model, x = redrawn(Returns(lambda z: 9 * z, classes=1)), pictures(3)
    net, z = network(model, task="binary"), model(x)[:, 0].detach()
    assert net.labels == ("no", "yes")
    assert_close(net(x), torch.stack([torch.zeros(3), z], 1))
    assert net.predict(x[:1], 1)[0]["probability"] == pytest.approx(float(z[0].abs().sigmoid()), abs=1e-6)
    assert float((vz.fgsm(net, x, "yes", epsilon=8 / 255) - x).abs().max()) > 0
    with pytest.raises(vz.VizlibError, match='task="binary" is for a single logit'):
        network(Returns(lambda z: z), task="binary")
    with pytest.raises(vz.VizlibError, match="task is one of multiclass, multilabel, binary"):
        network(model, task="regression")


def test_many_labels_have_a_probability_each(network, redrawn, pictures):
    model, x = redrawn(Returns(lambda z: 5 * z)), pictures(1)
    net = network(model, task="multilabel")
    expected = sorted(model(x)[0].sigmoid().tolist(), reverse=True)
    assert net.predict(x)["probability"] == pytest.approx(expected, abs=1e-6)
    assert_close(net.log_probabilities(net(x)).exp(), net.probabilities(net(x)))


@pytest.mark.parametrize("channels", [1])
def test_a_model_for_grey_pictures_gets_the_mean_of_the_colours(network, redrawn, pictures, channels):
    model = redrawn(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    )
    x = pictures(2)
    net = network(model, mean=[0.13], std=0.3)
    assert_close(net(x), model((x.mean(1, keepdim=True) - 0.13) / 0.3).detach())
    assert net.neutral.shape == (1, 3, 1, 1) and vz.gradient(net, x, 0).shape == x.shape


@pytest.mark.parametrize(
    "mean", [0.5, [0.5], (0.5, 0.5, 0.5), np.full(3, 0.5), torch.full((3,), 0.5), np.float64(0.5)]
)
def test_mean_and_std_may_be_given_in_any_way(network, pictures, mean):
    model = Returns(lambda z: z)
    net, x = network(model, mean=mean, std=mean), pictures(1)
    assert net.mean.dtype == torch.float32
    assert_close(net(x), model((x - 0.5) / 0.5).detach())


@pytest.mark.parametrize(
    ("changes", "telling"),
    [
        (
            {"mean": (123.7, 116.3, 103.5)},
            r"between 0 and 1; this is \[123.7, 116.3, 103.5.*Divide it by 255",
        ),
        ({"std": (58.4, 57.1, 57.4)}, "Divide it by 255"),
        ({"std": (0.2, 0.0, 0.2)}, "std is for pictures in"),
        ({"mean": None}, "mean is a number, or one for red, green and blue; this is None"),
        ({"mean": (0.5, 0.5)}, "mean is a number, or one for red"),
        ({"mean": float("nan")}, "mean is a number, or one for red"),
        ({"side": "224"}, "input_size is a number of pixels"),
        ({"side": (1, 2, 3, 4)}, "input_size is the side of a square"),
        ({"device": "gpu"}, "device is .auto., .cpu., .cuda.*this is .gpu."),
        (
            {"labels": {0: "a", 7: "b", 1: "c", 2: "d", 3: "e"}},
            r"the dict of labels has the indices \[0, 1, 2, 3, 7\]",
        ),
    ],
)
def test_what_a_network_cannot_be_made_with_is_refused(network, changes, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        network(Returns(lambda z: z), **changes)


@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dog ", "owl", "bee", "ant"],
        np.array(["cat", "dog", "owl", "bee", "ant"]),
        {4: "ant", 0: "cat", 1: "dog", 2: "owl", 3: "bee"},
        {"ant": 4, "cat": 0, "dog": 1, "owl": 2, "bee": 3},
    ],
    ids=["list", "array", "by index", "by name"],
)
def test_labels_may_be_given_in_any_way(network, labels):
    net = network(Returns(lambda z: z), labels=labels)
    assert net.labels == ("cat", "dog", "owl", "bee", "ant") and net.index("dog ") == 1


def test_labels_that_are_no_strings_are_named_by_what_they_print(network):
    net = network(Returns(lambda z: z), labels=range(10, 15))
    assert net.labels[2] == "12" and net.index("12") == 2 and net.index(3) == 3
    assert network(Returns(lambda z: z), labels=[None, 1, 2, 3, 4]).labels[0] == "None"


def test_a_rectangular_network(network, redrawn, pictures):
    model = redrawn(
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 12 * 20, 3))
    )
    net = network(model, side=(12, 20))
    assert net.input_size == (12, 20) and net.input_shape == (12, 20) and "12 x 20" in repr(net)
    x = vz.resize(pictures(1), (12, 20))
    assert vz.gradient(net, x, 1).shape == (1, 3, 12, 20) and net.layer("conv1").shape == (4, 12, 20)
    assert vz.grad_cam(net, x, 1).shape == (1, 1, 12, 20)


def test_pictures_of_another_size_are_refused_with_the_size_that_fits(network, redrawn, pictures):
    flat = redrawn(nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Flatten(), nn.Linear(4 * 8 * 8, 3)))
    net = network(flat)
    for ask in (net, net.predict, lambda x: vz.saliency(net, x)):
        with pytest.raises(
            vz.VizlibError, match="toy cannot look at 32 x 32 pixels, it was made for 16 x 16"
        ):
            ask(pictures(1, 32))


class Picky(nn.Module):
    """A classifier that does something of its own with pictures that are not 16 pixels wide, or no square."""

    def __init__(self, at_another_size):
        super().__init__()
        self.conv, self.fc, self.at_another_size = nn.Conv2d(3, 4, 3), nn.Linear(4, 5), at_another_size

    def forward(self, x):
        z = self.fc(self.conv(x).relu().mean((2, 3)))
        return z if x.shape[2:] == (16, 16) else self.at_another_size(z)


def raises(problem):
    def throw(z):
        raise problem

    return throw


@pytest.mark.parametrize(
    ("at_another_size", "said"),
    [
        (
            raises(RuntimeError("The size of tensor a (64) must match\nmore")),
            "size of tensor a .64. must match",
        ),
        (raises(AssertionError("Input height doesn't match")), "Input height"),
        (raises(AssertionError()), "AssertionError"),
        (raises(ValueError("Input image size")), "Input image size"),
        (raises(IndexError("list index out of range")), "list index"),
        (lambda z: z[:, : 1 // (len(z) - len(z))], "zero"),
        (lambda z: z[:, :, None, None].expand(-1, -1, 2, 2), r"returned \(1, 5, 2, 2\), not \(1, 5\)"),
        (lambda z: z.expand(4, -1), r"returned \(4, 5\), not \(1, 5\)"),
    ],
)
def test_whatever_a_model_raises_at_another_size_is_told_in_words(
    network, redrawn, pictures, at_another_size, said
):
    net, x = network(redrawn(Picky(at_another_size))), pictures(1, 32)
    fits = "toy cannot look at 32 x 32 pixels, it was made for 16 x 16: vz.resize"
    for ask in (
        net.predict,
        lambda x: vz.gradient(net, x, 1),
        lambda x: vz.occlusion(net, x, 1, patch=8, stride=8),
        lambda x: vz.visualize(net, 1, canvas=vz.synthesis.Fourier(32), steps=1),
        lambda x: vz.lrp(net, x, 1),
        lambda x: vz.record(net, x, "logits"),
    ):
        with pytest.raises(vz.VizlibError, match=fits) as told:
            ask(x)
        assert re.search(said, str(told.value)) and "more" not in str(told.value)


@pytest.mark.parametrize(
    "problem",
    [
        NameError("name 'y' is not defined"),
        torch.OutOfMemoryError(),
        RuntimeError("can't allocate memory: 4 GB"),
    ],
)
def test_mistakes_and_want_of_memory_go_through_as_they_are(network, redrawn, pictures, problem):
    net = network(redrawn(Picky(raises(problem))))
    with pytest.raises(type(problem)) as raised:
        net(pictures(1, 32))
    assert raised.value is problem


def test_what_a_model_raises_at_its_own_size_goes_through_as_it_is(network, redrawn, pictures):
    net = network(redrawn(Returns(lambda z: z)))
    net.model.what = raises(AssertionError("a bug"))
    with pytest.raises(AssertionError, match="a bug"):
        net(pictures(1, 16))


def rounded_by_the_batch(z):
    """As if a batch of one were computed in another order: a difference of the size of rounding, blown up."""
    return (3e5 * (z * (1 + 3e-7 * (len(z) == 1)))).sin()


def test_rounding_that_is_blown_up_is_no_mixing_of_pictures(network, redrawn):
    model = redrawn(Returns(rounded_by_the_batch))
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (model(x)[:1] - model(x[:1])).abs().max() > 0.01
    network(model)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda z: rounded_by_the_batch(z) + z.mean(0),
        lambda z: z + 0.1 * z.flip(0),
        lambda z: z / len(z),
    ],
)
def test_pictures_that_are_mixed_are_still_noticed(network, redrawn, mixed):
    with pytest.raises(vz.VizlibError, match="depend on the pictures beside it"):
        network(redrawn(Returns(mixed)))


class Keeps(nn.Module):
    """Keeps a product of its weights until it is trained again, as the attention of LeViT does."""

    def __init__(self):
        super().__init__()
        self.conv, self.scale, self.kept = nn.Conv2d(3, 5, 3), nn.Parameter(torch.ones(5)), None

    def train(self, mode=True):
        self.kept = None if mode else self.kept
        return super().train(mode)

    def forward(self, x):
        if self.kept is None:
            self.kept = 2 * self.scale
        return self.conv(x).mean((2, 3)) * self.kept


def test_what_a_model_has_kept_of_other_weights_is_forgotten(network, redrawn, pictures):
    model, x = redrawn(Keeps()).eval().requires_grad_(False), pictures(1)
    before = model(x)
    model.scale.mul_(3)
    torch.testing.assert_close(network(model)(x), 3 * before)
    torch.testing.assert_close(model(x), before)  # the model itself is left alone
    net = network(model)
    net(x)
    other = vz.randomize(net)
    wanted = other.model.conv(x).mean((2, 3)) * 2 * other.model.scale
    torch.testing.assert_close(other(x), wanted)


def test_a_view_that_mixes_larger_pictures_is_noticed(network, redrawn, pictures):
    class Tutorial(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(8 * 8 * 8, 4)

        def forward(self, x):
            return self.fc(self.conv(x).relu().view(-1, 8 * 8 * 8))

    net = network(redrawn(Tutorial()))
    with pytest.raises(vz.VizlibError, match="cannot look at 32 x 32 pixels, it was made for 16 x 16"):
        net.predict(pictures(1, 32))


@pytest.mark.parametrize("cast", ["half", "bfloat16", "double"])
def test_models_of_any_precision_compute_in_float32(network, redrawn, pictures, cast):
    model, x = redrawn(Returns(lambda z: z)), pictures(2)
    net = network(getattr(model, cast)())
    expected = net(x)
    assert expected.dtype == torch.float32 and next(net.parameters()).dtype == torch.float32
    assert_close(net(x), model.float()(x).detach())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(net(x), expected)


def test_wrappers_are_taken_off(network, redrawn, pictures):
    model, x = redrawn(Returns(lambda z: z)), pictures(2)
    for wrapped in (nn.DataParallel(model), torch.compile(model, backend="eager")):
        net = network(wrapped)
        assert net.layers["name"] == ["conv", "logits"]
        assert_close(net(x), model(x).detach())


def test_what_cannot_be_copied_says_why(network, pictures):
    class Keeps(Returns):
        def forward(self, x):
            self.features = self.conv(x)
            return super().forward(x)

    model = Keeps(lambda z: z)
    model(pictures(1))
    with pytest.raises(vz.VizlibError, match="cannot be copied.*activation .detach it."):
        network(model)
    pruned = Returns(lambda z: z)
    prune.l1_unstructured(pruned.conv, "weight", 0.5)
    pruned(pictures(1))
    with pytest.raises(vz.VizlibError, match="cannot be copied.*prune.remove"):
        network(pruned)


def test_a_network_works_in_whatever_mode_it_was_built_and_is_used(network, redrawn, pictures):
    model, x = redrawn(Returns(lambda z: z)), pictures(1)
    expected = vz.gradient(network(model), x, 1)
    with torch.inference_mode():
        net, y = network(model), x.clone()
        assert_close(vz.gradient(net, y, 1), expected)
        assert_close(vz.grad_cam(net, y, 1), vz.grad_cam(net, x, 1))
    assert_close(vz.gradient(net, y, 1), expected)
    with torch.no_grad():
        assert_close(vz.gradient(net, x, 1), expected)
    assert_close(vz.gradient(net, x.clone().requires_grad_(), 1), expected)


def test_pictures_and_classes_go_where_the_network_is():
    """The meta device computes shapes only, and refuses to mix with the CPU: what arrives there has
    been moved.
    """
    net = copy.deepcopy(vz.load("scenenet"))
    net.layers  # noqa: B018  (its table is made on the CPU)
    net.to("meta")
    x = torch.rand(2, 3, 96, 96)
    assert net.device.type == net(x).device.type == "meta"
    assert vz.record(net, x, "conv3")["conv3"].device.type == "meta"


def test_the_number_of_labels_is_the_number_of_classes(network):
    model = nn.Sequential(
        OrderedDict(conv=nn.Conv2d(3, 4, 3), flatten=nn.Flatten(), fc=nn.Linear(4 * 14 * 14, 5))
    )
    assert network(model).labels == ("class 0", "class 1", "class 2", "class 3", "class 4")
    assert network(model, labels=list("abcde")).labels == tuple("abcde")
    with pytest.raises(vz.VizlibError, match="tells 5 classes apart, and there are 3 labels"):
        network(model, labels=list("abc"))


def test_predict_sorts_the_classes_by_probability(tiny, pictures):
    net, x = tiny(), pictures(1)
    rows = net.predict(x, top=5)
    with torch.no_grad():
        p = net(x).softmax(1)[0]
    assert rows.columns == ["label", "probability", "index"]
    assert rows["probability"] == sorted(rows["probability"], reverse=True) and sum(
        rows["probability"]
    ) == pytest.approx(1, abs=1e-5)
    assert all(row["probability"] == pytest.approx(p[row["index"]].item(), abs=1e-5) for row in rows)
    assert rows[0]["label"] == f"class {rows[0]['index']}"


def test_predict_says_which_picture_where_there_are_several_and_never_more_classes_than_there_are(
    tiny, pictures
):
    rows = tiny().predict(pictures(3), top=100)
    assert rows.columns[0] == "picture" and rows["picture"] == [0] * 5 + [1] * 5 + [2] * 5
    assert len(tiny().predict(pictures(2), top=2)) == 4


def test_lite0_knows_what_it_sees(lite0):
    for name in ("goldfish", "giant_panda", "cheetah", "alpaca"):
        row = vz.photos().where(name=name)[0]
        assert lite0.predict(vz.photo(name, 224), top=1)[0]["index"] == row["index"]


def test_the_layers_are_listed_with_shape_stride_and_field(tiny):
    table = tiny().layers
    assert table.columns == ["name", "shape", "stride", "receptive field", "path"]
    assert table["name"] == ["conv1", "relu1", "pool1", "conv2", "relu2", "avgpool", "logits"]
    assert table["shape"] == ["6x16x16", "6x16x16", "6x8x8", "8x8x8", "8x8x8", "8x1x1", "5"]
    assert table["stride"][:5] == [1, 1, 2, 2, 2] and table["stride"][-1] is None
    assert table["receptive field"] == ["3", "3", "4", "8", "8", "all", "all"]
    assert table["path"][-1] == "fc"


def test_a_layer_is_found_by_its_name_and_by_its_path(lite0):
    assert lite0.layer("stage5") == lite0.layer("blocks.4")
    assert lite0.layer("stage5").name == "stage5" and lite0.layer("stage5").path == "blocks.4"
    assert lite0.layer("blocks.4.0.conv_dw").name == "blocks.4.0.conv_dw"
    assert lite0.layer("stage5").shape == (112, 14, 14)
    assert lite0.layer("stage5").module is lite0.model.get_submodule("blocks.4")


@pytest.mark.parametrize(
    "wrong, right", [("stage9", "stage"), ("Stem", "stem"), ("blocks.4.9", "blocks.4."), ("logit", "logits")]
)
def test_an_unknown_layer_is_refused_with_the_nearest_names(lite0, wrong, right):
    with pytest.raises(
        vz.VizlibError, match=rf"lite0 has no layer '{wrong}'. Nearest: .*{right}.* net.layers lists them"
    ):
        lite0.layer(wrong)


def test_the_last_spatial_layer_is_the_deepest_with_more_than_one_position(tiny, lite0, network):
    assert tiny().last_spatial_layer == "relu2" and lite0.last_spatial_layer == "head"
    flat = network(
        nn.Sequential(OrderedDict(avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(3, 2)))
    )
    with pytest.raises(vz.VizlibError, match="toy has no layer with a grid of positions"):
        _ = flat.last_spatial_layer


class UsesOneReluTwice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.relu, self.fc = (
            nn.Conv2d(3, 4, 3),
            nn.Conv2d(4, 4, 3),
            nn.ReLU(),
            nn.Linear(4, 5),
        )

    def forward(self, x):
        return self.fc(self.relu(self.conv2(self.relu(self.conv1(x)))).mean((2, 3)))


def test_a_module_used_twice_is_noted_as_such(network):
    net = network(UsesOneReluTwice())
    assert net.layer("relu").calls == 2 and net.layer("conv1").calls == 1
    assert net.layer("relu").shape == (4, 12, 12)  # the second time


def test_given_names_are_the_layers(network, redrawn):
    net = network(redrawn(UsesOneReluTwice()), names={"first": "conv1", "logits": "fc"})
    assert net.layers["name"] == ["first", "logits"] and net.layer("first").path == "conv1"


def test_its_name_and_size_are_in_its_repr(lite0):
    assert repr(lite0) == "Network lite0: 1000 classes, 224 x 224 pixels"


@pytest.mark.parametrize(
    "images", [torch.zeros(3, 16, 16), torch.zeros(1, 1, 16, 16), torch.zeros(1, 16, 16, 3)]
)
def test_the_network_itself_checks_the_shape(tiny, images):
    with pytest.raises(vz.VizlibError, match="Pictures have the shape"):
        tiny()(images)


def test_the_logits_are_differentiable_with_respect_to_the_pixels(tiny, pictures):
    x = pictures(1).requires_grad_()
    tiny()(x)[0, 0].backward()
    assert x.grad.abs().max() > 0


# ----------------------------------------------------------------------------------------------------------
# left as found


class Interrupted(Exception):
    """Something unexpected in the middle."""


def test_after_each_method_the_network_is_as_it_was_found(trapped, pictures, method, left_as_found):
    with left_as_found(trapped):
        method(trapped, pictures(2), 1)


def test_also_after_a_target_that_does_not_exist(trapped, pictures, method, left_as_found):
    with left_as_found(trapped):
        for wrong in (99, "no such class", [1, 2, 3]):
            with pytest.raises(vz.VizlibError):
                method(trapped, pictures(2), wrong)


@pytest.mark.parametrize(
    "error", [Interrupted("in the middle"), KeyboardInterrupt()], ids=["exception", "interrupt"]
)
def test_also_after_the_forward_pass_fails_in_the_middle(trapped, pictures, method, left_as_found, error):
    with left_as_found(trapped):
        trapped.wire.error = error
        with pytest.raises(type(error)):
            method(trapped, pictures(2), 1)
    trapped.wire.error = None
    assert torch.isfinite(method(trapped, pictures(2), 1)).all()


@pytest.mark.parametrize(
    "error", [Interrupted("in the score"), KeyboardInterrupt()], ids=["exception", "interrupt"]
)
def test_also_after_the_score_fails(trapped, pictures, method, left_as_found, error):
    def score(logits):
        raise error

    with left_as_found(trapped):
        with pytest.raises(
            vz.VizlibError if method is vz.cam else type(error)
        ):  # CAM takes classes only, and says so
            method(trapped, pictures(2), score)


def test_also_after_a_score_of_the_wrong_shape(trapped, pictures, method, left_as_found):
    with left_as_found(trapped):
        with pytest.raises(vz.VizlibError):
            method(trapped, pictures(2), lambda logits: logits)


def test_also_without_gradients_and_the_result_is_the_same(trapped, pictures, method, left_as_found):
    expected = method(trapped, pictures(2), 1)
    with torch.no_grad(), left_as_found(trapped):
        result = method(trapped, pictures(2), 1)
        assert not torch.is_grad_enabled()
    torch.testing.assert_close(result, expected)


@pytest.mark.parametrize(
    "error",
    [None, Interrupted("in the middle"), KeyboardInterrupt()],
    ids=["success", "exception", "interrupt"],
)
def test_record_predict_and_the_table_of_layers_leave_nothing_behind_either(
    trapped, pictures, left_as_found, error
):
    asks = (
        lambda net: vz.record(net, pictures(1), ["conv1", "fc"]),
        lambda net: net.predict(pictures(1)),
        lambda net: (setattr(net, "_layers", None), net.layers),
    )
    for ask in asks:
        with left_as_found(trapped):
            known = trapped._layers
            trapped.wire.error = error
            if error is None:
                ask(trapped)
            else:
                with pytest.raises(type(error)):
                    ask(trapped)
            trapped.wire.error, trapped._layers = None, known


def test_lite0_too_is_left_as_it_was_found(lite0, pictures, left_as_found):
    x = pictures(1, 224)
    with left_as_found(lite0):
        for method in (vz.gradient, vz.guided_backprop, vz.deconvnet, vz.cam, vz.grad_cam, vz.layer_cam):
            method(lite0, x, 5)
        vz.record(lite0, x, ["stem", "stage3"])


def test_no_method_touches_the_global_random_numbers(tiny, pictures, method):
    net, x = tiny(), pictures(1)
    state = torch.get_rng_state()
    method(net, x, 0)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_copy_of_a_network_is_a_network_of_its_own(tiny, pictures):
    net, x = tiny(), pictures(1)
    net.layer("conv1")
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.layer("conv1").module.weight.zero_()
    assert other.layer("conv1").module is other.model.conv1
    assert net.layer("conv1").module.weight.abs().max() > 0
    assert (vz.record(other, x, "conv1")["conv1"] - vz.record(net, x, "conv1")["conv1"]).abs().max() > 0.01


def test_pictures_of_other_sizes_than_the_training_size_work_too(tiny, pictures):
    for side in (12, 31):
        assert vz.grad_cam(tiny(), pictures(1, side), 0).shape == (1, 1, side, side)


def test_in_place_functions_inside_the_model_do_not_change_its_logits(network, redrawn, pictures):
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

        def forward(self, x):
            x = self.conv(x)
            F.relu(x, inplace=True)
            return self.fc(x.mean((2, 3)))

    model, x = redrawn(InPlace()), pictures(1)
    torch.testing.assert_close(network(model)(x), model(x))
