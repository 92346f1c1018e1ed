"""predict and evaluate with --abstain-below and --max-error."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from classeur.models.abstention import Abstention, Level
from classeur.models.classifier import Classifier
from classeur.run_folder import RunFolder

Command = Callable[..., Any]


@pytest.fixture
def doubtful(run: RunFolder) -> RunFolder:
    """A run that is unsure of what is darker than light, and keeps thresholds for that."""
    classifier = Classifier.load(run)
    levels = (Level(0.01, None, 0.0, 0, 0, 299), Level(0.1, 0.951, 0.0, 100, 1, 0))
    classifier.abstention = Abstention(100, levels)
    classifier.save_facts(run)
    return run


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """Two photos: one light, and one in the middle."""
    folder = tmp_path / "grey"
    folder.mkdir()
    for name, value in (("light", 250), ("middle", 130)):
        Image.new("RGB", (20, 20), (value,) * 3).save(folder / f"{name}.png")
    return folder


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("share", ["10%", "0.1", "10 %"])
def test_predict_is_unsure_where_it_would_be_wrong_too_often(
    classeur: Command, doubtful: RunFolder, grey: Path, share: str
) -> None:
    shown = classeur("predict", doubtful.path, grey, "--max-error", share, "--top-k", 1)
    assert shown.code == 0
    assert shown.told == "2 photos classified, of 1 of them it is unsure, 0 could not be read\n"
    light, middle = rows_of(shown.out)
    assert list(light) == ["path", "label", "probability", "unsure", "possible", "error"]
    assert (light["unsure"], light["possible"]) == ("no", "")
    assert middle["unsure"] == "yes"
    assert sorted(middle["possible"].split("|")) == ["dark", "light"]


def test_predict_abstains_below_a_probability(
    classeur: Command, run: RunFolder, grey: Path
) -> None:
    shown = classeur("predict", run.path, grey, "--abstain-below", "90%")
    assert [(row["unsure"], sorted(row["possible"])) for row in rows_of(shown.out)] == [
        ("no", []), ("yes", sorted("dark|light")),
    ]  # fmt: skip


def test_predict_draws_unsure_photos(
    classeur: Command, doubtful: RunFolder, grey: Path, tmp_path: Path
) -> None:
    arguments = ("--max-error", "10%", "--figure", tmp_path / "grid.png")
    assert classeur("predict", doubtful.path, grey, *arguments).code == 0
    assert (tmp_path / "grid.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--max-error", "1%"], 1, "error: a promise of at most 1 % wrong answers needs at least "
         "299 validation photos; this run has 100. The strictest it can promise is 10 %."),
        (["--max-error", "0.01%"], 1, "error: max_error must be at least 0.1 %, received 0.0001."),
        (["--max-error", "1"], 2, "expected a share such as 1% or 0.01, received 1."),
        (["--abstain-below", "few"], 2, "expected a share such as 1% or 0.01, received few."),
        (["--abstain-below", "0%"], 2, "expected a share such as 1% or 0.01, received 0%."),
        (["--abstain-below", "0.9", "--max-error", "0.1"], 2,
         "give either --abstain-below or --max-error."),
    ],
)  # fmt: skip
def test_predict_refuses_what_cannot_be(
    classeur: Command, doubtful: RunFolder, grey: Path, arguments: list[str], code: int,
    message: str,
) -> None:  # fmt: skip
    shown = classeur("predict", doubtful.path, grey, *arguments)
    assert (shown.code, shown.out) == (code, "")
    assert message in " ".join(shown.err.split())


def test_evaluate_says_what_abstaining_reaches(classeur: Command, doubtful: RunFolder) -> None:
    shown = classeur("evaluate", doubtful.path, "--split", "val", "--max-error", "10%")
    assert shown.code == 0
    last = shown.out.strip().splitlines()[-1]
    assert last.startswith("At most 10 % wrong: it answers ")
    values = classeur("evaluate", doubtful.path, "--split", "val", "--max-error", "0.1", "--json")
    reached = json.loads(values.out)["reached"]
    assert (reached["max_error"], reached["photos"]) == (0.1, 8)
    assert reached["coverage"]["value"] == reached["answered"] / 8
    assert f"({reached['answered']:,} of 8)" in last


def test_evaluate_refuses_before_it_opens_the_test_split(
    classeur: Command, doubtful: RunFolder
) -> None:
    shown = classeur("evaluate", doubtful.path, "--max-error", "1%")
    assert (shown.code, shown.out) == (1, "")
    assert not doubtful.test_openings.exists()
