"""Finding a class by its number, its label, or what people call it."""

import numpy as np
import pytest
import torch

import vizlib as vz
from vizlib.models.labels import find_class, imagenet_labels


@pytest.mark.parametrize(
    "target",
    [
        "tabby",
        "Tabby",
        "  TABBY ",
        "tabby cat",
        "281",
        "281 tabby",
        281,
        np.int64(281),
        np.array(281),
        torch.tensor(281),
        torch.tensor([281]),
    ],
)
def test_the_tabby_goes_by_many_names(target):
    assert find_class(imagenet_labels(), target) == 281


def test_there_are_1000_labels_in_the_usual_order():
    labels = imagenet_labels()
    assert len(labels) == 1000
    assert [labels[i] for i in (0, 1, 207, 388, 999)] == [
        "tench",
        "goldfish",
        "golden retriever",
        "giant panda",
        "toilet tissue",
    ]


def test_every_label_that_is_unique_finds_its_own_class():
    labels = imagenet_labels()
    lower = [label.lower() for label in labels]
    unique = [i for i in range(1000) if lower.count(lower[i]) == 1]
    assert len(unique) > 990
    for i in unique:
        assert find_class(labels, labels[i]) == i


def test_every_class_is_found_by_its_number_with_its_label_even_where_the_label_is_ambiguous():
    labels = imagenet_labels()
    for i in range(1000):
        assert find_class(labels, str(i)) == find_class(labels, f"{i} {labels[i]}") == i


def test_a_word_for_two_classes_names_them_and_asks_for_the_number(lite0):
    with pytest.raises(
        vz.VizlibError,
        match=r"The label 'panda' names the classes 387 \(lesser panda\) and 388 \(giant panda\). "
        r"Give the number",
    ):
        lite0.index("panda")
    assert lite0.index("388 giant panda") == 388 and lite0.index("387") == 387


def test_a_label_of_the_list_wins_over_what_other_classes_are_also_called(lite0):
    """The crane that lifts is listed as "crane", the one that flies as "crane bird"; WordNet calls both
    "crane".
    """
    assert lite0.index("crane") == 517 and lite0.index("crane bird") == 134


def test_a_label_that_a_list_holds_twice_is_ambiguous():
    with pytest.raises(vz.VizlibError, match=r"names the classes 0 \(crane\) and 2 \(Crane\)"):
        find_class(("crane", "dog", "Crane"), "crane")
    assert find_class(("crane", "dog", "Crane"), "2 crane") == 2


@pytest.mark.parametrize(
    "wrong, telling",
    [("taby", "Nearest: .*tabby"), ("goldfisch", "Nearest: .*goldfish"), ("xqzw", "There are: tench")],
)
def test_an_unknown_label_is_refused_with_the_nearest(lite0, wrong, telling):
    with pytest.raises(vz.VizlibError, match=f"There is no class '{wrong}'. {telling}"):
        lite0.index(wrong)


@pytest.mark.parametrize("wrong", ["1000", "-1", "281 goldfish", "", " ", "²", "2.0"])
def test_what_only_looks_like_a_class_is_refused(lite0, wrong):
    with pytest.raises(vz.VizlibError, match="There is no class"):
        lite0.index(wrong)


@pytest.mark.parametrize("wrong", [1000, -1, 10**9, torch.tensor(1000)])
def test_a_number_out_of_range_is_refused_with_the_range(lite0, wrong):
    with pytest.raises(vz.VizlibError, match="This network knows the classes 0 to 999; .* is not among them"):
        lite0.index(wrong)


@pytest.mark.parametrize(
    "wrong",
    [True, False, None, 3.0, float("nan"), np.float32(3.5), torch.tensor(3.5), torch.tensor(True), np.True_],
)
def test_what_is_neither_a_number_nor_a_label_is_refused(lite0, wrong):
    with pytest.raises(vz.VizlibError, match="A class is an index or a label"):
        lite0.index(wrong)


def test_a_network_of_ones_own_labels_knows_no_synonyms_of_imagenet():
    labels = ("cat", "dog")
    assert find_class(labels, "Dog") == 1 and find_class(labels, "1") == 1
    with pytest.raises(vz.VizlibError, match="There is no class 'tabby cat'"):
        find_class(labels, "tabby cat")


def test_a_label_that_is_a_number_is_that_label_and_not_an_index():
    digits = sorted(map(str, range(12)))  # 0, 1, 10, 11, 2, ...
    assert digits[find_class(digits, "10")] == "10" and digits[find_class(digits, "2")] == "2"
    assert find_class(list("123456"), "1") == 0 and find_class(list("123456"), 1) == 1
    assert find_class(("cat", "dog "), "dog ") == find_class(("cat", "dog "), "dog") == 1
