"""The panel of notebook 17 in JupyterLab in a real browser: another seam, another front, another photo."""

from playwright.sync_api import expect


def test_the_seam_and_the_front_change_the_answer(run_notebook, hand):
    page = run_notebook("17_equivalence.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_contain_text("zfnet up to conv2, then zfnet-b")
    with panel.redraws("the seam"):
        panel.choose("layer", "conv5")
    expect(panel.status).to_contain_text("zfnet up to conv5, then zfnet-b")
    with panel.redraws("the front"):
        panel.choose("front", "untrained")
    with panel.redraws("the photo"):
        panel.thumbnail("goldfish").click()
