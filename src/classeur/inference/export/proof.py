"""From file bytes to label and probability: an exported file against the predictor."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classeur.data.decode import Decoded, decode
from classeur.inference.export.browser import Browser, browser_program
from classeur.inference.export.photos import Sample
from classeur.inference.predictor import Predictor

TOLERANCE = 1e-3
"""How far any probability may be from the predictor's."""

FULL_TOLERANCE = 0.02
"""The same where the predictor has let libjpeg decode a large photo at a smaller scale, and the
other program decodes it in full."""

Probabilities = NDArray[np.float32]
Answering = Callable[[Decoded], Probabilities]
"""An upright photo -> probabilities (num_classes,), by an exported file."""


@dataclass(frozen=True)
class Row:
    """One photo, answered by both."""

    photo: str
    width: int
    height: int
    label: str
    """The predictor's."""
    exported_label: str
    probability: float
    """The predictor's, of its label."""
    difference: float
    """Largest over all classes."""
    gap: float
    """Between the predictor's probabilities of the two labels; 0 if they are the same."""
    full_difference: float | None
    """With the photo decoded in full. None: the predictor decodes it in full, too."""

    @property
    def is_tie(self) -> bool:
        """Whether the labels differ where the predictor itself could toss a coin."""
        return self.label != self.exported_label and self.gap <= TOLERANCE

    def failure(self) -> str:
        """Return what is wrong with the exported answer; empty if it is right."""
        if self.label != self.exported_label and not self.is_tie:
            return f"{self.photo}: {self.exported_label} instead of {self.label}"
        if not self.difference <= TOLERANCE:  # also true for NaN
            return f"{self.photo}: a probability is off by {self.difference:.2g}"
        if self.full_difference is not None and not self.full_difference <= FULL_TOLERANCE:
            return f"{self.photo}: decoded in full, it is off by {self.full_difference:.2g}"
        return ""


@dataclass(frozen=True)
class Proof:
    """What came out for all photos."""

    rows: list[Row]

    @property
    def worst(self) -> float:
        """The largest difference of any probability of any photo."""
        return float(np.max([row.difference for row in self.rows], initial=0))

    @property
    def worst_in_full(self) -> float | None:
        """The same for large photos decoded in full; None if there was none."""
        found = [row.full_difference for row in self.rows if row.full_difference is not None]
        return float(np.max(found)) if found else None

    @property
    def ties(self) -> list[Row]:
        """Photos of which the predictor itself is undecided, and the labels differ."""
        return [row for row in self.rows if row.is_tie]

    @property
    def failures(self) -> list[str]:
        """What is wrong, a sentence for each photo."""
        return [text for row in self.rows if (text := row.failure())]

    def to_dict(self) -> dict[str, Any]:
        """Return the proof as plain types."""
        return {
            "photos": len(self.rows),
            "tolerance": TOLERANCE,
            "worst_difference": self.worst,
            "full_decoding_tolerance": FULL_TOLERANCE,
            "worst_difference_decoded_in_full": self.worst_in_full,
            "ties": [row.photo for row in self.ties],
            "failures": self.failures,
            "rows": [asdict(row) for row in self.rows],
        }


@dataclass(frozen=True)
class InBrowser:
    """What came out when a browser answered, from the bytes of the photos' files."""

    program: str
    """The browser and its version."""
    proof: Proof
    refused: list[str]
    """Photos that the browser cannot open and Pillow can."""

    @property
    def failures(self) -> list[str]:
        """What is wrong, a sentence for each photo."""
        if not self.proof.rows:
            return [f"{self.program} could open none of {len(self.refused)} photos"]
        return [f"in {self.program}, {text}" for text in self.proof.failures]

    def to_dict(self) -> dict[str, Any]:
        """Return the proof as plain types."""
        return {"program": self.program, "refused": self.refused, **self.proof.to_dict()}


def prove_in_browser(
    predictor: Predictor, folder: Path, samples: Iterable[Sample]
) -> InBrowser | None:
    """Let an exported page answer photos in a real browser, and compare; None: there is none.

    Raises:
        InferenceError: if the page fails.
    """
    if (program := browser_program()) is None:
        return None
    with Browser(program, folder) as browser:
        if not browser.name:
            return None  # it is there and does not start: that says nothing of the page
        rows, refused = [], []
        for sample in samples:
            row = _row_in(browser, predictor, sample)
            if isinstance(row, Row):
                rows.append(row)
            elif row:
                refused.append(sample.name)
        return InBrowser(browser.name, Proof(rows), refused)


def _row_in(browser: Browser, predictor: Predictor, sample: Sample) -> Row | bool:
    """Return a row, or whether it is the browser alone that cannot open the photo."""
    ((_, expected, _, _),) = predictor.rows([sample.content])
    if expected is None:
        return False
    seen = predictor.preprocessing.geometry.decoded(sample.content, "rgb")
    said = browser.ask(sample.content if isinstance(sample.content, bytes) else _png(seen))
    if said is None:
        return True
    names = predictor.class_names
    given = np.array([said.get(name, np.nan) for name in names], np.float32)
    if seen.reduced:  # browsers decode in full
        return _row(sample, seen, names, expected, expected, given)
    return _row(sample, seen, names, expected, given, None)


def _png(seen: Decoded) -> bytes:
    """Return a photo that is in no file as one that holds just its pixels."""
    file = io.BytesIO()
    seen.image.save(file, "PNG")
    return file.getvalue()


def prove(predictor: Predictor, answer: Answering, samples: Iterable[Sample]) -> Proof:
    """Answer photos by both, from the bytes of their files, and compare."""
    return Proof(list(_rows(predictor, answer, samples)))


def _rows(predictor: Predictor, answer: Answering, samples: Iterable[Sample]) -> Iterator[Row]:
    names = predictor.class_names
    geometry = predictor.preprocessing.geometry
    for sample in samples:
        ((_, expected, _, _),) = predictor.rows([sample.content])
        if expected is None:
            continue  # neither can read it
        seen = geometry.decoded(sample.content, "rgb")
        in_full = answer(decode(sample.content)) if seen.reduced else None
        yield _row(sample, seen, names, expected, answer(seen), in_full)


def _row(
    sample: Sample,
    seen: Decoded,
    names: list[str],
    expected: Probabilities,
    given: Probabilities,
    in_full: Probabilities | None,
) -> Row:
    ours, theirs = int(expected.argmax()), int(np.argmax(given))
    return Row(
        sample.name, seen.width, seen.height, names[ours], names[theirs],
        float(expected[ours]), _off(given, expected), float(expected[ours] - expected[theirs]),
        None if in_full is None else _off(in_full, expected),
    )  # fmt: skip


def _off(given: Probabilities, expected: Probabilities) -> float:
    if given.shape != expected.shape:
        return float("nan")
    return float(np.abs(given.astype(np.float64) - expected).max())
