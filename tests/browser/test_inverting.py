"""The panel of notebook 09 in JupyterLab in a real browser: a layer's picture comes out of noise, and Stop
keeps what there is.
"""

import re

from playwright.sync_api import expect


def test_a_picture_comes_out_of_the_noise_and_stops(run_notebook, hand):
    page = run_notebook("09_inverting_by_optimization.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_contain_text("conv3: feature error")
    with panel.redraws("the layer's picture"):
        panel.choose("layer", "pool5")
    expect(panel.status).to_contain_text("pool5: feature error")
    panel.choose("steps", "1000")
    expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 1000"), timeout=60_000)
    panel.stop.click()
    expect(panel.status).to_have_text(
        re.compile(
            r"pool5: feature error \d\.\d{3}, pixel error \d\.\d{3} after \d+ steps.*"
            r"Stopped after \d+ of 1000 steps\."
        ),
        timeout=60_000,
    )
