"""Photos that resemble nothing the run has seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from classeur.config import ModelConfig
from classeur.errors import InferenceError, RunFolderError
from classeur.models.novelty import Known, Novelty, last_dense, measuring, unit
from classeur.models.registry import create_model
from classeur.run_folder import RunFolder

FEATURES = 128
"""What the last layer of dense is given."""


def cloud(count: int, seed: int, at: int = 0) -> torch.Tensor:
    """Features around one direction, a few of them spread more than the others."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.full((FEATURES,), 0.02)
    spread[10:14] = 0.2
    found = torch.randn(count, FEATURES, generator=generator) * spread
    found[:, at] += 1
    return found


@pytest.fixture
def known() -> Known:
    labels = torch.arange(200) % 2
    return Known.fit(torch.where(labels[:, None] == 1, cloud(200, 0, 1), cloud(200, 0)), labels)


@pytest.fixture
def novelty(known: Known) -> Novelty:
    return Novelty(known, known.distance(cloud(99, 1)).sort().values)


@pytest.fixture
def network() -> torch.nn.Module:
    return create_model(ModelConfig("dense"), (3, 8, 8), 3)


def test_photos_of_the_kind_are_near_and_others_far(known: Known) -> None:
    own, other = known.distance(cloud(100, 2)), known.distance(cloud(100, 2, at=50))
    assert own.max() < other.min()
    assert known.distance(cloud(100, 2, at=1)).max() < other.min()  # the other class


def test_the_distance_is_that_of_mahalanobis(known: Known) -> None:
    some = cloud(5, 3)
    outer = known.directions.T @ known.directions
    along = known.directions.T @ torch.diag(1 / known.variances) @ known.directions
    precision = (along + (torch.eye(FEATURES) - outer) / known.rest).double()
    away = unit(some)[:, None].double() - known.means  # (N, K, F)
    squared = torch.einsum("nkf,fg,nkg->nk", away, precision, away).min(dim=1).values
    torch.testing.assert_close(known.distance(some).double(), squared.sqrt(), rtol=1e-3, atol=1e-3)


def test_a_direction_in_which_a_class_varies_is_no_novelty(known: Known) -> None:
    start = torch.zeros(2, FEATURES)
    start[:, 0] = 1
    start[0, 10] = start[1, 60] = 0.3
    along, across = known.distance(start)
    assert across > 3 * along


def test_brightness_of_features_does_not_count(known: Known) -> None:
    some = cloud(4, 5)
    torch.testing.assert_close(known.distance(some), known.distance(7 * some), rtol=1e-3, atol=0.01)


@pytest.mark.parametrize("features", [torch.zeros(4, 6), torch.ones(3, 6), torch.eye(2, 6)])
def test_photos_that_are_all_the_same_give_numbers(features: torch.Tensor) -> None:
    known = Known.fit(features, torch.zeros(len(features), dtype=torch.int64))
    assert known.distance(torch.cat([features, torch.rand(3, 6)])).isfinite().all()


@pytest.mark.parametrize(("share", "flagged"), [(0.01, 0), (0.05, 4), (0.5, 49)])
def test_no_more_than_the_share_of_validation_photos_is_strange(
    novelty: Novelty, share: float, flagged: int
) -> None:
    assert int((novelty.distances > novelty.threshold(share)).sum()) == flagged


def test_the_share_holds_for_photos_of_the_same_kind() -> None:
    shares = []
    for seed in range(300):
        drawn = torch.from_numpy(np.random.default_rng(seed).normal(size=59))
        distances = drawn[:39].sort().values
        limit = Novelty(Known(*[torch.zeros(())] * 4), distances).threshold(0.1)
        shares.append(float((drawn[39:] > limit).double().mean()))
    assert 0.08 < np.mean(shares) <= 0.105  # exactly 0.1 = 4/40 on average


@pytest.mark.parametrize("share", [0.009, 0.0, 1.0, 2.0, float("nan")])
def test_a_share_that_cannot_be_kept(novelty: Novelty, share: float) -> None:
    with pytest.raises(InferenceError) as raised:
        novelty.threshold(share)
    assert str(raised.value) == (
        f"a strange share of {share:g} cannot be kept: with 99 validation photos it must be at "
        "least 0.01, and below 1."
    )


def test_it_travels_with_the_run(novelty: Novelty, network: torch.nn.Module, tmp_path) -> None:
    run = RunFolder(tmp_path)
    assert Novelty.load(run, network) is None
    novelty.save(run)
    again = Novelty.load(run, network)
    assert again is not None
    torch.testing.assert_close(vars(again.known), vars(novelty.known))
    torch.testing.assert_close(again.distances, novelty.distances)
    assert again.auroc is None  # an older run, which was not tested
    assert again.tells
    for auroc, tells in ((0.79, False), (0.8, True)):
        dataclasses.replace(novelty, auroc=auroc).save(run)
        tested = Novelty.load(run, network)
        assert tested is not None
        assert (tested.auroc, tested.tells) == (auroc, tells)


def spoiled(
    run: RunFolder, version: str = "1", auroc: str = "0.9", **changes: torch.Tensor
) -> None:
    facts = {"version": version, "auroc": auroc}
    save_file({**load_file(run.novelty), **changes}, run.novelty, facts)


@pytest.mark.parametrize(
    "changes",
    [
        {"means": torch.zeros(2, 7)},
        {"means": torch.zeros(0, FEATURES)},
        {"directions": torch.zeros(3, FEATURES)},
        {"variances": torch.zeros(32)},
        {"rest": torch.tensor(float("nan"))},
        {"distances": torch.zeros(0)},
        {"distances": torch.zeros(3, 3)},
    ],
)
def test_one_of_another_network_is_refused(
    novelty: Novelty, network: torch.nn.Module, tmp_path, changes: dict[str, torch.Tensor]
) -> None:
    run = RunFolder(tmp_path)
    novelty.save(run)
    spoiled(run, **changes)
    with pytest.raises(RunFolderError) as raised:
        Novelty.load(run, network)
    assert str(raised.value) == (
        f"{run.novelty} does not belong to the network of this run. Delete it to predict without "
        "it, or train the run again."
    )


def test_one_that_cannot_be_read(novelty: Novelty, network: torch.nn.Module, tmp_path) -> None:
    run = RunFolder(tmp_path)
    novelty.save(run)
    spoiled(run, version="9")
    with pytest.raises(
        RunFolderError, match=r"is of version 9; this Classeur reads version 1\. Del"
    ):
        Novelty.load(run, network)
    spoiled(run, auroc="much")
    with pytest.raises(RunFolderError, match=r"novelty\.safetensors cannot be read: could not"):
        Novelty.load(run, network)
    run.novelty.write_bytes(b"no tensors")
    with pytest.raises(RunFolderError, match=r"novelty\.safetensors cannot be read: "):
        Novelty.load(run, network)
    with pytest.raises(RunFolderError, match=r"cannot write .*novelty\.safetensors"):
        novelty.save(RunFolder(tmp_path / "gone"))


@pytest.mark.parametrize("name", ["dense", "conv1", "conv3", "resnet-small", "test_efficientnet"])
def test_every_network_shows_what_its_last_layer_is_given(name: str) -> None:
    network = create_model(ModelConfig(name), (3, 32, 32), 3).eval()
    layer = last_dense(network)
    assert layer is not None
    assert layer.out_features == 3
    seen = Known.fit(torch.rand(4, layer.in_features), torch.tensor([0, 0, 1, 1]))
    with measuring(network, seen) as distances, torch.no_grad():
        network(torch.rand(2, 3, 32, 32))
        network(torch.rand(3, 3, 32, 32))
    assert [len(some) for some in distances] == [2, 3]
    with torch.no_grad():
        network(torch.rand(2, 3, 32, 32))
    assert len(distances) == 2  # nothing is left behind


def test_a_network_without_a_dense_layer_measures_nothing(known: Known) -> None:
    network = create_model(ModelConfig("majority"), (3, 8, 8), 3)
    with measuring(network, known) as distances:
        network(torch.rand(2, 3, 8, 8))
    assert distances == []
