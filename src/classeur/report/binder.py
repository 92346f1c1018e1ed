"""Run folders -> the binder of a study."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from classeur.config import RunConfig
from classeur.data.inspect import Inspection
from classeur.data.manifest import Manifest
from classeur.evaluation.comparison import compare
from classeur.evaluation.evaluate import read_metrics
from classeur.evaluation.openings import openings_in, openings_of
from classeur.evaluation.trivial import TrivialRung
from classeur.report.folds import (
    conclude_folds,
    counts_of,
    in_folds,
    tested,
    training_sizes,
)
from classeur.report.leaks import describe_leaks, describe_val_leaks, leaking_pairs
from classeur.report.odd import odd_sheet
from classeur.report.photos import Album, PhotoCard
from classeur.report.questions import Question, answer_all, written
from classeur.report.study_report import RungSheet, StudyReport
from classeur.report.words import (
    conclude,
    describe_imbalance,
    overfits,
    seen_before,
    warn_of_openings,
)
from classeur.run_folder import RunFolder, read_json, write_json
from classeur.training.history import read_history


def build_study_report(
    title: str,
    root: Path,
    *,
    settings: dict[str, Any],
    manifest: Manifest,
    inspection: Inspection,
    runs: Mapping[str, Sequence[RunFolder]],
    failed: dict[str, str],
    skipped: dict[str, str] | None = None,
    questions: Sequence[Question] = (),
    missing: Collection[str] = (),
    about: Sequence[str] = (),
    searches: Mapping[str, str] | None = None,
    folds: Sequence[Manifest] = (),
    trivial: TrivialRung | None = None,
) -> StudyReport:
    """Read the finished runs of a study and return its binder.

    Args:
        title: of the binder.
        root: the folder that the manifest's paths are relative to.
        settings: what the rungs share.
        manifest: the one split.
        inspection: findings about the photos.
        runs: rung -> its finished runs, one a seed or a fold; at least one rung.
        failed: run -> why it did not finish.
        skipped: rung -> why it was not begun.
        questions: that the pairs of rungs answer.
        missing: rungs that were asked for and did not finish.
        about: what the study is, in paragraphs.
        searches: rung -> the folder of the search that its options are from.
        folds: the split of each fold; empty: `manifest` is the only one.
        trivial: what size, mode and colour alone tell of the labels.
    """
    sheets = [in_folds(_sheet(name, some), some) for name, some in runs.items()]
    sheets.sort(key=lambda sheet: (-sheet.val.value, sheet.metrics.splits["val"].log_loss.value))
    test = {sheet.name: tested(runs[sheet.name], _folder(runs, sheet)) for sheet in sheets}
    groups = next((found.groups for found in test.values() if found.groups), [])
    pairs = compare(
        {name: found.correct for name, found in test.items()},
        groups=groups,
        paths={name: found.paths for name, found in test.items()},
    )
    asked = {name: RunConfig.from_toml(seeds[0].config) for name, seeds in runs.items()}
    chosen = sheets[0]
    sizes = training_sizes(manifest, folds)
    stands = _folder(runs, chosen)
    conclusion = conclude(chosen.name, pairs, chosen.metrics.splits["test"], openings_of(stands))
    openings = openings_in(stands.path.parent, itertools.chain(*runs.values()))
    return StudyReport(
        title=title,
        photos=str(root),
        settings=settings,
        class_names=manifest.class_names,
        splits=counts_of(manifest, folds),
        inspection=inspection,
        samples=sample_sheet(inspection, {row.path: row.sha256 for row in manifest.rows}),
        rungs=sheets,
        failed=failed,
        skipped=skipped or {},
        pairs=pairs,
        conclusion=[
            *conclude_folds(chosen, conclusion, alone=not pairs),
            *describe_imbalance(chosen.metrics.splits["test"], sizes),
            *([trivial.found.sentence()] if trivial and trivial.found.tells else []),
            *describe_leaks(chosen.metrics.leaks),
            *describe_val_leaks(chosen.metrics.val_leaks),
            *seen_before(
                {sheet.name: sheet.pretrained_on for sheet in sheets},
                [str(root), *(row.path for row in manifest.rows)],
            ),
            *warn_of_openings(openings),
        ],
        environment=read_json(stands.environment),
        answers=answer_all(questions, pairs, asked, missing),
        about=list(about),
        searches=dict(searches or {}),
        folds=len(folds),
        class_sizes=sizes,
        trivial=trivial,
        odd=odd_sheet(inspection),
        openings=openings,
        leaking=leaking_pairs(inspection),
    )


def write_study_report(report: StudyReport, folder: Path) -> None:
    """Write comparison.json, report.md and index.html."""
    from classeur.report.render import render_study

    write_json(folder / "comparison.json", comparison(report))
    render_study(report, folder)


def comparison(report: StudyReport) -> dict[str, Any]:
    """Return what comparison.json holds."""
    return {
        "version": 1,
        "chosen": report.rungs[0].name,
        "chosen_run": report.rungs[0].folder,
        "conclusion": report.conclusion,
        "folds": report.folds,
        "rungs": [
            {
                "name": sheet.name,
                "run": sheet.folder,
                "val_accuracy": asdict(sheet.val),
                "test_accuracy": asdict(sheet.test),
                "test_log_loss": asdict(sheet.metrics.splits["test"].log_loss),
                "test_calibration_error": asdict(sheet.calibration_error)
                if sheet.calibration_error
                else None,
                "temperature": sheet.temperature,
                "intervals_over": sheet.metrics.splits["test"].over,
                "groups": sheet.metrics.splits["test"].groups,
                "leaks": asdict(sheet.metrics.leaks) if sheet.metrics.leaks else None,
                "seed_scores": sheet.seed_scores,
                "fold_scores": sheet.fold_scores,
                "seed_spread": asdict(sheet.seed_spread) if sheet.seed_spread else None,
                "epochs": sheet.epochs,
                "seconds": sheet.seconds,
                "parameters": sheet.metrics.parameters,
            }
            for sheet in report.rungs
        ],
        "answers": [written(answer) for answer in report.answers],
        "pairs": [{**asdict(pair), "differs": pair.differs} for pair in report.pairs],
        "trivial": _trivial(report.trivial),
        "openings": [asdict(opening) for opening in report.openings],
        "failed": report.failed,
        "skipped": report.skipped,
    }


def _trivial(rung: TrivialRung | None) -> dict[str, Any] | None:
    if rung is None:
        return None
    accuracy = {f"{name}_accuracy": asdict(rung.splits[name].accuracy) for name in rung.splits}
    return {**accuracy, **asdict(rung.found), "tells": rung.found.tells}


def sample_sheet(
    found: Inspection, hashes: Mapping[str, str] | None = None, at_most_classes: int = 50
) -> dict[str, list[PhotoCard]]:
    """Return a few photos of each class; a page with thousands of pictures opens for nobody.

    Args:
        found: the findings, which name the photos.
        hashes: path -> SHA-256 of what was scanned; a photo that is another by now is left out.
        at_most_classes: classes to show.
    """
    album = Album(Path(found.photos))
    return {
        label: [
            card
            for path in paths
            if (card := album.card(path, label, (hashes or {}).get(path, "")))
        ]
        for label, paths in list(found.samples.items())[:at_most_classes]
    }


def _sheet(name: str, seeds: Sequence[RunFolder]) -> RungSheet:
    """Return the sheet of a rung. The seed that validation likes best stands for it."""
    every = {run.path.name: read_metrics(run) for run in seeds}
    run = max(
        seeds,
        key=lambda run: (
            every[run.path.name].splits["val"].accuracy.value,
            -every[run.path.name].splits["val"].log_loss.value,
        ),
    )
    metrics, training = every[run.path.name], read_json(run.training)
    scores = {folder: m.splits["test"].accuracy.value for folder, m in every.items()}
    return RungSheet(
        name=name,
        description=RunConfig.from_toml(run.config).description,
        folder=run.path.name,
        metrics=metrics,
        history=read_history(run.history),
        epochs=training["epochs"],
        best_epoch=training["best_epoch"],
        stopped=training["stopped"],
        seconds=training["seconds"],
        peak_memory=training["peak_memory"],
        overfits=overfits(metrics),
        openings=len(openings_of(run)),
        pretrained_on=read_json(run.model).get("backbone", {}).get("pretrained_on", ""),
        calibration_error=metrics.calibration.after.error if metrics.calibration else None,
        seed_scores=scores if len(scores) > 1 else {},
    )


def _folder(runs: Mapping[str, Sequence[RunFolder]], sheet: RungSheet) -> RunFolder:
    return next(run for run in runs[sheet.name] if run.path.name == sheet.folder)
