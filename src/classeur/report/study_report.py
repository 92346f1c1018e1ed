"""The binder of a study, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from classeur.data.inspect import Inspection
from classeur.evaluation.comparison import Pair
from classeur.evaluation.evaluate import RunMetrics
from classeur.evaluation.metrics import Figure
from classeur.evaluation.openings import Opening
from classeur.evaluation.trivial import TrivialRung
from classeur.report.certainty import SeedSpread
from classeur.report.leaks import PairCard
from classeur.report.photos import PhotoCard
from classeur.report.questions import Answer
from classeur.training.history import EpochRow


@dataclass(frozen=True)
class RungSheet:
    """One rung in the comparison: the run that stands for it, and its other seeds or folds."""

    name: str
    description: str
    folder: str
    """Name of the run's folder inside the study: `<folder>/report.html` is its sheet."""
    metrics: RunMetrics
    history: list[EpochRow]
    epochs: int
    best_epoch: int
    stopped: str
    seconds: float
    """Spent in training."""
    peak_memory: int
    """In bytes."""
    overfits: bool
    openings: int
    """How often the test split of this run has been read."""
    pretrained_on: str = ""
    """The photos that its backbone learned from before; empty: none."""
    calibration_error: Figure | None = None
    """Expected calibration error on the test photos, those of all folds pooled; each photo with the
    temperature of its network. None: an older run, which has no temperature."""
    seed_scores: dict[str, float] = field(default_factory=dict)
    """Folder of each seed's run -> its test accuracy, where there are several seeds."""
    fold_scores: dict[str, float] = field(default_factory=dict)
    """Folder of each fold's run -> its test accuracy, where `metrics` are pooled over folds: `val`
    and `test` of all of them, and no `train`."""
    fold_temperatures: list[float] = field(default_factory=list)
    """Of each fold's network, where `metrics` are pooled over folds."""

    @property
    def seed_spread(self) -> SeedSpread | None:
        """Of test accuracy over the seeds; None where there is one. No part of any interval."""
        return SeedSpread.of(list(self.seed_scores.values()))

    @property
    def temperature(self) -> float | None:
        """Of the run that stands for it; None for an older run, which has none."""
        return self.metrics.calibration.temperature if self.metrics.calibration else None

    @property
    def val(self) -> Figure:
        """Validation accuracy."""
        return self.metrics.splits["val"].accuracy

    @property
    def test(self) -> Figure:
        """Test accuracy."""
        return self.metrics.splits["test"].accuracy


@dataclass(frozen=True)
class StudyReport:
    """All that a binder shows."""

    title: str
    photos: str
    """Where the photos are."""
    settings: dict[str, Any]
    """What the rungs share: size, colour, resize, seeds, budget."""
    class_names: list[str]
    splits: dict[str, dict[str, int]]
    """split -> label -> photos; of folds, `fold 1`, … -> label -> photos of its test split."""
    inspection: Inspection
    samples: dict[str, list[PhotoCard]]
    """A few photos of each class."""
    rungs: list[RungSheet]
    """Sorted by validation accuracy, best first."""
    failed: dict[str, str]
    """Run -> why it did not finish."""
    pairs: list[Pair]
    conclusion: list[str]
    environment: dict[str, Any]
    skipped: dict[str, str] = field(default_factory=dict)
    """Rung -> why it was not begun."""
    answers: list[Answer] = field(default_factory=list)
    """To the questions of the study, in its order."""
    odd: dict[str, list[PhotoCard]] = field(default_factory=dict)
    """A few photos that look odd, by kind."""
    trivial: TrivialRung | None = None
    """What size, mode and colour alone tell; None: not asked."""
    about: list[str] = field(default_factory=list)
    """What the study is, in paragraphs; empty for one that has no name."""
    searches: dict[str, str] = field(default_factory=dict)
    """Rung -> folder, inside the study, of the search that its options are from."""
    folds: int = 0
    """Of the cross-validation; 0: one split."""
    class_sizes: dict[str, int] = field(default_factory=dict)
    """label -> training photos; of folds, the mean over them."""
    openings: list[Opening] = field(default_factory=list)
    """Every reading of the test split, for runs that are there no more too."""
    leaking: list[PairCard] = field(default_factory=list)
    """Near-duplicates that came in different splits; not more than a page shows."""
