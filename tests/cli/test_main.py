"""Errors, exit codes and what is loaded when."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from classeur import __version__
from classeur.cli.main import _COMMANDS, main

HEAVY = "{'torch', 'numpy', 'PIL', 'scipy', 'sklearn', 'matplotlib', 'pyarrow', 'timm'}"


def test_version(classeur: Callable[..., Any]) -> None:
    for option in ("--version", "-V"):
        assert classeur(option).out == f"classeur {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["train", "--help"], ["bogus"]])
def test_help_and_typing_errors_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys, contextlib\n"
        f"sys.argv = ['classeur', *{arguments!r}]\n"
        "from classeur.cli.main import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        f"print('heavy:', *sorted({HEAVY} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert result.stdout.splitlines()[-1] == "heavy:", result.stderr


def test_help_lists_every_command_with_its_own_first_line(classeur: Callable[..., Any]) -> None:
    shown = classeur("--help")
    assert shown.code == 0
    text = " ".join(shown.out.split())
    for name, line in _COMMANDS.items():
        assert f"{name} {line}" in text
        own = classeur(name, "--help")
        assert own.code == 0
        assert f"classeur {name} [OPTIONS]" in own.out


def test_no_command_shows_the_help(classeur: Callable[..., Any]) -> None:
    shown = classeur()
    assert shown.code == 2
    assert "Commands:" in shown.out + shown.err


def test_an_unknown_command(classeur: Callable[..., Any]) -> None:
    shown = classeur("trian", "photos")
    assert shown.code == 2
    assert (
        'Error: unknown command "trian". Did you mean "train"? Expected one of: inspect, labels, '
        "prepare, train, evaluate, study, studies, tune, predict, "
        "export, serve, board, recipes, models, demo, "
        "fetch." in shown.err
    )
    assert shown.out == ""


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["train", "x", "--recpe", "conv3"], "--recipe"), (["inspect", "x", "--jsn"], "--json")],
)
def test_an_unknown_option(classeur: Callable[..., Any], arguments: list[str], meant: str) -> None:
    shown = classeur(*arguments)
    assert shown.code == 2
    assert re.search(rf"Did you mean .*{meant}\b", shown.err)


def test_all_wrong_options_at_once(classeur: Callable[..., Any]) -> None:
    shown = classeur(
        "train", "gone", "--optimizer", "adm", "--epochs", "0", "--layout", "folders",
        "--seed", "-1",
    )  # fmt: skip
    assert shown.code == 1
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    for problem in (
        'unknown optimizer "adm". Did you mean "adam"? Expected one of: adam, adamw, sgd.',
        "epochs must be at least 1, received 0.",
        'unknown layout "folders". Did you mean "split-folders"?',
        "seed must be at least 0, received -1.",
    ):
        assert problem in shown.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "gone"], "gone does not exist. Expected a folder of photos."),
        (["prepare", "gone", "--to", "out"], "gone does not exist. Expected a folder of photos."),
        (["train", "gone"], "{here}/gone does not exist. Expected a folder of photos."),
        (["study", "gone"], "{here}/gone does not exist. Expected a folder of photos."),
        (
            ["evaluate", "gone"],
            "gone is no run folder: it does not exist. "
            "Expected a folder that `classeur train` or `classeur study` has written.",
        ),
        (
            ["predict", "gone", "."],
            "gone is no run folder: it does not exist. "
            "Expected a folder that `classeur train` or `classeur study` has written.",
        ),
        (
            ["train", "--resume", "gone"],
            "gone is no run folder: it does not exist. "
            "Expected a folder that `classeur train` or `classeur study` has written.",
        ),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(
    classeur: Callable[..., Any], arguments: list[str], message: str
) -> None:
    shown = classeur(*arguments)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == f"error: {message}\n".replace("{here}", str(Path.cwd()))
    assert list(Path.cwd().iterdir()) == []


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    return fail


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from classeur.errors import DataError

    monkeypatch.setattr(sys, "argv", ["classeur", "--debug", "inspect", "gone"])
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(DataError, match="gone does not exist"):
        main()
    signal.signal(signal.SIGTERM, before)


def test_an_error_nobody_foresaw(
    classeur: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classeur.api.inspect", raising(ZeroDivisionError("by\n  zero")))
    shown = classeur("inspect", "photos")
    assert (shown.code, shown.out) == (70, "")
    assert shown.err == (
        "error: this is a bug in Classeur: ZeroDivisionError: by zero. "
        "Please report it with what `classeur --debug …` prints.\n"
    )


def test_an_error_of_the_operating_system(
    classeur: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(28, "No space left on device", "out.npy")
    monkeypatch.setattr("classeur.api.inspect", raising(error))
    shown = classeur("inspect", "photos")
    assert (shown.code, shown.err) == (
        1,
        "error: No space left on device: out.npy. Free some space; the same command then goes on "
        "from what is there.\n",
    )


def test_ctrl_c(classeur: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classeur.api.inspect", raising(KeyboardInterrupt()))
    shown = classeur("inspect", "photos")
    assert (shown.code, shown.out, shown.err.strip()) == (130, "", "interrupted")


def test_a_request_to_end_is_like_ctrl_c(
    classeur: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*arguments: object, **options: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal was ignored")

    monkeypatch.setattr("classeur.api.inspect", terminated)
    shown = classeur("inspect", "photos")
    assert (shown.code, shown.err.strip()) == (130, "interrupted")


def test_a_reader_that_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-m", "classeur", "recipes"],
        check=False, stdout=writer, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")


def test_quiet(classeur: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, photos: Path) -> None:
    for name in ("TQDM_DISABLE", "CLASSEUR_QUIET"):
        monkeypatch.delenv(name, raising=False)
    shown = classeur("--quiet", "inspect", photos)
    assert (shown.code, shown.err) == (0, "")
    assert os.environ["TQDM_DISABLE"] == "1"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    command = f'"{sys.executable}" -m classeur recipes {closed}'
    result = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(
    not f"{sys.prefix}{Path(__file__)}".isascii(), reason="Python itself cannot start there"
)
def test_file_names_as_ascii_are_refused() -> None:
    """With accents, what is written as bytes would be read back as other text."""
    result = subprocess.run(
        [sys.executable, "-m", "classeur", "recipes"],
        check=False, capture_output=True, text=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "error: Python reads file names as ASCII here. Unset PYTHONUTF8, or set a locale such as "
        "LC_ALL=C.UTF-8.\n"
    )
