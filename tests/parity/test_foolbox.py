"""The fast gradient and projected gradient attacks against foolbox, on the same network, with the same
settings.

foolbox returns where a run ends. vizlib also has the point of the fast gradient attack among its candidates;
so its answer is, picture by picture, whichever of foolbox's two attacks has the larger loss.
"""

import foolbox
import pytest
import torch
import torch.nn.functional as F
from foolbox import attacks
from foolbox.criteria import Misclassification, TargetedMisclassification

import vizlib as vz

NORMS = {
    "inf": (8 / 255, attacks.LinfFastGradientAttack, attacks.LinfProjectedGradientDescentAttack),
    2: (1.5, attacks.L2FastGradientAttack, attacks.L2ProjectedGradientDescentAttack),
}
both_norms = pytest.mark.parametrize("norm", NORMS)
NETWORKS = ["lite0", "resnet18"]


def peer(net):
    return foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")


def losses(net, x, y):
    with torch.no_grad():
        return F.cross_entropy(net(x), torch.tensor(y), reduction="none")


@pytest.mark.parametrize("net", NETWORKS, indirect=True)
@both_norms
def test_fast_gradient(net, images, classes, norm):
    epsilon, fast, _ = NORMS[norm]
    theirs = fast()(peer(net), images, Misclassification(torch.tensor(classes)), epsilons=epsilon)[1]
    torch.testing.assert_close(
        vz.fgsm(net, images, classes, epsilon=epsilon, norm=norm), theirs, atol=1e-6, rtol=0
    )
    assert (theirs - images).abs().max() > 1e-3


def iterated(net, images, classes, norm, targeted):
    """vizlib's picture, and the one that it should be."""
    epsilon, _, projected = NORMS[norm]
    criterion = TargetedMisclassification if targeted else Misclassification
    attack = projected(abs_stepsize=epsilon / 3, steps=4, random_start=False)
    theirs = attack(peer(net), images, criterion(torch.tensor(classes)), epsilons=epsilon)[1]
    ours = vz.pgd(
        net,
        images,
        classes,
        epsilon=epsilon,
        rate=epsilon / 3,
        steps=4,
        starts=0,
        norm=norm,
        targeted=targeted,
    )
    single = vz.fgsm(net, images, classes, epsilon=epsilon, norm=norm, targeted=targeted)
    sign = -1 if targeted else 1
    further = sign * losses(net, theirs, classes) > sign * losses(net, single, classes)
    assert bool(further.any())
    return ours, torch.where(further.view(-1, 1, 1, 1), theirs, single)


@pytest.mark.parametrize("net", NETWORKS, indirect=True)
@pytest.mark.parametrize("targeted", [False, True])
def test_iterated_from_the_picture(net, images, classes, targeted):
    ours, theirs = iterated(net, images, [417, 285, 1] if targeted else classes, "inf", targeted)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("targeted", [False, True])
def test_iterated_in_the_euclidean_norm(tiny, images, targeted):
    """On a network without kinks: where a rectifier switches a step earlier, by rounding, the slope turns,
    which signs hardly notice.
    """
    ours, theirs = iterated(tiny(activation=torch.nn.Softplus), images, [0, 1, 2], 2, targeted)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("net", ["lite0"], indirect=True)
def test_projected_from_a_given_random_start(net, images, classes, monkeypatch):
    """Both begin at the same point: theirs draws it from the global generator, so it is handed ours."""
    from vizlib.deception.ball import scattered

    epsilon = 8 / 255
    start = scattered(images, epsilon, "inf", torch.Generator().manual_seed(3))
    attack = attacks.LinfProjectedGradientDescentAttack(abs_stepsize=epsilon / 3, steps=4, random_start=True)
    monkeypatch.setattr(attack, "get_random_start", lambda x0, epsilon: type(x0)(start))
    theirs = attack(peer(net), images, Misclassification(torch.tensor(classes)), epsilons=epsilon)[1]
    ours = vz.pgd(net, images, classes, epsilon=epsilon, rate=epsilon / 3, steps=4, seed=3)
    assert bool(
        (
            losses(net, theirs, classes)
            > losses(net, vz.fgsm(net, images, classes, epsilon=epsilon), classes)
        ).all()
    )
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
