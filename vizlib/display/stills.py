"""A widget and, beside it, what stays of it in a saved notebook."""

from __future__ import annotations

import ipywidgets as widgets
from IPython.display import display

VIEW = "application/vnd.jupyter.widget-view+json"


def hidden_by(widget: widgets.Widget) -> str:
    """The name of the class of page elements that this widget hides while it is alive."""
    return f"vizlib-still-{widget.model_id}"


def display_with_still(widget: widgets.Widget, still: str, words: str) -> None:
    """Two outputs: the widget, and a still (HTML) that is seen where the widget is not: on a page, or in a
    notebook that was opened and not run. The widget's own style hides the still while both are there.

    words: for those who see neither.
    """
    display({VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}, raw=True)
    still = f'<div class="{hidden_by(widget)}">{still}</div>'
    display({"text/html": still, "text/plain": words}, raw=True)
