"""Means in the place of maxima: by hand, as a module and as a function, and the network as it was, however
the block ends.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import vizlib as vz
from vizlib.layers import average_pooling

X = torch.tensor([[[[1.0, 2], [3, 10]]]])


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(2), lambda x: F.max_pool2d(x, 2), lambda x: torch.max_pool2d(x, [2, 2])]
)
def test_the_largest_of_a_window_becomes_its_mean_and_is_back_afterwards(pool):
    assert pool(X).item() == 10
    with average_pooling():
        assert pool(X).item() == 4
    with average_pooling(False):
        assert pool(X).item() == 10
    assert pool(X).item() == 10


def test_padding_does_not_count_and_every_setting_of_the_window_is_kept():
    x = torch.rand(2, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    with average_pooling():
        assert torch.allclose(nn.MaxPool2d(3, 2, 1)(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 2, 2))
        assert torch.equal(
            nn.MaxPool2d(2, ceil_mode=True)(x), F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
        )
        assert torch.equal(
            nn.MaxPool2d(2, dilation=2)(x), F.max_pool2d(x, 2, dilation=2)
        )  # holes: left alone
        assert nn.MaxPool2d(2, return_indices=True)(X)[0].item() == 10  # its places would have no meaning


def test_the_slope_reaches_every_pixel_of_the_window():
    x = X.clone().requires_grad_()
    with average_pooling():
        F.max_pool2d(x, 2).sum().backward()
    assert x.grad.flatten().tolist() == [0.25] * 4


def test_a_network_is_left_as_found_also_after_an_error(tiny, trapped, pictures, left_as_found):
    net, x = tiny(), pictures(2)
    maxima = net(x)
    with left_as_found(net), average_pooling():
        means = net(x)
    assert not torch.allclose(means, maxima, atol=1e-3) and torch.equal(net(x), maxima)
    trapped.wire.error = RuntimeError("in the middle")
    with pytest.raises(RuntimeError, match="in the middle"), left_as_found(trapped), average_pooling():
        trapped(x)
    assert F.max_pool2d(X, 2).item() == 10


def test_other_threads_keep_their_maxima(in_thread):
    with average_pooling():
        assert in_thread(lambda: F.max_pool2d(X, 2).item()).result() == 10 and F.max_pool2d(X, 2).item() == 4


def test_it_is_what_a_net_with_average_pools_computes(tiny, pictures):
    net, x = tiny(), pictures(2)
    with average_pooling():
        seen = vz.record(net, x, "relu2")["relu2"]
    m = net.model
    assert torch.allclose(seen, F.relu(m.conv2(F.avg_pool2d(F.relu(m.conv1(x)), 2))), atol=1e-6)
