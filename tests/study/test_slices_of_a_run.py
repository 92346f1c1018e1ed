"""A fault in some of the photos only is found and named; the model card says so too."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image

from classeur.api import prepare
from classeur.data.manifest import read_manifest
from classeur.evaluation.evaluate import read_metrics
from classeur.evaluation.slices import worst_slice
from classeur.run_folder import RunFolder
from classeur.study.score import evaluate
from classeur.study.train import train

COUNTS = {"train": 80, "val": 40, "test": 150}


def draw_table(folder: Path) -> Path:
    """Bars at the left or right; every third photo is dark, half of those in test mislabelled."""
    random = np.random.default_rng(0)
    rows = []
    for split, count in COUNTS.items():
        for i in range(count):
            side, dark = i % 2, i % 3 == 0
            pixels = random.integers(0, 90, (16, 16, 3))
            pixels[:, 8 * side : 8 * side + 8] += 160
            path = folder / split / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((pixels * (0.4 if dark else 1)).astype(np.uint8)).save(path)
            wrong = split == "test" and dark and i % 4 < 2
            label = ("left", "right")[side != wrong]
            rows.append((f"{split}/{i}.png", label, split, "off" if dark else "on", i, f"no {i}"))
    with (folder / "photos.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split", "lamp", "Height", "note"), *rows])
    return folder / "photos.csv"


@pytest.fixture(scope="module")
def run(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("of Maria")
    table = draw_table(folder)
    return train(table, "dense", to=folder / "runs" / "dense", epochs=4, size=16, device="cpu")


def test_columns_travel_in_the_manifest(run: RunFolder) -> None:
    attributes = read_manifest(run.manifest).rows[0].attributes
    assert attributes == {"mode": "RGB", "lamp": "off"}, "note is free text, Height is ours"


def test_prepared_photos_have_the_same_manifest(run: RunFolder, tmp_path: Path) -> None:
    store = prepare(run.path.parents[1] / "photos.csv", to=tmp_path / "arrays", size=16)
    assert (store.path / "manifest.csv").read_bytes() == run.manifest.read_bytes()


def test_dark_photos_that_are_mislabelled_are_named(run: RunFolder) -> None:
    slices = read_metrics(run).slices
    worse = {(s.feature, s.value) for s in slices if s.is_worse}
    assert worse == {("brightness", "darkest third"), ("lamp", "off")}
    worst = worst_slice(slices)
    assert worst is not None
    assert worst.photos == 50
    assert worst.accuracy.high < 0.75
    assert worst.others > 0.9
    sentence = f"It is worst where {worst.feature} is “{worst.value}”"
    for page in (run.report, run.path / "report.md", run.card):
        assert sentence in page.read_text(encoding="utf-8")


def test_evaluate_scores_slices_of_other_photos_by_the_columns_of_their_table(
    run: RunFolder,
) -> None:
    table = run.path.parents[1] / "photos.csv"
    score = evaluate(run.path, table)
    assert {s.feature for s in score.slices} >= {"lamp"}
    assert "brightness" not in {s.feature for s in score.slices}
    assert not score.changed
    own = evaluate(run.path)
    assert own.slices == read_metrics(run).slices


def test_the_card_is_one_that_the_hub_reads(run: RunFolder) -> None:
    card = ModelCard.load(run.card)
    data = card.data.to_dict()
    assert data["library_name"] == "classeur"
    assert data["pipeline_tag"] == "image-classification"
    assert "license" not in data, "trained from scratch: the user's to choose"
    results = {result.metric_type: result for result in card.data.eval_results}
    accuracy = read_metrics(run).splits["test"].accuracy
    assert results["accuracy"].metric_value == round(accuracy.value, 4)
    assert results["accuracy"].dataset_split == "test"
    assert results.keys() == {"accuracy", "balanced_accuracy", "f1"}
    assert card.data.model_name == "dense"


def test_the_card_holds_no_path_of_this_machine_and_no_name_of_a_photo(run: RunFolder) -> None:
    text = run.card.read_text(encoding="utf-8")
    assert str(run.path.parent) not in text
    assert "/tmp" not in text
    assert ".png" not in text
    assert "| left | 40 | 20 | 74 | 134 |" in text
