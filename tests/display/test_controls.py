"""The controls of a panel: what can be chosen, and what the panel's function receives."""

import datetime

import ipywidgets as widgets
import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.display.controls import argument, assign, control
from vizlib.display.interactive import FAVOURITES


@pytest.fixture
def photo_choice():
    return vz.choose_photo(["goldfish", "giant_panda"], size=32)


def test_a_photo_is_chosen_by_name_and_received_as_pixels(photo_choice):
    assert photo_choice.value == "goldfish"
    torch.testing.assert_close(photo_choice.argument, vz.photo("goldfish", 32))
    photo_choice.choose("cheetah")  # any of the library, not only the thumbnails
    assert photo_choice.value == "cheetah" and photo_choice._menu.value == "cheetah"
    torch.testing.assert_close(photo_choice.argument, vz.photo("cheetah", 32))


def test_a_thumbnail_chooses_its_photo(photo_choice):
    buttons = photo_choice.children[0].children[1].children
    assert [button.tooltip for button in buttons] == ["photo: goldfish", "photo: giant panda"]
    buttons[1].click()
    assert photo_choice.value == "giant_panda"


def test_the_menu_chooses_its_photo_and_holds_the_whole_library(photo_choice):
    assert list(photo_choice._menu.options) == vz.photos()["name"]
    photo_choice._menu.value = "alpaca"
    assert photo_choice.value == "alpaca"


def test_the_usual_thumbnails_are_photos_of_the_library():
    names = vz.photos()["name"]
    assert all(name in names for name in FAVOURITES)
    assert vz.choose_photo(size=32).value == FAVOURITES[0]


@pytest.mark.parametrize("wrong", ["gold fish", "goldfisch"])
def test_an_unknown_photo_is_refused_with_the_nearest_and_changes_nothing(photo_choice, wrong):
    with pytest.raises(vz.VizlibError, match=f"There is no photo '{wrong}'. Nearest: .*goldfish"):
        photo_choice.choose(wrong)
    assert photo_choice.value == "goldfish"
    with pytest.raises(vz.VizlibError, match=f"There is no photo '{wrong}'"):
        vz.choose_photo([wrong])


def test_an_uploaded_picture_is_received_as_pixels(photo_choice, pictures, png, upload):
    x = (pictures(1, 48, seed=1) * 255).round() / 255
    photo_choice._upload.value = upload(png(x))
    assert photo_choice.value.startswith("upload ") and photo_choice.problem == ""
    torch.testing.assert_close(photo_choice.argument, vz.open_image(x, 32))
    assert photo_choice._menu.value is None


def test_another_upload_has_another_value_and_the_same_one_the_same(photo_choice, pictures, png, upload):
    values = []
    for seed in (1, 2, 1):
        photo_choice._upload.value = upload(png(pictures(1, 48, seed=seed)))
        values.append(photo_choice.value)
    assert values[0] == values[2] != values[1]


def test_after_an_upload_a_photo_of_the_library_can_be_chosen_again(photo_choice, pictures, png, upload):
    photo_choice._upload.value = upload(png(pictures(1, 48)))
    photo_choice._menu.value = "goldfish"
    assert photo_choice.value == "goldfish"
    torch.testing.assert_close(photo_choice.argument, vz.photo("goldfish", 32))


def test_a_broken_upload_raises_nothing_says_what_is_wrong_and_leaves_the_picture_before_it(
    photo_choice, upload
):
    before = photo_choice.value
    photo_choice._upload.value = upload(b"this is no picture", "holiday.jpg")
    assert photo_choice.problem.startswith("The file 'holiday.jpg' is not a picture that can be read")
    assert photo_choice.value == before and photo_choice._upload.value == ()


def test_every_broken_upload_is_noticed_the_same_one_again_too(photo_choice, upload):
    said = []
    photo_choice.observe(lambda change: change["new"] and said.append(change["new"][:18]), "problem")
    for name in ("aaa.jpg", "bbb.jpg", "bbb.jpg"):
        photo_choice._upload.value = upload(b"this is no picture", name)
    assert said == ["The file 'aaa.jpg'", "The file 'bbb.jpg'", "The file 'bbb.jpg'"]


def test_a_picture_of_ones_own_can_be_chosen_from_python_too(photo_choice, pictures, tmp_path, png):
    x = (pictures(1, 48, seed=1) * 255).round() / 255
    (tmp_path / "me.png").write_bytes(png(x))
    for source in (str(tmp_path / "me.png"), tmp_path / "me.png", png(x), vz.to_pil(x), x):
        photo_choice.choose("goldfish")
        photo_choice.choose(source)
        torch.testing.assert_close(photo_choice.argument, vz.open_image(x, 32), rtol=0, atol=1e-5)


def test_a_label_is_received_as_a_class_index_and_nothing_as_none(lite0):
    choice = vz.choose_label(lite0)
    assert choice.argument is None
    for value, k in (("tabby", 281), ("Tabby cat", 281), ("388", 388), ("388 giant panda", 388)):
        choice.value = value
        assert choice.argument == k
    choice.value = "   "
    assert choice.argument is None
    assert vz.choose_label(lite0, "goldfish").argument == vz.choose_label(lite0, 1).argument == 1


def test_the_labels_of_the_network_are_offered_for_completion(lite0):
    assert set(vz.choose_label(lite0).options) == set(lite0.labels)


@pytest.mark.parametrize(
    "wrong, telling",
    [("goldfisch", "Nearest: goldfish"), ("panda", "names the classes 387 .* and 388"), ("1000", "no class")],
)
def test_a_label_that_is_none_is_refused_when_it_is_asked_for(lite0, wrong, telling):
    choice = vz.choose_label(lite0)
    choice.value = wrong
    with pytest.raises(vz.VizlibError, match=telling):
        _ = choice.argument


def test_a_layer_is_received_by_name_and_only_layers_with_positions_are_offered(tiny):
    choice = vz.choose_layer(tiny())
    assert (
        list(choice.options) == ["conv1", "relu1", "pool1", "conv2", "relu2"] and argument(choice) == "relu2"
    )
    assert "logits" in vz.choose_layer(tiny(), spatial=False).options
    assert vz.choose_layer(tiny(), "conv1").value == "conv1"


def test_an_unknown_layer_to_start_with_is_refused_in_words(tiny):
    with pytest.raises(vz.VizlibError, match="conv9"):
        vz.choose_layer(tiny(), "conv9")


def test_numbers_lists_and_yes_or_no_become_widgets():
    whole = control("n", (1, 10))
    assert isinstance(whole, widgets.IntSlider) and (whole.min, whole.max, whole.step, whole.value) == (
        1,
        10,
        1,
        1,
    )
    broken = control("x", (0.0, 1.0))
    assert (
        isinstance(broken, widgets.FloatSlider) and broken.step == pytest.approx(0.05) and broken.value == 0
    )
    assert control("n", (0, 100, 5)).step == 5 and control("x", (0, 1, 0.1)).step == pytest.approx(0.1)
    menu = control("kind", ["a", "b"])
    assert isinstance(menu, widgets.Dropdown) and menu.value == "a"
    assert control("on", True).value is True and control("on", False).value is False
    own = widgets.Text("mine")
    assert control("t", own) is own


def test_a_default_of_the_function_is_where_a_control_starts():
    assert control("n", (1, 10), 7).value == 7
    assert control("kind", ["a", "b"], "b").value == "b"


def test_sliders_report_while_they_move_and_every_control_says_its_name():
    for widget in (control("n", (1, 10)), control("x", (0.0, 1.0))):
        assert widget.continuous_update is True
    assert [control("n", spec).description for spec in ((1, 2), ["a"], True)] == ["n"] * 3


@pytest.mark.parametrize("spec", ["abc", 5, None, (1,), (1, 2, 3, 4), ("a", "b"), {1: 2}])
def test_what_is_no_control_is_refused(spec):
    with pytest.raises(vz.VizlibError, match="The control 'n' is a widget, a list, a bool or"):
        control("n", spec)


def test_a_list_without_entries_and_a_default_that_is_not_in_the_list_are_refused():
    for spec, default in (([], None), (["a", "b"], "c"), ((1, 10), 11)):
        with pytest.raises(vz.VizlibError):
            control("n", spec, default)


@pytest.mark.parametrize(
    "spec, wrong, telling",
    [
        (["red", "blue"], "bleu", "'bleu' cannot be chosen here. Nearest: blue"),
        ((1, 10), "x", "It goes from 1 to 10"),
    ],
)
def test_a_value_that_cannot_be_chosen_is_refused_with_what_can(spec, wrong, telling):
    widget = control("n", spec)
    before = widget.value
    with pytest.raises(vz.VizlibError, match=telling):
        assign(widget, wrong)
    assert widget.value == before


@pytest.mark.parametrize("spec, wrong", [((1, 10), 11), ((1, 10), 0), ((0.0, 1.0), 1.5)])
def test_a_number_beyond_the_ends_of_a_slider_is_refused_and_not_moved_to_the_end(spec, wrong):
    with pytest.raises(
        vz.VizlibError, match=f"{wrong} cannot be chosen here. It goes from {spec[0]} to {spec[1]}"
    ):
        assign(control("n", spec), wrong)


def test_assigning_a_class_index_or_nothing_to_a_label_works(lite0):
    choice = vz.choose_label(lite0)
    for value, k in ((281, 281), ("goldfish", 1), (None, None)):
        assign(choice, value)
        assert choice.argument == k


def test_one_photo_may_be_named_without_a_list_and_none_is_refused():
    assert vz.choose_photo("goldfish", size=32).value == "goldfish"
    with pytest.raises(vz.VizlibError, match="needs at least one photo"):
        vz.choose_photo([])
    for wrong in (0, 7, 32.5, "small"):
        with pytest.raises(vz.VizlibError, match="size is a number of pixels, 8 or more"):
            vz.choose_photo(size=wrong)
    assert vz.choose_photo("goldfish", np.int64(32)).argument.shape == (1, 3, 32, 32)
    assert torch.equal(vz.choose_photo("goldfish", None).argument, vz.photo("goldfish"))


def test_names_of_photos_out_of_an_array_are_names(photo_choice):
    photo_choice.choose(np.array(["cheetah"])[0])
    assert photo_choice.value == "cheetah" and type(photo_choice.value) is str


def test_a_menu_of_labels_and_values_is_that_of_ipywidgets():
    menu = control("k", [("low", 1), ("mid", 3)], 3)
    assert menu.value == 3 and menu.label == "mid"
    assert control("k", [("low", 1), ("mid", 3)]).value == 1
    assign(menu, 1)
    assert menu.label == "low"
    with pytest.raises(vz.VizlibError, match="2 cannot be chosen here. There are: 1, 3"):
        assign(menu, 2)
    with pytest.raises(vz.VizlibError, match=r"does not hold its start value 'mid'; it holds \[1, 3\]"):
        control("k", [("low", 1), ("mid", 3)], "mid")


@pytest.mark.parametrize(
    "values",
    [
        [torch.ones(2), torch.zeros(2), torch.zeros(3)],
        [np.ones(2), np.zeros(2), "none"],
        [[1, 2, 3], [4, 5], {"a": 1}],
        [("two", [1, 2]), ("set", {3}), ("tensor", torch.zeros(2, 2))],
    ],
    ids=["tensors", "arrays", "lists", "pairs"],
)
def test_values_of_a_menu_may_be_anything(values):
    plain = [value for _, value in values] if isinstance(values[0], tuple) else values
    menu = control("k", values, plain[1])
    assert menu.value is plain[1]
    for value in plain:
        assign(menu, value)
        assert menu.value is value
    assert control("k", values).value is plain[0]
    with pytest.raises(vz.VizlibError, match="cannot be chosen here"):
        assign(menu, "something else")
    assert menu.value is plain[-1]


def test_sliders_take_numbers_of_numpy_and_torch():
    slider = control("n", (np.int64(1), torch.tensor(10)), np.int32(4))
    assert isinstance(slider, widgets.IntSlider) and (slider.min, slider.max, slider.value) == (1, 10, 4)
    slider = control("x", (np.float32(0), 1, np.array(0.5)), torch.tensor(0.5))
    assert isinstance(slider, widgets.FloatSlider) and (slider.step, slider.value) == (0.5, 0.5)


@pytest.mark.parametrize(
    "spec, default, telling",
    [
        ((10, 1), None, "goes from a low number to a high one in steps above 0; this is .10, 1."),
        ((1, 10, 0), None, "in steps above 0"),
        ((0.0, float("nan")), None, "goes from a low number"),
        ((0.0, float("inf")), None, "goes from a low number"),
        ((1, 10), "many", "start value 'many' lies outside"),
        ((1, 10), True, "start value True lies outside"),
        ((1, 10), 2.5, r"takes whole numbers and cannot start at 2.5. Write \(1.0, 10.0\)"),
    ],
)
def test_a_slider_that_cannot_be_made_says_why(spec, default, telling):
    with pytest.raises(vz.VizlibError, match=telling):
        control("n", spec, default)


def test_a_slider_of_a_single_value_and_a_whole_start_in_another_type_are_fine():
    assert control("n", (3, 3)).value == 3 and control("x", (0.5, 0.5)).value == 0.5
    assert control("n", (1, 10), 4.0).value == 4


@pytest.mark.parametrize("widget", [widgets.Button(), widgets.HBox(), widgets.Output(), widgets.Tab()])
def test_a_widget_without_a_value_is_no_control(widget):
    with pytest.raises(
        vz.VizlibError, match=f"'n' is of the kind {type(widget).__name__}, which has no value"
    ):
        control("n", widget)


def test_widgets_of_ipywidgets_are_set_as_they_are_made():
    log = widgets.FloatLogSlider(value=1, min=-2, max=2)
    assign(log, 50)
    assert log.value == 50
    with pytest.raises(vz.VizlibError, match="It goes from 0.01 to 100"):
        assign(log, 1000)
    day = widgets.DatePicker()
    assign(day, datetime.date(2026, 1, 2))
    assert day.value == datetime.date(2026, 1, 2)
    ends = widgets.SelectionRangeSlider(options=["a", "b", "c"], index=(0, 1))
    assign(ends, ("b", "c"))
    assert ends.value == ("b", "c")
    menu = widgets.Dropdown(options={"low": 1, "high": 2})
    assign(menu, np.int64(2))
    assert menu.label == "high"
    several = widgets.SelectMultiple(options=["a", "b"])
    with pytest.raises(vz.VizlibError, match="cannot be chosen here. There are: a, b"):
        assign(several, ("z",))
    text = widgets.BoundedIntText(min=0, max=5)
    with pytest.raises(vz.VizlibError, match="It goes from 0 to 5"):
        assign(text, 9)
    for wrong in (True, None, "3"):
        with pytest.raises(vz.VizlibError, match="It goes from 0 to 5"):
            assign(text, wrong)


def test_a_network_without_grids_has_no_layer_to_choose(network):
    net = network(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 4)), name="flat")
    with pytest.raises(
        vz.VizlibError, match="flat has no layer with a grid of positions to choose. spatial=False"
    ):
        vz.choose_layer(net)
    assert "logits" in vz.choose_layer(net, spatial=False).options
