"""Panels, driven from Python and as a browser would: a changed control redraws in the background."""

import importlib
import io
import re
import threading

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from PIL import Image

import vizlib as vz

panel_module = importlib.import_module("vizlib.display.panels")  # vizlib.display.panel is the function


def grey(level):
    """A plain picture of one grey."""
    return torch.full((1, 3, 8, 8), float(level))


def level_of(panel):
    """The grey that a panel shows."""
    pixels = np.asarray(Image.open(io.BytesIO(panel.picture.data)).convert("L"))
    return round(float(np.median(pixels)) / 255, 2)


class Draw:
    """A panel's function that remembers its calls, and fails on demand."""

    def __init__(self):
        self.calls = []

    def __call__(self, level=0.2, kind="plain"):
        self.calls.append((level, kind))
        if kind == "broken":
            raise vz.VizlibError("This kind cannot be drawn.")
        if kind == "bug":
            raise ZeroDivisionError("division by zero")
        if kind == "interrupted":
            raise KeyboardInterrupt
        if kind == "words":
            return grey(level), f"level {level} in words"
        return grey(level)


KINDS = ["plain", "words", "broken", "bug", "interrupted"]


@pytest.fixture
def draw():
    return Draw()


@pytest.fixture
def panel(draw):
    return vz.panel(draw, level=(0.0, 1.0), kind=KINDS)


def test_a_panel_draws_once_when_it_is_made_with_the_defaults_of_its_function(panel, draw):
    assert draw.calls == [(0.2, "plain")] and panel.values == {"level": 0.2, "kind": "plain"}
    assert level_of(panel) == pytest.approx(0.2, abs=0.02)
    assert panel.picture.html() in panel._image.value
    assert repr(panel) == "Panel(level=0.2, kind='plain')"


def test_set_changes_controls_and_waits_for_the_picture(panel, draw):
    panel.set(level=0.8, kind="words")
    assert panel.values == {"level": 0.8, "kind": "words"}
    assert level_of(panel) == pytest.approx(0.8, abs=0.02)
    assert draw.calls[1:] == [(0.8, "words")], "two controls changed, one picture drawn"
    assert panel.status.startswith("level 0.8 in words (") and "level 0.8 in words" in panel._status.value


def test_going_back_to_a_setting_does_not_draw_it_again(panel, draw):
    for level in (0.5, 0.2, 0.5, 0.2):
        panel.set(level=level)
        assert level_of(panel) == pytest.approx(level, abs=0.02)
    assert draw.calls == [(0.2, "plain"), (0.5, "plain")]


def test_the_status_comes_back_with_the_picture(panel):
    panel.set(kind="words")
    words = panel.status
    panel.set(kind="plain")
    panel.set(kind="words")
    assert re.fullmatch(r"(.*in words) \(\d+\.\d s\)", words)[1] == panel.status  # what was kept took no time


def test_no_more_pictures_are_kept_than_the_limit_and_the_oldest_goes_first(draw, monkeypatch):
    assert panel_module.CACHED == 64
    monkeypatch.setattr(panel_module, "CACHED", 5)
    panel = vz.panel(draw, level=(0.0, 1.0, 0.01))
    for i in range(8):
        panel.set(level=i / 100)
    assert len(panel._cache) == 5
    calls = len(draw.calls)
    panel.set(level=3 / 100)
    assert len(draw.calls) == calls
    panel.set(level=2 / 100)
    assert len(draw.calls) == calls + 1


def everything(panel):
    return (
        panel.values,
        panel.picture,
        panel._image.value,
        panel.status,
        panel._button.disabled,
        panel._bar.layout.visibility,
    )


@pytest.mark.parametrize(
    "kind, error",
    [("broken", vz.VizlibError), ("bug", ZeroDivisionError), ("interrupted", KeyboardInterrupt)],
)
def test_an_error_while_drawing_comes_out_of_set_and_leaves_the_panel_as_it_was(panel, kind, error):
    panel.set(level=0.4)
    before = everything(panel)
    with pytest.raises(error):
        panel.set(level=0.9, kind=kind)
    assert everything(panel) == before
    panel.set(level=0.6)
    assert level_of(panel) == pytest.approx(0.6, abs=0.02)


def test_an_unknown_control_is_refused_with_those_there_are(panel):
    before = everything(panel)
    with pytest.raises(vz.VizlibError, match="This panel has no control 'lvel'; it has level, kind"):
        panel.set(lvel=0.5)
    assert everything(panel) == before


def test_a_value_that_cannot_be_chosen_is_refused_and_the_other_controls_go_back_too(panel):
    before = everything(panel)
    with pytest.raises(vz.VizlibError, match="'plane' cannot be chosen here. Nearest: plain"):
        panel.set(level=0.9, kind="plane")
    assert everything(panel) == before


def test_a_number_beyond_the_slider_is_refused(panel):
    before = everything(panel)
    with pytest.raises(vz.VizlibError, match="It goes from 0.0 to 1.0"):
        panel.set(level=7.0)
    assert everything(panel) == before


def test_a_change_in_the_browser_draws_in_the_background(panel, draw):
    panel.controls["level"].value = 0.7
    panel.wait()
    assert draw.calls[-1] == (0.7, "plain")
    assert level_of(panel) == pytest.approx(0.7, abs=0.02)


def test_an_error_in_the_browser_lands_in_the_status_line_in_words_and_the_picture_stays(panel):
    picture = panel.picture
    panel.controls["kind"].value = "broken"
    panel.wait()
    assert panel.status == "This kind cannot be drawn."
    assert "This kind cannot be drawn." in panel._status.value and "&#9888;" in panel._status.value
    assert panel.picture is picture and panel._button.disabled
    panel.controls["kind"].value = "bug"
    panel.wait()
    assert panel.status == "ZeroDivisionError: division by zero"
    panel.controls["kind"].value = "plain"
    panel.wait()
    assert "&#9888;" not in panel._status.value and "division" not in panel.status


def test_what_a_status_says_cannot_smuggle_in_html():
    panel = vz.panel(lambda on: (grey(0.5), "<script>alert(1)</script>"), on=True)
    assert "<script>" not in panel._status.value and "&lt;script&gt;" in panel._status.value


def test_set_works_again_after_an_error_in_the_browser(panel):
    panel.controls["kind"].value = "broken"
    panel.wait()
    panel.set(level=0.3, kind="plain")
    assert level_of(panel) == pytest.approx(0.3, abs=0.02)


def test_set_leaves_the_controls_connected_to_the_browser(panel, draw):
    panel.set(level=0.3)
    with pytest.raises(vz.VizlibError):
        panel.set(kind="broken")
    panel.controls["level"].value = 0.9
    panel.wait()
    assert draw.calls[-1] == (0.9, "plain") and level_of(panel) == pytest.approx(0.9, abs=0.02)


def test_an_error_when_the_panel_is_made_is_raised():
    draw = Draw()
    with pytest.raises(vz.VizlibError, match="cannot be drawn"):
        vz.panel(lambda level, kind: draw(level, kind), level=(0.0, 1.0), kind=["broken"])


def test_a_function_that_returns_no_picture_is_told_so():
    with pytest.raises(
        vz.VizlibError,
        match=r"returns vz.show\(...\), a picture tensor, or \(picture, words\); this one returned int",
    ):
        vz.panel(lambda on: 5, on=True)


def test_a_figure_a_tensor_and_a_pair_are_all_pictures():
    shown = vz.show(grey(0.5), alt="grey")
    for result in (shown, grey(0.5), (shown, "words"), (grey(0.5), "words")):
        panel = vz.panel(lambda on, result=result: result, on=True)
        assert panel._image.value and panel.picture.alt
    assert "data:image/jpeg;base64," in vz.panel(lambda on: shown, on=True)._image.value


def test_the_picture_carries_its_description():
    panel = vz.panel(lambda on: vz.show(grey(0.5), alt="a grey square"), on=True)
    assert panel.picture.alt == "a grey square" and 'alt="a grey square"' in panel._image.value


# ---------------------------------------------------------------------------------------------------- long
# runs, Stop


class Slow:
    """A run of ten steps that shows a brighter grey at each, and holds at step `hold` until it may go on."""

    def __init__(self, hold=4):
        self.hold, self.arrived, self.go_on, self.calls = hold, threading.Event(), threading.Event(), []

    def __call__(self, progress, level=0.0, slow=False):
        self.calls.append((level, slow))
        if not slow:
            return grey(level), "quick"
        for step in range(1, 11):
            more = progress(step, 10, preview=grey(step / 20))
            if step == self.hold:
                self.arrived.set()
                assert self.go_on.wait(30)
            if not more:
                break
        return grey(step / 20), f"{step} steps"


@pytest.fixture
def slow():
    slow = Slow()
    yield slow
    slow.go_on.set()


@pytest.fixture
def slow_panel(slow):
    return vz.panel(slow, level=(0.0, 1.0), slow=False)


def test_a_long_run_shows_its_previews_its_progress_and_a_stop_button(slow_panel, slow):
    slow_panel.controls["slow"].value = True
    assert slow.arrived.wait(30)
    assert (
        level_of(slow_panel) == pytest.approx(0.2, abs=0.02) and slow_panel.status == "Working: step 4 of 10"
    )
    assert (slow_panel._bar.value, slow_panel._bar.max, slow_panel._bar.layout.visibility) == (
        4,
        10,
        "visible",
    )
    assert not slow_panel._button.disabled
    slow.go_on.set()
    slow_panel.wait()
    assert level_of(slow_panel) == pytest.approx(0.5, abs=0.02) and slow_panel.status.startswith("10 steps (")
    assert slow_panel._bar.layout.visibility == "hidden" and slow_panel._button.disabled


def test_stop_ends_the_run_and_keeps_the_picture_so_far(slow_panel, slow):
    slow_panel.controls["slow"].value = True
    assert slow.arrived.wait(30)
    slow_panel._button.click()
    slow.go_on.set()
    slow_panel.wait()
    assert slow_panel.status == "5 steps. Stopped after 5 of 10 steps."
    assert level_of(slow_panel) == pytest.approx(0.25, abs=0.02)
    assert slow_panel._button.disabled


def test_stop_before_the_first_step_says_so_and_leaves_the_picture(slow_panel, slow):
    slow_panel.controls["slow"].value = True
    assert slow.arrived.wait(30)
    slow_panel.controls["level"].value = 0.8  # waits in the background for the end of the slow run ...
    slow_panel.stop()  # ... and is stopped there
    slow.go_on.set()
    slow_panel.wait()
    assert slow_panel.status.startswith("Stopped before the first step")
    assert level_of(slow_panel) == pytest.approx(0.2, abs=0.02) and (0.8, True) not in slow.calls
    slow_panel.set(slow=False)
    assert level_of(slow_panel) == pytest.approx(0.8, abs=0.02)


def test_a_stopped_picture_is_not_kept_for_the_next_time(slow_panel, slow):
    slow_panel.controls["slow"].value = True
    assert slow.arrived.wait(30)
    slow_panel.stop()
    slow.go_on.set()
    slow_panel.wait()
    slow_panel.set(slow=False)
    slow_panel.set(slow=True)
    assert slow_panel.status.startswith("10 steps (") and level_of(slow_panel) == pytest.approx(0.5, abs=0.02)


def test_stop_and_wait_do_nothing_where_nothing_runs(slow_panel):
    before = everything(slow_panel)
    slow_panel.stop()
    slow_panel.wait()
    assert everything(slow_panel) == before


def test_a_change_while_something_runs_stops_that_and_draws_the_new_setting(slow_panel, slow):
    slow_panel.controls["slow"].value = True
    assert slow.arrived.wait(30)
    slow_panel.controls["slow"].value = False  # stops the run, and waits for its end in the background
    slow_panel.controls["level"].value = 0.8
    slow.go_on.set()
    slow_panel.wait()
    assert slow_panel.values == {"level": 0.8, "slow": False}
    assert level_of(slow_panel) == pytest.approx(0.8, abs=0.02) and slow_panel.status.startswith("quick")
    assert (0.0, True) in slow.calls and slow.calls[-1] == (0.8, False)


def test_set_while_something_runs_has_the_last_word(slow_panel, slow):
    """The run that set() stops may need a while to end; what it then shows must not replace what was asked
    for last.
    """
    slow_panel.controls["slow"].value = True
    assert slow.arrived.wait(30)
    thread = slow_panel._run.thread
    threading.Timer(0.3, slow.go_on.set).start()
    slow_panel.set(slow=False, level=0.8)
    thread.join(30)
    assert slow_panel.values == {"level": 0.8, "slow": False}
    assert level_of(slow_panel) == pytest.approx(0.8, abs=0.02)
    assert slow_panel.status.startswith("quick")


def test_a_setting_drawn_while_another_came_in_is_kept_under_its_own_name(slow_panel, slow):
    """What the stopped run returns is not remembered as the picture of the setting that came after."""
    slow_panel.controls["slow"].value = True
    assert slow.arrived.wait(30)
    slow_panel.controls["level"].value = 0.8
    slow_panel.controls["slow"].value = False
    slow.go_on.set()
    slow_panel.wait()
    for level in (0.6, 0.8):
        slow_panel.set(level=level)
        assert level_of(slow_panel) == pytest.approx(level, abs=0.02)


# ------------------------------------------------------------------------------------------------------------
# photos


@pytest.fixture
def photo_panel():
    return vz.panel(
        lambda photo: (photo, "drawn"), photo=vz.choose_photo(["goldfish", "giant_panda"], size=32)
    )


def test_an_uploaded_picture_is_drawn(photo_panel, png, upload):
    photo_panel.controls["photo"]._upload.value = upload(png(torch.full((1, 3, 40, 40), 0.75)))
    photo_panel.wait()
    assert photo_panel.status.startswith("drawn") and level_of(photo_panel) == pytest.approx(0.75, abs=0.02)


def test_a_broken_upload_says_so_in_the_status_line_and_the_picture_stays(photo_panel, upload):
    picture = photo_panel.picture
    photo_panel.controls["photo"]._upload.value = upload(b"this is no picture", "holiday.jpg")
    photo_panel.wait()
    assert "The file 'holiday.jpg' is not a picture that can be read" in photo_panel.status
    assert photo_panel.picture is picture


def test_a_second_broken_upload_is_named_too(photo_panel, upload):
    for name in ("aaa.jpg", "bbb.jpg"):
        photo_panel.controls["photo"]._upload.value = upload(b"this is no picture", name)
        photo_panel.wait()
        assert name in photo_panel.status


def test_after_a_broken_upload_everything_can_be_chosen_again(photo_panel, png, upload):
    photo_panel.controls["photo"]._upload.value = upload(b"this is no picture")
    photo_panel.wait()
    photo_panel.controls["photo"]._menu.value = "giant_panda"
    photo_panel.wait()
    assert photo_panel.status.startswith("drawn")
    photo_panel.controls["photo"]._upload.value = upload(png(torch.full((1, 3, 40, 40), 0.25)))
    photo_panel.wait()
    assert level_of(photo_panel) == pytest.approx(0.25, abs=0.02)


def test_set_takes_a_name_or_a_picture_of_ones_own(photo_panel):
    photo_panel.set(photo="giant_panda")
    assert photo_panel.values == {"photo": "giant_panda"}
    photo_panel.set(photo=torch.full((1, 3, 40, 40), 0.75))
    assert level_of(photo_panel) == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(
    "wrong, telling",
    [
        ("gold fish", "There is no photo 'gold fish'"),
        ("nowhere.jpg", "There is no file"),
        (b"junk", "not a picture"),
    ],
)
def test_set_refuses_a_photo_that_cannot_be_read_and_leaves_the_panel_as_it_was(photo_panel, wrong, telling):
    photo_panel.set(photo="giant_panda")
    before = everything(photo_panel)
    with pytest.raises(vz.VizlibError, match=telling):
        photo_panel.set(photo=wrong)
    assert everything(photo_panel) == before


@pytest.mark.parametrize(
    "wrong, telling",
    [
        ("gold fish", "There is no photo 'gold fish'"),
        ("nowhere.jpg", "There is no file"),
        (b"junk", "not a picture"),
    ],
)
def test_set_goes_back_to_an_uploaded_picture_too(photo_panel, wrong, telling):
    photo_panel.set(photo=torch.full((1, 3, 40, 40), 0.75))
    before = everything(photo_panel)
    with pytest.raises(vz.VizlibError, match=telling):
        photo_panel.set(photo=wrong)
    assert everything(photo_panel) == before
    torch.testing.assert_close(photo_panel.controls["photo"].argument, torch.full((1, 3, 32, 32), 0.75))


def test_set_goes_back_from_one_upload_to_another_when_drawing_fails(photo_panel):
    def draw(photo, fail=False):
        if fail:
            raise RuntimeError("oops")
        return photo

    panel = vz.panel(draw, photo=vz.choose_photo(["goldfish"], size=32), fail=False)
    panel.set(photo=torch.full((1, 3, 40, 40), 0.75))
    before = everything(panel)
    with pytest.raises(RuntimeError, match="oops"):
        panel.set(photo=torch.full((1, 3, 40, 40), 0.25), fail=True)
    assert everything(panel) == before
    torch.testing.assert_close(panel.controls["photo"].argument, torch.full((1, 3, 32, 32), 0.75))


def test_a_panel_with_a_network_shows_what_the_method_says(tiny, pictures):
    net, x = tiny(), pictures(1)

    def draw(label, layer):
        return vz.show(vz.grad_cam(net, x, label, layer=layer), alt="a map"), f"{label} {layer}"

    panel = vz.panel(draw, label=vz.choose_label(net), layer=vz.choose_layer(net))
    assert panel.status.startswith("None relu2")
    panel.set(label="class 3", layer="conv1")
    assert panel.status.startswith("3 conv1")
    before = everything(panel)
    with pytest.raises(vz.VizlibError, match="There is no class 'klass'"):
        panel.set(label="klass")
    assert everything(panel) == before
    panel.controls["label"].value = "klass"
    panel.wait()
    assert "There is no class 'klass'" in panel.status


def test_any_widget_of_ipywidgets_can_be_a_control():
    panel = vz.panel(
        lambda word, several: (grey(0.5), f"{word} {several}"),
        word=widgets.Text("hi"),
        several=widgets.SelectMultiple(options=[1, 2, 3]),
    )
    panel.set(several=(1, 3))
    assert panel.status.startswith("hi (1, 3)")
