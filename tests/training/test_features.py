"""Features of a frozen backbone: computed once, and those of the very photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from classeur.config import AugmentationConfig, ModelConfig
from classeur.data.geometry import Geometry
from classeur.errors import TrainingError
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing
from classeur.models.pretrained import Pretrained
from classeur.training.feature_parts import Parts
from classeur.training.features import Features, compute_features
from classeur.training.inputs import TrainingData

SIZE = 32
FLIP = AugmentationConfig(flip=0.5, rotation=10)


@pytest.fixture
def photos() -> TrainingData:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (10, SIZE, SIZE, 3)).astype(np.uint8)
    labels = np.arange(10) % 2
    return TrainingData(pixels, labels, np.array([0, 2, 3, 5, 8, 9]), np.array([1, 4, 7]))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "w.safetensors").write_bytes(b"some weights")
    return tmp_path / "w.safetensors"


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    preprocessing = Preprocessing(Geometry(SIZE), (0.5,) * 3, (0.2,) * 3)
    return Classifier.create(ModelConfig("test_efficientnet"), ["a", "b"], preprocessing)


@pytest.fixture
def compute(classifier: Classifier, photos: TrainingData, weights: Path) -> Callable[..., Features]:
    def call(**changes: object) -> Features:
        arguments = {
            "store_key": "store", "weights": weights, "views": 0, "augmentation": FLIP, "seed": 0,
            "device": torch.device("cpu"), "number_format": "float32", "batch_size": 4,
        }  # fmt: skip
        return compute_features(classifier, photos, **{**arguments, **changes})

    return call


def expected(classifier: Classifier, pixels: np.ndarray) -> np.ndarray:
    network = classifier.network.eval()
    with torch.inference_mode():
        batch = classifier.preprocessing.normalize(torch.from_numpy(pixels.copy()))
        return network.features(batch).numpy()


@pytest.mark.parametrize("epoch", [0, 1])
def test_they_are_the_backbones_own(
    compute: Callable[..., Features], classifier: Classifier, photos: TrainingData, epoch: int
) -> None:
    features = compute()
    assert part_of(features).shape == (9, 256)
    for rows in (photos.train[::-1], photos.val):
        found = features.read(rows, epoch)
        assert np.allclose(found, expected(classifier, photos.photos[rows]), atol=1e-5)


def test_they_are_computed_once(
    compute: Callable[..., Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compute()
    assert first.seconds > 0
    monkeypatch.setattr(Pretrained, "features", None)
    again = compute(seed=3, batch_size=2)  # neither changes what a photo looks like to the backbone
    assert np.array_equal(part_of(first), part_of(again))
    assert isinstance(part_of(again), np.memmap)
    assert again.seconds == first.seconds


def test_another_split_computes_only_the_photos_that_are_new(
    compute: Callable[..., Features], classifier: Classifier, photos: TrainingData,
    monkeypatch: pytest.MonkeyPatch, cache: Path,
) -> None:  # fmt: skip
    """As folds do: 6 is in no split of the first, and the only one that is computed then."""
    whole, seen = Pretrained.features, []

    def counted(network: Pretrained, batch: torch.Tensor) -> torch.Tensor:
        seen.append(len(batch))
        return whole(network, batch)

    monkeypatch.setattr(Pretrained, "features", counted)
    first = compute()
    assert sum(seen) == 9
    photos.train, photos.val = np.array([6, 1, 9, 2]), np.array([0, 8])
    again = compute()
    assert sum(seen) == 10
    assert len(list((cache / "features").glob("*.npy"))) == 2
    new = again.seconds - 5 / 9 * first.seconds  # what the nine took, shared out among them
    assert 0 < new <= again.seconds
    monkeypatch.undo()
    for rows in (photos.train, photos.val, np.array([8, 6, 8, 0])):
        assert np.allclose(
            again.read(rows, 1), expected(classifier, photos.photos[rows]), atol=1e-5
        )


def test_a_damaged_part_costs_its_photos_and_no_others(
    compute: Callable[..., Features], classifier: Classifier, photos: TrainingData, cache: Path
) -> None:
    compute()
    (first,) = (cache / "features").glob("*.npy")
    photos.train = np.arange(10)
    compute()
    damage(first)
    photos.train = np.array([6, 9])
    found = compute()
    assert np.allclose(found.read(photos.train, 0), expected(classifier, photos.photos[[6, 9]]),
                       atol=1e-5)  # fmt: skip


def part_of(features: Features) -> np.ndarray:
    """The one table that features without views are read from."""
    assert isinstance(features.table, Parts)
    (part,) = features.table.held
    return part.table


def test_batches_of_another_size_draw_other_views(
    compute: Callable[..., Features], cache: Path
) -> None:
    compute(views=1, batch_size=2)
    compute(views=1, batch_size=3)
    assert len(list((cache / "features").glob("*.npy"))) == 2


@pytest.mark.parametrize(
    "changes", [{"store_key": "other"}, {"views": 1}, {"number_format": "bfloat16"}]
)
def test_another_question_has_another_answer(
    compute: Callable[..., Features], changes: dict[str, object], cache: Path
) -> None:
    compute()
    compute(**changes)
    assert len(list((cache / "features").glob("*.npy"))) == 2


def test_other_weights_have_other_features(
    compute: Callable[..., Features], weights: Path, cache: Path
) -> None:
    compute()
    weights.write_bytes(b"other weights")
    compute()
    assert len(list((cache / "features").glob("*.npy"))) == 2


def test_views_are_drawn_anew_each_epoch(
    compute: Callable[..., Features], classifier: Classifier, photos: TrainingData
) -> None:
    features = compute(views=3)
    assert features.table.shape == (6 * 4 + 3, 256)
    plain = expected(classifier, photos.photos[photos.train])
    assert np.allclose(features.table[:24:4], plain, atol=1e-5)
    epochs = [features.read(photos.train, epoch) for epoch in range(1, 9)]
    assert len({epoch.tobytes() for epoch in epochs}) > 1
    assert any(np.allclose(epoch[0], plain[0], atol=1e-5) for epoch in epochs)
    assert not all(np.allclose(epoch[0], plain[0], atol=1e-5) for epoch in epochs)
    assert np.array_equal(features.read(photos.train[3:4], 5)[0], epochs[4][3])
    for epoch in (0, 3):  # validation has no views
        found = features.read(photos.val, epoch)[:1]
        assert np.allclose(found, expected(classifier, photos.photos[photos.val[:1]]), atol=1e-5)


def test_rare_classes_have_more_views(
    compute: Callable[..., Features], classifier: Classifier, photos: TrainingData
) -> None:
    """Four photos of class 0 with two views each, and one of class 1 with eight."""
    photos.train = np.array([0, 2, 3, 6, 8])
    turned = AugmentationConfig(flip=0.5, rotation=30, extra_augment_rare=True)
    features = compute(views=2, augmentation=turned)
    assert features.views.tolist() == [2, 2, 8, 2, 2]
    assert features.table.shape == (5 + 16 + 3, 256)
    plain = expected(classifier, photos.photos)
    assert np.allclose(features.read(photos.train, 0), plain[photos.train], atol=1e-5)
    assert np.allclose(features.read(photos.val, 3), plain[photos.val], atol=1e-5)
    rare = np.repeat(photos.train[2:3], 9)
    views = features.read(rare, 1, np.arange(9))
    assert len({view.tobytes() for view in views}) == 9
    assert any(np.allclose(view, plain[3], atol=1e-5) for view in views)
    assert compute(views=2, augmentation=FLIP).table.shape == (5 + 10 + 3, 256)


@pytest.mark.parametrize("extra", [False, True])
def test_a_photo_that_comes_again_shows_its_next_view(
    compute: Callable[..., Features], photos: TrainingData, extra: bool
) -> None:
    changes = AugmentationConfig(rotation=90, brightness=0.5, extra_augment_rare=extra)
    features = compute(views=2, augmentation=changes)
    row = photos.train[:1]
    seen = [features.read(row, 4, np.array([turn]))[0] for turn in range(6)]
    assert len({view.tobytes() for view in seen[:3]}) == 3
    assert all(np.array_equal(first, again) for first, again in zip(seen, seen[3:], strict=False))
    assert np.array_equal(features.read(row, 4)[0], seen[0])


def test_an_interruption_leaves_nothing_to_trust(
    compute: Callable[..., Features], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = Pretrained.features, []

    def interrupted(network: Pretrained, batch: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(network, batch)

    monkeypatch.setattr(Pretrained, "features", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compute()
    assert list((cache / "features").iterdir()) == []
    monkeypatch.setattr(Pretrained, "features", whole)
    assert part_of(compute()).shape == (9, 256)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("suffix", "harm"),
    [
        (".npy", damage),
        (".npy", lambda path: path.write_bytes(path.read_bytes()[:-4])),
        (".npy", Path.unlink),
        (".json", lambda path: path.write_text("[]")),
        (".json", lambda path: path.write_text("{")),
    ],
)
def test_what_is_damaged_in_the_cache_is_computed_again(
    compute: Callable[..., Features], cache: Path, suffix: str, harm: Callable[[Path], None]
) -> None:
    before = np.array(part_of(compute()))
    (path,) = (cache / "features").glob(f"*{suffix}")
    harm(path)
    assert np.array_equal(part_of(compute()), before)


def test_our_own_networks_have_none(
    compute: Callable[..., Features], classifier: Classifier
) -> None:
    classifier.config, classifier.network = ModelConfig("conv1"), torch.nn.Identity()
    with pytest.raises(TrainingError, match="conv1 has no backbone that could be frozen"):
        compute()
