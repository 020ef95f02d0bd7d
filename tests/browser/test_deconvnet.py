"""The panel of notebook 02 in JupyterLab in a real browser: photos, layers, channels by rank, the three
backward rules.
"""

from playwright.sync_api import expect


def test_photos_layers_ranks_and_rules(run_notebook, hand):
    page = run_notebook("02_deconvnet.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    with panel.redraws("another photo: the picture"):
        panel.thumbnail("goldfish").click()
    with panel.redraws("another layer: the picture"):
        panel.choose("layer", "relu2")
    expect(panel.status).to_contain_text("relu2, channel")
    before = panel.status.inner_text()
    with panel.redraws("the next channel: the picture"):
        panel.box.get_by_role("slider").first.press("ArrowRight")
    assert panel.status.inner_text().split(" at ")[0] != before.split(" at ")[0]
    for rule in ("guided", "gradient", "deconvnet"):
        with panel.redraws(f"the rule {rule}: the picture"):
            panel.choose("rule", rule)
        assert panel.image.get_attribute("alt").startswith(f"{rule} of relu2")
