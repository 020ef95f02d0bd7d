"""The panel of notebook 13 in JupyterLab in a real browser: a dream grows while one watches, Stop keeps it,
and a picture of one's own.
"""

import re

from playwright.sync_api import expect


def test_a_dream_grows_stops_and_takes_a_picture_of_ones_own(run_notebook, hand, tmp_path, png, pictures):
    page = run_notebook("13_deep_dream.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_contain_text("stage5: pixels moved by")
    with panel.redraws("the preview"):
        panel.thumbnail("style_great_wave").click()
        expect(panel.status).to_have_text(re.compile(r"Working: step \d+ of 30"), timeout=60_000)
        panel.stop.click()
    expect(panel.status).to_have_text(
        re.compile(r"stage5: pixels moved by \d\.\d+ on average\. Stopped after \d+ of 30 steps\.")
    )
    with panel.redraws("the layer"):
        panel.choose("layer", "stage3")
    expect(panel.status).to_contain_text("stage3: pixels moved by")
    mine = tmp_path / "mine.png"
    mine.write_bytes(png(pictures(1, side=96, tinted=True)))
    with panel.redraws("the picture"):
        panel.upload(mine)
    expect(panel.status).to_contain_text("stage3: pixels moved by")
