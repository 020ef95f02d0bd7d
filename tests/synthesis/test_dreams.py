"""Deep dream: octaves, steps of a fixed length, rolls, tiles, guides, films, and what cannot be dreamt."""

import pytest
import torch

import vizlib as vz
from vizlib import synthesis as sy


@pytest.fixture(scope="module")
def net():
    return vz.load("zfnet")


@pytest.fixture(scope="module")
def clouds():
    return vz.resize(vz.background("sky_white_clouds"), (96, 128))


def slope(net, goal, image, tile=None):
    """What one look at `image` gives: the slope of the score in every pixel, through the loop itself."""
    canvas = sy.Pixels(image, clip=False)
    sy.ascend(net, goal, canvas, steps=1, optimizer="sgd", rate=1.0, tile=tile, snapshots=0)
    return canvas.knobs.detach() - image


def test_the_slope_of_energy_is_the_activation_itself():
    a = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (g,) = torch.autograd.grad(sy.energy("here").read({"here": a}).sum(), a)
    assert torch.allclose(g, a.detach() / a[0].numel())


def test_a_normalized_step_moves_pixels_by_the_rate_on_average_however_steep_the_slope(net, clouds):
    for factor in (1e-3, 1.0, 1e3):
        canvas = sy.Pixels(clouds, clip=False)
        sy.ascend(
            net, factor * sy.energy("conv3"), canvas, steps=1, optimizer="normalized", rate=0.02, snapshots=0
        )
        assert float((canvas.knobs.detach() - clouds).abs().mean()) == pytest.approx(0.02, rel=1e-4)


def test_a_roll_moves_whole_pixels_and_loses_none(clouds):
    rolled = sy.jitter(clouds, torch.Generator().manual_seed(3), roll=7)
    moves = [
        (y, x) for y in range(-7, 8) for x in range(-7, 8) if torch.equal(clouds.roll((y, x), (2, 3)), rolled)
    ]
    assert len(moves) == 1
    with pytest.raises(vz.VizlibError, match="roll is a whole number of pixels, 0 or more; this is 0.5"):
        sy.jitter(clouds, torch.Generator(), roll=0.5)


def test_octaves_grow_by_the_scale_to_the_size_of_the_picture():
    assert sy.octave_sizes((96, 128), 3, 2) == [(24, 32), (48, 64), (96, 128)]
    assert sy.octave_sizes((100, 200), 2, 1.4) == [(71, 143), (100, 200)]


def test_a_dream_has_more_of_the_layer_stays_a_picture_and_repeats_itself(net, clouds):
    first, again = (vz.dream(net, clouds, layer="conv4", octaves=2, steps=4, seed=5) for _ in range(2))
    energy = [float(vz.record(net, x, "conv4")["conv4"].square().mean()) for x in (clouds, first.image)]
    assert energy[1] > 1.1 * energy[0]
    assert (
        torch.equal(first.image, again.image)
        and first.image.shape == clouds.shape
        and len(first.history) == 8
    )
    assert (
        first.images.shape == (2, 3, 96, 128)
        and float(first.image.min()) >= 0
        and float(first.image.max()) <= 1
    )
    other = vz.dream(net, clouds, layer="conv4", octaves=2, steps=4, seed=6)
    assert not torch.equal(first.image, other.image) and not first.stopped


def test_within_an_octave_the_score_rises_and_ends_above_that_of_every_photograph(net, clouds):
    history = torch.tensor(vz.dream(net, clouds, layer="conv4", octaves=1, steps=60).history)
    moving_average = history.unfold(0, 20, 1).mean(1)
    assert (moving_average.diff() > 0).all()
    photographs = torch.cat([vz.photo(name, 96) for name in vz.photos()["name"]])
    assert history[-1] > sy.energy("conv4").read(vz.record(net, photographs, "conv4")).max()


def test_the_photographs_own_detail_is_kept_where_nothing_was_dreamt(net, clouds):
    nearly = vz.dream(net, clouds, layer="conv4", octaves=3, steps=1, rate=1e-6)
    assert (nearly.image - clouds).abs().max() < 1e-3  # nothing was lost on the way through the small octaves


def test_tiles_have_the_slope_of_the_whole_away_from_their_seams(net, clouds):
    whole, tiled = slope(net, sy.energy("conv1"), clouds), slope(net, sy.energy("conv1"), clouds, tile=64)
    near = torch.zeros(96, 128, dtype=torch.bool)
    near[48 - 12 : 48 + 12] = near[:, 64 - 12 : 64 + 12] = True  # the seams, and as far as a unit sees
    gap = (tiled - whole).abs().amax((0, 1)) / whole.abs().max()
    assert gap[~near].max() < 0.02 < gap[near].max()


def test_tiles_along_the_steps_of_a_layer_have_the_slope_of_the_whole_exactly(network):
    patches = torch.nn.Conv2d(
        3, 5, 4, stride=4
    )  # each position sees 4 x 4 pixels of its own, and no seam cuts one
    with torch.no_grad():
        patches.weight.copy_(torch.randn(patches.weight.shape, generator=torch.Generator().manual_seed(0)))
    net = network(torch.nn.Sequential(patches, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()))
    image, layer = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(1)), net.layers["name"][0]
    for goal in (sy.energy(layer), sy.channel(layer, 3), sy.best_match(net, image[:1].flip(3), layer)):
        whole, tiled = (
            slope(net, goal, image),
            slope(net, goal, image, tile=16),
        )  # 24 x 32 in 2 x 2 tiles of 12 x 16
        assert whole.abs().max() > 1e-4 and torch.allclose(tiled, whole, atol=1e-6)


def test_tiles_need_less_than_half_of_the_memory():
    net, image = vz.load("lite0"), torch.full((1, 3, 256, 256), 0.5)

    def held(tile):
        """The most bytes that are kept for a backward pass at one time."""
        sizes = [0]

        def pack(tensor):
            sizes.append(sizes[-1] + tensor.numel() * tensor.element_size())
            return tensor

        def unpack(tensor):  # the backward pass has begun
            sizes.append(0)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
            vz.dream(net, image, layer="stage5", octaves=1, steps=1, tile=tile)
        return max(sizes)

    assert 0 < 2 * held(128) < held(None)


def test_in_tiles_the_roll_reaches_half_a_tile_so_that_the_seams_move(net, clouds, monkeypatch):
    heard = []

    def listen(net, goal, canvas, **options):
        heard.append((tuple(canvas.image().shape[-2:]), options["jitter"]["roll"], options["tile"]))
        return sy.ascend(net, goal, canvas, **options)

    monkeypatch.setattr("vizlib.synthesis.dreams.ascend", listen)
    for jitter, roll in ((5, 40), (50, 50)):
        heard.clear()
        vz.dream(net, clouds, layer="conv3", octaves=2, scale=2, steps=1, jitter=jitter, tile=80)
        assert heard == [((48, 64), jitter, 80), ((96, 128), roll, 80)]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_dreams_where_gradients_are_switched_off(net, clouds, mode):
    options = {"layer": "conv4", "octaves": 2, "steps": 2}
    usual = vz.dream(net, clouds, **options)
    with mode():
        assert torch.equal(vz.dream(net, clouds.clone(), **options).image, usual.image)
        assert len(vz.zoom_film(net, clouds, layer="conv4", frames=2, octaves=1, steps=1).images) == 2


def test_a_guide_pulls_towards_its_own_features(net, clouds):
    guide = vz.resize(vz.photo("goldfish"), (96, 96))
    free, led = (vz.dream(net, clouds, layer="conv3", guide=g, octaves=1, steps=6) for g in (None, guide))
    fit = [
        float(sy.best_match(net, guide, "conv3").read(vz.record(net, x, "conv3")))
        for x in (clouds, led.image)
    ]
    assert fit[1] > fit[0] and not torch.equal(free.image, led.image)


def test_a_guide_compares_with_the_position_that_fits_best(network):
    same = torch.nn.Conv2d(3, 3, 1, bias=False)
    same.weight.data.copy_(torch.eye(3)[..., None, None])
    net = network(torch.nn.Sequential(same, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()), side=2)
    layer = net.layers["name"][0]
    guide = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.5]]).view(1, 3, 1, 2)  # red, and half a blue
    x = torch.zeros(1, 3, 1, 2)
    x[0, :, 0, 0], x[0, :, 0, 1] = torch.tensor([0.5, 0.0, 0.2]), torch.tensor([0.1, 0.0, 0.9])
    assert float(sy.best_match(net, guide, layer).read({layer: x})) == pytest.approx((0.5 + 0.45) / 2)


def test_stop_keeps_the_dream_so_far_at_full_size(net, clouds):
    seen = []

    def progress(done, total, preview):
        seen.append((done, total, preview.shape))
        return done < 3

    result = vz.dream(net, clouds, layer="conv4", octaves=2, steps=4, progress=progress)
    assert result.stopped and len(result.history) == 3 and seen[-1] == (3, 8, clouds.shape)
    assert result.image.shape == clouds.shape and not torch.equal(result.image, clouds)
    between = vz.dream(
        net, clouds, layer="conv4", octaves=2, steps=4, progress=lambda done, total, preview: done < 4
    )
    assert between.stopped and len(between.history) == 4


def test_an_interrupt_keeps_the_dream_so_far(net, clouds):
    def interrupted(done, total, preview):
        if done == 2:
            raise KeyboardInterrupt

    result = vz.dream(net, clouds, layer="conv4", octaves=2, steps=4, progress=interrupted)
    assert result.stopped and len(result.history) == 2 and result.image.shape == clouds.shape


def test_a_film_begins_with_the_picture_and_goes_in(net, clouds):
    film = vz.zoom_film(net, clouds, layer="conv4", frames=3, octaves=1, steps=1)
    assert (
        film.images.shape == (3, 3, 96, 128)
        and torch.equal(film.images[:1], clouds)
        and torch.equal(film.image, film.images[-1:])
    )
    assert len(film.history) == 2 and not film.stopped
    second = vz.dream(net, sy.zoomed(film.images[1:2], 1.05), layer="conv4", octaves=1, steps=1, seed=2)
    assert torch.equal(second.image, film.image)


def test_a_birth_begins_with_the_photograph_and_ends_with_the_dream(net, clouds):
    options = {"layer": "conv4", "octaves": 2, "steps": 3}
    film = vz.dream_film(net, clouds, at=(40, 100), window=32, size=64, **options)
    whole = vz.dream(net, clouds, **options)
    assert torch.equal(film.image, whole.image) and film.history == whole.history and not film.stopped
    assert film.images.shape == (7, 3, 64, 64)  # the photograph and six steps
    for frame, picture in ((0, clouds), (-1, whole.image)):
        assert torch.equal(film.images[[frame]], vz.resize(picture[..., 24:56, 84:116], 64))
    few = vz.dream_film(net, clouds, at=(95, 0), window=32, size=32, frames=3, **options)  # moved inside
    assert len(few.images) == 3 and torch.equal(few.images[:1], vz.resize(clouds[..., 64:, :32], 32))


def test_a_birth_is_watched_where_it_happens(net, clouds):
    """A unit in one place changes what it sees, and nothing else."""
    goal = vz.unit("conv3", 5, at=(4, 9))
    film = vz.dream_film(net, clouds, target=goal, octaves=1, steps=2, jitter=0, window=48, size=48)
    change = (film.images[-1] - film.images[0]).abs().sum()
    assert change > 0.999 * (film.image - clouds).abs().sum() > 0
    elsewhere = vz.dream_film(
        net, clouds, target=goal, octaves=1, steps=2, jitter=0, window=32, size=32, at=(90, 10)
    )
    assert torch.equal(elsewhere.images[-1], elsewhere.images[0])


def test_a_birth_that_is_stopped_shows_its_steps_so_far(net, clouds):
    def progress(done, total, preview):
        assert total == 6 and preview.shape == clouds.shape
        return done < 4

    cut = vz.dream_film(net, clouds, layer="conv4", octaves=2, steps=3, window=32, size=32, progress=progress)
    assert cut.stopped and len(cut.images) == 5


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        (
            {"window": 97},
            "window of 97 pixels around some place does not fit a picture of 96 rows and 128 col",
        ),
        ({"window": 32, "at": (96, 10)}, r"around \(96, 10\) does not fit"),
        ({"window": 32.5}, "window is a number of pixels"),
        ({"frames": 1}, "two frames or more"),
        ({"layer": None}, "Say what to dream of"),
    ],
)
def test_what_cannot_be_watched(net, clouds, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.dream_film(net, clouds, **{"layer": "conv4", "window": 32} | options)


def test_a_zoom_enlarges_about_the_middle():
    stripe = torch.zeros(1, 3, 40, 40)
    stripe[..., 15:25] = 1  # zoomed by two about its middle, it is twice as broad
    assert float(sy.zoomed(stripe, 2.0)[0, 0, 20].sum()) == pytest.approx(20, abs=1)
    assert torch.allclose(sy.zoomed(stripe, 1.0), stripe, atol=1e-4)


def test_stop_within_a_frame_keeps_the_finished_frames(net, clouds):
    for last, frames in ((1, 1), (4, 1), (5, 1), (6, 2), (7, 2)):  # six steps a frame
        seen = []

        def progress(done, total, preview, last=last, seen=seen):
            seen.append((done, total))
            return done < last

        cut = vz.zoom_film(net, clouds, layer="conv4", frames=4, octaves=2, steps=3, progress=progress)
        assert cut.stopped and len(cut.images) == frames and torch.equal(cut.image, cut.images[-1:])
        assert seen == [(i + 1, 18) for i in range(last)]
    whole = vz.zoom_film(
        net,
        clouds,
        layer="conv4",
        frames=2,
        octaves=1,
        steps=2,
        progress=lambda done, total, preview: done < 2,
    )
    assert (
        not whole.stopped and len(whole.images) == 2
    )  # refused after its last step: there was nothing left to stop


def test_an_interrupt_within_a_frame_keeps_the_finished_frames(net, clouds):
    def interrupted(done, total, preview):
        if done == 3:
            raise KeyboardInterrupt

    cut = vz.zoom_film(net, clouds, layer="conv4", frames=4, octaves=1, steps=2, progress=interrupted)
    assert cut.stopped and len(cut.images) == 2


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({}, "Say what to dream of, in one way"),
        ({"layer": "conv4", "target": 3}, "Say what to dream of, in one way"),
        ({"target": 3, "guide": torch.zeros(1, 3, 64, 64)}, "A guide needs a layer"),
        ({"layer": "conv9"}, "no layer 'conv9'. Nearest: conv"),
        ({"layer": "conv4", "octaves": 0}, "octaves is a whole number, 1 or more"),
        ({"layer": "conv4", "octaves": 12}, "The smallest of 12 octaves has .* Take octaves=\\d"),
        ({"layer": "conv4", "scale": 1.0}, "scale is the factor from one octave to the next, above 1"),
        ({"layer": "conv4", "rate": 2.0}, "rate is how far a pixel moves in a step"),
        ({"layer": "conv4", "rate": float("nan")}, "rate is how far a pixel moves in a step"),
        ({"layer": "conv4", "jitter": 0.5}, "jitter is a roll, 0 or more; this is 0.5"),
        ({"layer": "conv4", "snapshot": 3}, "The option 'snapshot' is not known"),
        (
            {"layer": "conv4", "tile": 3},
            "tile is None, or a number of pixels; for this layer, \\d+ or more; this is 3",
        ),
    ],
)
def test_what_cannot_be_dreamt(net, clouds, options, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.dream(net, clouds, **options)


def test_a_picture_that_is_none_or_too_small(net, clouds):
    with pytest.raises(vz.VizlibError, match="NaN"):
        vz.dream(net, clouds * torch.nan, layer="conv4")
    with pytest.raises(vz.VizlibError, match="a larger picture"):
        vz.dream(net, clouds[..., :6, :6], layer="conv4", octaves=1)
