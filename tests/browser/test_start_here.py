"""Notebook 00 in JupyterLab in a real browser: it runs, and its panel does what the text promises."""

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

SLOW = 60_000  # milliseconds


@pytest.fixture(scope="module")
def page(run_notebook):
    return run_notebook("00_start_here.ipynb")


@pytest.fixture
def panel(page, hand):
    """The panel, whatever went before: the kitten, its top class, Grad-CAM."""
    panel = hand(page)
    panel.choose("method", "Grad-CAM")
    panel.label.fill("")
    panel.label.press("Tab")
    panel.thumbnail("giant_panda").click()
    expect(panel.status).to_contain_text("giant panda: probability", timeout=SLOW)
    panel.thumbnail("orange_kitten").click()
    expect(panel.status).to_contain_text("tabby: probability", timeout=SLOW)
    expect(panel.stop).to_be_disabled(timeout=SLOW)
    return panel


def test_all_cells_run_without_an_error(page):
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    assert "Everything is ready." in page.locator(".jp-Notebook .jp-CodeCell").first.text_content()


def test_a_label_is_typed(panel):
    panel.thumbnail("drum_kit_and_guitar").click()
    panel.label.fill("drum")
    panel.label.press("Enter")
    expect(panel.status).to_contain_text("drum: probability", timeout=SLOW)
    with panel.redraws("a typed label: the picture"):
        panel.label.fill("electric guitar")
        panel.label.press("Enter")
    expect(panel.status).to_contain_text("electric guitar: probability")


def test_a_thumbnail_is_clicked(panel):
    with panel.redraws("a thumbnail: the picture"):
        panel.thumbnail("goldfish").click()
    expect(panel.status).to_contain_text("goldfish: probability")
    assert panel.box.get_by_label("photo", exact=True).input_value() == "goldfish"


def test_a_photo_is_chosen_from_the_menu(panel):
    with panel.redraws("a photo from the menu: the picture"):
        panel.choose("photo", "scarlet_macaw")
    expect(panel.status).to_contain_text("macaw: probability")


def test_a_method_is_chosen_and_nothing_moves(panel):
    def place():
        picture, words = panel.image.bounding_box(), panel.status.bounding_box()
        return [round(number) for number in (picture["x"], picture["y"], picture["width"], words["y"])]

    before = place()
    for method in (
        "saliency",
        "guided backpropagation",
    ):  # the second has no colour bar, so its picture is less high
        with panel.redraws(f"{method}: the picture"):
            panel.choose("method", method)
        assert place() == before


def test_a_picture_is_uploaded(panel, tmp_path):
    Image.radial_gradient("L").convert("RGB").save(tmp_path / "own.png")
    with panel.redraws("an upload: the picture"):
        panel.upload(tmp_path / "own.png")
    expect(panel.status).to_contain_text(": probability")
    with panel.redraws("back to a photo: the picture"):
        panel.thumbnail("orange_kitten").click()
    with panel.redraws("the same file again: the picture"):
        panel.upload(tmp_path / "own.png")


def test_a_broken_file_is_answered_with_a_sentence(panel, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing of the kind")
    before = panel.picture()
    panel.upload(tmp_path / "broken.png")
    expect(panel.status).to_contain_text(re.compile(r"⚠.*\w+ \w+.*\."), timeout=SLOW)
    assert "Error" not in panel.status.inner_text() and panel.picture() == before
    print(panel.status.inner_text())
    with panel.redraws("another method after a broken file: the picture"):
        panel.choose("method", "saliency")
    expect(panel.status).to_contain_text("tabby: probability")


def test_a_label_that_does_not_exist_is_answered_with_the_nearest(panel):
    panel.label.fill("electric guitarr")
    panel.label.press("Enter")
    expect(panel.status).to_contain_text("electric guitar,", timeout=SLOW)
    print(panel.status.inner_text())
    with panel.redraws("a label that exists: the picture"):
        panel.label.fill("electric guitar")
        panel.label.press("Enter")


def test_a_slow_method_shows_its_progress_and_can_be_stopped(panel):
    before = panel.picture()
    panel.choose("method", "Score-CAM (slow)")
    expect(panel.bar).to_be_visible(timeout=SLOW)
    width = panel.bar.bounding_box()["width"]
    panel.until(lambda: panel.bar.bounding_box()["width"] > width, "the bar to move")
    panel.stop.click()
    expect(panel.status).to_have_text(
        re.compile(r"tabby: .* Stopped after \d+ of \d+ steps\."), timeout=10_000
    )
    print(panel.status.inner_text())
    panel.until(lambda: panel.picture() not in ("", before), "the picture so far")
    expect(panel.stop).to_be_disabled()
    expect(panel.bar).to_be_hidden()
    with panel.redraws("a fast method after Stop: the picture"):
        panel.choose("method", "saliency")
    expect(panel.status).not_to_contain_text("Stopped")


NOTE_WHAT_IS_SAID = """box => {
    window.said = [];
    const note = () => said.push(box.querySelector("[role=status]").innerText);
    new MutationObserver(note).observe(box, {childList: true, subtree: true});
}"""


def test_a_slow_run_gives_way_to_the_next_choice(panel):
    panel.choose("method", "Score-CAM (slow)")
    expect(panel.bar).to_be_visible(timeout=SLOW)
    panel.box.evaluate(NOTE_WHAT_IS_SAID)
    with panel.redraws("the next choice: the picture"):
        panel.choose("method", "saliency")
    expect(panel.status).to_have_text(re.compile(r"tabby: probability [\d.]+( \(.*\))?"), timeout=SLOW)
    said = panel.page.evaluate("said")
    assert said and not [words for words in said if "Stopped" in words]


def test_the_panel_can_be_used_without_seeing_it(panel):
    for button in panel.box.locator("button[class*=vizlib-]").all():
        assert button.get_attribute("title").startswith("photo: ")
    for field in panel.box.locator("input, select").all():
        assert field.evaluate("field => field.labels.length") == 1
    assert panel.image.get_attribute("alt") == "Grad-CAM of tabby"
    assert panel.status.get_attribute("role") == "status"


def test_the_panel_fits_the_window(panel):
    box, notebook = panel.box.bounding_box(), panel.page.locator(".jp-Notebook").bounding_box()
    assert box["height"] < notebook["height"] and box["x"] + box["width"] <= notebook["x"] + notebook["width"]
    for control in panel.box.locator("label:visible, button:visible").all():
        assert control.evaluate("e => e.scrollWidth <= e.clientWidth"), f"{control.inner_text()} is cut off"


def test_the_picture_is_beside_the_controls(panel):
    label, picture = panel.label.bounding_box(), panel.image.bounding_box()
    assert picture["x"] > label["x"] + label["width"] and picture["y"] < label["y"]
