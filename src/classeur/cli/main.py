"""The `classeur` command: finds the module of a subcommand when it is called, not before."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from pathlib import Path

import click

from classeur import __version__
from classeur.errors import ClasseurError, system_error
from classeur.exit_codes import BUG, FAILED, INTERRUPTED
from classeur.terminal import make_harmless

_COMMANDS = {
    "inspect": "What is in a folder of photos: classes, sizes, duplicates, unreadable files.",
    "labels": "List the labels that may be wrong, for you to decide.",
    "prepare": "Decode photos once into arrays that numpy.load opens.",
    "train": "Train one recipe on a folder of photos.",
    "evaluate": "Score a run again, on its own photos or on others.",
    "study": "Compare several recipes on the same split: the binder.",
    "studies": "List the studies that come with Classeur, or show one to copy.",
    "tune": "Search for better values of a recipe's options, on the validation split.",
    "predict": "Classify photos with a trained run.",
    "export": "Write a run as ONNX and other files, proved against predict.",
    "serve": "Answer over HTTP with a trained run, and with a page for people.",
    "board": "Show the runs and studies of a folder in the browser, as they train.",
    "recipes": "List the recipes that train and study know.",
    "models": "List the pre-trained networks: parameters, size, whether weights are at hand.",
    "demo": "A study on handwritten digits, in a few minutes.",
    "fetch": "Bring a public data set: Fashion-MNIST, Stanford Dogs, cats and dogs.",
}


class _Commands(click.Group):
    """Knows every command's name and one line; imports a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"classeur.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            from classeur.errors import unknown

            raise click.UsageError(unknown("command", args[0], _COMMANDS), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="classeur %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("-q", "--quiet", is_flag=True, help="Show results and errors only.")
def classeur(debug: bool, quiet: bool) -> None:
    """A folder of photos in, a binder out.

    Compares the standard ways of classifying photos on one and the same split.
    Start with:  classeur study PHOTOS
    """
    if debug:
        os.environ["CLASSEUR_DEBUG"] = "1"
    if quiet:
        os.environ["TQDM_DISABLE"] = "1"
        os.environ["CLASSEUR_QUIET"] = "1"


def _settle_streams() -> None:
    """Make the output take everything: closed streams, and names that are no text or drive it."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    make_harmless(sys.stderr)
    if sys.stdout.isatty():
        make_harmless(sys.stdout)


def _check_locale() -> None:
    """Raise ClasseurError where Python reads file names as ASCII: accents would not survive."""
    if sys.getfilesystemencoding() == "ascii":
        raise ClasseurError(
            "Python reads file names as ASCII here. Unset PYTHONUTF8, or set a locale such as "
            "LC_ALL=C.UTF-8."
        )


def main() -> None:
    """Run the command line; errors become one line on stderr and an exit code."""
    # A request to end is treated like Ctrl-C: what is done so far stays usable.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _settle_streams()
    debug = "--debug" in sys.argv[1:]
    try:
        _check_locale()
        code = classeur(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except ClasseurError as error:
        if debug:
            raise
        click.echo(f"error: {error}", err=True)
        code = FAILED
    except BrokenPipeError:
        # Whoever read our output has gone; writing on would only fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except OSError as error:
        if debug:
            raise
        click.echo(f"error: {system_error(error)}", err=True)
        code = FAILED
    except Exception as error:
        if debug:
            raise
        kind, reason = type(error).__name__, " ".join(str(error).split())
        click.echo(
            f"error: this is a bug in Classeur: {kind}: {reason}. "
            "Please report it with what `classeur --debug …` prints.",
            err=True,
        )
        code = BUG
    sys.exit(code if isinstance(code, int) else 0)
