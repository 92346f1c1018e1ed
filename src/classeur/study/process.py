"""A part of a study as a process of its own, so that all memory returns when it is done.

One side starts it and waits; the other does the work and says in a file why it failed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from classeur.errors import ClasseurError, system_error
from classeur.exit_codes import FAILED, INTERRUPTED
from classeur.run_folder import read_json, write_json
from classeur.study.log import show_log
from classeur.terminal import make_harmless

_PR_SET_PDEATHSIG = 1

STUDY = "CLASSEURSTUDY_PROCESS"
"""Environment variable that tells a process which one has started it."""

DEBUG = "CLASSEUR_DEBUG"
"""Environment variable that makes a process show the traceback of a bug."""


def wait_for(module: str, arguments: list[str], failure: Path) -> str:
    """Run a module as a process; return why it failed, or ''.

    Args:
        module: that calls `work_as_process`.
        arguments: of its command line.
        failure: the file in which it says why it failed.
    """
    # In a group of its own, so that Ctrl-C reaches it once, from here, however it was sent; as
    # SIGTERM, because a shell's background jobs ignore SIGINT, and so do their children.
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        process_group=0,
        env={**os.environ, STUDY: str(os.getpid())},
    )
    try:
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code == 0:
        return ""
    if failure.is_file():
        return str(read_json(failure)["error"])
    if code < 0:
        return f"its process was killed by signal {-code}" + (
            "; the machine may have run out of memory" if code == -9 else ""
        )
    return f"its process ended with exit code {code}; its messages are above"


def work_as_process(work: Callable[[], None], failure: Path) -> int:
    """Do the work of a process that a study has started; return its exit code."""
    make_harmless(sys.stderr)
    show_log()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not _ends_with_study():
        return INTERRUPTED
    failure.unlink(missing_ok=True)
    try:
        work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except ClasseurError as error:
        return _failed(failure, str(error))
    except OSError as error:
        return _failed(failure, system_error(error))
    except Exception as error:  # the edge of the process: the study reports it and goes on
        if os.environ.get(DEBUG):
            traceback.print_exc()
        return _failed(failure, f"this is a bug in Classeur: {type(error).__name__}: {error}")
    return 0


def _failed(failure: Path, reason: str) -> int:
    with contextlib.suppress(OSError):  # on a full disk the exit code has to do
        write_json(failure, {"error": reason})
    return FAILED


def _ends_with_study() -> bool:
    """Be ended in order when the study's process dies, so that nothing trains on for nobody.

    Linux has a call for it; elsewhere the lock on the run folder keeps a second one out.

    Returns:
        Whether that process is there; it may have died while this one was starting.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == int(os.environ.get(STUDY, os.getppid()))
