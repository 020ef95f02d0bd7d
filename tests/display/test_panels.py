"""Panels, driven from Python and as a browser would: a changed control redraws in the background."""

import functools
import io
import re
import threading

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from PIL import Image

import vizlib as vz
from vizlib.batching import goes_on
from vizlib.display import panels as panel_module


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
    assert panel.picture.html(full_width=True) in panel._image.value
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


def test_while_a_slider_moves_each_whole_picture_is_shown_and_the_newest_wins():
    """Forty changes while one picture is drawn: that one is shown, then the last, and nothing between."""
    begun, go_on, drawn, seen = threading.Event(), threading.Event(), [], []

    def draw(level=0.0):
        drawn.append(level)
        if level == 0.1:
            begun.set()
            assert go_on.wait(30)
        return grey(level)

    panel = vz.panel(draw, level=(0.0, 1.0))
    panel._image.observe(lambda change: seen.append(level_of(panel)), "value")
    panel.controls["level"].value = 0.1
    assert begun.wait(30)
    for n in range(40):
        panel.controls["level"].value = 0.2 + n / 50
    go_on.set()
    panel.wait()
    assert drawn == [0.0, 0.1, 0.2 + 39 / 50]
    assert seen == pytest.approx([0.1, 0.98], abs=0.02) and panel.values == {"level": 0.2 + 39 / 50}


def test_a_picture_is_kept_under_the_settings_that_it_was_drawn_for(monkeypatch):
    """A hand that moves a slider while the settings are read: key and arguments are of one moment."""
    panel, moved = vz.panel(lambda level=0.0, other=0: grey(level), level=(0.0, 1.0), other=(0, 9)), []
    read = panel_module.argument

    def hand_moves(widget):
        if widget is panel.controls["level"] and not moved:
            moved.append(True)
            panel.controls["level"].value = 0.9
        return read(widget)

    monkeypatch.setattr(panel_module, "argument", hand_moves)
    panel.set(other=5)
    panel.wait()
    monkeypatch.undo()
    panel.set(level=0.0)
    assert level_of(panel) == pytest.approx(0.0, abs=0.02)
    panel.set(level=0.9)
    assert level_of(panel) == pytest.approx(0.9, abs=0.02)


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


# ----------------------------------------------------------------------------- names, numbers, any widget


def test_a_control_may_have_any_name():
    received = {}

    def draw(**values):
        received.update(values)
        return grey(0.5)

    names = ("width", "draw", "self", "panel", "controls", "panel_width", "name")

    def takes(width, draw, self, panel, controls, panel_width, name=3):
        received.update(locals())
        return grey(0.5)

    panel = vz.panel(takes, **dict.fromkeys(names, (1, 9)))
    assert panel.values == {**dict.fromkeys(names, 1), "name": 3} and panel._image.layout.max_width == "620px"
    panel.set(**dict.fromkeys(names, 5))
    assert {name: received[name] for name in names} == dict.fromkeys(names, 5)
    panel = vz.panel(draw, width=(32, 640), self=(1, 2))
    assert panel.values == {"width": 32, "self": 1} and received["width"] == 32


def test_a_width_that_the_function_takes_is_a_control_and_starts_at_its_default():
    panel = vz.panel(lambda width=64: grey(width / 640), width=(32, 640))
    assert panel.values == {"width": 64} and isinstance(panel.controls["width"], widgets.IntSlider)


def test_the_panel_has_a_width_and_the_old_name_of_it_still_works():
    assert (
        vz.panel(lambda on: grey(0.5), panel_width=np.int64(400), on=True)._image.layout.max_width == "400px"
    )
    with pytest.warns(DeprecationWarning, match="is now called panel_width"):
        panel = vz.panel(lambda on: grey(0.5), width=400, on=True)
    assert panel._image.layout.max_width == "400px" and list(panel.controls) == ["on"]
    with pytest.raises(vz.VizlibError, match="panel_width is a number of pixels, 1 or more; this is 0"):
        vz.panel(lambda on: grey(0.5), panel_width=0, on=True)


@pytest.mark.parametrize(
    "draw, controls, telling",
    [
        (lambda a, b: None, {"a": True}, "needs 'b', which has no control. Add b=... to the panel"),
        (lambda a: None, {"a": True, "bb": True}, "takes no argument 'bb'; it takes a"),
        (lambda: None, {"a": True}, "takes no argument 'a'; it takes none"),
        (lambda a, width=3: None, {"a": True, "with": (1, 2)}, "takes no argument 'with'; it takes a, width"),
        (lambda a: None, {"a": True, "width": (1, 2)}, "takes no argument 'width'"),
        (lambda a, /: None, {"a": True}, "takes no argument 'a'|only by its place"),
        (lambda a, /, b: None, {"b": True}, "takes 'a' only by its place"),
        (lambda progress, a: None, {"a": True, "progress": True}, "progress is what the panel gives"),
        (lambda a: None, {"a": widgets.Button()}, "'a' is of the kind Button, which has no value to choose"),
        (
            lambda a: None,
            {"a": widgets.HBox([widgets.Text()])},
            "'a' is of the kind HBox, which has no value",
        ),
        ("draw", {"a": True}, "A panel draws with a function; this is a str"),
        (None, {}, "A panel draws with a function; this is a NoneType"),
        (lambda a: (1, 2, 3), {"a": True}, "this one returned tuple"),
    ],
)
def test_controls_that_do_not_fit_the_function_are_told_so_before_it_is_called(draw, controls, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        vz.panel(draw, **controls)


def test_arguments_without_controls_may_have_defaults_and_functions_may_take_anything():
    panel = vz.panel(lambda a, b=0.25, *more, **others: grey(b), a=True, z=["x"])
    assert level_of(panel) == pytest.approx(0.25, abs=0.02)
    assert level_of(vz.panel(functools.partial(lambda a, b: grey(b), b=0.75), a=True)) == pytest.approx(
        0.75, abs=0.02
    )


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.array, torch.tensor])
def test_set_takes_numbers_of_numpy_and_torch(kind):
    panel = vz.panel(
        lambda n, x, m: (grey(x), f"{n!r} {m!r}"), n=(1, 10), x=(0.0, 1.0), m=[("low", 1), ("high", 3)]
    )
    panel.set(n=kind(4), x=kind(1), m=kind(3))
    assert panel.values == {"n": 4, "x": 1.0, "m": 3} and panel.status.startswith("4 3")
    assert level_of(panel) == pytest.approx(1, abs=0.02)
    panel.set(x=np.float32(0.5))
    assert level_of(panel) == pytest.approx(0.5, abs=0.02)
    before = everything(panel)
    for wrong, telling in (
        (kind(11), "It goes from 1 to 10"),
        (np.float64(2.5), "Whole numbers from 1 to 10"),
    ):
        with pytest.raises(vz.VizlibError, match=telling):
            panel.set(n=wrong)
        assert everything(panel) == before


def test_a_file_upload_is_a_control_and_the_function_receives_what_open_image_reads(png, upload):
    calls = []

    def draw(file):
        calls.append(file)
        return vz.open_image(file) if file else grey(0.5)

    panel = vz.panel(draw, file=widgets.FileUpload())
    for level in (0.75, 0.25, 0.75):
        panel.controls["file"].value = upload(png(torch.full((1, 3, 40, 40), level)))
        panel.wait()
        assert level_of(panel) == pytest.approx(level, abs=0.02), panel.status
    assert len(calls) == 4  # each upload has a time of its own
    same = panel.controls["file"].value
    panel.set(file=())
    panel.set(file=same)
    assert len(calls) == 4 and level_of(panel) == pytest.approx(0.75, abs=0.02)


def test_tags_and_several_numbers_are_controls_and_kept_under_their_values():
    calls = []

    def draw(tags, both):
        calls.append((list(tags), both))
        return grey(0.5), f"{'+'.join(tags)} {both}"

    panel = vz.panel(
        draw, tags=widgets.TagsInput(value=["a"]), both=widgets.IntRangeSlider(min=0, max=9, value=(2, 5))
    )
    panel.controls["tags"].value = ["a", "b"]
    panel.wait()
    assert panel.status.startswith("a+b (2, 5)")
    panel.set(tags=["a"], both=[1, np.int64(7)])
    assert panel.status.startswith("a (1, 7)")
    panel.set(tags=["a", "b"], both=(2, 5))
    assert len(calls) == 3 and panel.status.startswith("a+b (2, 5)")
    for wrong in ((5, 11), 5, (1, 2, 3), "ab"):
        with pytest.raises(vz.VizlibError, match="Two numbers are chosen; they go from 0 to 9"):
            panel.set(both=wrong)
    assert panel.values == {"tags": ["a", "b"], "both": (2, 5)}


def test_values_that_are_equal_but_not_the_same_have_pictures_of_their_own():
    panel = vz.panel(
        lambda value: (grey(0.5), repr(value)), value=widgets.TagsInput(value=["1"], allow_duplicates=True)
    )
    assert panel_module._key({"a": 1}) != panel_module._key({"a": True}) != panel_module._key({"a": 1.0})
    assert panel_module._key([1, 2]) != panel_module._key((1, 2))
    one, two = torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 2.0]])
    assert panel_module._key(one) == panel_module._key(one.clone()) != panel_module._key(two)
    assert panel_module._key(one) != panel_module._key(one.to(torch.int64)) != panel_module._key(one + 1)
    for value in (
        np.arange(3),
        torch.ones(2, dtype=torch.bfloat16),
        b"abc",
        memoryview(b"abc"),
        {"b": [{"c": ()}]},
    ):
        assert panel_module._key(value) == panel_module._key(value) and hash(panel_module._key(value))
    unhashable = {1, 2}
    assert panel_module._key(unhashable) != panel_module._key(unhashable)  # drawn anew each time
    panel.set(value=["1", "1"])
    assert panel.status.startswith("['1', '1']")


def test_the_progress_of_a_panel_is_the_progress_of_every_method(tiny, pictures):
    """progress(done, total, preview) with previews of every kind: a picture, a map, an archive, None."""
    said = []

    def draw(progress, stop=False):
        for step, preview in enumerate((grey(0.2), None, grey(0.3)[:, :1], -grey(0.4), object(), [1], {}), 1):
            assert goes_on(progress, np.int64(step), 7, preview)
            said.append((panel_now[0].status if panel_now else "", step))
        return grey(0.5), "done"

    panel_now = []
    panel = vz.panel(draw, stop=False)
    panel_now.append(panel)
    panel.set(stop=True)
    assert [words for words, _ in said[7:]] == [f"Working: step {step} of 7" for step in range(1, 8)]
    assert panel.status.startswith("done")


def test_a_panel_passes_its_progress_on_to_a_method(tiny, pictures):
    net, x = tiny(), pictures(1)
    panel = vz.panel(
        lambda progress, patch=4: vz.occlusion(net, x, 0, patch=patch, progress=progress), patch=(2, 8)
    )
    panel.set(patch=2)
    assert panel._bar.value == panel._bar.max > 1


def test_numbers_in_labels_are_labels_first_and_numbers_from_python_are_indices(network):
    names = ["3", "1", "0", "2", "ten", "ten"]
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    net = network(model, labels=names)
    panel = vz.panel(lambda label: (grey(0.5), f"class {label}"), label=vz.choose_label(net))
    assert panel.status.startswith("class None")
    for index in (0, 1, 2, 3, np.int64(3), torch.tensor(0)):
        panel.set(label=index)
        assert panel.status.startswith(f"class {int(index)}"), index
    panel.set(label=None)
    assert panel.status.startswith("class None")
    assert vz.choose_label(net, 2).argument == 2
    before = everything(panel)
    with pytest.raises(vz.VizlibError, match="6 is not among them"):
        panel.set(label=6)
    assert everything(panel) == before


def test_a_label_that_is_a_number_wins_over_an_index_when_it_is_typed(network):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    panel = vz.panel(
        lambda label: (grey(0.5), f"class {label}"),
        label=vz.choose_label(network(model, labels=["1", "2", "3"])),
    )
    for typed, k in (("1", 0), ("2", 1), ("3", 2), ("0", 0)):
        panel.controls["label"].value = typed
        panel.wait()
        assert panel.status.startswith(f"class {k}"), typed


def test_the_photo_of_a_panel_may_be_a_file_of_any_size_on_the_disk(photo_panel, pictures, tmp_path):
    """The browser cannot send more than 10 MB; from Python there is no such limit."""
    path = tmp_path / "large.bmp"
    vz.to_pil(vz.resize(torch.full((1, 3, 16, 16), 0.75), (2000, 1900))).save(path)
    assert path.stat().st_size > 10_000_000
    photo_panel.set(photo=str(path))
    assert level_of(photo_panel) == pytest.approx(0.75, abs=0.02)
    assert "under 10 MB" in photo_panel.controls["photo"]._upload.description


def test_a_panel_shows_pictures_maps_and_overlays_from_another_device(pictures, elsewhere):
    x = pictures(1)
    kinds = {"picture": x, "map": x[:, :1], "overlay": vz.overlay(elsewhere(x), elsewhere(x[:, :1]))}
    panel = vz.panel(
        lambda kind: kinds[kind] if kind == "overlay" else elsewhere(kinds[kind]), kind=list(kinds)
    )
    for kind in kinds:
        panel.set(kind=kind)
        assert panel.picture.data == vz.show(kinds[kind], alt="the same").data
    panel = vz.panel(lambda photo: photo, photo=vz.choose_photo("goldfish", size=32))
    panel.set(photo=elsewhere(x))
    torch.testing.assert_close(panel.controls["photo"].argument, vz.open_image(x, 32))
