from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from classeur.config import TrainingConfig
from classeur.training.optimization import (
    WIDE,
    balanced_weights,
    learning_rate_at,
    loss_of,
    make_optimizer,
    make_targets,
    predicted,
)


def test_schedules():
    def rates(schedule):
        config = TrainingConfig(schedule=schedule, learning_rate=1.0)
        return [learning_rate_at(config, step / 100) for step in range(101)]

    assert rates("constant") == [1.0] * 101
    cosine = rates("cosine")
    assert cosine[0] == 1.0
    assert cosine[50] == pytest.approx(0.5)
    assert cosine[100] == pytest.approx(0)
    assert cosine == sorted(cosine, reverse=True)
    cycle = rates("one-cycle")
    assert cycle[0] == pytest.approx(1 / 25)
    assert cycle[30] == pytest.approx(1.0)
    assert cycle[100] == pytest.approx(0)
    assert cycle[:31] == sorted(cycle[:31])
    assert cycle[30:] == sorted(cycle[30:], reverse=True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)],
)
def test_only_weight_matrices_decay(name, kind):
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    optimizer = make_optimizer(network, TrainingConfig(optimizer=name, weight_decay=0.1))
    assert type(optimizer) is kind
    decays = {
        id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]
    }
    assert decays[id(network[0].weight)] == decays[id(network[3].weight)] == 0.1
    assert decays[id(network[0].bias)] == decays[id(network[1].weight)] == 0.0
    assert len(decays) == len(list(network.parameters()))


def test_the_loss_is_the_cross_entropy():
    logits, labels = torch.randn(16, 5), torch.randint(5, (16,))
    targets = make_targets(labels, 5, 0.0)
    assert torch.allclose(loss_of(logits, targets), functional.cross_entropy(logits, labels))
    smooth = make_targets(labels, 5, 0.1)
    expected = functional.cross_entropy(logits, labels, label_smoothing=0.1)
    assert torch.allclose(loss_of(logits, smooth), expected)


def test_two_classes_have_the_same_loss_with_one_output_as_with_two():
    logit, labels = torch.randn(16, 1), torch.randint(2, (16,))
    both = torch.cat([torch.zeros(16, 1), logit], 1)
    targets = make_targets(labels, 2, 0.1)
    assert torch.allclose(loss_of(logit, targets), loss_of(both, targets), atol=1e-6)
    assert torch.equal(predicted(logit), predicted(both))


def test_class_weights_weigh_rare_classes_up():
    labels = torch.tensor([0] * 9 + [1])
    weights = balanced_weights(labels, 2)
    assert weights.tolist() == pytest.approx([10 / 18, 5.0])
    assert weights[labels].mean() == pytest.approx(1.0)
    logits, targets = torch.randn(10, 2), make_targets(labels, 2, 0.0)
    each = functional.cross_entropy(logits, labels, reduction="none")
    assert torch.allclose(loss_of(logits, targets, weights), (each * weights[labels]).mean())


@pytest.mark.parametrize(("name", "expected"), [("adam", 0.25), ("adamw", 0.25), ("sgd", 1.0)])
def test_a_layer_with_very_many_inputs_takes_smaller_steps(name, expected):
    network = nn.Sequential(nn.Linear(4 * WIDE, 2), nn.Linear(2, 2))
    optimizer = make_optimizer(network, TrainingConfig(optimizer=name))
    shares = {id(p): group["share"] for group in optimizer.param_groups for p in group["params"]}
    assert shares[id(network[0].weight)] == expected
    others = [network[0].bias, network[1].weight, network[1].bias]
    assert {shares[id(parameter)] for parameter in others} == {1.0}
