"""The panel of notebook 05 in JupyterLab in a real browser: baselines, methods, and a mean that is stopped on
the way.
"""

import re

from playwright.sync_api import expect


def test_baselines_methods_and_stop(run_notebook, hand):
    page = run_notebook("05_smoothgrad_and_integrated_gradients.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    with panel.redraws("another photo: the picture"):
        panel.thumbnail("giant_panda").click()
    with panel.redraws("the baseline: the picture"):
        panel.choose("baseline", "white")
    expect(panel.status).to_contain_text("giant panda: probability")
    expect(panel.status).to_contain_text("completeness error")
    assert panel.image.get_attribute("alt") == "integrated gradients of giant panda."
    with panel.redraws("the method: the picture"):
        panel.choose("method", "SmoothGrad")
    passes = panel.box.get_by_role("slider").first
    for _ in range(12):
        passes.press("ArrowRight")
    expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 64"), timeout=60_000)
    panel.stop.click()
    expect(panel.status).to_have_text(re.compile(r".*Stopped after \d+ of 64 steps\."), timeout=30_000)
