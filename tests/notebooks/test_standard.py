"""The standard that every notebook of the course keeps, as a lint. notebooks/README.md says it in words."""

import html
import json
import re

import nbformat
import pytest
from refresh import NAVIGATION, ROOT, STILL, WIDGET, lessons, navigation

HEADINGS = [
    "In one sentence",
    "You will learn",
    "A question to begin with",
    "The idea",
    "The formula",
    "By hand",
    "Tweak me",
    "The panel",
    "Where it fails",
    "Exercises",
    "Summary",
    "Quiz",
    "References",
]
CHECKED = "nbval-check-output"
MOST_BYTES, MOST_LINES, FEWEST_CHECKED = 1_500_000, 24, 8
SOLUTION = re.compile(r"<summary>Solution</summary>\s*```python\n(.*?)```", re.DOTALL)
SOLUTIONS = sorted(ROOT.glob("solutions/*.ipynb"))
everywhere = pytest.mark.parametrize("path", [*lessons(), *SOLUTIONS], ids=lambda p: p.stem)
every_lesson = pytest.mark.parametrize("path", lessons(), ids=lambda p: p.stem)


def cells(path, kind=None):
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if kind in (None, cell.cell_type)]


def text(path):
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def headings(path):
    prose = re.sub(r"```.*?```", "", text(path), flags=re.DOTALL)
    return [(len(marks), words.strip()) for marks, words in re.findall(r"^(#+) (.*)$", prose, re.MULTILINE)]


def descriptions(output):
    """The description of each picture in an output; "" where there is none."""
    data, metadata = output.get("data", {}), output.get("metadata", {})
    for mime in {"image/png", "image/jpeg"} & set(data):
        yield metadata.get(mime, {}).get("alt", "")
    for tag in re.findall(r"<img [^>]*>", data.get("text/html", "")):
        yield html.unescape((re.search(r' alt="([^"]*)"', tag) or ["", ""])[1])


def test_there_are_notebooks():
    assert len(lessons()) >= 3 and len(SOLUTIONS) == len(lessons())


@everywhere
def test_it_is_small_and_saved_as_it_ran_on_a_fresh_kernel(path):
    assert path.stat().st_size <= MOST_BYTES
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


@everywhere
def test_its_outputs_hold_no_error_no_warning_no_widget_state_and_no_svg(path):
    assert "widgets" not in nbformat.read(path, as_version=4).metadata
    for output in (o for cell in cells(path, "code") for o in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.get("text")
        assert not {WIDGET, "image/svg+xml"} & set(output.get("data", {}))


@everywhere
def test_no_placeholder_is_left_in_it(path):
    for cell in cells(path):
        assert not re.search(r"@[A-Z]+@|\bTODO\b|\bFIXME\b|\bTBD\b", cell.source), cell.source


@everywhere
def test_its_tags_are_ones_that_nbval_knows(path):
    for cell in cells(path):
        assert set(cell.metadata.get("tags", [])) <= {CHECKED}, (
            cell.source
        )  # nbval ignores a mistyped tag silently
        if CHECKED in cell.metadata.get("tags", []):
            assert any(o.output_type == "stream" for o in cell.outputs), (
                f"nothing is printed to be compared: {cell.source}"
            )


@everywhere
def test_every_picture_has_a_description_and_is_followed_by_what_you_should_see(path):
    everything = cells(path)
    for i, cell in enumerate(everything):
        pictures = [words for o in cell.get("outputs", []) for words in descriptions(o)]
        assert all(len(words) > 20 for words in pictures), cell.source
        stills = [o for o in cell.get("outputs", []) if STILL.search(o.get("data", {}).get("text/html", ""))]
        if pictures and not stills:  # what a panel shows is told by the questions beneath it
            following = next(c.source for c in everything[i + 1 :] if c.cell_type == "markdown")
            assert "What you should see." in following, cell.source


@everywhere
def test_it_needs_no_network_no_shell_and_no_place_on_one_machine(path):
    for cell in cells(path, "code"):
        assert not re.search(
            r"^\s*(!|%pip|%conda|%%bash)|urlopen|requests\.|wget|curl ", cell.source, re.MULTILINE
        ), cell.source
    assert not re.search(
        r"(?<![\w.])/(home|root|tmp|Users|work)/", json.dumps([c.source for c in cells(path)])
    )


@everywhere
def test_its_headings_skip_no_level_and_its_cells_stay_short(path):
    levels = [level for level, _ in headings(path)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    for cell in cells(path, "code"):
        assert len([line for line in cell.source.splitlines() if line.strip()]) <= MOST_LINES, cell.source


@everywhere
def test_its_links_to_files_lead_somewhere(path):
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", text(path)):
        assert (path.parent / target).exists(), target


@every_lesson
def test_it_has_the_parts_of_a_lesson_in_their_order(path):
    titles = [words for _, words in headings(path)]
    places = [next((i for i, t in enumerate(titles) if t.startswith(wanted)), None) for wanted in HEADINGS]
    missing = [wanted for wanted, place in zip(HEADINGS, places, strict=True) if place is None]
    assert not missing
    assert places == sorted(places)
    assert "<b>For teachers</b>" in text(path) and "**Time:**" in text(path) and "**You need**" in text(path)


@every_lesson
def test_its_navigation_is_the_one_that_refresh_writes(path):
    assert NAVIGATION.search(cells(path)[0].source)[0] == navigation(path)


@every_lesson
def test_enough_of_what_it_prints_is_compared(path):
    assert sum(CHECKED in cell.metadata.get("tags", []) for cell in cells(path, "code")) >= FEWEST_CHECKED


@every_lesson
def test_its_panel_is_driven_from_python_too(path):
    code = [cell for cell in cells(path, "code") if "panel.set(" in cell.source]
    assert code and all(CHECKED in cell.metadata.get("tags", []) for cell in code)


@every_lesson
def test_it_has_three_exercises_with_a_stub_a_check_a_hint_and_a_solution(path):
    number = path.stem[:2]
    assert [
        words for level, words in headings(path) if level == 3 and words.startswith("Exercise")
    ].__len__() == 3
    stubs = [c for c in cells(path, "code") if "raise NotImplementedError" in c.source]
    verdicts = [
        o.text for c in cells(path, "code") for o in c.outputs if o.get("text", "").startswith("Exercise")
    ]
    assert len(stubs) == 3
    assert verdicts == [f"Exercise {number}.{i}: not attempted yet.\n" for i in (1, 2, 3)]
    assert text(path).count("<summary>Hint</summary>") == 3


@every_lesson
def test_the_folded_solutions_are_those_of_the_solutions_notebook_and_pass_their_checks(path):
    solutions = ROOT / "solutions" / f"{path.stem}_solutions.ipynb"
    code = "\n".join(cell.source for cell in cells(solutions, "code"))
    folded = SOLUTION.findall(text(path))
    assert len(folded) == 3
    assert all(solution.strip() in code for solution in folded)
    verdicts = [
        o.text
        for c in cells(solutions, "code")
        for o in c.outputs
        if o.get("text", "").startswith("Exercise")
    ]
    assert verdicts == [f"Exercise {path.stem[:2]}.{i}: correct.\n" for i in (1, 2, 3)]


def test_the_map_of_the_course_says_what_is_ready():
    plan = text(ROOT / "00_start_here.ipynb")
    rows = dict(re.findall(r"^\| (\d\d) \| (.*)$", plan, re.MULTILINE))
    assert list(rows) == [f"{n:02d}" for n in range(20)]
    ready = {path.stem[:2]: path.name for path in lessons()}
    for number, row in rows.items():
        if number in ready:
            assert f"({ready[number]})" in row and "to come" not in row
        else:
            assert "to come" in row and ".ipynb" not in row
