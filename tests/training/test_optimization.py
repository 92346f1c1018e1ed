from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from classeur.config import ModelConfig, TrainingConfig
from classeur.models.registry import create_model
from classeur.training.optimization import (
    WIDE,
    WIDE_NORMALIZED,
    balanced_weights,
    gamma_of,
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
    weights = balanced_weights(torch.bincount(labels))
    assert weights.tolist() == pytest.approx([10 / 18, 5.0])
    assert weights[labels].mean() == pytest.approx(1.0)
    logits, targets = torch.randn(10, 2), make_targets(labels, 2, 0.0)
    each = functional.cross_entropy(logits, labels, reduction="none")
    assert torch.allclose(loss_of(logits, targets, weights), (each * weights[labels]).mean())


def photos_of(outputs):
    torch.manual_seed(0)
    classes = max(outputs, 2)
    logits, labels = 3 * torch.randn(16, outputs), torch.randint(classes, (16,))
    return logits, labels, classes


@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_loss_with_gamma_zero_is_the_cross_entropy(outputs, smoothing):
    logits, labels, classes = photos_of(outputs)
    targets = make_targets(labels, classes, smoothing)
    assert torch.equal(loss_of(logits, targets, gamma=0.0), loss_of(logits, targets))
    assert torch.allclose(loss_of(logits, targets, gamma=1e-9), loss_of(logits, targets))


@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_loss_counts_what_is_well_classified_less(outputs, gamma):
    logits, labels, classes = photos_of(outputs)
    both = torch.cat([torch.zeros(16, 1), logits], 1) if outputs == 1 else logits
    right = torch.softmax(both, 1)[torch.arange(16), labels]
    expected = (-((1 - right) ** gamma) * right.log()).mean()
    assert torch.allclose(
        loss_of(logits, make_targets(labels, classes, 0.0), gamma=gamma), expected
    )


@pytest.mark.parametrize("outputs", [1, 5])
def test_focal_loss_of_mixed_targets_is_the_mean_over_their_classes(outputs):
    """As cross-entropy: what two labels would cost, weighted by their shares."""
    logits, labels, classes = photos_of(outputs)
    one, other = (make_targets(those, classes, 0.0) for those in (labels, labels.roll(1)))
    mixed = loss_of(logits, 0.3 * one + 0.7 * other, gamma=2.0)
    apart = 0.3 * loss_of(logits, one, gamma=2.0) + 0.7 * loss_of(logits, other, gamma=2.0)
    assert torch.allclose(mixed, apart)


def test_class_weights_weigh_the_focal_loss_too():
    logits, labels, _ = photos_of(2)
    targets, weights = make_targets(labels, 2, 0.0), torch.tensor([1.0, 3.0])
    each = torch.stack([loss_of(logits[[i]], targets[[i]], gamma=2.0) for i in range(16)])
    assert torch.allclose(loss_of(logits, targets, weights, 2.0), (each * weights[labels]).mean())


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("logits", [[[80.0]], [[-80.0]], [[80.0, 0.0, 0.0]], [[0.0, 80.0, 0.0]]])
def test_focal_loss_of_a_certain_answer_has_a_slope(logits, gamma):
    logits = torch.tensor(logits, requires_grad=True)
    classes = max(2, logits.shape[1])
    loss_of(logits, make_targets(torch.tensor([1]), classes, 0.1), gamma=gamma).backward()
    assert logits.grad.isfinite().all()


def test_gamma_is_that_of_the_focal_loss_alone():
    assert gamma_of(TrainingConfig()) == 0
    assert gamma_of(TrainingConfig(loss="focal")) == 2
    assert gamma_of(TrainingConfig(loss="focal", focal_gamma=0)) == 0


@pytest.mark.parametrize(("name", "expected"), [("adam", 0.25), ("adamw", 0.25), ("sgd", 1.0)])
def test_a_layer_with_very_many_inputs_takes_smaller_steps(name, expected):
    network = nn.Sequential(nn.Linear(4 * WIDE, 2), nn.Linear(2, 2))
    optimizer = make_optimizer(network, TrainingConfig(optimizer=name))
    shares = {id(p): group["share"] for group in optimizer.param_groups for p in group["params"]}
    assert shares[id(network[0].weight)] == expected
    others = [network[0].bias, network[1].weight, network[1].bias]
    assert {shares[id(parameter)] for parameter in others} == {1.0}


@pytest.mark.parametrize(
    ("normalization", "share"), [("none", 1.0), ("batch", 0.5), ("group", 0.5), ("layer", 0.5)]
)
def test_a_dense_layer_on_normalised_maps_takes_smaller_steps_sooner(normalization, share):
    config = ModelConfig("conv3", normalization=normalization)
    network = create_model(config, (3, 46, 46), 3)  # (46 - 14) / 8 = 4: 1,024 inputs
    optimizer = make_optimizer(network, TrainingConfig())
    shares = {id(p): group["share"] for group in optimizer.param_groups for p in group["params"]}
    first, last = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert first.in_features == 2 * WIDE_NORMALIZED
    assert (shares[id(first.weight)], shares[id(last.weight)]) == (share, 1.0)
