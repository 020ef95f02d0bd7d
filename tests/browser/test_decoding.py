"""The panel of notebook 10 in JupyterLab in a real browser: another layer, a part of the code, an upload."""

from pathlib import Path

from playwright.sync_api import expect

PHOTOS = Path(__file__).resolve().parents[2] / "data" / "photos"


def test_a_layer_a_part_of_its_code_and_an_upload_are_decoded_at_once(run_notebook, hand):
    page = run_notebook("10_inverting_by_networks.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_contain_text("pool5, all: error")
    with panel.redraws("the layer"):
        panel.choose("layer", "logits")
    with panel.redraws("the part of the code"):
        panel.choose("kept", "five best")
    expect(panel.status).to_contain_text("logits, five best: error")
    with panel.redraws("an upload"):
        panel.upload(next(PHOTOS.glob("*.jpg")))
