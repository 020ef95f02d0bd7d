"""Explorable figures: what travels in the page equals what was measured; what cannot is refused in words."""

import base64
import html
import importlib
import io
import json
import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import vizlib as vz
from vizlib.explore import figure as figure_module
from vizlib.explore.figure import MOST, program
from vizlib.explore.packing import STEPS, map_sprite, pack, sprite, unpack

KINDS = ("drag", "hover", "guess", "scrub", "flip", "sheet", "atlas")


@pytest.fixture
def figures(pictures):
    """One small figure of each kind, and the numbers behind it."""
    photo, numbers = pictures(1, 64), np.random.default_rng(0).normal(size=(4, 4, 2))
    maps = torch.as_tensor(numbers.transpose(2, 0, 1), dtype=torch.float32)
    return {
        "drag": vz.explore.drag(
            photo, numbers, ["cat", "dog"], patch=16, stride=16, uncovered=[1, 2], alt="d"
        ),
        "hover": vz.explore.hover(photo, maps, ["cat", "dog"], pictures=pictures(2, 32), alt="h"),
        "guess": vz.explore.guess(photo, maps[0], "Where?", alt="g"),
        "scrub": vz.explore.scrub(pictures(3, 32), values={"loss": [3.0, -2.5, 1]}, alt="s"),
        "flip": vz.explore.flip(photo, 1 - photo, alt="f"),
        "sheet": vz.explore.sheet(maps[:, None], alt="a sheet"),
        "atlas": vz.explore.atlas(torch.rand(5, 2), pictures(5, 32), list("abcde"), alt="a"),
    }, numbers


def in_the_page(figure):
    """What the program reads: the JSON of the page."""
    return json.loads(
        re.search(r'<script type="application/json">(.*?)</script>', figure.html(), re.DOTALL)[1]
    )


def read(packed):
    """The numbers as the program reads them, written anew."""
    steps = np.frombuffer(base64.b64decode(packed["data"]), dtype=np.uint16).reshape(packed["shape"])
    return packed["low"] + packed["step"] * steps.astype(float)


def image_of(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_numbers_in_the_page_equal_those_of_the_cell(figures):
    made, numbers = figures
    close = np.ptp(numbers) / STEPS  # twice the rounding
    scores = read(in_the_page(made["drag"])["scores"])
    np.testing.assert_allclose(scores, numbers, atol=close)
    assert in_the_page(made["drag"])["uncovered"] == [1, 2]
    np.testing.assert_allclose(
        read(in_the_page(made["hover"])["maps"]), numbers.transpose(2, 0, 1), atol=close
    )
    np.testing.assert_allclose(read(in_the_page(made["guess"])["map"]), numbers[..., 0], atol=close)
    np.testing.assert_allclose(read(in_the_page(made["scrub"])["series"]["loss"]), [3, -2.5, 1], atol=1e-4)
    largest = read(in_the_page(made["sheet"])["numbers"]["largest value"])
    np.testing.assert_allclose(largest, numbers.max((0, 1)), atol=close)


def test_the_largest_number_shows_three_digits():
    digits = lambda *values: pack(values, "these", 1)["digits"]  # noqa: E731
    assert [digits(0.93), digits(0.05, 0.1), digits(3.2), digits(-17.3), digits(512), digits(0)] == [
        3,
        3,
        2,
        1,
        0,
        0,
    ]


def test_packing_keeps_the_ends_and_equal_values_exactly():
    assert unpack(pack([2.5, 2.5], "these", 1)).tolist() == [2.5, 2.5]
    np.testing.assert_allclose(unpack(pack([-3.0, 0, 9], "these", 1)), [-3, 0, 9], atol=12 / STEPS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_holds_a_picture_with_its_description_and_asks_for_nothing_outside(figures, kind):
    figure = figures[0][kind]
    page = figure.html()
    assert page.startswith('<div data-vizlib="') and f'alt="{figure.alt}"' in page and "data:image/" in page
    bundle = figure._repr_mimebundle_()
    assert bundle == {"text/html": page, "text/plain": f"Explorable figure ({kind}): {figure.alt}"}
    without_data = re.sub(r"data:[\w/;,+=-]*", "", page).replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[\w.-]+\.\w{2,}/|\bfetch\b|\bimport\b|<link|@import|url\(", without_data)
    assert figure.size == len(page.encode()) <= MOST and program(kind) in page
    assert not any(f"KINDS.{other} =" in page for other in KINDS if other != kind)


def test_what_a_person_writes_cannot_leave_its_place_in_the_page(pictures):
    label = "</script><b>'\"&"
    figure = vz.explore.hover(pictures(1, 32), torch.rand(1, 3, 3), [label], alt=label)
    page = figure.html()
    assert label not in page and f'alt="{html.escape(label)}"' in page
    assert in_the_page(figure)["labels"] == [label] and page.count("</script>") == 2


def test_the_still_of_a_drag_shows_the_photo_and_its_map(figures, pictures):
    still = image_of(figures[0]["drag"].still)
    assert still.shape == (64, 128, 3)
    photo = (pictures(1, 64)[0].permute(1, 2, 0).numpy() * 255).astype(int)
    assert np.abs(still[:, :64] - photo).mean() < 60 and np.abs(still[:, :64] - still[:, 64:]).mean() > 15


def test_pictures_side_by_side_lie_where_the_page_looks_for_them():
    colours = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]])
    data, where = sprite(colours.view(5, 3, 1, 1).expand(5, 3, 32, 48), 48)
    sheet = image_of(data)
    assert (where["width"], where["height"], where["count"]) == (48, 32, 5)
    for n, colour in enumerate(colours):
        x, y = n % where["columns"] * 48, n // where["columns"] * 32
        cell = sheet[y + 1 : y + 31, x + 1 : x + 47]  # JPEG's colours blend in the outermost pixel
        assert np.abs(cell - colour.numpy() * 255).max() < 12, "no colour runs into its neighbour"


def test_maps_side_by_side_have_the_colours_of_show():
    maps = np.stack([np.linspace(0, 1, 16).reshape(4, 4), np.full((4, 4), 2.0)])
    data, where = map_sprite(maps)
    sheet = image_of(data)
    assert where["gap"] == 1 and np.abs(sheet[0, 0] - (0, 0, 3)).max() < 8, "zero is black"
    x, y = 1 % where["columns"] * 5, 1 // where["columns"] * 5
    assert np.abs(sheet[y, x] - (252, 254, 164)).max() < 8, "its largest value is yellow"


def test_the_still_of_an_atlas_keeps_neighbours_together():
    points = torch.tensor([[x, y] for y in range(3) for x in range(3)]).float()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    data = in_the_page(vz.explore.atlas(points[order], torch.rand(9, 3, 16, 16), list("012345678"), alt="a"))
    places = read(data["points"])
    cells = np.array([(i % data["sprite"]["columns"], -(i // data["sprite"]["columns"])) for i in range(9)])
    assert (
        np.corrcoef(places[:, 0], cells[:, 0])[0, 1] > 0.9
        and np.corrcoef(places[:, 1], cells[:, 1])[0, 1] > 0.8
    )


def test_a_large_map_is_averaged_before_a_guess(pictures):
    map = torch.rand(1, 1, 112, 112)
    kept = read(in_the_page(vz.explore.guess(pictures(1, 64), map, "Where?", alt="g"))["map"])
    np.testing.assert_allclose(kept, torch.nn.functional.avg_pool2d(map, 2)[0, 0].numpy(), atol=1e-4)


def test_a_figure_that_is_too_large_says_how_large_it_is_and_what_to_reduce():
    noise = torch.rand(40, 3, 160, 160)
    with pytest.raises(
        vz.VizlibError,
        match=r"scrub figure would be \d+ KB large, and 150 KB is the most. Give fewer "
        r"frames \(40 now\), or a smaller size \(size=160 now\)",
    ):
        vz.explore.scrub(noise, alt="noise")
    assert vz.explore.scrub(noise[:20], size=64, alt="noise").size < MOST
    with pytest.raises(vz.VizlibError, match="90,000 values together, and 60,000 is the most"):
        vz.explore.sheet(torch.rand(100, 1, 30, 30), alt="noise")


PHOTO = torch.rand(1, 3, 32, 32)


@pytest.mark.parametrize(
    "make, words",
    [
        (
            lambda e: e.drag(PHOTO, torch.rand(3, 4, 2), ["a", "b"], patch=8, stride=8, alt="x"),
            "4 x 4 places on this photo",
        ),
        (
            lambda e: e.drag(PHOTO, torch.rand(4, 4, 2), ["a"], patch=8, stride=8, alt="x"),
            "2 scores at each place and 1 names",
        ),
        (
            lambda e: e.drag(PHOTO, torch.rand(4, 4), ["a"], patch=8, stride=8, alt="x"),
            "rows, columns, labels",
        ),
        (
            lambda e: e.drag(PHOTO, torch.rand(4, 4, 1), ["a"], patch=8, stride=8, uncovered=[1, 2], alt="x"),
            "2 scores of the whole",
        ),
        (
            lambda e: e.drag(PHOTO, torch.rand(4, 4, 1), ["a"], patch=64, stride=8, alt="x"),
            "does not fit a picture of 32",
        ),
        (lambda e: e.hover(PHOTO, torch.full((1, 2, 2), torch.nan), ["a"], alt="x"), "NaN or infinite"),
        (lambda e: e.hover(PHOTO, "maps", ["a"], alt="x"), "this is a str"),
        (lambda e: e.hover(PHOTO, torch.rand(1, 2, 2), "a label", alt="x"), "1 maps and 1 names|one name"),
        (
            lambda e: e.hover(PHOTO, torch.rand(1, 2, 2), ["a"], sharp=torch.rand(1, 3, 64, 90), alt="x"),
            "not the shape of the photo",
        ),
        (
            lambda e: e.hover(PHOTO.expand(2, -1, -1, -1), torch.rand(1, 2, 2), ["a"], alt="x"),
            "photo is one picture; these are 2",
        ),
        (lambda e: e.guess(PHOTO, torch.rand(2, 2), " ", alt="x"), "guess asks a question"),
        (lambda e: e.guess(PHOTO, torch.rand(2, 2), "Where?", alt=""), "needs alt="),
        (lambda e: e.scrub(PHOTO, alt="x"), "two frames or more"),
        (lambda e: e.scrub(torch.rand(3, 2, 8, 8), alt="x"), r"this is \(3, 2, 8, 8\)"),
        (lambda e: e.scrub(torch.rand(3, 3, 8, 8), [1, 2], alt="x"), "3 frames and 2 names"),
        (
            lambda e: e.scrub(torch.rand(3, 3, 8, 8), values={"loss": [1, 2]}, alt="x"),
            "'loss'.* holds 2 numbers, and there are 3",
        ),
        (lambda e: e.flip(PHOTO, torch.rand(1, 3, 16, 32), alt="x"), "32 x 32 and 32 x 16. vz.resize"),
        (lambda e: e.sheet(PHOTO, values={"a": "b"}, alt="x"), "one number for each channel; this is a str"),
        (lambda e: e.atlas(torch.rand(3, 3), torch.rand(3, 3, 8, 8), list("abc"), alt="x"), "numbers .N, 2."),
        (
            lambda e: e.atlas(torch.rand(3, 2), torch.rand(2, 3, 8, 8), list("abc"), alt="x"),
            "3 points, one picture each",
        ),
    ],
)
def test_bad_input_gets_a_sentence(make, words):
    with pytest.raises(vz.VizlibError, match=words):
        make(vz.explore)


def test_save_writes_a_page_of_its_own(figures, tmp_path):
    figure = figures[0]["flip"]
    page = figure.save(tmp_path / "flip.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and figure.html() in page and "<title>f</title>" in page
    with pytest.raises(vz.VizlibError, match=r"saved as \.html; this is 'flip.png'"):
        figure.save(tmp_path / "flip.png")


def test_a_live_figure_answers_the_place_in_words_numbers_and_pictures(figures):
    asked = []

    def answer(row, column):
        asked.append((row, column))
        if row == 3:
            raise vz.VizlibError("That row is not measured.")
        return "here", [0.25, 0.5], torch.zeros(1, 3, 8, 8)

    live = figures[0]["drag"].live(answer)
    live.place = {"row": 1, "column": 2, "count": 1}
    assert asked == [(1, 2)] and live.answer["words"] == "here" and live.answer["numbers"] == [0.25, 0.5]
    assert live.answer["picture"].startswith("data:image/jpeg;base64,") and live.answer["count"] == 1
    live.place = {"row": 3, "column": 0, "count": 2}
    assert live.answer == {"words": "That row is not measured.", "count": 2}
    live.close()
    assert figures[0]["flip"].live().asks is False


def test_without_anywidget_a_live_figure_is_the_figure_itself(figures, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "vizlib.explore.widget", raising=False)
    figure = figures[0]["drag"]
    assert figure.live(lambda row, column: "never asked") is figure
    monkeypatch.undo()
    importlib.import_module("vizlib.explore.widget")


def test_the_program_of_each_kind_is_package_data(figures):
    assert (
        set(figures[0])
        == set(KINDS)
        == {p.stem for p in (figure_module.Path(figure_module.__file__).parent / "kinds").glob("*.js")}
    )
    assert all(
        "</script" not in program(kind) and "export default { render }" in program(kind) for kind in KINDS
    )
