"""The activation browser of notebook 01 in JupyterLab in a real browser: photos, layers, channels, an
upload.
"""

from playwright.sync_api import expect

import vizlib as vz


def test_photos_layers_channels_and_an_upload(run_notebook, hand, tmp_path):
    page = run_notebook("01_filters_and_activations.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    with panel.redraws("another photo: the picture"):
        panel.thumbnail("giant_panda").click()
    with panel.redraws("another layer: the picture"):  # runs over the library, once
        panel.choose("layer", "stage2")
    expect(panel.status).to_contain_text("stage2, channel")
    with panel.redraws("by number: the picture"):
        panel.choose("choose", "by number")
    expect(panel.status).to_contain_text("stage2, channel 0:")
    with panel.redraws("the next channel: the picture"):
        panel.box.get_by_role("slider").first.press("ArrowRight")
    expect(panel.status).to_contain_text("stage2, channel 1:")
    vz.to_pil(vz.photo("castle_egeskov_and_lake")).save(tmp_path / "mine.png")
    with panel.redraws("an upload: the picture"):
        panel.upload(tmp_path / "mine.png")
    expect(panel.status).to_contain_text("of its highest value in the library")
    with panel.redraws("a picture made to excite the channel"):
        panel.box.get_by_role("checkbox").check()
    expect(panel.status).not_to_contain_text("Working")
    panel.box.get_by_role("slider").first.press("ArrowRight")
    expect(panel.status).to_contain_text("Working: step", timeout=60_000)
    panel.stop.click()
    expect(panel.status).to_contain_text("Stopped after", timeout=30_000)
