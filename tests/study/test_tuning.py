"""Rungs whose options are searched for before they are trained."""

from __future__ import annotations

import json
import logging
import tomllib
from pathlib import Path

import pytest

from classeur.config import RunConfig
from classeur.errors import ConfigError, StudyError
from classeur.study import process, tuning
from classeur.study.study import Study, run_study

SMALL = {"epochs": 2, "batch_size": 32, "size": 16, "device": "cpu"}
TOML = """
title = "Dense, and tuned"
rungs = ["majority", "dense", "dense-tuned"]
[[searches]]
name = "dense-tuned"
recipe = "dense"
trials = 2
options = ["learning_rate"]
[[questions]]
ask = "What does a search bring?"
before = "dense"
after = "dense-tuned"
"""


@pytest.fixture(scope="module")
def toml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "searched.toml"
    path.write_text(TOML, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def study(photos: Path, cache: Path, toml: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("searched") / "un classeur"
    return run_study(photos, definition=toml, to=folder, **SMALL)


def test_the_rung_has_what_the_search_liked_best(study: Study) -> None:
    search = study.folder / "searches" / "dense-tuned"
    best = tomllib.loads((search / "best.toml").read_text())
    config = RunConfig.from_toml(study.folder / "dense-tuned" / "config.toml")
    own = RunConfig.from_toml(study.folder / "dense" / "config.toml")
    assert config.training.learning_rate == best.get("training", {}).get(
        "learning_rate", own.training.learning_rate
    )
    assert config.description == best["description"]
    assert config.description.startswith("dense tuned over 2 trials: ")
    assert (config.training.epochs, config.preprocessing.size) == (2, 16)
    assert (search / "index.html").is_file()
    assert len((search / "trials.csv").read_text().splitlines()) == 3


def test_the_search_saw_the_split_of_the_study_and_not_its_test_photos(study: Study) -> None:
    inside = study.folder / "searches" / "dense-tuned"
    trial = inside / "trials" / "0000" / "manifest.csv"
    assert trial.read_text() == (study.folder / "manifest.csv").read_text()
    assert not list(inside.rglob("predictions.parquet"))


def test_its_question_is_answered_and_its_page_is_linked(study: Study) -> None:
    (answer,) = json.loads((study.folder / "comparison.json").read_text())["answers"]
    assert (answer["before"], answer["after"]) == ("dense", "dense-tuned")
    page = study.binder.read_text()
    assert 'href="searches/dense-tuned/index.html"' in page
    assert "[dense-tuned](searches/dense-tuned/index.html)" in (
        study.folder / "report.md"
    ).read_text(encoding="utf-8")


def test_the_study_keeps_what_was_asked(study: Study) -> None:
    asked = tomllib.loads((study.folder / "study.toml").read_text())
    assert asked["searches"] == [
        {"name": "dense-tuned", "recipe": "dense", "trials": 2, "options": ["learning_rate"]}
    ]
    assert "recipes" not in asked


def test_a_finished_study_trains_nothing_more(
    study: Study, photos: Path, toml: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = (study.folder / "dense-tuned" / "history.csv").stat().st_mtime_ns
    with caplog.at_level(logging.INFO):
        again = run_study(photos, definition=toml, to=study.folder, **SMALL)
    assert "dense-tuned: finished before" in caplog.text
    assert (study.folder / "dense-tuned" / "history.csv").stat().st_mtime_ns == before
    assert again.report.rungs == study.report.rungs


def test_a_search_that_fails_leaves_the_others(
    photos: Path, cache: Path, toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tune(*_: object) -> None:
        raise StudyError("no trial finished.")

    monkeypatch.setattr("classeur.study.study.tune", tune)
    monkeypatch.setattr("classeur.study.study._in_own_process", lambda *_: "not today")
    with pytest.raises(StudyError) as caught:
        run_study(photos, definition=toml, to=tmp_path / "binder", **SMALL)
    assert str(caught.value) == (
        "no rung finished. dense-tuned: no trial finished.; majority: not today; dense: not today"
    )


def test_an_option_that_cannot_be_searched_is_said(
    photos: Path, cache: Path, toml: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(TOML.replace('rungs = ["majority", "dense", ', "rungs = ["))
    wrong.write_text(wrong.read_text().replace('"learning_rate"', '"epochs"').split("[[q")[0])
    with pytest.raises(StudyError, match=r"^no rung finished\. dense-tuned: .*epochs"):
        run_study(photos, definition=wrong, to=tmp_path / "binder", **SMALL)


def test_folds_and_searches_do_not_go_together(photos: Path, toml: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run_study(photos, definition=toml, to=tmp_path / "binder", folds=3, **SMALL)
    assert caught.value.problems == [
        "a search would see test photos of other folds: leave out folds, or dense-tuned by rungs."
    ]


def test_without_optuna_the_rung_is_skipped(
    photos: Path, cache: Path, toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "find_spec", lambda name: None)
    monkeypatch.setattr("classeur.study.study._run_all", lambda planned, track: {})
    reason = 'a search needs Optuna. Install it with: pip install "classeur[tune]"'
    with pytest.raises(StudyError, match="no rung finished"):
        run_study(photos, definition=toml, to=tmp_path / "binder", **SMALL)
    with pytest.raises(StudyError) as caught:
        run_study(photos, ["dense-tuned"], definition=toml, to=tmp_path / "other", **SMALL)
    assert str(caught.value) == reason


def test_ctrl_c_reaches_a_search(
    photos: Path, cache: Path, toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def __init__(self, command: list[str], **_: object) -> None:
            assert "classeur.search.in_study" in command

        def wait(self) -> int:
            return 130

    monkeypatch.setattr(process.subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(photos, definition=toml, to=tmp_path / "binder", **SMALL)
