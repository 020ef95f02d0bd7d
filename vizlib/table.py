"""A small table: rows that are dicts, shown as text in a terminal and as HTML in a notebook."""

from __future__ import annotations

import html
from numbers import Real
from typing import Any, SupportsIndex, overload

import numpy as np

from .errors import VizlibError, did_you_mean


class NoColumn(VizlibError, KeyError):
    """A table has no column of this name. The message says which there are."""

    __str__ = Exception.__str__  # KeyError would put the sentence in quotes


class Table(list[dict[str, Any]]):
    """A table, a small data frame: a list of rows (dicts with the same keys) that displays itself.

    `table["label"]` is a column, `table[0]` a row, `table[:3]` a table, `table.where(kind="bird")` the rows
    that match. pandas.DataFrame(table) makes a large one of it.

    >>> birds = vz.Table([{"name": "crane", "share": 0.25}, {"name": "duck", "share": 0.5}])
    >>> birds["share"], birds.where(name="duck")[0]
    ([0.25, 0.5], {'name': 'duck', 'share': 0.5})
    """

    @overload
    def __getitem__(self, key: SupportsIndex) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: slice) -> Table: ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            self._check(key)
            return [row[key] for row in self]
        rows = super().__getitem__(key)
        return type(self)(rows) if isinstance(key, slice) else rows

    def where(self, **equal: Any) -> Table:
        """The rows whose columns have the given values. Raises VizlibError for an unknown column."""
        for key in equal:
            self._check(key)
        return type(self)(row for row in self if all(row[key] == value for key, value in equal.items()))

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self[0]) if self else []

    def _check(self, column: str) -> None:
        if self and column not in self[0]:
            raise NoColumn(f"There is no column {column!r}. {did_you_mean(column, self.columns)}")

    def _cells(self) -> list[list[str]]:
        return [[_text(value) for value in row.values()] for row in self]

    def __repr__(self) -> str:
        if not self:
            return "(an empty table)"
        lines = [self.columns, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        numeric = [_is_number(value) for value in self[0].values()]
        return "\n".join(
            "  ".join(
                cell.rjust(w) if right else cell.ljust(w)
                for cell, w, right in zip(line, widths, numeric, strict=True)
            ).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        def line(tag: str, cells: list[str]) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(line("td", cells) for cells in self._cells())
        return f"<table><thead>{line('th', self.columns)}</thead><tbody>{body}</tbody></table>"


class Card(dict[str, Any]):
    """What is known of a network, its model card: a dict that displays itself as two columns, long lists cut
    short. card["command"] is one entry.
    """

    def _table(self) -> Table:
        return Table({"card": key, "": _brief(value)} for key, value in self.items())

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_brief(entry)}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        shown = [_brief(entry) for entry in value[:6]]
        return ", ".join(shown) + (f", ... ({len(value)} in all)" if len(value) > 6 else "")
    return f"{value:g}" if _is_float(value) else _text(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_float(value: Any) -> bool:
    return isinstance(value, (float, np.floating))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return f"{value:.3f}" if _is_float(value) else str(value)
