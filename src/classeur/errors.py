"""Every error that Classeur raises on purpose.

    ClasseurError
    ├── ConfigError             an option or a config file that cannot be right; lists every problem
    ├── DataError               the photos, their layout or their labels
    │   ├── UnreadablePhotoError    one file that does not decode, with the reason
    │   ├── SplitError              too few photos for the split that was asked for
    │   ├── FetchError              a public data set that cannot be had, or is another
    │   └── StoreError              prepared pixels that cannot be written or trusted
    ├── ModelError              an unknown network, or one that the photos do not fit
    │   └── WeightsError        pre-trained weights that are not at hand, or of another network
    ├── TrainingError           a run that cannot start or go on
    │   └── DivergedError           the loss became NaN or infinite
    ├── EvaluationError         predictions that cannot be scored or compared
    ├── StudyError              a study that cannot start or had no rung that finished
    ├── InferenceError          a photo path or an output that predict cannot use
    │   └── ServeError              a server that cannot start
    └── RunFolderError          a run folder that is missing, incomplete or of another version

A message says what was expected, what was received, and what to do.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Sequence


class ClasseurError(Exception):
    """Base of all errors that Classeur raises on purpose."""


class ConfigError(ClasseurError):
    """One or more options are wrong. `problems` holds a sentence for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(" ".join(self.problems))


class DataError(ClasseurError):
    """The photos, their layout or their labels are not usable as they are."""


class UnreadablePhotoError(DataError):
    """One file does not decode into a photo; the message is the reason, without the path."""


class SplitError(DataError):
    """The photos cannot be split as asked."""


class FetchError(DataError):
    """A public data set cannot be had, or is not what it should be."""


class StoreError(DataError):
    """Prepared pixels cannot be written, or what is there cannot be trusted."""


class ModelError(ClasseurError):
    """The network is unknown, or does not fit the photos."""


class WeightsError(ModelError):
    """Pre-trained weights are not at hand, or are not those of the network."""


class TrainingError(ClasseurError):
    """A run cannot start, or cannot go on."""


class DivergedError(TrainingError):
    """The loss became NaN or infinite."""


class EvaluationError(ClasseurError):
    """Predictions cannot be scored or compared."""


class StudyError(ClasseurError):
    """A study cannot start, or none of its rungs finished."""


class InferenceError(ClasseurError):
    """Predict cannot use a path or an output it was given."""


class ServeError(InferenceError):
    """A server cannot start."""


class RunFolderError(ClasseurError):
    """A run folder is missing, incomplete, or written by another version."""


def system_error(error: OSError) -> str:
    """Return a sentence on what the operating system refused, where, and what to do about it."""
    where = f": {error.filename}" if error.filename else ""
    advice = _ADVICE.get(error.errno or 0, "")
    return f"{error.strerror or error}{where}.{advice}"


_FREE_SPACE = " Free some space; the same command then goes on from what is there."
_ADVICE = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EACCES: " Choose another place, or ask for the right to use this one.",
    errno.EROFS: " Choose a place that may be written.",
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ' Did you mean "x"?' for the closest of the known words, or ''."""
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    return f' Did you mean "{folded[close[0]]}"?' if close else ""


def unknown(kind: str, word: str, known: Iterable[str]) -> str:
    """Return the sentence for a word that is none of the known ones, with a suggestion."""
    choices = list(known)
    return (
        f'unknown {kind} "{word}".{did_you_mean(word, choices)} '
        f"Expected one of: {', '.join(choices)}."
    )
