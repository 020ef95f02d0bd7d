"""Sweeps: the same questions to a folder of a million pictures. Readers, mergeable reducers, a loop or a
Dask client.

    pictures = vz.folder("photos/", size=224)              lazy, sorted; .skipped lists what could not be read
    found = vz.top_patches(net, pictures, ["stage5", "head"], progress=vz.sweep.eta(), checkpoint="tops.pt")

Everything here takes pictures of any kind (a tensor, a list, a generator, a folder), looks at a batch at a
time, keeps a small summary, can be stopped with what there is, taken up again from its checkpoint, and run
on a cluster (`client=`, see clusters.py). `run` is the loop behind it, for summaries of your own.
"""

from .comparison import Comparison, compare
from .folders import Folder, folder
from .histograms import Histogram
from .loops import run
from .mean_curves import Curves, curves
from .reducers import Moments, Reducer, TopActivations
from .streams import Collection, collection
from .times import eta

__all__ = [
    "Collection",
    "Comparison",
    "Curves",
    "Folder",
    "Histogram",
    "Moments",
    "Reducer",
    "TopActivations",
    "collection",
    "compare",
    "curves",
    "eta",
    "folder",
    "run",
]
