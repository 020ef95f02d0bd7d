"""One language for what is asked of a network."""

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.layers import prepare, scores


def read(net, images, target):
    images, target = prepare(net, images, target)
    with torch.no_grad():
        return scores(net, images, target)


@pytest.mark.parametrize(
    "target", [3, "class 3", "CLASS 3", "3", np.int64(3), np.array(3), torch.tensor(3)], ids=repr
)
def test_a_class_is_its_logit_for_every_picture(tiny, pictures, target):
    net, x = tiny(), pictures(4)
    torch.testing.assert_close(read(net, x, target), net(x)[:, 3])


@pytest.mark.parametrize(
    "target",
    [
        [0, 1, 4],
        (0, 1, 4),
        ["class 0", 1, "4"],
        np.array([0, 1, 4]),
        torch.tensor([0, 1, 4]),
        torch.tensor([0, 1, 4], dtype=torch.int32),
    ],
)
def test_a_list_has_one_class_per_picture(tiny, pictures, target):
    net, x = tiny(), pictures(3)
    torch.testing.assert_close(read(net, x, target), net(x)[range(3), [0, 1, 4]])


def test_nothing_means_the_top_class_of_each_picture(tiny, pictures):
    net, x = tiny(seed=21), pictures(12, seed=22, tinted=True)
    assert len(set(net(x).argmax(1).tolist())) > 1
    torch.testing.assert_close(read(net, x, None), net(x).amax(1))


def test_a_function_is_any_score_of_the_logits(tiny, pictures):
    net, x = tiny(), pictures(3)
    torch.testing.assert_close(
        read(net, x, lambda logits: logits[:, 0] - logits[:, 1]), net(x)[:, 0] - net(x)[:, 1]
    )


def test_a_unit_is_the_mean_of_a_channel_or_its_value_at_a_position(tiny, pictures):
    net, x = tiny(), pictures(3)
    activation = vz.record(net, x, "conv2")["conv2"]
    torch.testing.assert_close(read(net, x, vz.unit("conv2", 5)), activation[:, 5].mean((1, 2)))
    torch.testing.assert_close(read(net, x, vz.unit("conv2", 5, at=(7, 2))), activation[:, 5, 7, 2])
    torch.testing.assert_close(read(net, x, vz.unit("logits", 2)), net(x)[:, 2])


def test_no_layer_beyond_that_of_a_unit_is_computed(trapped, pictures):
    trapped.layer("logits")
    trapped.wire.error = AssertionError("the forward pass went too far")
    assert read(trapped, pictures(2), vz.unit("relu1", 0)).shape == (2,)


@pytest.mark.parametrize(
    "target, telling",
    [
        (5, "knows the classes 0 to 4; 5 is not among them"),
        (-1, "knows the classes 0 to 4; -1 is not among them"),
        ("klass 3", "There is no class 'klass 3'. Nearest: class 3"),
        (True, "A class is an index or a label; this is True"),
        ([1, None], "A class is an index or a label; this is None"),
        ([1.0, 2.0], "A class is an index or a label; this is 1.0"),
        (1.5, r"A target is a class index, a label, a list of them .* this is 1.5"),
        (
            [1, 2, 3],
            "There are 2 pictures and 3 targets. Give one target per picture, or a single one for all",
        ),
        ([1], "There are 2 pictures and 1 targets"),
        ([], "There are 2 pictures and 0 targets"),
        (vz.unit("conv9", 0), "toy has no layer 'conv9'"),
        (vz.unit("conv2", 8), "Layer 'conv2' has the channels 0 to 7; 8 is not among them"),
        (vz.unit("conv2", -1), "Layer 'conv2' has the channels 0 to 7; -1 is not among them"),
        (
            vz.unit("conv2", 0, at=(8, 0)),
            r"Layer 'conv2' has the grid \(8, 8\); at=\(8, 0\) is not inside it",
        ),
        (vz.unit("conv2", 0, at=(0, -1)), r"has the grid \(8, 8\); at=\(0, -1\) is not inside it"),
        (vz.unit("logits", 0, at=(0, 0)), "Layer 'logits' has the grid .* is not inside it"),
        (vz.unit("conv2", 0, at=(1, 2, 3)), "is not inside it"),
        (
            lambda logits: logits,
            r"A score takes logits \(2, 5\) and returns one number per picture, shape \(2,\); "
            r"this one returned \(2, 5\)",
        ),
        (lambda logits: logits.sum(), r"this one returned \(\)"),
        (lambda logits: 1.0, "this one returned float"),
        (lambda logits: None, "this one returned NoneType"),
        (torch.tensor([0.5, 1.5]), "A class is an index or a label"),
        (np.array([True, False]), "A class is an index or a label"),
        (torch.zeros(2, 2, dtype=torch.int64), "A (class|target) is"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or repr(value)[:40],
)
def test_what_is_no_target_is_refused_with_what_was_seen(tiny, pictures, target, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.gradient(tiny(), pictures(2), target)


def test_a_score_without_a_gradient_is_refused_in_words(tiny, pictures):
    for score in (
        lambda logits: logits.argmax(1).float(),
        lambda logits: logits[:, 0].detach(),
        lambda logits: torch.zeros(len(logits)),
    ):
        for method in (vz.gradient, vz.grad_cam, vz.guided_backprop):
            with pytest.raises(vz.VizlibError, match="score"):
                method(tiny(), pictures(1), score)


def test_units_can_be_compared_and_read():
    assert vz.unit("conv1", 3) == vz.unit("conv1", 3) != vz.unit("conv1", 3, at=(0, 0))
    assert repr(vz.unit("conv1", 3)) == "unit(layer='conv1', channel=3, at=None)"
    assert len({vz.unit("conv1", 3), vz.unit("conv1", 3)}) == 1


def test_each_picture_of_a_batch_is_scored_on_its_own(tiny, pictures):
    net, x = tiny(), pictures(4)
    for target in (2, None, vz.unit("conv2", 1), lambda logits: logits.logsumexp(1)):
        alone = torch.cat([vz.gradient(net, x[i : i + 1], target) for i in range(4)])
        torch.testing.assert_close(vz.gradient(net, x, target), alone)


@pytest.mark.parametrize("channel", [3.0, "3", None, (1, 2)])
def test_a_unit_is_named_by_whole_numbers(channel):
    with pytest.raises(vz.VizlibError, match=r'A unit is vz.unit\("conv1", 3\).*in whole numbers'):
        vz.unit("conv1", channel)


@pytest.mark.parametrize("at", [4, 4.0, (1.5, 2), "12"])
def test_a_place_is_two_whole_numbers(at):
    with pytest.raises(vz.VizlibError, match="in whole numbers"):
        vz.unit("conv1", 3, at)


def test_numbers_of_numpy_and_torch_will_do(tiny, pictures):
    assert vz.unit("conv1", np.int64(3), [torch.tensor(1), np.int32(2)]) == vz.unit("conv1", 3, (1, 2))


def test_a_score_that_fails_says_so(tiny, pictures):
    for score in (lambda z: z[:, 99], lambda z: z @ torch.ones(3), lambda z: z.no_such_thing):
        with pytest.raises(vz.VizlibError, match=r"The function of the logits \(1, 5\) failed"):
            vz.gradient(tiny(), pictures(1), score)
