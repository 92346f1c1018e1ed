from __future__ import annotations

import numpy as np
import torch

from classeur.training.seeding import derived, epoch_order, seed_all


def test_the_order_depends_on_seed_and_epoch_alone():
    indices = np.arange(100, 200)
    first = epoch_order(indices, 0, 1)
    assert sorted(first) == indices.tolist()
    torch.manual_seed(5)
    assert (epoch_order(indices, 0, 1) == first).all()
    assert (epoch_order(indices, 0, 2) != first).any()
    assert (epoch_order(indices, 1, 1) != first).any()


def test_every_purpose_has_its_own_numbers():
    assert derived(0, "weights") != derived(0, "epoch", 1) != derived(1, "epoch", 1)
    seed_all(3, "weights")
    first = torch.rand(4)
    seed_all(3, "weights")
    assert torch.equal(torch.rand(4), first)


def test_the_generator_does_not_follow_the_global_one():
    generator = seed_all(0, "epoch", 1)
    assert not torch.equal(torch.rand(4), torch.rand(4, generator=generator))
