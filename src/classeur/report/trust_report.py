"""What a sheet and a binder show about trust, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from classeur.evaluation.abstention import Reached
from classeur.evaluation.calibration import Calibration
from classeur.evaluation.metrics import Figure
from classeur.evaluation.risk import RiskCurve
from classeur.report.study_report import RungSheet
from classeur.report.svg import Drawing
from classeur.report.trust import describe_confidence, shown_levels
from classeur.report.trust_figures import reliability_diagram, risk_coverage
from classeur.report.units import quantity


@dataclass(frozen=True)
class Trust:
    """The section of a sheet."""

    calibration: Calibration
    levels: list[tuple[str, Reached | None]]
    """(level, what it brings on the test photos, or None where it cannot be promised)."""
    sentences: list[str]
    reliability: Drawing
    risk: Drawing
    area: Figure
    """Under the risk/coverage curve."""
    groups: int = 0
    """That the validation photos are in; 0: they have none."""

    @property
    def basis(self) -> str:
        """What the promises are from: `120 validation photos`, or how many groups of them."""
        if self.groups:
            return f"{quantity(self.groups, 'group', 'groups')} of validation photos"
        return quantity(self.calibration.fitted_on, "validation photo", "validation photos")


@dataclass(frozen=True)
class TrustRow:
    """A rung in the binder's table."""

    name: str
    folder: str
    calibration: Calibration
    levels: list[tuple[str, Reached | None]]
    temperatures: list[float]
    """Of its network, or of those of its folds."""


def trust_section(
    calibration: Calibration | None, reached: Sequence[Reached], curve: RiskCurve | None,
    groups: int = 0,
) -> Trust | None:  # fmt: skip
    """Return the section; None for a run that was scored before there was such a thing.

    Args:
        calibration: what the temperature did.
        reached: what each level brings on the test photos.
        curve: risk against coverage.
        groups: that the validation photos are in; 0: they have none.
    """
    if calibration is None or curve is None:
        return None
    levels = shown_levels(reached)
    return Trust(
        calibration,
        levels,
        describe_confidence(calibration),
        reliability_diagram(calibration),
        risk_coverage(curve, [some for _, some in levels if some]),
        curve.area,
        groups,
    )


def trust_rows(rungs: Sequence[RungSheet]) -> list[TrustRow]:
    """Return a row for each rung that has the figures."""
    return [
        TrustRow(
            rung.name,
            rung.folder,
            rung.metrics.calibration,
            shown_levels(rung.metrics.abstention),
            rung.fold_temperatures or [rung.metrics.calibration.temperature],
        )
        for rung in rungs
        if rung.metrics.calibration
    ]
