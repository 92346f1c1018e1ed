from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest
from tests.study.conftest import OPTIONS

from classeur.data.manifest import read_manifest
from classeur.errors import ConfigError, RunFolderError, StudyError
from classeur.evaluation.evaluate import read_metrics
from classeur.evaluation.openings import openings_of
from classeur.run_folder import RunFolder, locked
from classeur.study.plan import plan
from classeur.study.study import run_study
from classeur.study.train import configure
from classeur.training.recipes import get_recipe

SMALL = {**OPTIONS, "size": 16}
RUNGS = ("majority", "dense", "conv3")


def recipes(*names):
    return [get_recipe(name) for name in names]


def test_every_rung_saw_the_same_split(study):
    shared = read_manifest(study.folder / "manifest.csv")
    for name in ("majority", "dense"):
        assert read_manifest(study.folder / name / "manifest.csv") == shared
    assert {split: sum(n.values()) for split, n in shared.counts().items()} == {
        "train": 36, "val": 12, "test": 12,
    }  # fmt: skip


def test_the_binder_compares_what_finished_and_names_what_failed(study):
    report = study.report
    assert [sheet.name for sheet in report.rungs] == ["dense", "majority"]
    assert report.rungs[1].test.value == pytest.approx(1 / 3)
    message = (
        "conv3 needs photos of at least 22×22 pixels, received 16×16. "
        "Choose a larger size, or conv1."
    )
    assert report.failed == {"conv3": message}
    assert len(report.pairs) == 1
    assert report.conclusion[0].startswith("dense had the best validation accuracy and is chosen.")
    page = study.binder.read_text()
    assert "dense/report.html" in page
    assert message in page
    written = json.loads((study.folder / "comparison.json").read_text())
    assert written["chosen_run"] == "dense"
    for rung in written["rungs"]:
        found = read_metrics(RunFolder(study.folder / rung["run"])).calibration
        assert rung["test_calibration_error"] == vars(found.after.error)
        assert rung["temperature"] == found.temperature
    assert study.best == RunFolder(study.folder / "dense")


def test_an_unreadable_photo_is_named_and_left_out(study):
    found = [(item.path, item.reason) for item in study.report.inspection.unreadable]
    assert found == [("left/broken.jpg", "is an HTML page, not a photo")]
    assert "left/broken.jpg" in study.binder.read_text()
    assert "broken" not in (study.folder / "manifest.csv").read_text()


def test_headings_in_markdown_stand_apart(study):
    pages = [study.folder / "report.md", *study.folder.glob("*/*.md")]
    assert len(pages) == 5
    for page in pages:
        text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text("utf-8"), flags=re.S | re.M)
        assert "\n## " in text
        assert not re.search(r"[^\n]\n#+ |^#+ .*\n[^\n]", text, re.M), page


def test_the_test_split_was_opened_once(study):
    (opening,) = openings_of(RunFolder(study.folder / "dense"))
    assert opening.reason == "end of training"
    assert opening.accuracy is not None


def test_a_finished_rung_is_skipped_and_a_failed_one_is_tried_again(study, photos, monkeypatch):
    started = []
    real = subprocess.Popen

    def popen(command, **options):
        started.append(command[3])
        return real(command, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    again = run_study(photos, RUNGS, to=study.folder, **SMALL)
    assert started == [str(study.folder / "conv3")]
    assert again.report.rungs == study.report.rungs


def test_other_options_are_refused(study, photos):
    message = (
        f"{study.folder / 'dense'} was begun with other options: training.epochs was 3, now 5. "
        "Choose another folder with --to, or delete this run."
    )
    with pytest.raises(StudyError, match=re.escape(message)):
        run_study(photos, RUNGS, to=study.folder, **{**SMALL, "epochs": 5})


def test_another_split_is_refused(study, photos):
    message = (
        f"{study.folder} holds a study of other photos, or of another split: 40 are in another "
    )
    with pytest.raises(StudyError, match=re.escape(message)):
        run_study(photos, RUNGS, to=study.folder, **SMALL, split_seed=1)


def test_all_wrong_options_are_named_at_once(photos, tmp_path):
    with pytest.raises(ConfigError) as caught:
        run_study(photos, ("dense", "conv4"), to=tmp_path, seeds=0, epoch=3, val=2.0)
    text = str(caught.value)
    assert "seeds must be at least 1, received 0." in text
    assert 'unknown recipe "conv4". Did you mean "conv3"?' in text
    assert 'unknown option "epoch". Did you mean "epochs"?' in text
    assert "val must be at least 0.001 and below 1, received 2.0." in text
    assert not any(tmp_path.iterdir())


def test_rungs_must_be_there_and_different(photos, tmp_path):
    with pytest.raises(ConfigError, match="rungs must name at least one recipe"):
        run_study(photos, (), to=tmp_path)
    with pytest.raises(ConfigError, match="rungs names dense twice"):
        run_study(photos, ("dense", "dense"), to=tmp_path)


def test_no_rung_finished(photos, cache, tmp_path):
    with pytest.raises(StudyError) as caught:
        run_study(photos, ("conv3",), to=tmp_path / "binder", **SMALL)
    assert str(caught.value).startswith(
        "no rung finished. conv3: conv3 needs photos of at least 22×22 pixels"
    )


def test_a_killed_rung_is_reported(photos, cache, tmp_path, monkeypatch):
    class Killed:
        def __init__(self, command, **options):
            pass

        def wait(self):
            return -9

    monkeypatch.setattr(subprocess, "Popen", Killed)
    with pytest.raises(StudyError, match="killed by signal 9; the machine may have run out of"):
        run_study(photos, ("dense",), to=tmp_path / "binder", **SMALL)


def test_the_budget_is_shared_out_evenly(photos):
    configs = plan(photos, recipes("majority", "dense", "conv1"), 2, 12.0, {})
    assert {c.training.max_minutes for c in configs if c.recipe != "majority"} == {3.0}
    assert [c.seed for c in configs if c.recipe == "dense"] == [0, 1]


@pytest.mark.slow
def test_seeds_share_the_split_and_show_their_spread(photos, cache, tmp_path):
    study = run_study(photos, ("dense",), to=tmp_path / "binder", seeds=2, **SMALL)
    runs = [tmp_path / "binder" / f"dense-seed{seed}" for seed in (0, 1)]
    manifests = [(run / "manifest.csv").read_bytes() for run in runs]
    assert manifests[0] == manifests[1]
    weights = [(run / "model.safetensors").read_bytes() for run in runs]
    assert weights[0] != weights[1]
    assert len(study.report.rungs) == 1
    assert list(study.report.rungs[0].seed_scores) == ["dense-seed0", "dense-seed1"]
    alone = run_study(photos, ("dense",), to=study.folder, **SMALL)  # its seed is 0, too
    assert list(alone.report.rungs[0].seed_scores) == ["dense-seed0", "dense-seed1"]


@pytest.mark.slow
def test_a_manifest_is_reused_exactly(study, photos, cache, tmp_path):
    mine = tmp_path / "mine.csv"
    rows = (study.folder / "manifest.csv").read_text().splitlines()
    kept = [row for row in rows if not row.startswith("middle/1")]
    mine.write_text("\n".join(kept) + "\n")
    again = run_study(photos, ("majority",), to=tmp_path / "b", manifest=str(mine), **SMALL)
    assert (again.folder / "majority" / "manifest.csv").read_text() == mine.read_text()


def test_a_read_only_place_is_a_clear_error(photos, cache, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StudyError, match=re.escape(f"cannot write the study at {blocked / 'b'}: ")):
        run_study(photos, ("majority",), to=blocked / "b", **SMALL)


def test_the_folder_opens_elsewhere(study, tmp_path):
    """No page of the binder points at an absolute path for its links or pictures."""
    moved = shutil.copytree(study.folder, tmp_path / "moved")
    for page in moved.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"#]+)', page.read_text()):
            assert link.startswith("data:") or (page.parent / link).exists(), (page.name, link)


def test_what_an_option_builds_on_decides_for_which_rungs_it_holds(photos):
    rungs = recipes("majority", "conv3", "conv3-augmented", "conv3-randaugment")
    options = {"extra_augment_rare": True, "magnitude": 7, "loss": "focal"}
    configs = plan(photos, rungs, 1, 0, options)
    assert [c.augmentation.extra_augment_rare for c in configs] == [False, False, True, True]
    assert [c.augmentation.magnitude for c in configs] == [5, 5, 5, 7]
    assert [c.training.loss for c in configs] == ["cross-entropy", "focal", "focal", "focal"]
    configs = plan(photos, rungs[:2], 1, 0, {"extra_augment_rare": True, "flip": 0.5})
    assert [c.augmentation.extra_augment_rare for c in configs] == [False, True]
    with pytest.raises(ConfigError) as caught:
        plan(photos, recipes("majority", "conv3"), 1, 0, {"extra_augment_rare": True})
    assert caught.value.problems == ["none of the rungs has the option extra_augment_rare."]


def test_a_prior_is_restored_in_the_rungs_that_shift_it(photos):
    rungs = recipes("majority", "conv3", "conv3-augmented")
    options = {"extra_augment_rare": True, "restore_prior": True}
    configs = plan(photos, rungs, 1, 0, options)
    assert [c.training.restore_prior for c in configs] == [False, False, True]
    configs = plan(photos, rungs, 1, 0, {"class_weights": True, "restore_prior": True})
    assert [c.training.restore_prior for c in configs] == [False, True, True]
    with pytest.raises(ConfigError) as caught:
        plan(photos, rungs, 1, 0, {"restore_prior": True})
    assert caught.value.problems == ["none of the rungs has the option restore_prior."]


def test_an_option_of_a_network_holds_for_the_rungs_that_have_it(photos):
    configs = plan(photos, recipes("majority", "dense", "conv3"), 1, 0, {"dropout": 0.3})
    assert [c.model.dropout for c in configs] == [0.5, 0.3, 0.3]
    with pytest.raises(ConfigError, match="none of the rungs has the option spatial_dropout"):
        plan(photos, recipes("majority", "dense"), 1, 0, {"spatial_dropout": 0.3})


def test_a_budget_and_a_limit_for_each_rung_contradict_each_other(photos, tmp_path):
    with pytest.raises(ConfigError, match="give budget for the whole study or max_minutes for"):
        run_study(photos, ("dense",), to=tmp_path, budget=60, max_minutes=5.0)


@pytest.mark.slow
def test_a_rung_may_be_added_and_the_others_stay(photos, cache, tmp_path):
    run_study(photos, ("dense",), to=tmp_path / "binder", budget=2.0, **SMALL)
    both = run_study(photos, ("majority", "dense"), to=tmp_path / "binder", budget=4.0, **SMALL)
    assert {sheet.name for sheet in both.report.rungs} == {"majority", "dense"}
    again = run_study(photos, ("majority",), to=tmp_path / "binder", **SMALL)
    assert {sheet.name for sheet in again.report.rungs} == {"majority", "dense"}


def test_somebody_elses_folder_is_left_alone(photos, cache, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("mine")
    message = (
        f"{tmp_path / 'mine'} is not empty and holds no study. Choose another folder with --to."
    )
    with pytest.raises(StudyError, match=re.escape(message)):
        run_study(photos, ("majority",), to=tmp_path / "mine", **SMALL)
    with pytest.raises(StudyError, match="is not empty and holds no study"):
        run_study(photos, ("majority",), to=photos, **SMALL)
    assert (tmp_path / "mine" / "index.html").read_text() == "mine"
    assert not (photos / "study.toml").exists()


def test_a_study_at_work_is_left_alone(photos, cache, tmp_path):
    folder = tmp_path / "binder"
    folder.mkdir()
    message = (
        f"another process ({os.getpid()}) is at work on {folder}. Wait for it, or end it first."
    )
    with locked(folder), pytest.raises(RunFolderError, match=re.escape(message)):
        run_study(photos, ["majority"], to=folder, **OPTIONS)
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_folder_with_nothing_but_what_a_killed_study_left_is_free(photos, cache, tmp_path):
    left, of_a_rung = (
        folder / ".manifest.csv.abcdefgh.unfinished" for folder in (tmp_path, tmp_path / "dense")
    )
    left.touch()
    (tmp_path / ".lock").touch()
    assert run_study(photos, ["majority"], to=tmp_path, **OPTIONS).binder.is_file()
    of_a_rung.parent.mkdir()
    of_a_rung.touch()
    assert len(run_study(photos, ["dense"], to=tmp_path, **OPTIONS).report.rungs) == 2
    assert not left.exists()
    assert not of_a_rung.exists()


def test_a_run_is_no_study(study, photos):
    with pytest.raises(StudyError, match=r"dense is a run\. Choose another folder with --to"):
        run_study(photos, ["majority"], to=study.folder / "dense", **SMALL)


def test_what_decides_for_a_rung_is_what_is_asked(photos):
    rungs = recipes("conv3", "mobilenetv1_100-frozen")
    options = {"method": "fine-tune", "flip": 0.5, "unfreeze": "3"}
    _, tuned = plan(photos, rungs, 1, 0, options)
    assert (tuned.augmentation.flip, tuned.transfer.unfreeze) == (0.5, "3")


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ("mobilenetv1_100-frozen", {"views": 2, "flip": 0.5, "mixup": 0.2}, "has no option mixup."),
        ("mobilenetv1_100-frozen", {"views": 2}, "views needs augmentation: without any, all"),
        ("mobilenetv1_100-frozen", {"units": 64}, "has no option units."),
        ("conv3", {"saturation": 0.5, "color": "grey"}, "saturation needs photos in colour: leave"),
    ],
)
def test_options_that_would_do_nothing_are_refused(photos, recipe, options, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        configure(recipe, photos, **options)
