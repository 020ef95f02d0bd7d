"""The panel of notebook 03 in JupyterLab in a real browser: photos, labels, patches, fills, three views, and
a map stopped on the way.
"""

import re

from playwright.sync_api import expect


def test_photos_patches_views_and_stop(run_notebook, hand, tmp_path):
    page = run_notebook("03_occlusion.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    with panel.redraws("the patch: the picture"):
        panel.choose("patch", "64")
    with panel.redraws("the stride: the picture"):
        panel.choose("stride", "32")
    expect(panel.status).to_have_text(
        re.compile(r"drilling platform: probability 0\.\d+, largest fall 0\.\d+ .*")
    )
    with panel.redraws("the fill: the picture"):
        panel.choose("fill", "black")
    with panel.redraws("the fill: the picture"):
        panel.choose("fill", "mean colour")
    with panel.redraws("the strongest map: the picture"):
        panel.choose("view", "strongest map")
    assert panel.image.get_attribute("alt").startswith("Fall of the strongest map, channel")
    with panel.redraws("the labels: the picture"):
        panel.choose("view", "label")
    assert (
        panel.image.get_attribute("alt")
        == "The labels that win behind the patch: drilling platform, missile."
    )
    with panel.redraws("another photo: the picture"):
        panel.thumbnail("kitten_and_yarn").click()
    assert "Egyptian cat" in panel.image.get_attribute("alt")
    with panel.redraws("back to the probability: the picture"):
        panel.choose("view", "probability")
    with panel.redraws("a label: the picture"):
        panel.label.fill("tabby")
        panel.label.press("Enter")
    expect(panel.status).to_contain_text("tabby: probability")
    panel.choose("stride", "8")
    expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 441"), timeout=60_000)
    panel.stop.click()
    expect(panel.status).to_have_text(re.compile(r".*Stopped after \d+ of 441 steps\."), timeout=30_000)
