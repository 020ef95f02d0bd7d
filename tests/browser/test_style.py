"""The panel of notebook 14 in JupyterLab in a real browser: another painting repaints the photograph, step by
step, and Stop keeps it.
"""

import re

from playwright.sync_api import expect


def test_another_style_repaints_and_stop_keeps_the_picture_so_far(run_notebook, hand):
    page = run_notebook("14_neural_style.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_have_text(re.compile(r"loss \d+\.\d to \d+\.\d\d"))
    with panel.redraws("the painting"):
        panel.choose("style", "church at auvers")
        expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of \d+"), timeout=60_000)
        panel.stop.click()
    expect(panel.status).to_have_text(re.compile(r"Stopped after \d+ of \d+ steps\."))
