"""A study on folds: K trainings of each rung, pooled into one score."""

from __future__ import annotations

import re
import shutil
from collections import Counter

import numpy as np
import pytest
from tests.study.conftest import OPTIONS, draw_photos
from tests.study.test_transfer_study import NAME, weights  # noqa: F401  a fixture

from classeur.config import RunConfig
from classeur.data.manifest import read_manifest
from classeur.errors import ClasseurError, ConfigError, SplitError, StudyError
from classeur.evaluation.calibration import calibration_error
from classeur.evaluation.comparison import mcnemar
from classeur.evaluation.evaluate import measure_predictions, read_metrics
from classeur.evaluation.metrics import measure
from classeur.evaluation.openings import openings_of
from classeur.evaluation.pooling import pool_test
from classeur.evaluation.predictions import read_predictions
from classeur.models.pretrained import Pretrained
from classeur.run_folder import RunFolder, read_json
from classeur.study import study as module
from classeur.study.plan import plan
from classeur.study.rung import run_rung
from classeur.study.study import run_study
from classeur.study.train import resume, train
from classeur.training.recipes import get_recipe

SMALL = {**OPTIONS, "size": 16, "folds": 3}
RUNGS = ("majority", "dense")


def in_this_process(run, material):
    try:
        run_rung(run, material.store, material.listing.root)
    except ClasseurError as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.setattr(module, "_in_own_process", in_this_process)


@pytest.fixture(scope="module")
def folds(photos, cache, tmp_path_factory):
    """majority and dense on three folds of 60 photos, two of which are one picture."""
    root = shutil.copytree(photos, tmp_path_factory.mktemp("folds") / "photos")
    shutil.copy(root / "left" / "3.png", root / "left" / "copy.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_in_own_process", in_this_process)
        return root, run_study(root, RUNGS, to=root.parent / "binder", **SMALL)


def runs_of(folder, rung):
    return [RunFolder(folder / f"{rung}-fold{number}") for number in (1, 2, 3)]


def test_every_photo_is_tested_once_and_copies_are_on_one_side(folds):
    _, study = folds
    tested = Counter()
    for number, run in enumerate(runs_of(study.folder, "dense"), 1):
        manifest = read_manifest(run.manifest)
        assert manifest == read_manifest(study.folder / f"manifest-fold{number}of3.csv")
        twin = study.folder / f"majority-fold{number}" / "manifest.csv"
        assert run.manifest.read_bytes() == twin.read_bytes()
        where = {row.path: row.split for row in manifest.rows}
        assert where["left/3.png"] == where["left/copy.png"]
        tested.update(read_predictions(run.predictions).of_split("test").paths)
        assert RunConfig.from_toml(run.config).data.fold == number
        assert [opening.reason for opening in openings_of(run)] == ["end of training"]
    assert tested == {row.path: 1 for row in manifest.rows}
    assert not (study.folder / "manifest.csv").exists()


def test_figures_are_those_of_the_pooled_predictions(folds):
    _, study = folds
    parts = {
        name: [
            read_predictions(r.predictions).of_split("test") for r in runs_of(study.folder, name)
        ]
        for name in RUNGS
    }
    correct = {n: np.concatenate([p.correct for p in some]) for n, some in parts.items()}
    sheet = next(rung for rung in study.report.rungs if rung.name == "dense")
    test = sheet.metrics.splits["test"]
    assert test == measure(
        np.concatenate([p.labels for p in parts["dense"]]),
        np.concatenate([p.probabilities for p in parts["dense"]]),
        ["left", "middle", "right"],
        groups=[name for p in parts["dense"] for name in p.groups or [""] * len(p.paths)],
    )
    assert (test.photos, test.groups) == (61, 60)  # one is a copy
    assert sheet.fold_scores == {
        f"dense-fold{i}": pytest.approx(p.correct.mean()) for i, p in enumerate(parts["dense"], 1)
    }
    (pair,) = study.report.pairs
    assert pair.p_value == mcnemar(pair.only_first, pair.only_second)
    assert pair.only_first + pair.only_second == (correct["dense"] != correct["majority"]).sum()


def test_the_pooled_interval_is_that_of_all_photos(folds):
    """About √3 narrower than that of one fold; the spread between folds is not in it."""
    _, study = folds
    single = [
        read_metrics(run).splits["test"].balanced_accuracy
        for run in runs_of(study.folder, "majority")
    ]
    pooled = study.report.rungs[1].metrics.splits["test"].accuracy
    widths = [figure.high - figure.low for figure in single if figure.high > figure.low]
    assert pooled.high - pooled.low == pytest.approx(2 * 1.96 * np.sqrt(2 / 9 / 61), rel=0.15)
    assert all(pooled.high - pooled.low < width for width in widths)


def test_the_best_fold_by_validation_stands_for_the_rung(folds):
    _, study = folds
    val = {run.path.name: read_metrics(run).splits["val"] for run in runs_of(study.folder, "dense")}
    best = max(val, key=lambda name: (val[name].accuracy.value, -val[name].log_loss.value))
    sheet = study.report.rungs[0]
    assert (sheet.name, sheet.folder) == ("dense", best)
    assert study.best.path.name == best
    spent = [read_json(run.training)["seconds"] for run in runs_of(study.folder, "dense")]
    assert sheet.seconds == pytest.approx(sum(spent))
    validated = {
        path
        for run in runs_of(study.folder, "dense")
        for path in read_predictions(run.predictions).of_split("val").paths
    }
    assert sheet.metrics.splits["val"].photos == len(validated)


def test_binder_and_files_say_what_is_pooled(folds):
    _, study = folds
    page = study.binder.read_text()
    markdown = (study.folder / "report.md").read_text()
    for text in (page, markdown):
        assert "How the 3 folds are pooled" in text
        assert "It is not the score of one network" in text
        assert "fold by fold" in text
    assert "cross-validated on the same 3 folds" in page
    assert "Photos of each class in the test split of each fold" in page
    for number in (1, 2, 3):
        assert f'href="dense-fold{number}/report.html"' in page
        sheet = (study.folder / f"dense-fold{number}" / "report.html").read_text()
        assert f"This is fold {number} of 3: its test split is one part" in sheet
    assert study.report.conclusion[0].startswith(
        "dense had the best validation accuracy and is chosen. Of all 61 photos, each tested by "
        "the network of the one fold that kept it out of training, it gets "
    )
    assert study.report.splits["fold 1"].keys() == {"left", "middle", "right"}
    assert sum(sum(labels.values()) for labels in study.report.splits.values()) == 61
    assert (study.report.settings["folds"], "fold" in study.report.settings) == (3, False)
    written = read_json(study.folder / "comparison.json")
    assert written["folds"] == 3
    assert written["rungs"][0]["fold_scores"] == study.report.rungs[0].fold_scores
    assert written["chosen_run"] == study.report.rungs[0].folder


def test_what_trivial_features_tell_is_scored_on_the_same_pooled_photos(folds):
    _, study = folds
    found = study.report.trivial
    assert found.splits["test"].photos == found.found.photos == 61
    scored = read_predictions(study.folder / "trivial.parquet").of_split("test")
    rung = [
        read_predictions(r.predictions).of_split("test") for r in runs_of(study.folder, "dense")
    ]
    assert scored.paths == [path for part in rung for path in part.paths]
    assert scored.correct.mean() == pytest.approx(found.found.accuracy)
    row = study.binder.read_text().partition("trivial features<small>")[2].partition("</tr>")[0]
    head = study.binder.read_text().partition('scope="col">approach')[2].partition("</tr>")[0]
    spanned = sum(int(n) - 1 for n in re.findall(r'colspan="(\d+)"', row))
    assert row.count("<td") + spanned == head.count("<th")
    assert "of the test photos right. It is a reference" in (study.folder / "report.md").read_text()
    written = read_json(study.folder / "comparison.json")["trivial"]
    assert written["test_accuracy"]["value"] == pytest.approx(found.found.accuracy)


def test_trust_is_that_of_the_pooled_predictions(folds):
    _, study = folds
    runs = runs_of(study.folder, "dense")
    pooled = pool_test([read_predictions(r.predictions) for r in runs])
    every = [read_metrics(r).calibration for r in runs]
    sheet = next(rung for rung in study.report.rungs if rung.name == "dense")
    found = sheet.metrics.calibration
    assert found.after.error == calibration_error(
        pooled.confidence, pooled.correct, groups=pooled.groups
    )
    assert found.after.log_loss == measure_predictions(pooled).log_loss
    assert sum(some.photos for some in found.after.bins) == 61
    before = np.average(
        [some.before.log_loss.value for some in every],
        weights=[sum(part.photos for part in some.before.bins) for some in every],
    )
    assert found.before.log_loss.value == pytest.approx(before, rel=1e-4)
    assert sheet.fold_temperatures == [some.temperature for some in every]
    assert (sheet.metrics.abstention, sheet.metrics.slices) == ([], [])
    rung = read_json(study.folder / "comparison.json")["rungs"][0]
    assert (rung["name"], rung["temperature"]) == (
        "dense",
        read_json(study.best.model)["temperature"],
    )
    assert rung["test_calibration_error"] == vars(found.after.error)


def test_promises_are_left_to_the_sheets_of_the_folds(folds):
    _, study = folds
    for text in (study.binder.read_text(), (study.folder / "report.md").read_text()):
        assert "These figures are of all folds, each photo with the temperature of the" in text
        assert "it stands on the sheet of each fold" in text
        assert "wrong: answered" not in text


def test_called_again_nothing_is_trained(folds, monkeypatch):
    root, study = folds
    monkeypatch.setattr(module, "_in_own_process", None)
    again = run_study(root, RUNGS, to=study.folder, **SMALL)
    assert again.report.rungs == study.report.rungs
    from_file = run_study(root, definition=study.folder / "study.toml", to=study.folder)
    assert from_file.report.rungs == study.report.rungs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"folds": 4}, "holds a study on 3 folds; asked for now: 4 folds."),
        ({"folds": 0}, "holds a study on 3 folds; asked for now: one split. Choose another"),
        ({"split_seed": 1}, "holds a study of other photos, or of another split: "),
    ],
)
def test_another_cut_of_the_photos_is_refused(folds, options, said):
    root, study = folds
    with pytest.raises(StudyError, match=re.escape(f"{study.folder} {said}")):
        run_study(root, RUNGS, to=study.folder, **{**SMALL, **options})


def test_folds_are_refused_in_a_study_on_one_split(study, photos):
    said = f"{study.folder} holds a study on one split; asked for now: 3 folds. Choose another"
    with pytest.raises(StudyError, match=re.escape(said)):
        run_study(photos, RUNGS, to=study.folder, **SMALL)


def test_a_study_that_was_killed_before_its_first_run_goes_on(folds, tmp_path):
    root, study = folds
    shutil.copy(study.folder / "manifest-fold2of3.csv", tmp_path)
    again = run_study(root, ("majority",), to=tmp_path, **SMALL)
    assert [rung.name for rung in again.report.rungs] == ["majority"]


def test_a_rung_with_a_failed_fold_is_not_finished(folds, tmp_path, monkeypatch):
    root, _ = folds
    failing = {"dense-fold2"}

    def failing_once(run, material):
        return "it fell over" if run.path.name in failing else in_this_process(run, material)

    monkeypatch.setattr(module, "_in_own_process", failing_once)
    begun = run_study(root, RUNGS, to=tmp_path / "b", **SMALL)
    assert [rung.name for rung in begun.report.rungs] == ["majority"]
    assert begun.report.failed == {"dense-fold2": "it fell over"}
    assert "is the only approach. Of all 61 photos" in begun.report.conclusion[0]
    failing.clear()
    kept = RunFolder(tmp_path / "b" / "dense-fold1").weights.stat().st_mtime_ns
    done = run_study(root, RUNGS, to=tmp_path / "b", **SMALL)
    assert {rung.name for rung in done.report.rungs} == set(RUNGS)
    assert RunFolder(tmp_path / "b" / "dense-fold1").weights.stat().st_mtime_ns == kept


def test_a_fold_can_be_trained_and_resumed_alone(folds, tmp_path):
    root, study = folds
    options = {name: value for name, value in SMALL.items() if name != "folds"}
    run = train(root, "dense", to=tmp_path / "run", folds=3, fold=2, **options)
    twin = RunFolder(study.folder / "dense-fold2")
    assert run.manifest.read_bytes() == twin.manifest.read_bytes()
    assert run.weights.read_bytes() == twin.weights.read_bytes()
    run.report.unlink()
    assert resume(run.path).is_finished


def test_the_budget_is_shared_over_all_trainings(photos):
    rungs = [get_recipe(name) for name in ("majority", "dense", "conv1")]
    configs = plan(photos, rungs, 1, 12.0, {"folds": 3})
    assert {c.training.max_minutes for c in configs if c.recipe != "majority"} == {2.0}
    assert [(c.data.fold, c.seed) for c in configs if c.recipe == "dense"] == [
        (1, 0), (2, 0), (3, 0),
    ]  # fmt: skip


def test_what_cannot_go_with_folds_is_said_at_once(photos, tmp_path):
    with pytest.raises(ConfigError) as caught:
        run_study(photos, RUNGS, to=tmp_path, seeds=2, folds=3, fold=2, test=0.3)
    assert caught.value.problems == [
        "a study trains every fold: leave out fold.",
        "give folds or seeds: the spread between folds is already one between trainings, and of "
        "their networks only one may predict each photo.",
        "folds have a test split of 1/3 of the photos each: leave out test.",
    ]
    assert not any(tmp_path.iterdir())


def test_photos_that_brought_a_test_split_are_refused(cache, tmp_path, monkeypatch):
    for split in ("train", "test"):
        draw_photos(tmp_path / "photos" / split, per_class=6)
    with monkeypatch.context() as patch:
        patch.setattr("classeur.study.material.cached_store", None)  # said before they are decoded
        with pytest.raises(SplitError, match=r"brought a split of its own \(18 photos in test\)"):
            run_study(tmp_path / "photos", RUNGS, to=tmp_path / "b", **SMALL)
    alone = run_study(tmp_path / "photos" / "train", ("majority",), to=tmp_path / "b", **SMALL)
    assert alone.report.rungs[0].metrics.splits["test"].photos == 18


def test_folds_share_one_computation_of_frozen_features(
    weights, photos, cache, tmp_path, monkeypatch,  # noqa: F811
):  # fmt: skip
    """Each photo goes through the backbone once for all folds, and never before its opening."""
    monkeypatch.setenv("CLASSEUR_CACHE", str(tmp_path / "cache"))
    seen, whole = [], Pretrained.features

    def counted(network, batch):
        seen.append(len(batch) if len(batch) > 1 else 0)  # one: the network is asked for its shape
        return whole(network, batch)

    monkeypatch.setattr(Pretrained, "features", counted)
    monkeypatch.setattr(Pretrained, "forward", lambda network, x: network.head(whole(network, x)))
    study = run_study(
        photos, (f"{NAME}-frozen",), to=tmp_path / "binder", epochs=2, folds=3, device="cpu"
    )
    assert study.report.rungs[0].metrics.splits["test"].photos == 60
    assert sum(seen) == 60
    parts = sorted((tmp_path / "cache" / "features").glob("*.npy"), key=lambda p: p.stat().st_mtime)
    assert [len(np.load(part)) for part in parts] == [40, 20]
