"""The panel of notebook 15 in JupyterLab in a real browser: another texture grows from noise, by either
method, and Stop keeps it.
"""

import re

from playwright.sync_api import expect


def test_textures_methods_and_stop(run_notebook, hand):
    page = run_notebook("15_textures_and_frame.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_have_text(re.compile(r"FRAME, 150 steps: moment error \d\.\d\d.*"))
    with panel.redraws("the texture: the picture"):
        panel.choose("texture", "pebbles_dark")
    with panel.redraws("the method: the picture"):
        panel.choose("method", "Gram")
    expect(panel.status).to_have_text(re.compile(r"Gram, 150 steps: .*"))
    panel.choose("texture", "the photo")
    expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 150"), timeout=60_000)
    panel.stop.click()
    expect(panel.status).to_have_text(
        re.compile(r"Gram, \d+ steps: .*Stopped after \d+ of 150 steps\."), timeout=30_000
    )
