"""One rung, from its config to its report.

A study starts this file as a process of its own, so that all memory returns when the rung is done:

    python -m classeur.study.rung RUN_FOLDER STORE_FOLDER PHOTOS_ROOT
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from classeur.config import RunConfig
from classeur.data.manifest import read_manifest
from classeur.data.near_findings import CopiesAcross
from classeur.data.store import Store
from classeur.evaluation.evaluate import evaluate_run, read_metrics
from classeur.models.device import choose_device
from classeur.report.run_report import write_run_report
from classeur.run_folder import RunFolder, locked, read_json
from classeur.study.process import work_as_process
from classeur.training.session import train_run
from classeur.training.tracking import finish_tracking

log = logging.getLogger(__name__)


def run_rung(run: RunFolder, store: Store, root: Path) -> None:
    """Train, evaluate and report a run; each part that is done already is not done again.

    Args:
        run: a run that has been begun.
        store: its prepared photos.
        root: the folder of photos, for the pictures in the report.
    """
    with locked(run.path):
        if not run.is_trained:
            train_run(run, store)
        if not run.metrics.is_file():
            config = RunConfig.from_toml(run.config)
            device = choose_device(config.training.device)
            manifest = read_manifest(run.manifest)
            log.info("scoring")
            evaluate_run(
                run,
                store.photos,
                manifest,
                reason="end of training",
                device=device,
                batch_size=config.training.batch_size,
                copies=CopiesAcross.of(store.facts_in(manifest), store.near_duplicates),
            )
        finish_tracking(run, _figures(run))
        write_run_report(run, root, store)


def _figures(run: RunFolder) -> dict[str, float]:
    """Return what a tracker is told in the end."""
    test = read_metrics(run).splits["test"]
    figures = {
        f"test_{name}": getattr(test, name).value
        for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
    }
    return {**figures, "best_epoch": read_json(run.training)["best_epoch"]}


def failure_file(run: RunFolder) -> Path:
    """Return the file in which a rung that failed says why."""
    return run.path / "failure.json"


def main(arguments: list[str]) -> int:
    """Run one rung; return the exit code."""
    run, store, root = RunFolder(Path(arguments[0])), Store(Path(arguments[1])), Path(arguments[2])
    return work_as_process(lambda: run_rung(run, store, root), failure_file(run))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
