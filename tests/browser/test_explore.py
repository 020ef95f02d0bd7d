"""Explorable figures by mouse, keyboard and finger: on a page that nbconvert makes, and in JupyterLab, run,
trusted and untrusted. Descriptions arrive, and nothing is blank.
"""

import json
import re

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import expect

CELLS = [
    """import json
import torch
import vizlib as vz
net, photo = vz.load("zfnet"), vz.photo("goldfish", 64)
scores = vz.occluded(net, photo, patch=16, stride=8).softmax(-1)[0, ..., :2]
print(json.dumps(scores.tolist()))""",
    """vz.show(photo, alt="A goldfish, as large as it is.")""",
    """labels = ["goldfish", "salamander"]
drag = vz.explore.drag(photo, scores, labels, patch=16, stride=8, alt="drag a patch")
drag""",
    """maps = torch.arange(2 * 8 * 8.0).reshape(2, 8, 8)
vz.explore.hover(photo, maps, ["first", "second"], alt="two ramps")""",
    """vz.explore.guess(photo, maps[0], "Where is it largest?", alt="guess a place")""",
    """greys = torch.linspace(0, 1, 5).view(5, 1, 1, 1).expand(5, 3, 16, 16)
vz.explore.scrub(greys, name="epsilon",
    steps=[0, 2, 4, 8, 16], values={"score": [5, 4, 3, 2, 1]}, alt="from black to white")""",
    """vz.explore.flip(photo, 1 - photo, ("photo", "negative"), alt="a photo and its negative")""",
    """vz.explore.sheet(maps[:, None], alt="two channels")""",
    """vz.explore.atlas([[0, 0], [1, 0], [0, 1]], photo.expand(3, -1, -1, -1), list("abc"), alt="three")""",
    """def draw(n=2):
    return vz.show(torch.rand(n, 3, 8, 8), alt="noise of the panel"), f"{n} pictures"
panel = vz.panel(draw, n=(1, 9))
panel""",
    """drag.live(lambda row, column: f"Python heard row {row}, column {column}")""",
]
KINDS = ["drag", "hover", "guess", "scrub", "flip", "sheet", "atlas"]


@pytest.fixture(scope="module")
def saved(run_notebook, course):
    """The notebook, run in JupyterLab and saved: its page there, its path, the scores that its first cell
    printed.
    """
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(CELLS)]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    path = course / "notebooks" / "explore.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    page = run_notebook(path.name)
    page.keyboard.press("Control+s")
    for _ in range(100):
        page.wait_for_timeout(100)
        notebook = nbformat.read(path, as_version=4)
        if all(cell.outputs for cell in notebook.cells):
            break
    return page, path, json.loads(notebook.cells[0].outputs[0].text)


@pytest.fixture(scope="module")
def page_of(saved):
    """The notebook as a page."""
    exporter = HTMLExporter(require_js_url="", jquery_url="", mathjax_url="", mermaid_js_url="")
    path = saved[1].with_suffix(".html")
    path.write_text(exporter.from_filename(str(saved[1]))[0], encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, page_of):
    """opened(**options): the page in a browser of its own; every request and error is noted."""
    contexts = []

    def open_page(**options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.noted = []
        page.on("request", lambda request: page.noted.append(request.url[:80]))
        page.on("pageerror", lambda error: page.noted.append(str(error)))
        page.goto(page_of.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def figure(page, kind):
    """One explorable figure of a page, alive."""
    found = page.locator("[data-vizlib]:visible").nth(KINDS.index(kind))
    found.locator(".vx").wait_for(timeout=30_000)
    found.scroll_into_view_if_needed()
    return found


def middle(locator, x, y):
    """The place at these shares of an element, on the page."""
    box = locator.bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def said(scores, row, column, k=0):
    label = ["goldfish", "salamander"][k]
    return re.compile(
        rf"Patch at row {row}, column {column}\. {label}: {scores[row - 1][column - 1][k]:.3f}\."
    )


def stays_inside(page):
    return [note for note in page.noted if not note.startswith(("data:", "file:", "blob:"))] == []


def drag_a_patch(page, scores):
    """By mouse and by keyboard, with the scores that were measured."""
    drag = figure(page, "drag")
    stage, status = drag.get_by_role("slider"), drag.get_by_role("status")
    page.mouse.move(*middle(stage, 0.5, 0.5))
    page.mouse.down()
    page.mouse.move(*middle(stage, 0.02, 0.02), steps=5)
    expect(status).to_have_text(said(scores, 1, 1))
    page.mouse.move(*middle(stage, 0.98, 0.02), steps=5)
    page.mouse.up()
    expect(status).to_have_text(said(scores, 1, 7))
    stage.press("ArrowDown")
    stage.press("ArrowLeft")
    expect(status).to_have_text(said(scores, 2, 6))
    stage.press("Shift+ArrowDown")
    expect(status).to_have_text(said(scores, 6, 6))
    expect(stage).to_have_attribute("aria-valuetext", "row 6 of 7, column 6 of 7")
    drag.get_by_role("button", name="salamander").click()
    expect(status).to_have_text(said(scores, 6, 6, 1))
    values = drag.locator(".value").all_text_contents()
    assert values == [f"{value:.3f}" for value in scores[5][5]]


def test_drag_by_mouse_and_keyboard_on_a_page(opened, saved):
    page = opened(viewport={"width": 1000, "height": 800})
    drag_a_patch(page, saved[2])
    drag = figure(page, "drag")
    opacity = (
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 7, 7).data].filter((_, n) => n % 4 == 3)"
    )
    seen = lambda: sum(value > 0 for value in drag.locator("canvas").evaluate(opacity))  # noqa: E731
    assert 7 < seen() < 40, "where the patch has been, quick as it was"
    drag.get_by_role("button", name="Show the whole map").click()
    assert seen() == 49
    assert stays_inside(page), page.noted


def test_every_kind_by_finger_at_phone_width(opened, saved):
    page = opened(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, color_scheme="dark")
    touch = page.context.new_cdp_session(page)
    scores = saved[2]

    def wipe(stage, *places):
        for n, (x, y) in enumerate(middle(stage, *place) for place in places):
            points = [{"x": x, "y": y}]
            kind = "touchMove" if n else "touchStart"
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    drag = figure(page, "drag")
    wipe(drag.locator(".stage"), (0.5, 0.5), (0.6, 0.3), (0.98, 0.02))
    expect(drag.get_by_role("status")).to_have_text(said(scores, 1, 7))
    hover = figure(page, "hover")
    page.touchscreen.tap(*middle(hover.locator(".stage"), 0.99, 0.01))
    words = "Map of first. At row 1, column 8 it measures 7, and second most, 71."
    expect(hover.get_by_role("status")).to_have_text(words)
    hover.get_by_role("button", name="second").tap()
    expect(hover.get_by_role("status")).to_contain_text("Map of second. At row 1, column 8 it measures 71")
    guess = figure(page, "guess")
    page.touchscreen.tap(*middle(guess.locator(".stage"), 0.99, 0.49))
    expect(guess.get_by_role("status")).to_contain_text(
        "32 pixels from the strongest one (orange). It measures 31.0,"
    )
    flip = figure(page, "flip")
    wipe(flip.locator(".stage"), (0.5, 0.5), (0.4, 0.5), (0.25, 0.5))
    expect(flip.get_by_role("status")).to_have_text("photo 25 %, negative 75 %.")
    scrub = figure(page, "scrub")
    wipe(scrub.locator(".stage"), (0.1, 0.5), (0.5, 0.5), (0.99, 0.5))
    expect(scrub.get_by_role("status")).to_have_text("epsilon 16 (5 of 5)")
    sheet = figure(page, "sheet")
    page.touchscreen.tap(*middle(sheet.locator(".stage").first, 0.9, 0.5))
    expect(sheet.get_by_role("status")).to_have_text("channel 1 (2 of 2): largest value 127.")
    atlas = figure(page, "atlas")
    page.touchscreen.tap(*middle(atlas.locator(".stage"), 0.95, 0.95))
    expect(atlas.get_by_role("status")).to_contain_text("b. Nearest: ")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert stays_inside(page), page.noted


def test_every_kind_by_keyboard_with_less_motion(opened):
    page = opened(viewport={"width": 1000, "height": 800}, reduced_motion="reduce")
    hover = figure(page, "hover")
    stage = hover.get_by_role("slider")
    stage.focus()
    assert stage.evaluate("stage => getComputedStyle(stage).outlineStyle") == "solid", (
        "where the focus is, is seen"
    )
    stage.press("ArrowRight")
    expect(hover.get_by_role("status")).to_contain_text("At row 5, column 6 it measures 37")
    guess = figure(page, "guess")
    stage = guess.get_by_role("slider")
    for key in ("Shift+ArrowDown", "Shift+ArrowRight", "Enter"):
        stage.press(key)
    expect(guess.get_by_role("status")).to_contain_text("You found the strongest place. It measures 63.0")
    expect(guess.get_by_role("status")).to_contain_text("98 % of the picture measures less")
    scrub = figure(page, "scrub")
    scrub.get_by_role("slider").press("ArrowRight")
    expect(scrub.get_by_role("slider")).to_have_attribute("aria-valuetext", "epsilon 2, score 4.00")
    assert scrub.get_by_role("button", name="Play").count() == 0, "nothing moves by itself"
    flip = figure(page, "flip")
    flip.get_by_role("slider").press("Home")
    expect(flip.get_by_role("status")).to_have_text("photo 0 %, negative 100 %.")
    sheet = figure(page, "sheet")
    sheet.get_by_role("slider").press("ArrowRight")
    expect(sheet.get_by_role("status")).to_contain_text("channel 1 (2 of 2)")
    atlas = figure(page, "atlas")
    for key, name in (("ArrowRight", "b"), ("ArrowLeft", "a"), ("ArrowUp", "c")):
        atlas.get_by_role("slider").press(key)
        expect(atlas.get_by_role("status")).to_contain_text(f"{name}. Nearest: ")
    assert stays_inside(page), page.noted


def test_descriptions_and_stills_stay_on_a_page_without_programs(opened):
    page = opened(java_script_enabled=False)
    descriptions = {image.get_attribute("alt") for image in page.locator("img:visible").all()}
    assert {"A goldfish, as large as it is.", "noise of the panel", "drag a patch", "three"} <= descriptions
    assert page.locator("img").count() == page.locator("img:visible").count() == 2 + len(KINDS) + 1
    expect(page.get_by_text("A still picture.").first).to_be_visible()


def test_jupyterlab_runs_panels_and_live_figures_and_hides_their_stills(saved):
    page, _, scores = saved
    drag_a_patch(page, scores)
    panel = page.locator('.widget-vbox img[alt="noise of the panel"]')
    panel.scroll_into_view_if_needed()
    expect(panel).to_be_visible()
    box = page.locator(".widget-vbox", has=page.get_by_role("button", name="Stop")).first
    x, y = middle(box.locator(".noUi-handle"), 0.5, 0.5)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 200, y, steps=20)
    expect(box.get_by_role("status")).to_contain_text("9 pictures")  # the hand still holds the slider
    page.mouse.up()
    stills = page.locator('[class^="vizlib-still-"]')
    expect(stills).to_have_count(2)
    for still in stills.all():
        expect(still).to_be_hidden()
    live = page.locator(".jp-OutputArea .vx:visible").last
    live.scroll_into_view_if_needed()
    live.get_by_role("slider").press("ArrowUp")
    expect(live.get_by_role("status")).to_have_text("Python heard row 2, column 3", timeout=30_000)
    for key in ["ArrowUp", "ArrowLeft"] * 10:
        live.get_by_role("slider").press(key)
    expect(live.get_by_role("status")).to_have_text("Python heard row 0, column 0", timeout=30_000)


def open_in_lab(browser, lab, path):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{lab}/tree/{path.name}?reset")
    page.locator(".jp-Notebook .jp-CodeCell").nth(len(CELLS) - 1).wait_for(timeout=60_000)
    return page


def test_jupyterlab_explores_a_trusted_notebook_that_was_not_run(browser, lab, saved):
    page = open_in_lab(browser, lab, saved[1])
    drag_a_patch(page, saved[2])
    place = "cell => [...document.querySelectorAll('.jp-Cell')].indexOf(cell)"
    chosen = page.locator(".jp-Cell.jp-mod-active").evaluate(place)
    figure(page, "drag").get_by_role("slider").press("ArrowDown")
    assert page.locator(".jp-Cell.jp-mod-active").evaluate(place) == chosen, "the arrow keys are the figure's"
    page.close()


def test_jupyterlab_shows_descriptions_before_it_trusts(browser, lab, saved):
    notebook = nbformat.read(saved[1], as_version=4)
    notebook.cells[1].source += "  # sent by somebody else"
    path = saved[1].with_name("sent.ipynb")
    nbformat.write(notebook, path)
    page = open_in_lab(browser, lab, path)
    for words in ("A goldfish, as large as it is.", "drag a patch", "noise of the panel"):
        page.locator(f'.jp-OutputArea img[alt="{words}"]').first.wait_for(timeout=30_000)
    assert page.locator(".vx").count() == 0, "nothing runs in a notebook that is not trusted"
    page.close()
