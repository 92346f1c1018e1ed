"""Every reading of the test split is counted, in the run and in its study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from classeur.errors import RunFolderError
from classeur.evaluation.openings import (
    Opening,
    is_changed,
    network_hash,
    openings_in,
    openings_of,
    record_opening,
    record_score,
)
from classeur.models.classifier import Classifier
from classeur.run_folder import RunFolder, append_json_line, read_json, read_json_lines, write_json


@pytest.fixture
def rung(run: RunFolder, tmp_path: Path) -> RunFolder:
    """A run inside a study."""
    study = tmp_path / "study"
    study.mkdir()
    (study / "study.toml").touch()
    path = study / "dense"
    path.mkdir()
    for file in (run.config, run.model, run.weights):
        shutil.copy(file, path)
    return RunFolder(path)


def retrain(run: RunFolder) -> None:
    classifier = Classifier.load(run)
    for weight in classifier.network.parameters():
        weight.data += 1
    classifier.save_weights(run)


def test_the_first_score_is_kept_when_another_network_takes_its_place(rung: RunFolder) -> None:
    record_opening(rung, "end of training", 11)
    record_score(rung, 0.5)
    retrain(rung)
    record_opening(rung, "end of training", 11)
    record_score(rung, 0.75)
    assert [opening.accuracy for opening in openings_of(rung)] == [0.5, 0.75]
    rung.test_openings.unlink()
    assert [opening.accuracy for opening in openings_of(rung)] == [0.5, 0.75]
    assert [o.accuracy for o in openings_in(rung.path.parent, [rung])] == [0.5, 0.75]


def test_a_record_that_is_no_record_is_named(rung: RunFolder) -> None:
    rung.test_openings.write_text("[1]\n")
    with pytest.raises(RunFolderError, match="is broken: expected a mapping on every line"):
        openings_of(rung)


def test_a_score_that_is_no_number_is_no_score(rung: RunFolder) -> None:
    record_opening(rung, "end of training", 11)
    append_json_line(rung.test_openings, {"accuracy": "<b>", "of": openings_of(rung)[0].when})
    assert openings_of(rung)[0].accuracy is None


def test_a_run_of_its_own_is_recorded_in_its_folder(run: RunFolder) -> None:
    assert record_opening(run, "first", 11) == 1
    (line,) = read_json_lines(run.test_openings)
    assert line["network"] == network_hash(run)
    assert not (run.path.parent / "test_openings.jsonl").exists()


def test_a_rung_is_recorded_in_its_study_too_and_counted_once(rung: RunFolder) -> None:
    assert [record_opening(rung, "again", 11) for _ in range(3)] == [1, 2, 3]
    study = rung.path.parent
    assert [line["run"] for line in read_json_lines(study / "test_openings.jsonl")] == ["dense"] * 3
    assert len(openings_in(study, [rung])) == 3


def test_a_rung_that_was_deleted_and_trained_again_has_not_been_forgotten(
    rung: RunFolder, tmp_path: Path
) -> None:
    record_opening(rung, "end of training", 11)
    rung.test_openings.unlink()
    retrain(rung)
    assert record_opening(rung, "end of training", 11) == 2
    assert is_changed(openings_of(rung))
    shutil.rmtree(rung.path)
    assert [o.run for o in openings_in(tmp_path / "study", [])] == ["dense", "dense"]


def test_the_same_network_scored_again_is_told_from_another(rung: RunFolder) -> None:
    record_opening(rung, "end of training", 11)
    record_opening(rung, "evaluate", 11)
    assert not is_changed(openings_of(rung))
    retrain(rung)
    record_opening(rung, "evaluate", 11)
    assert is_changed(openings_of(rung))


def test_the_hash_is_of_what_decides_the_answers(run: RunFolder) -> None:
    before = network_hash(run)
    facts = read_json(run.model)
    write_json(run.model, {**facts, "temperature": 1.7, "new": "key"})
    assert network_hash(run) == before
    write_json(run.model, {**facts, "class_names": ["ape", "bee", "dog"]})
    assert network_hash(run) != before
    write_json(run.model, facts)
    retrain(run)
    assert network_hash(run) != before


def test_a_record_of_an_older_classeur_is_read_and_says_nothing_of_networks(
    rung: RunFolder,
) -> None:
    append_json_line(rung.test_openings, {"when": "2026-01-01", "reason": "old", "photos": 11})
    assert record_opening(rung, "evaluate", 11) == 2
    first, second = openings_of(rung)
    assert first == Opening("2026-01-01", "old", 11, "dense")
    assert second.network
    assert not is_changed([first, second])
    assert json.loads(rung.test_openings.read_text().splitlines()[0])["reason"] == "old"
