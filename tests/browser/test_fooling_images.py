"""The panel of notebook 11 in JupyterLab in a real browser: a wall that is bred while one watches, Stop on
the way, and on from there.
"""

import re

from playwright.sync_api import expect


def test_the_wall_is_bred_stopped_and_goes_on(run_notebook, hand):
    page = run_notebook("11_fooling_images.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_contain_text("generation 20: ")
    with panel.redraws("the wall, pixel by pixel"):
        panel.choose("encoding", "direct")
    expect(panel.status).to_contain_text("generation 20: ")
    panel.choose("network", "lite0")
    expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 20"), timeout=60_000)
    panel.stop.click()
    expect(panel.status).to_have_text(
        re.compile(r"generation \d+: \d+ of 20 over 0\.99\. Stopped after \d+ of 20 steps\."), timeout=60_000
    )
    with panel.redraws("the wall, by networks that draw"):
        panel.choose("encoding", "cppn")
        panel.choose("network", "lenet")
    expect(panel.status).to_contain_text(" of 10 over 0.99")
