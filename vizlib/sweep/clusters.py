"""The same loop on the workers of a Dask cluster: parts go out, reducers come back.

Dask is an extra: `pip install vizlib[dask]`. A client is all that a sweep needs:

    from dask.distributed import Client, LocalCluster

    # a laptop: four processes
    client = Client(LocalCluster(n_workers=4, threads_per_worker=1))

    # a cluster that runs SLURM (pip install dask-jobqueue): ten jobs of eight processes, on request
    from dask_jobqueue import SLURMCluster
    cluster = SLURMCluster(cores=8, processes=8, memory="32GB", walltime="02:00:00", queue="normal")
    cluster.scale(jobs=10)
    client = Client(cluster)

    # Kubernetes (pip install dask-kubernetes; an image that has vizlib): twenty pods
    from dask_kubernetes.operator import KubeCluster
    cluster = KubeCluster(name="sweep", image="registry.example/vizlib", n_workers=20)
    client = Client(cluster)

    found = vz.top_patches(net, vz.folder("/shared/photos"), "head", client=client)

Every worker needs vizlib, and one thread: Dask's worker processes are told so (OMP_NUM_THREADS=1). The
network goes to the workers once. The pictures of a folder are read by the workers, under the same path as
here; those of lists, tensors and generators are sent, part by part. Parts are merged in their order, so the
result is that of the loop with one thread, to the last bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from ..errors import VizlibError
from .loops import Step, here
from .streams import Part

TRIES = 4  # for a part whose worker is lost
AHEAD = 2  # so many parts per thread are at work or waiting


def on_workers(
    client: Any, parts: Iterator[Part], measure: Any, reducer: Any, batch_size: int
) -> Iterator[Step]:
    """Work on packed parts by the workers of `client`: yields a Step for each, in their order."""
    lost = _errors_of_lost_workers(client)
    work = _Work(client, (measure, reducer, batch_size))
    waiting: deque = deque()
    parts = iter(parts)
    try:
        while True:
            while len(waiting) < AHEAD * work.threads() and (part := next(parts, None)) is not None:
                waiting.append((part, work.submit(part)))
            if not waiting:
                return
            part, future = waiting.popleft()
            for tries in range(1, TRIES + 1):
                try:
                    step = future.result()
                    break
                except lost as problem:
                    if tries == TRIES:
                        raise VizlibError(
                            f"The pictures from number {part.start} on were given to {TRIES} workers, and "
                            f"all were lost ({type(problem).__name__}). Is there too little memory? A "
                            "smaller batch_size needs less."
                        ) from problem
                    future = work.submit(part, anew=True)
            yield step
    finally:
        client.cancel([future for _, future in waiting])


class _Work:
    """Sends parts out. What all of them need is on every worker."""

    def __init__(self, client, common):
        self._client, self._common, self._sent = client, common, None

    def threads(self):
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, part, anew=False):
        if self._sent is None or anew:  # it may have been lost with the workers that held it
            self._sent = self._client.scatter(self._common, broadcast=True, hash=False)
        sent = self._client.scatter(part, hash=False)
        return self._client.submit(_work_on, sent, self._sent, pure=False, retries=TRIES)


def _work_on(part, common):
    """On a worker: one part. Its pictures are read by the worker's own thread."""
    measure, reducer, batch_size = common
    *_, last = here(iter([part]), measure, reducer, batch_size, threads=0)
    return last


def _errors_of_lost_workers(client):
    try:
        from dask.distributed import Client, FutureCancelledError, KilledWorker
    except ImportError:
        raise VizlibError(
            "client is a dask.distributed.Client, and Dask is not installed: pip install vizlib[dask]"
        ) from None
    if not isinstance(client, Client):
        raise VizlibError(
            "client is a dask.distributed.Client, as in Client(LocalCluster(n_workers=2)); this is a "
            f"{type(client).__name__}."
        )
    return KilledWorker, FutureCancelledError
