"""Where the work on tiles is done: in this process, in several on this machine, or on a Dask cluster."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any, Protocol, TypeVar, runtime_checkable

from unmixel import __version__
from unmixel.errors import EngineError, ParameterError

Item = TypeVar("Item")
Done = TypeVar("Done")

WORTH_A_CLUSTER = 500_000
"""Pixels from which on processes of their own are worth their start."""
REACHED_WITHIN_S = 10
"""Seconds in which a scheduler answers, or is taken to be away."""
WAIT_FOR_WORKERS_S = 60
KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 2**28, "MALLOC_MMAP_THRESHOLD_": 2**25}
"""Memory that workers keep for their next tensors [bytes]. Dask would have it given back at once: a third slower."""


@runtime_checkable
class Engine(Protocol):
    """Something that does parts of a run, in any order.

    Attributes
    ----------
    n_workers : int
        How many parts are done at a time.
    where : str
        In words.
    """

    n_workers: int
    where: str

    def each(
        self, work: Callable[[str, str, Item], Done], folder: str, token: str, items: Sequence[Item]
    ) -> Iterator[Done]:
        """Yield ``work(folder, token, item)`` for every item, in the order in which they are done."""


class Serial:
    """This process."""

    n_workers = 1
    where = "in this process"

    def each(
        self, work: Callable[[str, str, Item], Done], folder: str, token: str, items: Sequence[Item]
    ) -> Iterator[Done]:
        """See `Engine`."""
        return (work(folder, token, item) for item in items)


class Cluster:
    """The workers of a Dask cluster; they see the files under the same paths.

    A part whose worker dies is done again by another.

    Parameters
    ----------
    connect : callable
        Gives the client of the cluster. It is asked when there is work to do.
    where : str
        What to call it.
    n_workers : int
    """

    def __init__(self, connect: Callable[[], Any], where: str, n_workers: int) -> None:
        self._connect = connect
        self.n_workers = n_workers
        self.where = f"{where}, {n_workers} workers"

    @cached_property
    def _client(self) -> Any:
        return self._connect()

    def each(
        self, work: Callable[[str, str, Item], Done], folder: str, token: str, items: Sequence[Item]
    ) -> Iterator[Done]:
        """See `Engine`."""
        from distributed import CancelledError, KilledWorker, as_completed
        from distributed.comm import CommClosedError

        futures = [self._client.submit(work, folder, token, item, pure=False) for item in items]
        try:
            for future in as_completed(futures, loop=self._client.loop):
                yield future.result()
        except KilledWorker as error:
            raise EngineError(
                f"{self.where}: {error.allowed_failures + 1} workers died over the same part",
                "workers that live",
                "is there enough memory? Go on with --resume, and fewer workers",
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise EngineError(f"{self.where}, which was lost", "a cluster that stays", "go on with --resume") from error
        finally:
            self._client.cancel(futures, reason="the run ends", msg=False)


def _n_ready(client: Any, where: str, n_workers: int = 1) -> int:
    """Wait for so many workers, and return how many there are.

    Raises
    ------
    EngineError
        If they don't come, or have no unmixel, or another one.
    """
    try:
        client.wait_for_workers(n_workers, timeout=WAIT_FOR_WORKERS_S)
    except TimeoutError as error:
        raise EngineError(
            f"{where}, which has no {n_workers} workers after {WAIT_FOR_WORKERS_S} s", "them", "start workers"
        ) from error
    try:
        versions = client.run(_version)
    except (ImportError, AttributeError) as error:
        raise EngineError(
            f"{where}, whose workers have no unmixel ({error})", f"unmixel {__version__}", "install it there"
        ) from error
    others = sorted({str(version) for version in versions.values()} - {__version__})
    if others:
        raise EngineError(
            f"{where}, whose workers have {', '.join(others)}", f"unmixel {__version__}", "install it there"
        )
    return len(versions)


def _version() -> str:
    from unmixel import __version__

    return __version__


@contextmanager
def open_engine(n_workers: int | None = None, scheduler: str | None = None, n_pixels: int = 0) -> Iterator[Engine]:
    """Open the engine that was asked for, or the one that suits the size of the work.

    Parameters
    ----------
    n_workers : int, optional
        Processes on this machine, started when there is work to do. When None, one for each core if there are many
        pixels, otherwise this one.
    scheduler : str, optional
        Address of a running Dask scheduler, such as ``"tcp://10.0.0.1:8786"``.
    n_pixels : int
        Pixels to be unmixed.

    Raises
    ------
    ParameterError
        If both are given, or `n_workers` is below 1.
    EngineError
        If the cluster can't be reached, or its workers have no unmixel, or another one.
    """
    if n_workers is not None and scheduler is not None:
        raise ParameterError("workers and a scheduler", "one of them", "the scheduler has its own workers")
    if n_workers is not None and n_workers < 1:
        raise ParameterError(f"workers = {n_workers}", "at least 1")
    if n_workers is None:
        n_workers = _cores() if n_pixels >= WORTH_A_CLUSTER else 1
    if scheduler is None and n_workers == 1:
        yield Serial()
        return
    if scheduler is not None:
        from distributed import Client

        where = f"the Dask cluster at {scheduler}"
        if not re.fullmatch(r"(tcp|tls)://\S+:\d+", scheduler):
            raise EngineError(where, "an address like tcp://10.0.0.1:8786", "see what the scheduler printed")
        try:
            client = Client(scheduler, set_as_default=False, timeout=REACHED_WITHIN_S)
        except (OSError, ValueError, ImportError) as error:
            raise EngineError(f"{where}, which does not answer ({error})", "a running scheduler", "start it") from error
        with client:
            yield Cluster(lambda: client, where, _n_ready(client, where))
        return
    with ExitStack() as opened:
        yield Cluster(lambda: _start(n_workers, opened), "on this machine", n_workers)


def _start(n_workers: int, opened: ExitStack) -> Any:
    """Start processes on this machine, to be stopped with the others that are open."""
    import dask
    from distributed import Client, LocalCluster

    environment = {**dask.config.get("distributed.nanny.pre-spawn-environ"), **KEPT_MEMORY}
    with _not_interrupted(), dask.config.set({"distributed.nanny.pre-spawn-environ": environment}):
        cluster = LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        )
    opened.enter_context(cluster)
    client = opened.enter_context(Client(cluster, set_as_default=False))
    _n_ready(client, "on this machine", n_workers)
    return client


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """Let processes that are started here ignore Ctrl-C: it is for the process that leads them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
