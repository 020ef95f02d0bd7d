"""A Network: pixels in, logits out, layers with names; and left as it was found by everything that looks into
it.
"""

import copy
from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F

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


def test_a_model_that_returns_no_logits_is_no_classifier(network):
    for model in (nn.Conv2d(3, 4, 3), nn.LSTM(16, 4)):
        with pytest.raises((vz.VizlibError, ValueError, RuntimeError)):
            network(model)
    with pytest.raises(vz.VizlibError, match="'toy' does not return logits"):
        network(nn.Conv2d(3, 4, 3))

    class Twins(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)), x

    with pytest.raises(vz.VizlibError, match="'toy' does not return logits"):
        network(Twins())


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
