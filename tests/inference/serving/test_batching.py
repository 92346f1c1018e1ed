"""Many photos through one network: what shares a pass, what waits for what, what is too much."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from classeur.errors import UnreadablePhotoError
from classeur.inference.predictor import Prediction, Predictor
from classeur.inference.serving.batching import Batcher
from classeur.inference.serving.refusal import Place, Refusal, Room
from classeur.inference.serving.settings import MIB, ServeConfig
from classeur.models.abstention import Rule

Start = Callable[..., TestClient]
Encode = Callable[..., bytes]


class Slow:
    """A predictor that answers, and opens large photos, when it is let."""

    class_names = ("a", "b")

    def __init__(self) -> None:
        self.may_answer, self.may_open_large = threading.Event(), threading.Event()
        self.batches: list[int] = []
        self.opening_large = 0
        self.most_large = 0

    def prepared(self, photo: bytes) -> NDArray[np.uint8]:
        if len(photo) > 1000:
            self.opening_large += 1
            self.most_large = max(self.most_large, self.opening_large)
            assert self.may_open_large.wait(10)
            self.opening_large -= 1
        return np.zeros((2, 2, 3), np.uint8)

    def answers(
        self, pixels: NDArray[np.uint8], *, top_k: int, rule: Rule | None
    ) -> list[Prediction]:
        assert self.may_answer.wait(10)
        self.batches.append(len(pixels))
        ranked = (("a", 0.6), ("b", 0.4))[:top_k]
        return [Prediction("", "a", 0.6, ranked)] * len(pixels)

    def explain(self, photo: bytes, label: str, side: int | None) -> NDArray[np.float32]:
        raise NotImplementedError


def with_batcher(
    work: Callable[[Batcher], Coroutine[Any, Any, Any]], predictor: Any, **settings: Any
) -> Any:
    async def whole() -> Any:
        batcher = Batcher(predictor, None, ServeConfig(**settings))
        batcher.start()
        try:
            return await asyncio.wait_for(work(batcher), 20)
        finally:
            await batcher.stop()

    return asyncio.run(whole())


@pytest.mark.parametrize(("batch_size", "expected"), [(4, [1, 4, 4, 1]), (1, [1] * 10)])
def test_what_waits_shares_a_pass(png: bytes, batch_size: int, expected: list[int]) -> None:
    slow = Slow()

    async def ten(batcher: Batcher) -> list[Prediction]:
        first = asyncio.create_task(batcher.answer(png, 1))
        while not batcher._network._work_queue.empty() or not batcher._network._threads:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        rest = [asyncio.create_task(batcher.answer(png, 1 + i % 2)) for i in range(9)]
        while len(batcher._waiting) < 9:
            await asyncio.sleep(0.01)
        slow.may_answer.set()
        return await asyncio.gather(first, *rest)

    answers = with_batcher(ten, slow, batch_size=batch_size)
    assert slow.batches == expected
    assert [len(one.top) for one in answers] == [1, *(1 + i % 2 for i in range(9))]


def test_large_photos_wait_for_each_other_and_small_ones_for_none(
    png: bytes, encode: Encode
) -> None:
    large = encode(Image.new("1", (6000, 5000)))
    assert len(large) > 1000
    slow = Slow()
    slow.may_answer.set()

    async def both(batcher: Batcher) -> None:
        waiting = [asyncio.create_task(batcher.answer(large, 1)) for _ in range(5)]
        while not slow.opening_large:
            await asyncio.sleep(0.01)
        for _ in range(5):
            assert (await batcher.answer(png, 1)).label == "a"
        assert not any(task.done() for task in waiting)
        slow.may_open_large.set()
        assert [one.label for one in await asyncio.gather(*waiting)] == ["a"] * 5

    with_batcher(both, slow)
    assert slow.most_large == 1


def test_photos_that_cannot_be_read_never_reach_the_network(encode: Encode) -> None:
    slow = Slow()

    async def some(batcher: Batcher) -> list[Prediction]:
        bomb = encode(Image.new("1", (3000, 2000)))
        return [await batcher.answer(photo, 1) for photo in (b"", b"text", bomb)]

    empty, text, bomb = with_batcher(some, slow, max_megapixels=5)
    assert empty.error == "is empty (0 bytes)"
    assert text.error.startswith("is not a photo in any known format")
    assert bomb.error == ("is too large: 3000×2000 pixels, at most 5 megapixels are taken here")
    assert slow.batches == []


def test_an_error_reaches_those_who_wait_and_nobody_else(
    predictor: Predictor, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def two(batcher: Batcher) -> Prediction:
        with monkeypatch.context() as patch:
            patch.setattr(predictor, "answers", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await batcher.answer(png, 1)
        return await batcher.answer(png, 1)

    assert with_batcher(two, predictor).label in predictor.class_names


def test_an_unreadable_photo_has_no_heat_map(predictor: Predictor) -> None:
    with pytest.raises(UnreadablePhotoError, match=r"is empty \(0 bytes\)"):
        with_batcher(lambda batcher: batcher.explain(b"", "", 9), predictor)


def test_there_is_room_for_so_many_photos_and_bytes() -> None:
    room = Room(ServeConfig(max_waiting=3, max_files=3, max_waiting_mb=32))
    one, other = Place(room), Place(room)
    one.take(photos=2)
    with pytest.raises(Refusal) as raised:
        other.take(photos=2)
    assert (raised.value.status, raised.value.headers) == (503, {"Retry-After": "1"})
    assert raised.value.reason == "too many photos are waiting; try again in a moment."
    other.take(photos=1, size=32 * MIB)
    assert room.is_full
    one.leave()
    with pytest.raises(Refusal):
        one.take(size=1)
    other.leave()
    other.leave()
    assert (room.photos, room.bytes, room.is_full) == (0, 0, False)


@pytest.fixture
def blocked(start: Start, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a server whose network waits to be let."""
    served = start(max_waiting=2, max_files=2, answer_seconds=0.3)
    may = threading.Event()
    answers = Predictor.answers

    def waiting(self: Predictor, *pixels: Any, **options: Any) -> list[Prediction]:
        assert may.wait(10)
        return answers(self, *pixels, **options)

    monkeypatch.setattr(Predictor, "answers", waiting)
    yield served, may
    may.set()


def test_a_full_server_says_come_again_and_recovers(blocked: Any, png: bytes) -> None:
    served, may = blocked
    headers = {"Content-Type": "image/png"}
    for _ in range(2):
        late = served.post("/predict", content=png, headers=headers)
        assert late.status_code == 503
        assert late.json() == {"error": "no answer within 0.3 seconds; try again."}
        assert late.headers["retry-after"] == "1"
    full = served.post("/predict", content=png, headers=headers)
    assert full.status_code == 503
    assert full.json() == {"error": "too many photos are waiting; try again in a moment."}
    ready = served.get("/readyz")
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "1")
    assert ready.json() == {"error": "not ready: starting, stopping or full."}
    assert served.get("/healthz").status_code == 200
    may.set()
    for _ in range(100):
        again = served.post("/predict", content=png, headers=headers)
        if again.status_code == 200:
            break
    assert again.json()["photos"][0]["label"]
