"""Suspicious labels: found, listed, shown, decided on, and taken into a study."""

from __future__ import annotations

import csv
import os
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from tests.report.pages import Page

from classeur.config import RunConfig
from classeur.data.manifest import read_manifest
from classeur.errors import ConfigError, DataError, RunFolderError, WeightsError
from classeur.evaluation.suspicious import COLUMNS, find_suspects
from classeur.study.study import run_study
from classeur.study.suspicious import find_suspicious
from classeur.study.train import resume, train

SHARED = Path(__file__).parents[3] / "shared" / "weights"
WEIGHTS = Path(os.environ.get("CLASSEUR_WEIGHTS") or SHARED)


def digits(folder: Path, number: int = 900, share: float = 0.05) -> dict[str, str]:
    """Digits in class folders, a share of them in a wrong one; return path of those -> label."""
    data = load_digits()
    draw = random.Random(0)
    flipped = set(draw.sample(range(number), round(share * number)))
    truth = {}
    for n in range(number):
        label = true = str(data.target[n])
        if n in flipped:
            label = draw.choice([d for d in "0123456789" if d != true])
            truth[f"{label}/{n}.png"] = true
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray((data.images[n] * 15).astype(np.uint8)).save(folder / label / f"{n}.png")
    return truth


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


class TestOnScratch:
    @pytest.mark.slow
    @pytest.mark.timeout(900)  # half a minute on a quiet machine
    def test_most_flipped_labels_are_found(self, tmp_path, messages):
        truth = digits(tmp_path / "photos")
        before = {path: path.read_bytes() for path in (tmp_path / "photos").rglob("*.png")}
        found = find_suspicious(
            tmp_path / "photos", to=tmp_path / "to", backbone="none", folds=4, device="cpu"
        )
        listed = {item.path for item in found.suspects}
        hits = listed & truth.keys()
        assert len(truth) == 45
        assert len(hits) / len(truth) >= 0.7  # measured: 38 of 45
        assert len(hits) / len(listed) >= 0.7  # measured: 38 of 45
        assert sum(s.suggested == truth.get(s.path) for s in found.suspects) >= 0.6 * len(truth)
        scores = [item.score for item in found.suspects]
        assert scores == sorted(scores)
        assert max(scores) < 0.5
        assert before == {path: path.read_bytes() for path in (tmp_path / "photos").rglob("*.png")}
        assert not any("epoch" in text for text in messages)
        self.check_list(found)
        self.check_page(found)

    def check_list(self, found):
        listed = rows(found.table)
        assert tuple(listed[0]) == COLUMNS
        assert [row["path"] for row in listed] == [item.path for item in found.suspects]
        assert {row["decision"] for row in listed} == {""}
        assert float(listed[0]["probability_label"]) < float(listed[0]["probability_suggested"])

    def check_page(self, found):
        page = Page(found.page)
        assert f"{len(found.suspects)} labels may be wrong, of 900 photos" in page.text
        assert len(page.named("img")) == len(found.suspects)
        assert "a small convolutional network trained from scratch, in 4 folds" in page.text
        assert "--relabel suspicious.csv" in page.text

    @pytest.mark.slow
    def test_without_weights_a_small_network_is_trained(
        self, class_folders, tmp_path, monkeypatch, messages
    ):
        def refuse(weights: object) -> Path:
            raise WeightsError("no network here.")

        monkeypatch.delenv("CLASSEUR_WEIGHTS", raising=False)
        monkeypatch.setattr("classeur.study.suspicious.fetched", refuse)
        root = class_folders({"a": 12, "b": 12})
        found = find_suspicious(root, to=tmp_path / "to", folds=3, device="cpu")
        assert "trained from scratch" in found.by
        assert messages[0] == "a small network is trained from scratch: no network here."
        with pytest.raises(WeightsError, match="no network here"):
            find_suspicious(root, to=tmp_path / "other", backbone="mobilenetv2_100")


@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason=f"{WEIGHTS} is not there")
def test_on_a_frozen_backbone(class_folders, tmp_path, monkeypatch):
    monkeypatch.setenv("CLASSEUR_WEIGHTS", str(WEIGHTS))
    root = class_folders({"a": 30, "b": 30}, size=(64, 64))
    (root / "a" / "7.png").rename(root / "b" / "from a.png")
    (root / "b" / "9.png").rename(root / "a" / "from b.png")
    found = find_suspicious(root, to=tmp_path / "to", device="cpu")
    assert {item.path for item in found.suspects} == {"a/from b.png", "b/from a.png"}
    assert "features of mobilenetv2_100, in 5 folds" in found.by


class TestRanking:
    def test_by_normalised_margin(self):
        labels = np.repeat([0, 1, 2], 20)
        probabilities = np.full((60, 3), 0.05)
        probabilities[np.arange(60), labels] = 0.9
        probabilities[0] = (0.02, 0.96, 0.02)
        probabilities[25] = (0.6, 0.3, 0.1)
        paths = [f"{n}.png" for n in range(60)]
        found = find_suspects(paths, labels, probabilities, ["a", "b", "c"])
        assert (found[0].path, found[0].label, found[0].suggested) == ("0.png", "a", "b")
        assert found[0].score == pytest.approx((0.02 - 0.96 + 1) / 2)
        assert (found[0].probability_label, found[0].probability_suggested) == (0.02, 0.96)


class TestWhatIsRefused:
    def test_folds(self, class_folders, tmp_path):
        with pytest.raises(ConfigError, match=r"folds must be at least 3, received 2\."):
            find_suspicious(class_folders({"a": 3}), folds=2)

    def test_weights_without_a_backbone(self, class_folders):
        with pytest.raises(ConfigError, match="weights do nothing without a backbone"):
            find_suspicious(class_folders({"a": 3}), backbone="none", weights="w")

    def test_an_unknown_option(self, class_folders):
        with pytest.raises(ConfigError, match='unknown option "tset"'):
            find_suspicious(class_folders({"a": 3}), tset=1)

    def test_one_class(self, class_folders, tmp_path):
        with pytest.raises(DataError, match="all photos are of one class, a; expected at least"):
            find_suspicious(class_folders({"a": 9}), to=tmp_path / "to", backbone="none")

    def test_too_few_pictures_for_the_folds(self, class_folders, tmp_path):
        root = class_folders({"a": 9, "b": 4, "c": 2})
        for n in range(5):
            (root / "b" / f"copy {n}.png").write_bytes((root / "b" / "0.png").read_bytes())
        with pytest.raises(DataError) as caught:
            find_suspicious(root, to=tmp_path / "to", backbone="none")
        assert str(caught.value) == (
            "too few photos for 5 folds, with duplicates and groups kept together: b (4), c (2). "
            "Ask for fewer with --folds, or leave classes out with --classes."
        )

    def test_a_list_that_may_have_been_reviewed(self, class_folders, tmp_path):
        (tmp_path / "suspicious.csv").write_text("mine")
        with pytest.raises(RunFolderError, match="is there already and may hold decisions"):
            find_suspicious(class_folders({"a": 9, "b": 9}), to=tmp_path)
        assert (tmp_path / "suspicious.csv").read_text() == "mine"

    def test_a_folder_that_cannot_be_made(self, class_folders, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(RunFolderError, match=r"cannot write .*file/to"):
            find_suspicious(
                class_folders({"a": 9, "b": 9}),
                to=tmp_path / "file" / "to", backbone="none", folds=3, device="cpu",
            )  # fmt: skip


OPTIONS = {"epochs": 1, "size": 8, "device": "cpu"}


class TestInARun:
    @pytest.fixture
    def photos(self, class_folders):
        return class_folders({"a": 30, "b": 30})

    @pytest.fixture
    def reviewed(self, tmp_path):
        file = tmp_path / "reviewed.csv"
        file.write_text(
            "path,label,suggested,decision\na/0.png,a,b,relabel\na/1.png,a,b,drop\nb/2.png,b,a,\n"
        )
        return file

    def test_it_is_recorded_and_can_be_repeated(self, photos, reviewed, tmp_path, monkeypatch):
        monkeypatch.chdir(reviewed.parent)
        run = train(photos, "majority", to=tmp_path / "run", relabel=reviewed.name, **OPTIONS)
        assert RunConfig.from_toml(run.config).data.relabel == str(reviewed)
        labels = {row.path: row.label for row in read_manifest(run.manifest).rows}
        assert labels["a/0.png"] == "b"
        assert "a/1.png" not in labels
        assert len(labels) == 59
        reviewed.unlink()  # the manifest carries what it said
        run.metrics.unlink()
        assert resume(run.path).metrics.is_file()

    @pytest.mark.slow
    def test_the_binder_says_so(self, photos, reviewed, tmp_path):
        study = run_study(
            photos, ["majority"], to=tmp_path / "to", drop_suspicious=str(reviewed), **OPTIONS
        )
        page = Page(study.binder)
        assert "2 of the photos were dropped and 0 relabelled" in page.text
        assert str(reviewed) in page.text
