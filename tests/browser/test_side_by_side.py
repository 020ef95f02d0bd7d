"""The panel of notebook 19 in JupyterLab in a real browser: a photo through several methods, a label,
impostors, and Stop on the way.
"""

import re

from playwright.sync_api import expect


def test_many_methods_impostors_and_stop(run_notebook, hand):
    page = run_notebook("19_side_by_side.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_contain_text("maps of 10 of 10 methods")
    with panel.redraws("the impostors: the picture"):
        panel.choose("who", "impostors")
    assert "noise, centre, edges" in panel.image.get_attribute("alt")
    with panel.redraws("another photo: the picture"):
        panel.thumbnail("goldfish").click()
    expect(panel.status).to_contain_text("goldfish: probability")
    panel.label.fill("tench")  # impostors do not care, only the line below changes
    panel.label.press("Enter")
    expect(panel.status).to_contain_text("tench: probability")
    panel.choose("who", "all")
    expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 14"), timeout=60_000)
    panel.stop.click()
    expect(panel.status).to_have_text(
        re.compile(r".*maps of \d+ of 14 methods.*Stopped after \d+ of 14 steps\."), timeout=60_000
    )
