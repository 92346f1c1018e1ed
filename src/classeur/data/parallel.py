"""Many small pieces of work on a few threads, in order and with bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cpu_count() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None = None,
    chunk: int = 1,
    ahead: int = 0,
) -> Iterator[Result]:
    """Yield function(item) in the order of the items, computed by a few threads.

    At most eight chunks a worker are under way, or `ahead` if that is more, so memory stays bounded
    however many items there are and however slowly the results are taken. Threads serve because
    hashing, Pillow's decoders and its resize release the interpreter lock.

    Args:
        function: called in the threads.
        items: taken as they are needed.
        workers: threads; None: one a processor.
        chunk: items handed over at once; larger where the function takes microseconds.
        ahead: chunks that are computed while the results are put to use; as many as are used up in
            one go, or the threads run out of work meanwhile.
    """
    workers = workers or cpu_count()
    most = max(8 * workers, ahead)
    waiting: deque[Future[list[Result]]] = deque()
    remaining = iter(items)

    def run(some: list[Item]) -> list[Result]:
        return [function(item) for item in some]

    with ThreadPoolExecutor(workers, thread_name_prefix="classeur") as pool:
        try:
            while some := list(islice(remaining, chunk)):
                waiting.append(pool.submit(run, some))
                if len(waiting) >= most:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
