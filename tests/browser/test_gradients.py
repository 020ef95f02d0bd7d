"""The panel of notebook 04 in JupyterLab in a real browser: a slider."""

from playwright.sync_api import expect


def test_the_slider_redraws(run_notebook, hand):
    page = run_notebook("04_gradients.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    with panel.redraws("the slider: the picture"):
        panel.box.get_by_role("slider").press("ArrowLeft")
    expect(panel.status).to_contain_text("ladybug: probability")
    assert panel.image.get_attribute("alt") == "The guided map of ladybug."
