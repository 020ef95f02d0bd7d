"""The panel of notebook 18 in JupyterLab in a real browser: another unit, another layer, and other collages
to see.
"""

import re

from playwright.sync_api import expect


def test_another_unit_and_another_layer_show_other_collages(run_notebook, hand):
    page = run_notebook("18_object_detectors.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_contain_text("relu5, unit 56: post_box")
    with panel.redraws("the collages of another layer"):
        panel.choose("layer", "relu3")
    expect(panel.status).to_have_text(
        re.compile(r"relu3, unit 56: \w+, IoU \d\.\d\d; in \d of the 6 pictures.*")
    )
    with panel.redraws("the collages of another unit"):
        panel.box.get_by_role("slider").first.press("ArrowRight")
    expect(panel.status).to_contain_text("relu3, unit 57")
