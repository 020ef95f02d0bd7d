"""A small table: rows that are dicts, shown as text in a terminal and as HTML in a notebook."""

import html


class Table(list):
    """A list of rows (dicts with the same keys) that displays itself.

    `table["label"]` is a column, `table[0]` a row, `table.where(kind="bird")` the rows that match.
    """

    def __getitem__(self, key):
        if isinstance(key, str):
            return [row[key] for row in self]
        rows = super().__getitem__(key)
        return type(self)(rows) if isinstance(key, slice) else rows

    def where(self, **equal):
        """The rows whose columns have the given values."""
        return type(self)(row for row in self if all(row[key] == value for key, value in equal.items()))

    @property
    def columns(self):
        return list(self[0]) if self else []

    def _cells(self):
        return [[_text(value) for value in row.values()] for row in self]

    def __repr__(self):
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

    def _repr_html_(self):
        def line(tag, cells):
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(line("td", cells) for cells in self._cells())
        return f"<table><thead>{line('th', self.columns)}</thead><tbody>{body}</tbody></table>"


class Card(dict):
    """What is known of a network: a dict that displays itself as two columns, long lists cut short.
    card["command"] is one entry.
    """

    def _table(self):
        return Table({"card": key, "": _brief(value)} for key, value in self.items())

    def __repr__(self):
        return repr(self._table())

    def _repr_html_(self):
        return self._table()._repr_html_()


def _brief(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {_brief(entry)}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        shown = [_brief(entry) for entry in value[:6]]
        return ", ".join(shown) + (f", ... ({len(value)} in all)" if len(value) > 6 else "")
    return f"{value:g}" if isinstance(value, float) else _text(value)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
