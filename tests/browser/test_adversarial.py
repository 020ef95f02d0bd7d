"""The panel of notebook 12 in JupyterLab in a real browser: photo, wish, epsilon, and an attack that is
stopped on the way.
"""

import re

from playwright.sync_api import expect


def test_an_attack_on_any_photo_towards_any_label_and_stop(run_notebook, hand):
    page = run_notebook("12_adversarial_examples.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_have_text(re.compile(r"^Egyptian cat \d\.\d\d is now "))
    with panel.redraws("another photo: the picture"):
        panel.thumbnail("giant_panda").click()
    with panel.redraws("a wish: the picture"):
        panel.label.fill("gibbon")
        panel.label.press("Enter")
    expect(panel.status).to_have_text(re.compile(r"giant panda \d\.\d\d is now gibbon"))
    sliders = panel.box.get_by_role("slider")
    steps = sliders.nth(1)
    with panel.redraws("epsilon: the picture"):
        sliders.first.press("ArrowRight")
    steps.press("End")
    expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 40"), timeout=60_000)
    panel.stop.click()
    expect(panel.status).to_have_text(
        re.compile(r"giant panda .* is now .*Stopped after \d+ of 40 steps\."), timeout=30_000
    )
