"""Where does MAP-Elites spend its time?  python tests/benchmarks/evolution.py [--quick]

For both encodings on two networks: milliseconds per picture, and the share of them inside the network's
forward pass. The rest is mutation, drawing the pictures, and the archive. The bars: at least 70 % for lite0
with the encoding it is used with, at least 30 % for lenet.
"""

import argparse
import time

import torch

import vizlib as vz
from vizlib.course.training.lenet import train_lenet

BARS = {("lite0", "cppn"): 0.7, ("lenet", "direct"): 0.3, ("lenet", "cppn"): 0.3}


def measure(net, generations, **options):
    """Seconds in all and seconds inside the forward pass, of a run that goes on from grown genomes."""
    grown = vz.evolve(net, generations=generations, **options)
    inside, forward = 0.0, net.forward

    def timed(images):
        nonlocal inside
        started = time.perf_counter()
        logits = forward(images)
        inside += time.perf_counter() - started
        return logits

    net.forward = timed
    started = time.perf_counter()
    vz.evolve(net, generations=2 * generations, archive=grown, **options)
    total = time.perf_counter() - started
    del net.forward  # the method of the class again
    return total, inside


def main(quick):
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'network':9}{'encoding':10}{'ms per picture':>15}{'in the network':>16}  bar")
    lenet = train_lenet(*vz.digits(2000), epochs=1)
    for net, population, generations, grey in (
        (lenet, 200, 50, True),
        (vz.load("lite0"), 40, 2 if quick else 10, False),
    ):
        for encoding in ("direct", "cppn"):
            total, inside = measure(net, generations, population=population, grey=grey, encoding=encoding)
            bar = BARS.get((net.name, encoding))
            verdict = "" if bar is None else f"{bar:.0%}" if inside / total >= bar else f"{bar:.0%} missed"
            each = 1000 * total / generations / population
            line = f"{net.name:9}{encoding:10}{each:15.2f}{inside / total:16.0%}  {verdict}"
            print(line.rstrip(), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer generations on lite0")
    main(parser.parse_args().quick)
