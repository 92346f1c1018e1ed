"""One rung, from its config to its report.

A study starts this file as a process of its own, so that all memory returns when the rung is done:

    python -m classeur.study.rung RUN_FOLDER STORE_FOLDER PHOTOS_ROOT STUDY_PROCESS
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import sys
import traceback
from pathlib import Path

from classeur.config import RunConfig
from classeur.data.manifest import read_manifest
from classeur.data.store import Store
from classeur.errors import ClasseurError, system_error
from classeur.evaluation.evaluate import evaluate_run
from classeur.exit_codes import FAILED, INTERRUPTED
from classeur.models.device import choose_device
from classeur.report.run_report import write_run_report
from classeur.run_folder import RunFolder, locked, write_json
from classeur.study.log import show_log
from classeur.terminal import make_harmless
from classeur.training.session import train_run

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1

DEBUG = "CLASSEUR_DEBUG"
"""Environment variable that makes a rung show the traceback of a bug."""


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
            )
        write_run_report(run, root, store)


def failure_file(run: RunFolder) -> Path:
    """Return the file in which a rung that failed says why."""
    return run.path / "failure.json"


def main(arguments: list[str]) -> int:
    """Run one rung; return the exit code."""
    make_harmless(sys.stderr)
    show_log()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not _ends_with(int(arguments[3])):
        return INTERRUPTED
    run, store, root = RunFolder(Path(arguments[0])), Store(Path(arguments[1])), Path(arguments[2])
    failure_file(run).unlink(missing_ok=True)
    try:
        run_rung(run, store, root)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ClasseurError as error:
        return _failed(run, str(error))
    except OSError as error:
        return _failed(run, system_error(error))
    except Exception as error:  # the edge of the process: the study reports it and goes on
        if os.environ.get(DEBUG):
            traceback.print_exc()
        return _failed(run, f"this is a bug in Classeur: {type(error).__name__}: {error}")
    return 0


def _failed(run: RunFolder, reason: str) -> int:
    with contextlib.suppress(OSError):  # on a full disk the exit code has to do
        write_json(failure_file(run), {"error": reason})
    return FAILED


def _ends_with(study: int) -> bool:
    """Be ended in order when the study's process dies, so that no rung trains on for nobody.

    Linux has a call for it; elsewhere the lock on the run folder keeps a second one out.

    Returns:
        Whether that process is there; it may have died while this one was starting.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == study


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
