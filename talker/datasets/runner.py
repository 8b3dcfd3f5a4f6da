"""The same function over many arguments: in worker processes of this machine, or of a Ray cluster.

Arguments are drawn as there is room for them, so a million of them take no more memory than a hundred, and results are
dropped as they come: the work leaves files. Every worker computes with one thread, which makes results independent of
how many workers there are.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from talker.errors import TalkerError

Task = TypeVar("Task")

_THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
WORKER_ENVIRONMENT = {**dict.fromkeys(_THREAD_COUNTS, "1"), "TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3"}
_WAITING_PER_WORKER = 2

Report = Callable[[Task, str | None], None]
"""Hears of a task that is done, and what went wrong with it, if anything did."""


class LocalPool:
    """`jobs` processes; one that a task takes down is replaced, and the task reported."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "LocalPool":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def run(self, work: Callable[[Task], None], tasks: Iterable[Task], report: Report[Task]) -> None:
        """Do every task, in any order; `report` hears of each when it is done, and what went wrong if anything did."""
        tasks = iter(tasks)
        suspects: list[Task] = []
        while broken := self._run(work, tasks, report, self._jobs * _WAITING_PER_WORKER):
            suspects += broken
        for suspect in suspects:  # A worker died with these in hand: one at a time, to know which of them it was.
            if self._run(work, iter([suspect]), report, 1):
                report(suspect, "it takes the whole process down")

    def _run(self, work: Callable[[Task], None], tasks: Iterator[Task], report: Report[Task], room: int) -> list[Task]:
        """Work until all is done, or until a worker dies: then those are returned that were in hand."""
        running: dict[Future[None], Task] = {}
        while True:
            for task in islice(tasks, room - len(running)):
                running[self._submit(work, task)] = task
            if not running:
                return []
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                if isinstance(future.exception(), BrokenProcessPool):
                    self._close()
                    return list(running.values())
                report(running.pop(future), _fault(future))

    def _submit(self, work: Callable[[Task], None], task: Task) -> "Future[None]":
        if self._pool is None:
            # "spawn": threads of libraries that are loaded here already must not be forked.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._jobs, mp_context=context, initializer=_begin_worker)
        with worker_environment():  # Processes start when there is work for them.
            try:
                return self._pool.submit(work, task)
            except BrokenProcessPool as error:
                future: Future[None] = Future()
                future.set_exception(error)
                return future

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


class RayPool:
    """The workers of a Ray cluster; every one must see the data and the output under the same paths."""

    def __init__(self, address: str) -> None:
        try:
            import ray
        except ImportError as error:
            raise TalkerError('--ray needs Ray: pip install "talker[ray]"') from error
        self._ray = ray
        if not ray.is_initialized():
            try:
                ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": WORKER_ENVIRONMENT})
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise TalkerError(f"no Ray cluster answers at '{address}' ({str(error)[:100]})") from error

    def __enter__(self) -> "RayPool":
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def run(self, work: Callable[[Task], None], tasks: Iterable[Task], report: Report[Task]) -> None:
        """Do every task, in any order; `report` hears of each when it is done, and what went wrong if anything did."""
        ray = self._ray
        remote = ray.remote(max_retries=1)(_call)
        room = _WAITING_PER_WORKER * max(1, int(ray.cluster_resources().get("CPU", 1)))
        running: dict[object, Task] = {}
        tasks = iter(tasks)
        while True:
            for task in islice(tasks, room - len(running)):
                running[remote.remote(work, task)] = task
            if not running:
                return
            for reference in ray.wait(list(running), num_returns=1)[0]:
                fault = None
                try:
                    ray.get(reference)
                except ray.exceptions.RayError as error:
                    fault = _told(getattr(error, "cause", None) or error)
                report(running.pop(reference), fault)


def _call(work: Callable[[Task], None], task: Task) -> None:
    work(task)


@contextmanager
def worker_environment() -> Iterator[None]:
    """Processes started inside inherit `WORKER_ENVIRONMENT`."""
    before = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    os.environ.update(WORKER_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _fault(future: "Future[None]") -> str | None:
    error = future.exception()
    return None if error is None else _told(error)


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, TalkerError) else f"{type(error).__name__}: {error}"[:200]


def _begin_worker() -> None:
    """A worker must not outlive a parent that was killed, nor may libraries write into the progress bar."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
