"""Working through many items on a few threads."""

from __future__ import annotations

import os
import threading

import pytest

from classeur.data.parallel import cpu_count, in_parallel
from classeur.errors import UnreadablePhotoError


class TestInParallel:
    def test_order(self):
        """The first items are the slowest: each waits for the one after it."""
        done = [threading.Event() for _ in range(5)]

        def work(number):
            if number < 3:
                assert done[number + 1].wait(30)
            done[number].set()
            return number * 10

        assert list(in_parallel(work, range(5), workers=4)) == [0, 10, 20, 30, 40]

    @pytest.mark.parametrize("workers", [1, 2, 5, None])
    @pytest.mark.parametrize("count", [0, 1, 7, 100])
    def test_every_item_once(self, workers, count):
        assert list(in_parallel(str, range(count), workers)) == [str(n) for n in range(count)]

    def test_items_are_taken_as_they_are_needed(self):
        taken = []

        def items():
            for number in range(10_000):
                taken.append(number)
                yield number

        results = in_parallel(lambda number: number, items(), workers=2)
        for received in range(50):
            assert next(results) == received
            assert len(taken) - received <= 8 * 2
        results.close()
        assert len(taken) < 100

    def test_as_many_are_computed_ahead_as_are_used_up_in_one_go(self):
        """While a network has a batch of 32, the next two are decoded; and not one photo more."""
        done, enough = [], threading.Semaphore(0)

        def work(number):
            done.append(number)
            enough.release()

        results = in_parallel(work, range(10_000), workers=2, ahead=64)
        for _ in range(32):
            next(results)
        for _ in range(32 + 63):  # nobody takes a result meanwhile
            assert enough.acquire(timeout=30)
        assert not enough.acquire(timeout=0.05)
        assert len(done) == 32 + 63
        results.close()

    def test_an_exception_comes_out_in_its_turn(self):
        def work(number):
            if number == 3:
                raise UnreadablePhotoError("is broken")
            return number

        received = []
        with pytest.raises(UnreadablePhotoError, match="is broken"):
            received += in_parallel(work, range(1000), workers=2)
        results = in_parallel(work, range(1000), workers=2)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(UnreadablePhotoError):
            next(results)

    def test_an_exception_of_the_items(self):
        def items():
            yield 1
            raise ValueError("no more")

        with pytest.raises(ValueError, match="no more"):
            list(in_parallel(str, items(), workers=2))

    def test_no_thread_is_left(self):
        before = set(threading.enumerate())  # other tests may have left servers
        results = in_parallel(str, range(1000), workers=3)
        next(results)
        results.close()
        assert set(threading.enumerate()) <= before


def test_processors_that_this_process_may_use():
    assert 1 <= cpu_count() <= os.cpu_count()
