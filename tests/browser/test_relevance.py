"""The panel of notebook 07 in JupyterLab in a real browser: rules, their settings, one class and a difference
of two.
"""

import re

from playwright.sync_api import expect


def test_rules_and_differences(run_notebook, hand):
    page = run_notebook("07_relevance_propagation.ipynb", above="panel.set(")
    assert (
        page.locator(
            "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"
        ).all_inner_texts()
        == []
    )
    panel = hand(page)
    expect(panel.status).to_have_text(
        re.compile(r"electric guitar: score \d+\.\d, of which -?\d+\.\d reach the pixels.*")
    )
    with panel.redraws("the rule: the picture"):
        panel.choose("rule", "epsilon")
    assert panel.image.get_attribute("alt") == "Relevance, rule epsilon: electric guitar."
    with panel.redraws("the difference: the picture"):
        panel.choose("against", "the most likely other class")
    expect(panel.status).to_contain_text("electric guitar minus ")
    with panel.redraws("another photo: the picture"):
        panel.thumbnail("goldfish").click()
    with panel.redraws("one class again: the picture"):
        panel.choose("against", "nothing")
    expect(panel.status).to_contain_text("goldfish: score ")
    with panel.redraws("a label: the picture"):
        panel.label.fill("tench")
        panel.label.press("Enter")
    expect(panel.status).to_contain_text("tench: score ")
