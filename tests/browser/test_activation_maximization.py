"""The panel of notebook 08 in JupyterLab in a real browser: any label, a picture that grows, and Stop on the
way.
"""

import re

from playwright.sync_api import expect


def test_any_label_grows_and_stops(run_notebook, hand):
    page = run_notebook("08_activation_maximization.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_contain_text("goldfish: probability")
    panel.label.fill("daisy")
    panel.label.press("Enter")
    expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 64"), timeout=60_000)
    panel.stop.click()
    expect(panel.status).to_have_text(
        re.compile(r"daisy: probability \d\.\d\d after \d+ steps.*Stopped after \d+ of 64 steps\."),
        timeout=30_000,
    )
