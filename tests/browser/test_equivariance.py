"""The panel of notebook 16 in JupyterLab in a real browser: transformation, layer and method, and Stop while
a map is trained.
"""

import re

from playwright.sync_api import expect


def test_picture_layer_and_method_redraw_and_training_stops(run_notebook, hand):
    page = run_notebook("16_equivariance.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_contain_text("upside down, conv1: error")
    with panel.redraws("another picture"):
        panel.choose("picture", "turned")
    with panel.redraws("another layer"):
        panel.choose("layer", "conv3")
    expect(panel.status).to_contain_text("turned, conv3: error")
    panel.choose("method", "task")
    expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 40"), timeout=120_000)
    panel.stop.click()
    expect(panel.status).to_have_text(
        re.compile(r"turned, conv3: error.*Stopped after \d+ of 40 steps\."), timeout=60_000
    )
    assert "turned, the five best answers" in panel.image.get_attribute("alt")
