"""Style and content: the identities of the losses, by hand and exactly, colours that stay, and nothing lost
when it ends early.
"""

import pytest
import torch
import torch.nn.functional as F

import vizlib as vz
from vizlib import synthesis as sy
from vizlib.synthesis import priors
from vizlib.synthesis.grams import _style_error


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distance(f, a):
    """sum (G_F - G_A)^2 of features (K, n), as the library measures it: with G the mean over positions."""
    goal = sy.gram(a[None])
    return _style_error(f[None, :, :, None], goal)[0] * (goal**2).sum()


def test_a_gram_matrix_worked_out_by_hand():
    features = torch.tensor([[[[1.0, 2], [0, 1]], [[0.0, 1], [3, 0]]]])  # rows (1 2 0 1) and (0 1 3 0)
    assert (4 * sy.gram(features)).tolist() == [[[6, 2], [2, 10]]]


def test_it_knows_no_places_and_is_symmetric_without_negative_eigenvalues():
    a = drawn(2, 5, 4, 6)
    for order in (torch.randperm(24, generator=torch.Generator().manual_seed(1)), torch.arange(24).roll(7)):
        assert torch.allclose(sy.gram(a.flatten(2)[:, :, order].view_as(a)), sy.gram(a))
    assert torch.equal(sy.gram(a), sy.gram(a).mT) or torch.allclose(sy.gram(a), sy.gram(a).mT)
    assert torch.linalg.eigvalsh(sy.gram(a)).min() > -1e-12


@pytest.mark.parametrize("shape", [(3, 7), (7, 3)], ids=["more positions", "more channels"])
def test_matching_gram_matrices_is_a_maximum_mean_discrepancy(shape):
    """sum (G_F - G_A)^2 = sum over k, k' of (f_k f_k')^2 + (a_k a_k')^2 - 2 (f_k a_k')^2. Li et al. 2017."""
    f, a = drawn(*shape), drawn(*shape, seed=1)
    kernel = ((f.T @ f) ** 2).sum() + ((a.T @ a) ** 2).sum() - 2 * ((f.T @ a) ** 2).sum()
    assert torch.allclose(distance(f, a), kernel / shape[1] ** 2, rtol=1e-12)


def test_features_c_times_as_large_cost_c_to_the_fourth_and_the_relative_loss_does_not_notice(tiny, pictures):
    f, a = drawn(3, 7), drawn(3, 7, seed=1)
    assert torch.allclose(distance(3 * f, 3 * a), 81 * distance(f, a))
    net, x = tiny(), pictures(2)
    louder = tiny()
    with torch.no_grad():
        for p in louder.model.conv1.parameters():
            p *= 3
    read = [sy.same_style(n, x[:1], ["relu1"]).read(vz.record(n, x[1:], ["relu1"])) for n in (net, louder)]
    assert read[0] < -1e-4 and torch.allclose(*read, rtol=1e-4)


@pytest.mark.parametrize("shape", [(3, 7), (7, 3)], ids=["more positions", "more channels"])
def test_gatys_slope_of_the_style_loss(shape):
    """dE/dF = F^T (G - A) / (N^2 M^2), transposed, for E = sum (G - A)^2 / (4 N^2 M^2): N channels, M places,
    sums over positions. Gatys et al. 2016, equation 6.
    """
    f, a = drawn(*shape).requires_grad_(), drawn(*shape, seed=1)
    channels, positions = shape
    (distance(f, a) * positions**2 / (4 * channels**2 * positions**2)).backward()
    slope = (f @ f.T - a @ a.T) @ f.detach() / (channels**2 * positions**2)
    assert slope.abs().max() > 1e-3 and torch.allclose(f.grad, slope)


def test_a_picture_whose_style_and_content_are_asked_for_stays(tiny, pictures):
    x = pictures(1)
    options = {"steps": 5, "smoothness": 0}
    assert sy.style_transfer(tiny(), x, x, **options).history == pytest.approx([0] * 5, abs=1e-6)
    assert torch.allclose(sy.style_transfer(tiny(), x, x, **options).image, x, atol=1e-4)
    other = pictures(1, seed=1)
    assert sy.style_transfer(tiny(), x, other, style_weight=0, **options).history[0] == pytest.approx(
        0, abs=1e-6
    )
    start = sy.style_transfer(tiny(), x, other, content_weight=0, start="style", **options)
    assert start.history[0] == pytest.approx(0, abs=1e-6) and torch.allclose(start.image, other, atol=1e-4)


@pytest.mark.parametrize("average", [True, False])
def test_its_loss_is_the_formula_of_its_docstring(tiny, pictures, average):
    net, x, s = tiny(), pictures(1), pictures(1, side=24, seed=1)
    m = net.model

    def features(image):
        a = F.relu(m.conv1(image))
        pooled = F.avg_pool2d(a, 2) if average else F.max_pool2d(a, 2)
        return {"relu1": a[0].flatten(1), "relu2": F.relu(m.conv2(pooled))[0].flatten(1)}

    def style(name):
        g, t = (a[name] @ a[name].T / a[name].shape[1] for a in (features(start), features(s)))
        return ((g - t) ** 2).sum() / (t**2).sum()

    start = pictures(1, seed=2)
    a, p = features(start)["relu2"], features(x)["relu2"]
    expected = 3 * ((a - p) ** 2).sum() / (p**2).sum() + 20 * (0.25 * style("relu1") + 0.75 * style("relu2"))
    options = {
        "content_layers": "relu2",
        "style_layers": {"relu1": 1, "relu2": 3},
        "content_weight": 3,
        "style_weight": 20,
    }
    result = sy.style_transfer(net, x, s, start=start, average=average, steps=1, **options)
    assert -result.history[0] == pytest.approx(float(expected), rel=1e-4)


def test_its_penalties_are_those_of_its_docstring(tiny, pictures, monkeypatch):
    heard = {}

    def listen(net, goal, canvas, **options):
        heard.update(options)
        return sy.ascend(net, goal, canvas, **options)

    monkeypatch.setattr("vizlib.synthesis.style.ascend", listen)
    mine = (2.0, priors.alpha_norm)
    sy.style_transfer(tiny(), pictures(1), pictures(1, seed=1), steps=1, smoothness=7, penalties=[mine])
    bright = torch.full((1, 3, 16, 16), 1.2)  # 0.2 too much in each of three colours, and flat
    step = torch.zeros(1, 3, 16, 16)
    step[..., 8:] = 0.5  # inside [0, 1], with one edge that 15 pixels see
    price = [[float(w * f(image)) for w, f in heard["penalties"]] for image in (bright, step)]
    assert price[0] == pytest.approx([10 * 3 * 0.2**2, 0, 2 * 768 * 0.7**6], rel=1e-4)
    assert price[1][:2] == pytest.approx([0, 7 * 15 * 0.25 / 256], rel=1e-4)


@pytest.mark.parametrize("optimizer, steps", [("lbfgs", 60), ("adam", 200)])
def test_the_loss_falls_below_a_tenth(tiny, pictures, optimizer, steps):
    x, s = pictures(1, tinted=True), pictures(1, seed=4, tinted=True)
    result = sy.style_transfer(tiny(), x, s, steps=steps, optimizer=optimizer, smoothness=0)
    assert 0 < -result.history[-1] < -0.1 * result.history[0]
    assert result.image.shape == x.shape and result.image.min() >= 0 and result.image.max() <= 1


def test_a_mix_lies_between_its_styles(tiny, pictures):
    net, x, one, two = tiny(), *(pictures(1, seed=i, tinted=True) for i in (0, 4, 5))

    def start(style, **options):
        return -sy.style_transfer(net, x, style, steps=1, **options).history[0]

    ends = start(one), start(two)
    assert start([one, two], mix=[3, 1]) == pytest.approx(0.75 * ends[0] + 0.25 * ends[1], rel=1e-4)
    assert start([one, two]) == pytest.approx(sum(ends) / 2, rel=1e-4)
    assert start([one, two], mix=[0, 2]) == pytest.approx(ends[1], rel=1e-4)


def test_luminance_keeps_i_and_q_of_the_content(tiny, pictures):
    yiq = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    x, s = 0.4 + 0.2 * pictures(1), pictures(1, seed=1)
    result = sy.style_transfer(tiny(), x, s, colours="luminance", steps=8, style_weight=5)
    before, after = (torch.einsum("rc,nchw->nrhw", yiq, image) for image in (x, result.image))
    inside = ((result.image > 0) & (result.image < 1)).all(1)
    assert inside.float().mean() > 0.5 and (after - before)[:, 0].abs().max() > 0.02
    assert torch.allclose(
        after[:, 1:].movedim(1, 0)[:, inside], before[:, 1:].movedim(1, 0)[:, inside], atol=2e-3
    )
    assert torch.equal(result.images[-1:], result.image)


def test_matched_colours_have_the_mean_and_the_covariance_of_the_other_picture(pictures):
    x, other = pictures(1, side=32), 0.5 + 0.1 * (pictures(1, side=20, seed=1, tinted=True) - 0.5)
    seen = sy.match_colours(x, other)
    assert torch.allclose(seen.mean((2, 3)), other.mean((2, 3)), atol=1e-5)
    assert torch.allclose(torch.cov(seen[0].flatten(1)), torch.cov(other[0].flatten(1)), atol=1e-6)
    assert torch.allclose(sy.match_colours(x, x), x, atol=1e-5)
    grey = sy.luminance(x).expand_as(x)
    assert torch.allclose(
        sy.match_colours(grey, 0.5 * grey), 0.5 * grey, atol=1e-4
    )  # grey has one axis, and stays grey
    assert torch.allclose(
        sy.match_colours(torch.full_like(x, 0.3), other).mean((2, 3)), other.mean((2, 3)), atol=1e-5
    )


def test_matched_takes_the_style_in_the_contents_colours(tiny, pictures):
    net, x, s = tiny(), pictures(1), pictures(1, seed=4, tinted=True)
    matched = sy.style_transfer(net, x, s, colours="matched", steps=3)
    assert torch.equal(matched.image, sy.style_transfer(net, x, sy.match_colours(s, x), steps=3).image)


def test_textures_forget_the_places_and_have_the_size_asked_for(tiny, pictures):
    net, s = tiny(), pictures(1, seed=4, tinted=True)
    result = sy.texture(net, s, size=(20, 28), steps=80)
    assert result.image.shape == (1, 3, 20, 28) and -result.history[-1] < -0.02 * result.history[0]
    assert torch.equal(result.image, sy.texture(net, s, size=(20, 28), steps=80).image)
    assert not torch.equal(result.image, sy.texture(net, s, size=(20, 28), steps=80, seed=1).image)


def test_layers_that_nobody_names(tiny, network):
    assert sy.style_layers_of(tiny()) == (["relu2"], ["relu1", "relu2"])
    assert sy.style_layers_of(vz.load("zfnet")) == (["relu3"], [f"relu{i}" for i in range(1, 6)])
    assert sy.style_layers_of(vz.load("torchvision/vgg11", pretrained=False))[0] == ["relu4_2"]
    fires = ["relu1", "fire2", "fire4", "fire6", "fire8"]  # not relu2 behind them: its maps are of classes
    theirs = vz.load("torchvision/squeezenet1_1", pretrained=False)
    assert sy.style_layers_of(theirs) == (["fire4"], fires)
    flat = network(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 256, 4)))
    with pytest.raises(vz.VizlibError, match="no layer with a grid"):
        sy.style_layers_of(flat)


def test_enlarged_it_is_judged_as_a_larger_picture_and_drawn_as_it_was(tiny, pictures):
    x, s, y = (pictures(1, seed=i) for i in range(3))
    near = sy.style_transfer(tiny(), x, s, start=y, enlarge=2, steps=3)
    larger = [F.interpolate(picture, scale_factor=2, mode="bilinear") for picture in (x, s, y)]
    far = sy.style_transfer(tiny(), *larger[:2], start=larger[2], steps=1)
    assert near.history[0] == pytest.approx(far.history[0], rel=1e-5) and near.image.shape == y.shape
    assert sy.style_transfer(tiny(), x, x, enlarge=2, smoothness=0, steps=2).history[-1] == pytest.approx(0)
    rolled = sy.style_transfer(tiny(), x, s, start=y, enlarge=2, steps=1, jitter={"roll": 3})
    assert rolled.history[0] != pytest.approx(near.history[0], rel=1e-3)  # both: it moves, and it is enlarged
    assert sy.texture(tiny(), s, size=(16, 24), enlarge=2, steps=2).image.shape == (1, 3, 16, 24)


@pytest.mark.parametrize("name", ["squeezenet", "squeezenet@0"])
def test_squeezenet_keeps_its_maxima_and_looks_from_nearer(name, pictures):
    net = vz.load(name)
    assert sy.style_layers_of(net) == (["fire7"], ["relu1", "fire2", "fire3", "fire4", "fire5", "fire7"])
    x, s, y = (pictures(1, side=48, seed=i) for i in range(3))

    def loss(**options):
        return sy.style_transfer(net, x, s, start=y, steps=1, **options).history[0]

    usual = loss()
    assert usual == loss(average=False, enlarge=1.5)
    for other in ({"average": True}, {"enlarge": 1}):
        assert usual != pytest.approx(loss(**other), rel=1e-3)
    assert sy.style_transfer(net, x, x, steps=1).history == pytest.approx([0], abs=1e-6)
    of_texture = sy.texture(net, s, size=48, steps=1).history  # from noise: with means
    assert of_texture == sy.texture(net, s, size=48, steps=1, average=True, enlarge=1.5).history


@pytest.mark.parametrize("how", ["stop", "interrupt", "error"])
def test_however_it_ends_the_network_is_as_it_was_and_the_picture_is_kept(tiny, pictures, left_as_found, how):
    net, x, s = tiny(), pictures(1), pictures(1, seed=1)
    before = net(x)

    def end(done, total, preview):
        if done == 4 and how != "stop":
            raise KeyboardInterrupt if how == "interrupt" else ZeroDivisionError
        return done < 4

    with left_as_found(net):
        if how == "error":
            with pytest.raises(ZeroDivisionError):
                sy.style_transfer(net, x, s, steps=50, progress=end)
        else:
            result = sy.style_transfer(net, x, s, steps=50, progress=end)
            assert result.stopped and torch.equal(result.image, sy.style_transfer(net, x, s, steps=4).image)
    assert torch.equal(net(x), before)  # maxima again


def test_the_preview_is_what_would_come_back(tiny, pictures):
    seen = []
    options = {"colours": "luminance", "steps": 6, "progress": lambda i, n, image: seen.append(image)}
    assert torch.equal(sy.style_transfer(tiny(), pictures(1), pictures(1, seed=1), **options).image, seen[-1])


def test_a_loss_that_is_no_number_says_what_to_lower(tiny, pictures, left_as_found):
    net = tiny()
    with left_as_found(net), pytest.raises(vz.VizlibError, match=r"After \d steps the score is .*Lower rate"):
        sy.style_transfer(net, pictures(1), pictures(1, seed=1), optimizer="adam", rate=1e30, steps=9)


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({"start": "nowhere"}, "start is one of content, noise, style, or a picture"),
        ({"start": torch.zeros(1, 3, 8, 8)}, "start has the size of the content"),
        ({"colours": "sepia"}, "colours is one of style, matched, luminance"),
        ({"style_weight": -1}, "The weights are 0 or more, and not all 0"),
        ({"style_weight": float("nan")}, "The weights are 0 or more"),
        ({"style_weight": 0, "content_weight": 0}, "The weights are 0 or more"),
        ({"mix": [1, 2]}, "mix has one weight for each style"),
        ({"mix": [0]}, "The weights in mix are"),
        ({"style_layers": {"relu1": -1}}, "The weights of layers are"),
        ({"style_layers": ["relu7"]}, "no layer 'relu7'"),
        ({"style": []}, "there are 0 styles"),
        ({"style": torch.zeros(2, 3, 16, 16)}, "A style is one picture"),
        ({"content": torch.zeros(2, 3, 16, 16)}, "content is one picture"),
        ({"content": torch.zeros(3, 16, 16)}, "Add the batch dimension"),
        ({"optimizer": "rmsprop"}, "optimizer is one of"),
        ({"smoothness": -1}, "smoothness is a weight, 0 or more"),
        ({"stepps": 3}, "The option 'stepps' is not known. Options of the loop are: steps, optimizer, rate"),
        ({"style_layers": ["logits"]}, "has no grid of positions"),
        ({"steps": 0}, "steps is a .*number, 1 or more"),
    ],
)
def test_what_cannot_be_asked(tiny, pictures, options, telling):
    asked = {"content": pictures(1), "style": pictures(1, seed=1), **options}
    with pytest.raises(vz.VizlibError, match=telling):
        sy.style_transfer(tiny(), asked.pop("content"), asked.pop("style"), **asked)
