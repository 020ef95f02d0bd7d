"""How fast are sweeps?  python tests/benchmarks/sweep.py [--pictures 1024] [--folder PATH]

`vz.top_patches` of all channels of six layers of lite0 over a folder of JPEG files, beside nothing but the
forward passes of pictures that are in memory already; the two take turns, so that a busy moment of the
machine hits both. Then its memory, in a process of its own, and a Dask cluster of one and of two workers with
one thread each, in turns as well. Times are for --pictures and, in proportion, for 10,000.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import vizlib as vz

LAYERS = ["stage3", "stage4", "stage5", "stage6", "stage7", "head"]
ROUND = 256  # pictures that one side of a comparison looks at before it is the other's turn
TEN_THOUSAND = 10_000


def make_folder(folder, count):
    """Smooth random pictures of 320 x 256 pixels, JPEG, about as hard to decode as photographs."""
    rng = np.random.default_rng(0)
    for i in range(count):
        file = folder / f"{i // 1000}" / f"{i}.jpg"
        if file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (20, 25, 3), np.uint8)).resize((320, 256), 3)
        noisy = np.array(coarse, np.int16) + rng.integers(-12, 13, (256, 320, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, quality=90)


def clocks(call):
    """Seconds on the wall, and of the processor."""
    wall, own = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - own


def speed(net, pictures):
    """Sums of both clocks of both sides, in turns."""
    batch = torch.cat([pictures[i] for i in range(32)])

    def bare():
        with torch.no_grad():
            for _ in range(ROUND // 32):
                net(batch)

    vz.top_patches(net, pictures.part(0, 64), LAYERS)  # to warm up
    ours, floor = [0.0, 0.0], [0.0, 0.0]
    for start in range(0, len(pictures), ROUND):
        part = pictures.part(start, start + ROUND)
        for sums, call in ((floor, bare), (ours, lambda part=part: vz.top_patches(net, part, LAYERS))):
            for i, seconds in enumerate(clocks(call)):
                sums[i] += seconds
    return ours, floor


def only_sweep(folder, count):
    """What a process of its own does for `memory`: prints the highest memory before and after, in MB."""
    torch.set_num_threads(2)
    net, pictures = vz.load(), vz.folder(folder).part(0, count)
    net(torch.zeros(1, 3, 224, 224))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    vz.top_patches(net, pictures, LAYERS)
    print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory(folder, count):
    run = [sys.executable, __file__, "--only-sweep", "--folder", str(folder), "--pictures", str(count)]
    return [float(word) for word in subprocess.check_output(run, text=True).split()]


def dask_speed(net, pictures, rounds=3):
    """Seconds of the same pictures with one worker and with two, in turns: medians of a few."""
    from dask.distributed import Client, LocalCluster

    options = {"threads_per_worker": 1, "dashboard_address": None}
    times = {1: [], 2: []}
    with LocalCluster(n_workers=1, **options) as one, LocalCluster(n_workers=2, **options) as two:
        with Client(one) as client_one, Client(two) as client_two:
            clients = {1: client_one, 2: client_two}
            for client in clients.values():
                vz.top_patches(net, pictures.part(0, 64), LAYERS, batch_size=4, client=client)
            for _ in range(rounds):
                for workers, client in clients.items():
                    call = lambda c=client: vz.top_patches(net, pictures, LAYERS, batch_size=8, client=c)  # noqa: E731
                    times[workers].append(clocks(call)[0])
    return [sorted(t)[rounds // 2] for t in times.values()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1024)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-dask", action="store_true")
    parser.add_argument("--only-sweep", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_sweep:
        return only_sweep(options.folder, options.pictures)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        make_folder(folder, options.pictures)
        net, pictures = vz.load(), vz.folder(folder).part(0, options.pictures)
        channels = sum(net.layer(name).shape[0] for name in LAYERS)
        threads = torch.get_num_threads()
        print(f"{channels} channels of {len(LAYERS)} layers, {len(pictures)} files, {threads} threads")
        ours, floor = speed(net, pictures)
        for clock, mine, bare in zip(("wall", "processor"), ours, floor, strict=True):
            scale = TEN_THOUSAND / len(pictures)
            print(
                f"{clock}: {mine:.1f} s beside {bare:.1f} s of bare forward passes, {mine / bare:.2f} times; "
                f"for 10,000 pictures {mine * scale:.0f} s"
            )
        before, after = memory(folder, len(pictures))
        print(f"memory: {before:.0f} MB with the network loaded, {after:.0f} MB at most")
        if not options.no_dask:
            one, two = dask_speed(net, pictures.part(0, 512))
            print(f"Dask: one worker {one:.1f} s, two {two:.1f} s, {one / two:.2f} times faster")
    return None


if __name__ == "__main__":
    main()
