"""Run folders -> the binder of a study."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from classeur.config import RunConfig
from classeur.data.inspect import Inspection
from classeur.data.manifest import Manifest
from classeur.errors import UnreadablePhotoError
from classeur.evaluation.comparison import compare
from classeur.evaluation.evaluate import read_metrics
from classeur.evaluation.predictions import read_predictions
from classeur.report.photos import Album, PhotoCard
from classeur.report.questions import Question, answer_all, written
from classeur.report.study_report import RungSheet, StudyReport
from classeur.report.words import conclude, describe_imbalance, overfits, seen_before
from classeur.run_folder import RunFolder, read_json, read_json_lines, write_json
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
) -> StudyReport:
    """Read the finished runs of a study and return its binder.

    Args:
        title: of the binder.
        root: the folder that the manifest's paths are relative to.
        settings: what the rungs share.
        manifest: the one split.
        inspection: findings about the photos.
        runs: rung -> its finished runs, one a seed; at least one rung.
        failed: run -> why it did not finish.
        skipped: rung -> why it was not begun.
        questions: that the pairs of rungs answer.
        missing: rungs that were asked for and did not finish.
        about: what the study is, in paragraphs.
    """
    sheets = [_sheet(name, seeds) for name, seeds in runs.items()]
    sheets.sort(key=lambda sheet: (-sheet.val.value, sheet.metrics.splits["val"].log_loss.value))
    correct = {
        sheet.name: read_predictions(_folder(runs, sheet).predictions).of_split("test").correct
        for sheet in sheets
    }
    pairs = compare(correct)
    asked = {name: RunConfig.from_toml(seeds[0].config) for name, seeds in runs.items()}
    chosen = sheets[0]
    counts = manifest.counts()
    return StudyReport(
        title=title,
        photos=str(root),
        settings=settings,
        class_names=manifest.class_names,
        splits={split: dict(sorted(labels.items())) for split, labels in counts.items()},
        inspection=inspection,
        samples=sample_sheet(inspection, {row.path: row.sha256 for row in manifest.rows}),
        rungs=sheets,
        failed=failed,
        skipped=skipped or {},
        pairs=pairs,
        conclusion=[
            *conclude(chosen.name, pairs, chosen.metrics.splits["test"], chosen.openings),
            *describe_imbalance(chosen.metrics.splits["test"], counts["train"]),
            *seen_before(
                {sheet.name: sheet.pretrained_on for sheet in sheets},
                [str(root), *(row.path for row in manifest.rows)],
            ),
        ],
        environment=read_json(_folder(runs, chosen).environment),
        answers=answer_all(questions, pairs, asked, missing),
        about=list(about),
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
        "rungs": [
            {
                "name": sheet.name,
                "run": sheet.folder,
                "val_accuracy": asdict(sheet.val),
                "test_accuracy": asdict(sheet.test),
                "test_log_loss": asdict(sheet.metrics.splits["test"].log_loss),
                "seed_scores": sheet.seed_scores,
                "epochs": sheet.epochs,
                "seconds": sheet.seconds,
                "parameters": sheet.metrics.parameters,
            }
            for sheet in report.rungs
        ],
        "answers": [written(answer) for answer in report.answers],
        "pairs": [{**asdict(pair), "differs": pair.differs} for pair in report.pairs],
        "failed": report.failed,
        "skipped": report.skipped,
    }


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
            if (card := _card(album, path, label, (hashes or {}).get(path, "")))
        ]
        for label, paths in list(found.samples.items())[:at_most_classes]
    }


def _card(album: Album, path: str, label: str, sha256: str) -> PhotoCard | None:
    """Return the card of a photo, or None if the file has gone or changed since it was counted."""
    try:
        source, pixelated = album.thumbnail(path, sha256=sha256)
    except UnreadablePhotoError:
        return None
    return PhotoCard(source, path, label, pixelated=pixelated)


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
        openings=len(read_json_lines(run.test_openings)),
        pretrained_on=read_json(run.model).get("backbone", {}).get("pretrained_on", ""),
        seed_scores=scores if len(scores) > 1 else {},
    )


def _folder(runs: Mapping[str, Sequence[RunFolder]], sheet: RungSheet) -> RunFolder:
    return next(run for run in runs[sheet.name] if run.path.name == sheet.folder)
