"""A predictor that may say "unsure"."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from classeur.errors import ConfigError, InferenceError, RunFolderError
from classeur.inference.predictor import Predictor
from classeur.models.abstention import Abstention, Level
from classeur.run_folder import RunFolder

ROWS = np.array([[0.1, 0.05, 0.8, 0.05], [0.3, 0.25, 0.4, 0.05]], np.float32)


@pytest.fixture
def doubtful(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """Gives two photos the probabilities of ROWS; keeps a threshold for 5 %, and none for 1 %."""
    levels = (Level(0.01, None, 0.0, 0, 0, 299), Level(0.05, 0.7, 0.25, 90, 1, 0))
    kept = dataclasses.replace(predictor.classifier, abstention=Abstention(100, levels))
    own = Predictor(kept)
    monkeypatch.setattr(own, "probabilities", lambda pixels: ROWS[: len(pixels)])
    return own


def test_nobody_is_unsure_unless_asked(doubtful: Predictor, png: bytes) -> None:
    assert [(a.unsure, a.possible) for a in doubtful.predict([png, png])] == [(False, ())] * 2


def test_a_threshold_of_ones_own(doubtful: Predictor, png: bytes) -> None:
    answers = list(doubtful.predict([png, png], abstain_below=0.5))
    assert [(a.label, a.unsure, a.possible) for a in answers] == [
        ("cat", False, ()), ("cat", True, ("cat", "ape")),
    ]  # fmt: skip


def test_a_share_of_wrong_answers_names_what_is_possible(doubtful: Predictor, png: bytes) -> None:
    sure, unsure, broken = doubtful.predict([png, png, b""], max_error=0.05, top_k=1)
    assert (sure.unsure, sure.possible) == (False, ())
    assert (unsure.unsure, unsure.possible) == (True, ("cat", "ape", "bee"))
    assert unsure.top == (("cat", pytest.approx(0.4)),)
    assert (broken.unsure, broken.possible, broken.error) == (False, (), "is empty (0 bytes)")


def test_what_cannot_be_promised_is_refused_before_a_photo_is_read(doubtful: Predictor) -> None:
    with pytest.raises(InferenceError, match=r"needs at least 299 validation photos"):
        doubtful.predict(["gone.png"], max_error=0.01)


def test_two_ways_to_be_unsure(doubtful: Predictor) -> None:
    with pytest.raises(ConfigError) as raised:
        doubtful.predict([], abstain_below=0.5, max_error=0.05)
    assert str(raised.value) == (
        "abstain_below and max_error both say when to be unsure: give one."
    )


@pytest.mark.parametrize("share", [0, 1.0, 90])
def test_a_threshold_that_is_none(doubtful: Predictor, share: float) -> None:
    with pytest.raises(ConfigError) as raised:
        doubtful.predict([], abstain_below=share)
    assert str(raised.value) == (
        f"abstain_below must be above 0 and below 1 (1 % is 0.01), received {share!r}."
    )


def test_a_run_that_is_not_scored_has_no_thresholds(run: RunFolder) -> None:
    with pytest.raises(RunFolderError) as raised:
        Predictor.load(run.path).predict([], max_error=0.05)
    assert str(raised.value) == (
        "this run has no thresholds for max_error: it is not scored yet, or was by an earlier "
        "Classeur. Delete its metrics.json if there is one, then: classeur train --resume RUN"
    )
