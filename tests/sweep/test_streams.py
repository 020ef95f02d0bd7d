"""Tensors, lists, folders and generators are one thing: a stream of numbered batches."""

import pytest
import torch

import vizlib as vz
from vizlib.sweep import collection
from vizlib.sweep.streams import each_batch, grouped


@pytest.fixture
def eleven(pictures):
    return (pictures(11, 9) * 255).round() / 255


def kinds(x, folder, png):
    for i, picture in enumerate(x.split(1)):
        (folder / f"{i}.png").write_bytes(png(picture))
    labels = torch.arange(len(x))
    return {
        "tensor": x,
        "list of pictures": list(x.split(1)),
        "list of planes": list(x),
        "tuple of batches": x.split(4),
        "generator of batches": (b for b in x.split(3)),
        "generator of pictures": (p for p in x),
        "batches with labels": list(zip(x.split(4), labels.split(4), strict=True)),
        "pictures with labels": [(p, int(k)) for p, k in zip(x, labels, strict=True)],
        "loader": torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, labels), batch_size=4),
        "folder": vz.folder(folder, size=None),
        "paths": sorted(folder.iterdir(), key=lambda file: int(file.stem)),
        "arrays": [p.permute(1, 2, 0).numpy() for p in x],
    }


def test_every_kind_of_collection_gives_the_same_numbers_and_pictures(eleven, tmp_path, png):
    for kind, given in kinds(eleven, tmp_path, png).items():
        found = list(each_batch(given, 4))
        assert [len(numbers) for numbers, _ in found] == [4, 4, 3], kind
        assert torch.cat([numbers for numbers, _ in found]).tolist() == list(range(11)), kind
        torch.testing.assert_close(torch.cat([x for _, x in found]), eleven, rtol=0, atol=2e-3)


def test_what_can_be_looked_at_again_is_and_the_rest_says_so(eleven, tmp_path, png):
    for kind, given in kinds(eleven, tmp_path, png).items():
        pictures = collection(given)
        if "generator" in kind or kind == "loader":
            with pytest.raises(vz.VizlibError, match="only once"):
                pictures[3]
        else:
            assert len(pictures) == 11
            for number in (0, 3, 10):
                torch.testing.assert_close(
                    pictures[number], eleven[number : number + 1], rtol=0, atol=2e-3, msg=kind
                )


def test_pictures_of_different_sizes_are_never_stacked():
    sides = (8, 8, 8, 12, 8, 8)
    found = list(each_batch([torch.zeros(1, 3, s, s) for s in sides], 2))
    assert [(n.tolist(), x.shape[-1]) for n, x in found] == [
        ([0, 1], 8),
        ([2], 8),
        ([3], 12),
        ([4, 5], 8),
    ]


def test_batches_are_filled_across_pieces_of_any_length():
    x = torch.arange(23).view(-1, 1, 1, 1).expand(23, 3, 2, 2)
    pieces = zip(torch.arange(23).split([5, 1, 9, 8]), x.split([5, 1, 9, 8]), strict=True)
    found = list(grouped(pieces, 4))
    assert [len(n) for n, _ in found] == [4, 4, 4, 4, 4, 3]
    assert all(torch.equal(n, x[:, 0, 0, 0]) for n, x in found)


def test_parts_have_the_size_asked_for_and_can_begin_anywhere(eleven):
    for given in (eleven, list(eleven.split(3)), (b for b in eleven.split(5))):
        parts = [[n.tolist() for n, _ in part.batches(2)] for part in collection(given).parts(4, first=1)]
        assert parts == [[[4, 5], [6, 7]], [[8, 9], [10]]]


def test_a_stream_is_not_read_before_it_is_needed():
    drawn = []

    def endless():
        while True:
            drawn.append(1)
            yield torch.zeros(1, 3, 8, 8)

    batches = each_batch(endless(), 4)
    for _ in range(3):
        next(batches)
    assert len(drawn) <= 13


def test_what_is_packed_does_not_drag_the_rest_along(eleven):
    part = next(collection(eleven).parts(4)).packed()
    assert [piece.untyped_storage().nbytes() for piece in part.pictures] == [4 * 3 * 9 * 9 * 4]


@pytest.mark.parametrize(
    "given, words",
    [
        ([], "the list is empty"),
        ("photos", r"vz.folder\('photos'\)"),
        (3, "Many pictures are a tensor"),
        (torch.zeros(3, 8, 8), r"images\[None\]"),
        ([torch.zeros(2, 1, 8, 8)], "Grey pictures become RGB"),
    ],
)
def test_what_is_no_collection_is_told(given, words):
    with pytest.raises(vz.VizlibError, match=words):
        list(each_batch(given, 2))
