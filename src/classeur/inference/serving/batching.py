"""Photos of many requests through one network: decoded side by side, answered together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from classeur.data.decode import LARGE_PIXELS, stated_size
from classeur.data.parallel import cpu_count
from classeur.errors import UnreadablePhotoError
from classeur.inference.predictor import Prediction
from classeur.inference.serving.settings import ServeConfig
from classeur.models.abstention import Rule

Result = TypeVar("Result")
Pixels = NDArray[np.uint8]


class Answering(Protocol):
    """What the server asks of a predictor; from several threads at once."""

    @property
    def class_names(self) -> list[str]:
        """In the order of the probabilities."""

    def prepared(self, photo: bytes) -> Pixels:
        """Return (H, W, C), of the same shape for every photo. Raises UnreadablePhotoError."""

    def answers(self, pixels: Pixels, *, top_k: int, rule: Rule | None) -> list[Prediction]:
        """Return a prediction for each of (N, H, W, C)."""

    def explain(self, photo: bytes, label: str, side: int | None) -> NDArray[np.float32]:
        """Return (H, W) from 0 to 1. Raises ClasseurError where the network allows none."""


@dataclass
class _Waiting:
    pixels: Pixels
    top_k: int
    answer: asyncio.Future[Prediction]


class Batcher:
    """Decodes on a few threads and answers on one, always all photos that wait by then.

    Large photos have a thread of their own, so that one of them at a time is in memory, and those
    that wait for it keep no small one from being decoded.

    Args:
        predictor: the run's.
        rule: when to be unsure; None: never.
        settings: `batch_size`, `max_megapixels` and `workers` are used.
        note: called with the size of every batch.
    """

    def __init__(
        self, predictor: Answering, rule: Rule | None, settings: ServeConfig,
        note: Callable[[int], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._predictor, self._rule, self._note = predictor, rule, note
        self._batch_size = settings.batch_size
        self._max_megapixels = settings.max_megapixels
        threads = max(1, cpu_count() // settings.workers)
        self._small = ThreadPoolExecutor(threads, thread_name_prefix="classeur-decode")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="classeur-decode-large")
        self._network = ThreadPoolExecutor(1, thread_name_prefix="classeur-network")
        self._waiting: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer; needs a running event loop."""
        self._runner = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the threads. What was asked before has its answer by then."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        for pool in (self._small, self._large, self._network):
            pool.shutdown(wait=False, cancel_futures=True)

    async def answer(self, photo: bytes, top_k: int) -> Prediction:
        """Return what the network says of a photo; one that cannot be read has its `error`."""
        try:
            pixels = await self._decoded(photo, self._predictor.prepared)
        except UnreadablePhotoError as error:
            return Prediction("", error=str(error))
        waiting = _Waiting(pixels, top_k, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._filled.set()
        return await waiting.answer

    async def explain(self, photo: bytes, label: str, side: int) -> NDArray[np.float32]:
        """Return a heat map, at most `side` pixels wide or high. Raises as `Predictor.explain`."""
        return await self._decoded(photo, lambda it: self._predictor.explain(it, label, side))

    async def _decoded(self, photo: bytes, opened: Callable[[bytes], Result]) -> Result:
        """Return opened(photo), computed on the thread that suits its size."""
        loop = asyncio.get_running_loop()

        def small() -> Result | None:
            return None if self._is_large(photo) else opened(photo)

        found = await loop.run_in_executor(self._small, small)
        return await loop.run_in_executor(self._large, opened, photo) if found is None else found

    def _is_large(self, photo: bytes) -> bool:
        """Whether a photo waits for the other large ones. Raises if it is too large for that."""
        if not photo:
            raise UnreadablePhotoError("is empty (0 bytes)")
        width, height = stated_size(photo)
        if width * height > self._max_megapixels * 10**6:
            raise UnreadablePhotoError(
                f"is too large: {width}×{height} pixels, at most {self._max_megapixels} megapixels "
                "are taken here"
            )
        return width * height > LARGE_PIXELS

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._filled.wait()
            some = [
                self._waiting.popleft() for _ in range(min(self._batch_size, len(self._waiting)))
            ]
            if not self._waiting:
                self._filled.clear()
            try:
                answers = await loop.run_in_executor(self._network, self._answered, some)
            except Exception as error:  # of a network that breaks: those who wait are told
                for one in some:
                    if not one.answer.done():
                        one.answer.set_exception(error)
                continue
            for one, answer in zip(some, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(replace(answer, top=answer.top[: one.top_k]))

    def _answered(self, some: list[_Waiting]) -> list[Prediction]:
        self._note(len(some))
        pixels = np.stack([one.pixels for one in some])
        most = max(one.top_k for one in some)
        return self._predictor.answers(pixels, top_k=most, rule=self._rule)
