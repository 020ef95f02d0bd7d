"""A Dask cluster of two processes: the loop's results, to the bit, also when a worker is killed."""

import logging
import os
import signal
import sys
from pathlib import Path

import pytest
import torch

import vizlib as vz
from vizlib.representation import unit_correlations
from vizlib.sweep import Moments, run

distributed = pytest.importorskip("dask.distributed")


@pytest.fixture(scope="module")
def client():
    # The class of the tests' models is defined in conftest.py: a model of one's own must be importable there.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2]))
        yield from two_workers()


def two_workers():
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def photos(tmp_path_factory, png):
    """A folder of 90 pictures, of which one is broken."""
    folder = tmp_path_factory.mktemp("photos")
    generator = torch.Generator().manual_seed(0)
    for i in range(90):
        (folder / f"{i}.png").write_bytes(png(torch.rand(1, 3, 16, 16, generator=generator)))
    (folder / "70.png").write_bytes(b"broken")
    return folder


@pytest.mark.parametrize("kind", ["folder", "tensor", "list", "generator"])
def test_the_patches_are_those_of_the_loop(client, tiny, photos, kind):
    net, x = tiny(), torch.cat(list(vz.folder(photos, size=None)))

    def pictures():
        if kind == "folder":
            return vz.folder(photos, size=None)
        return {"tensor": x, "list": list(x), "generator": (p for p in x)}[kind]

    given, told = pictures(), []
    here = vz.top_patches(net, pictures(), ["relu1", "conv2"], batch_size=4)
    there = vz.top_patches(
        net, given, ["relu1", "conv2"], batch_size=4, client=client, progress=lambda *now: told.append(now[0])
    )
    for layer, found in here.items():
        assert torch.equal(found.values, there[layer].values)
        assert torch.equal(found.picture, there[layer].picture)
        assert torch.equal(found.at, there[layer].at)
        assert found.seen == there[layer].seen == 89
    assert told == [32, 64, 90 if kind == "folder" else 89]
    if kind == "folder":
        assert [path.name for path, _ in given.skipped] == ["70.png"]
        assert torch.equal(here["relu1"].patches(3), there["relu1"].patches(3))


def test_sums_of_floats_are_equal_too(client, photos):
    net, other = vz.load("zfnet"), vz.load("zfnet@8")
    pictures = vz.folder(photos, size=64)
    options = {"layer": "conv3", "batch_size": 4}
    assert torch.equal(
        unit_correlations(net, pictures, other, **options),
        unit_correlations(net, pictures, other, client=client, **options),
    )
    assert torch.equal(
        vz.fit_stitch(net, pictures, other, **options).weight,
        vz.fit_stitch(net, pictures, other, client=client, **options).weight,
    )


def test_a_dissection_is_the_loop_s(client, monkeypatch):
    net, scenes = vz.load("scenenet"), vz.collages(40, seed=3)
    for fits in (64_000_000, 1000):
        monkeypatch.setattr("vizlib.representation.dissection.FITS", fits)
        here = vz.dissect(net, scenes, "relu5", batch_size=2)
        there = vz.dissect(net, scenes, "relu5", batch_size=2, client=client)
        assert torch.equal(here.iou, there.iou) and torch.equal(here.threshold, there.threshold)
        assert here.table() == there.table()


def test_a_lost_worker_costs_nothing_but_its_part(client, photos, tmp_path):
    """The worker that comes upon picture 40 dies, once; the sum is the same."""
    done = tmp_path / "killed"

    def deadly(numbers, images):
        if 40 in numbers and not done.exists():
            done.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return (images.mean((2, 3)),)

    expected = run(vz.folder(photos, size=8), lambda n, x: (x.mean((2, 3)),), Moments(), batch_size=1)
    before = set(client.run(os.getpid).values())
    found = run(vz.folder(photos, size=8), deadly, Moments(), batch_size=1, client=client)
    assert done.exists()
    client.wait_for_workers(2, timeout=60)
    assert set(client.run(os.getpid).values()) != before
    assert found.result().count == 89
    assert torch.equal(found.result().scatter, expected.result().scatter)


def test_when_every_worker_is_lost_the_network_is_sent_again(client, photos, tmp_path):
    done = tmp_path / "killed"
    done.mkdir()

    def deadly(numbers, images):
        mine = done / str(int(numbers[0]) // 8)
        if int(numbers[0]) in (0, 8) and not mine.exists():  # the parts that the two workers begin with
            mine.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return (images.mean((2, 3)),)

    x = torch.rand(60, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = run(x, deadly, Moments(), batch_size=1, client=client)
    assert len(list(done.iterdir())) == 2 and found.result().count == 60


def test_a_stop_leaves_the_parts_before_it_and_a_file_to_go_on_from(client, tiny, photos, tmp_path):
    net, pictures = tiny(), vz.folder(photos, size=None)
    options = {"batch_size": 2, "checkpoint": tmp_path / "a.pt"}
    stopped = vz.top_patches(
        net, pictures, "relu1", client=client, progress=lambda done, *_: done < 32, **options
    )
    assert stopped.seen == 32
    found = vz.top_patches(net, pictures, "relu1", **options)  # the rest without a cluster
    assert torch.equal(found.values, vz.top_patches(net, pictures, "relu1", batch_size=2).values)


def test_what_a_worker_refuses_is_told_here(client, tiny, photos):
    pictures = [torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 7.0)]
    with pytest.raises(vz.VizlibError, match=r"Pictures lie in \[0, 1\]"):
        vz.top_patches(tiny(), pictures, "relu1", client=client)


def test_workers_compute_with_one_thread(client):
    assert set(client.run(torch.get_num_threads).values()) == {1}


def test_without_dask_one_is_told_how_to_get_it(tiny, pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(vz.VizlibError, match=r"pip install vizlib\[dask\]"):
        vz.top_patches(tiny(), pictures(2), "relu1", client="tcp://10.0.0.1:8786")


def test_a_client_is_a_client(tiny, pictures):
    with pytest.raises(vz.VizlibError, match="this is a str"):
        vz.top_patches(tiny(), pictures(2), "relu1", client="tcp://10.0.0.1:8786")
