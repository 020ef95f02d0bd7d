"""Mean curves and comparisons: picture by picture beside the functions they are made of."""

import pytest
import torch
from scipy.stats import ttest_rel

import vizlib as vz
from vizlib.sweep import compare, curves


@pytest.fixture(scope="module")
def net():
    return vz.load("zfnet")


@pytest.fixture(scope="module")
def photos():
    return [vz.photo(name, 64) for name in vz.photos()["name"][:10]]


def noise(net, images, classes):
    return torch.rand(images[:, :1].shape, generator=torch.Generator().manual_seed(0))


def test_the_curves_are_the_means_of_the_curves_of_the_probability(net, photos):
    found = curves(net, photos, vz.saliency, steps=4, batch_size=3)
    rows = {vz.deletion: [], vz.insertion: []}
    for x in photos:
        k = net.predict(x, 1)[0]["index"]
        for curve, kept in rows.items():
            score = lambda logits, k=k: logits.softmax(1)[:, k]  # noqa: E731
            kept.append(curve(net, x, score, vz.saliency(net, x, k), steps=4))
    falling, rising = (torch.cat(kept) for kept in rows.values())
    torch.testing.assert_close(found.deletion, falling.mean(0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.insertion, rising.mean(0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.deletion_error, falling.std(0) / 10**0.5, rtol=1e-2, atol=1e-4)
    areas = rising.mean(1)
    assert found.insertion_area == pytest.approx(
        (float(areas.mean()), float(areas.std() / 10**0.5)), rel=1e-2
    )
    assert found.count == 10


def test_targets_of_all_kinds_are_followed(net, photos):
    x = torch.cat(photos[:3])
    top = net(x).argmax(1)
    by_itself = curves(net, x, vz.saliency, steps=2)
    listed = curves(net, x, vz.saliency, top.tolist(), steps=2, batch_size=2)
    torch.testing.assert_close(listed.deletion, by_itself.deletion)
    one = curves(net, x, vz.saliency, "goldfish", steps=2)
    same = curves(
        net, x, lambda n, y, k: vz.saliency(n, y, "goldfish"), probability_of_goldfish(net), steps=2
    )
    torch.testing.assert_close(one.insertion, same.insertion)
    with pytest.raises(vz.VizlibError, match="There are 2 targets, and a picture number 2"):
        curves(net, x, vz.saliency, [0, 1], steps=2)


def test_of_labels_that_are_questions_of_their_own_the_sigmoid_is_followed(photos):
    net = vz.load("zfnet")
    net.task = "multilabel"
    found = curves(net, photos[0], vz.saliency, "goldfish", steps=2)
    torch.testing.assert_close(found.deletion[:1], net(photos[0])[:, net.index("goldfish")].sigmoid())


def probability_of_goldfish(net):
    k = net.index("goldfish")
    return lambda logits: logits.softmax(1)[:, k]


def test_methods_that_give_no_maps_are_told(net, photos):
    with pytest.raises(vz.VizlibError, match="take maps.abs"):
        curves(net, photos[:1], vz.gradient)
    with pytest.raises(vz.VizlibError, match="methods is a dict"):
        compare(net, photos, vz.gradient)


def test_a_comparison_is_what_the_single_questions_say(net, photos):
    x = torch.cat(photos[:5])
    masks = torch.zeros(5, 1, 64, 64)
    masks[..., 16:48, 16:48] = 1
    found = compare(
        net, x, {"Grad-CAM": vz.grad_cam, "noise": noise}, masks=masks, down_to="conv5", steps=4, batch_size=5
    )
    assert found.questions == ["points", "energy", "deletion", "insertion", "weights"]
    maps, blind = (vz.grad_cam(n, x, net(x).argmax(1).tolist()) for n in (net, vz.randomize(net, "conv5")))
    assert found.mean("Grad-CAM", "points") == pytest.approx(
        float(vz.pointing_game(maps, masks).float().mean())
    )
    energy = vz.energy_inside(maps, masks) / masks.mean((1, 2, 3))
    assert found.mean("Grad-CAM", "energy") == pytest.approx(float(energy.mean()), rel=1e-4)
    weights = vz.rank_correlation(maps, blind, absolute=True)
    assert found.mean("Grad-CAM", "weights") == pytest.approx(float(weights.mean()), abs=1e-4)
    assert found.error("Grad-CAM", "weights") == pytest.approx(float(weights.std() / 5**0.5), abs=1e-4)
    assert found.mean("noise", "weights") == pytest.approx(1)
    alone = curves(net, x, vz.grad_cam, steps=4)
    assert found.mean("Grad-CAM", "deletion") == pytest.approx(alone.deletion_area[0], rel=1e-4)


def test_differences_are_paired(net, photos):
    """The t of scipy's test of related samples is the mean over its standard error."""
    found = compare(net, photos, {"saliency": vz.saliency, "noise": noise}, steps=4)
    areas = [
        [curves(net, [x], method, steps=4).insertion_area[0] for x in photos]
        for method in (vz.saliency, noise)
    ]
    # noise is drawn per batch above, and alone here: only saliency has the same maps in both
    mean, error = found.difference("saliency", "saliency", "insertion")
    assert (mean, error) == pytest.approx((0, 0), abs=1e-9)
    assert found.mean("saliency", "insertion") == pytest.approx(sum(areas[0]) / 10, rel=1e-3)
    one = compare(net, photos, {"saliency": vz.saliency, "noise": noise}, steps=4, batch_size=1)
    mean, error = one.difference("saliency", "noise", "insertion")
    assert mean / error == pytest.approx(ttest_rel(*areas).statistic, rel=1e-2)


def test_verdicts_need_a_rival_and_say_what_is_sure(net, photos):
    masks = torch.zeros(10, 1, 64, 64)
    masks[..., :32] = 1

    def knows_the_mask(n, images, classes):
        return masks[: len(images)] + 0.01 * noise(n, images, classes) * (n is net)

    found = compare(net, photos, {"told": knows_the_mask, "noise": noise}, masks=masks, steps=4, batch_size=2)
    verdicts = {row["map"]: row for row in found.verdicts(["noise"])}
    assert verdicts["told"]["finds"] == "yes" and verdicts["noise"]["finds"] == "?"
    assert verdicts["noise"]["knows the weights"] == "-"
    assert found.table()[0]["map"] == "told" and "+-" in found.table()[0]["energy"]
    with pytest.raises(vz.VizlibError, match="There is no 'edges' here; there are told, noise"):
        found.verdicts(["edges"])
    with pytest.raises(vz.VizlibError, match="Name the impostors"):
        found.verdicts([])


def test_masks_may_lie_in_a_folder(net, photos, tmp_path, png):
    masks = torch.zeros(3, 1, 64, 64)
    masks[..., :20] = 1
    for i, mask in enumerate(masks):
        (tmp_path / f"{i}.png").write_bytes(png(mask.expand(1, 3, -1, -1)))
    tensor, files = (
        compare(net, photos[:3], {"saliency": vz.saliency}, masks=m, steps=2)
        for m in (masks, vz.folder(tmp_path, size=None))
    )
    assert torch.equal(tensor.moments.mean, files.moments.mean)
    with pytest.raises(vz.VizlibError, match="There are 2 masks"):
        compare(net, photos[:3], {"saliency": vz.saliency}, masks=masks[:2], steps=2)


def test_a_comparison_can_be_broken_off_and_taken_up_again(net, photos, tmp_path):
    methods, options = {"saliency": vz.saliency, "noise": noise}, {"steps": 2, "batch_size": 1}
    whole = compare(net, photos, methods, **options)
    file = tmp_path / "trial.pt"
    compare(net, photos, methods, checkpoint=file, progress=lambda done, *_: done < 9, **options)
    again = compare(net, photos, methods, checkpoint=file, **options)
    assert again.moments.count == 10 and torch.equal(again.moments.scatter, whole.moments.scatter)
    with pytest.raises(vz.VizlibError, match="other weights"):
        compare(net, photos, methods, checkpoint=file, down_to="conv5", **options)
