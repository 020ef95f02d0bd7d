"""Tables: rows that display themselves."""

import re

import numpy as np
import pytest

from vizlib.errors import VizlibError
from vizlib.table import Card, Table


@pytest.fixture
def birds():
    return Table(
        [
            {"name": "crane", "kind": "bird", "share": 0.25, "count": 3, "here": True},
            {"name": "<duck> & co", "kind": "bird", "share": 0.5, "count": 12, "here": False},
            {"name": "crane", "kind": "machine", "share": 1 / 3, "count": 100, "here": None},
        ]
    )


def test_a_name_gives_a_column_a_number_a_row_and_a_slice_a_table(birds):
    assert birds["count"] == [3, 12, 100]
    assert birds[1]["name"] == "<duck> & co" and birds[-1]["kind"] == "machine"
    assert type(birds[:2]) is Table and len(birds[:2]) == 2
    assert birds.columns == ["name", "kind", "share", "count", "here"]


def test_where_gives_the_rows_that_match_everything(birds):
    assert type(birds.where(kind="bird")) is Table
    assert birds.where(kind="bird")["count"] == [3, 12]
    assert birds.where(kind="bird", name="crane")["count"] == [3]
    assert birds.where(kind="fish") == []


def test_an_unknown_column_is_a_key_error_that_names_it(birds):
    for ask in (lambda: birds["colour"], lambda: birds.where(colour="red")):
        with pytest.raises(KeyError, match="colour"):
            ask()


def test_an_unknown_column_is_told_in_words_with_the_nearest(birds):
    for ask in (lambda: birds["nam"], lambda: birds.where(nam="crane")):
        with pytest.raises(VizlibError) as caught:
            ask()
        assert str(caught.value) == "There is no column 'nam'. Nearest: name."


def test_numbers_of_numpy_look_like_those_of_python():
    ours = Table([{"share": 0.25, "count": 3, "here": True}])
    numpys = Table([{"share": np.float32(0.25), "count": np.int64(3), "here": np.True_}])
    assert repr(numpys) == repr(ours) and numpys._repr_html_() == ours._repr_html_()
    assert repr(Card({"share": np.float32(0.25), "done": np.True_})) == repr(
        Card({"share": 0.25, "done": True})
    )


def test_as_text_words_stand_left_and_numbers_right(birds):
    assert repr(birds).splitlines() == [
        "name         kind     share  count  here",
        "crane        bird     0.250      3  yes",
        "<duck> & co  bird     0.500     12  no",
        "crane        machine  0.333    100",
    ]


def test_as_html_it_has_a_head_a_row_for_each_and_no_tags_of_the_data(birds):
    text = birds._repr_html_()
    assert text.count("<tr>") == 4 and text.count("<th>") == 5 and text.count("<td>") == 15
    assert "&lt;duck&gt; &amp; co" in text and "<duck>" not in text
    assert re.sub("<[^>]*>", " ", text).split()[:3] == ["name", "kind", "share"]


def test_an_empty_table_displays_too():
    empty = Table()
    assert repr(empty) == "(an empty table)" and empty.columns == [] and empty["anything"] == []
    assert empty._repr_html_().startswith("<table>")
    assert empty.where(a=1) == []


def test_rows_can_be_appended(birds):
    birds.append({"name": "rook", "kind": "bird", "share": 0.0, "count": 1, "here": True})
    assert birds["name"][-1] == "rook" and "0.000" in repr(birds)


def test_a_table_is_a_list_of_plain_rows(birds):
    assert isinstance(birds, list) and all(type(row) is dict for row in birds)
    assert sorted(birds, key=lambda row: -row["count"])[0]["kind"] == "machine"


def test_a_card_shows_its_entries_and_cuts_long_lists_short():
    card = Card(
        {
            "what": "a net",
            "losses": [1.5, 0.25, 3, 4, 5, 6, 7],
            "recipe": {"batch": 8, "crops": [[1, 48]]},
            "done": True,
        }
    )
    lines = repr(card).splitlines()
    assert lines[0].startswith("card") and "1.5, 0.25, 3, 4, 5, 6, ... (7 in all)" in lines[2]
    assert "batch 8, crops 1, 48" in lines[3] and lines[4].endswith("yes")
    assert card["losses"][-1] == 7 and "<td>a net</td>" in card._repr_html_()
