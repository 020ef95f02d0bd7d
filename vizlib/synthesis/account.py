"""One `progress` for work that is done in several runs of the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..batching import Progress, goes_on


class Account:
    """Tells `progress` of several runs as if they were one of `total` steps, and remembers a refusal.

    A run that hears False at its last step is not cut short by it, but the runs after it are: whoever starts
    them asks `refused` before.
    """

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done, self.refused = progress, total, 0, False

    def run(self, shown: Callable[[Any], Any] = lambda preview: preview) -> Progress | None:
        """The `progress` of the next run, whose steps follow those told so far.

        shown: what is made of its previews.
        """
        if self.progress is None:
            return None
        before = self.done

        def tell(done: int, total: int, preview: Any) -> bool:
            self.done = before + done
            self.refused = not goes_on(self.progress, self.done, self.total, shown(preview))
            return not self.refused

        return tell
