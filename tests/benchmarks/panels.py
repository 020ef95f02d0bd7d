"""From a control to the picture: how long does a panel take?  python tests/benchmarks/panels.py

In the kernel, on lite0: a control changes, the map is computed, the figure drawn and encoded, and the widget
has its bytes. "drawing" is what of it is spent on the figure; "again" is a setting seen before. Medians over
the rounds, in milliseconds. The bars, on two quiet cores: 100 for a new setting, 50 for one seen before. What
the browser adds is not in it.
"""

import statistics
import time

import vizlib as vz

ROUNDS = 15
METHODS = {"gradient": vz.gradient, "guided": vz.guided_backprop, "cam": vz.cam, "grad_cam": vz.grad_cam}


def timed(panel, label):
    began = time.perf_counter()
    panel.set(label=label)
    return 1000 * (time.perf_counter() - began)


def main():
    net, photo, spent = vz.load("lite0"), vz.photo("giant_panda", 224), []

    for name, method in METHODS.items():

        def draw(label=0, method=method, name=name):
            values = method(net, photo, label)
            began = time.perf_counter()
            map = values.abs().amax(1, keepdim=True) if values.shape[1] == 3 else values
            figure = vz.show([photo, vz.overlay(photo, map)], ["photo", name], alt="a panda and a map")
            spent.append(1000 * (time.perf_counter() - began))
            return figure

        panel = vz.panel(draw, label=(0, 999))
        spent.clear()
        new = [timed(panel, n) for n in range(1, ROUNDS)]
        again = [timed(panel, n) for n in range(1, ROUNDS)]
        print(
            f"{name:10} new {statistics.median(new):5.0f}   drawing {statistics.median(spent):4.0f}   "
            f"again {statistics.median(again):4.1f}"
        )


if __name__ == "__main__":
    main()
