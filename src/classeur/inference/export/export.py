"""Write a run as a file of another program, and prove it before it appears."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from classeur.errors import InferenceError, RunFolderError, unknown
from classeur.inference.export.facts import facts_of
from classeur.inference.export.formats import FORMATS, Format, upright
from classeur.inference.export.int8 import AGREEMENT, LOSS, Pixels, Quality, quality, quantised
from classeur.inference.export.needed import require
from classeur.inference.export.photos import made_photos, validation_photos
from classeur.inference.export.proof import Answering, InBrowser, Proof, prove, prove_in_browser
from classeur.inference.predictor import Predictor
from classeur.run_folder import RunFolder, now, read_json, write_json

PROOF = "proof.json"
WEB = "web"
"""The format that is proved once more, in a browser."""
PHOTOS = 36
"""Validation photos of a proof, at most."""


_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """What was written, and how it compares."""

    folder: Path
    files: list[str]
    proof: Proof
    quality: Quality | None
    """What int8 costs. None: nothing was rounded to int8."""
    validation: int
    """Photos of the run's validation split among those of the proof."""
    browser: InBrowser | None
    """The proof of a page in a real browser. None: no page, or no browser that starts."""


def export(
    run: Path | str, format: str = "onnx", *, to: Path | str | None = None, int8: bool = False
) -> Exported:
    """Write a run in another format; the folder appears when its proof holds.

    Args:
        run: a run folder that has weights.
        format: one of `FORMATS`.
        to: the folder to make. None: `export/FORMAT` in the run folder.
        int8: with `onnx`: whole numbers of 8 bits, calibrated on validation photos.

    Raises:
        InferenceError: if the format is unknown or cannot express the run, a package is missing,
            the folder holds something else, or the proof fails.
        RunFolderError: if it is no run, or has no weights yet.
    """
    kind = _format(format, int8=int8)
    folder = RunFolder(Path(run))
    own = folder.path / "export" / (format + "-int8" * int8)
    target = (own if to is None else Path(to)).resolve()  # `..` may change its meaning below
    _check_target(target)
    predictor = Predictor.load(run)
    predictor.novelty = None  # it changes no probability
    kind.check(predictor.classifier)
    _logger.info("writing %s, which may take a minute or two", format)
    with _appearing(target) as scratch:
        made = _made(kind, predictor, folder, scratch, int8=int8)
        names = _files_in(scratch)
        write_json(scratch / PROOF, _record(format, folder, predictor, made, names))
        if failures := [*made.failures]:
            more = f" and {len(failures) - 3} more" if len(failures) > 3 else ""
            raise InferenceError(
                f"the proof of this {format} export fails, nothing was written: "
                f"{'; '.join(failures[:3])}{more}."
            )
    return Exported(
        target, [*names, PROOF], made.proof, made.quality, made.validation, made.browser
    )


@dataclass(frozen=True)
class _Made:
    proof: Proof
    quality: Quality | None
    validation: int
    browser: InBrowser | None

    @property
    def failures(self) -> list[str]:
        """What is wrong. The network in int8 is judged by its quality alone."""
        if self.quality is None:
            return [*self.proof.failures, *(self.browser.failures if self.browser else ())]
        return [text] if (text := self.quality.failure()) else []


def _made(
    kind: Format, predictor: Predictor, run: RunFolder, scratch: Path, *, int8: bool
) -> _Made:
    """Write the files, and compare them with the predictor."""
    facts = facts_of(predictor.classifier, run)
    if int8:
        answer, found = _in_int8(predictor, run, scratch, facts)
    else:
        answer, found = kind.write(predictor.classifier, run, scratch, facts), None
    own = list(validation_photos(run, PHOTOS))
    _logger.info("proving on %d validation photos and on made ones", len(own))
    proof = prove(predictor, answer, chain(own, made_photos()))
    browser = None
    if kind.name == WEB and not proof.failures:
        browser = prove_in_browser(predictor, scratch, chain(own, made_photos()))
    return _Made(proof, found, len(own), browser)


def _in_int8(
    predictor: Predictor, run: RunFolder, scratch: Path, facts: dict[str, str]
) -> tuple[Answering, Quality]:
    """Write the ONNX files with the network in int8; the float32 ones must hold first."""
    from classeur.inference.export.onnx_files import halves, write_joined

    pixels = Pixels.of(run, predictor)
    prepare, answer = halves(predictor.classifier)
    exact = prove(predictor, upright(write_joined(prepare, answer, scratch, facts)), made_photos())
    if exact.failures:
        raise InferenceError(f"the proof of the float32 network fails: {exact.failures[0]}.")
    small = quantised(answer, pixels)
    facts = facts | {"abstention": "null", "int8": "true"}  # thresholds are of the float32 network
    return upright(write_joined(prepare, small, scratch, facts)), quality(predictor, small, pixels)


def _record(
    format: str, run: RunFolder, predictor: Predictor, made: _Made, files: list[str]
) -> dict[str, Any]:
    facts = facts_of(predictor.classifier, run)
    limits = {"agreement": AGREEMENT, "accuracy_loss": LOSS}
    costs = None if made.quality is None else asdict(made.quality) | {"limits": limits}
    return {
        "format": format,
        "files": files,
        "classeur": facts["classeur"],
        "run": facts["run"],
        "time": now(),
        "validation_photos": made.validation,
        "int8": costs,
        "holds": not made.failures,
        **made.proof.to_dict(),
        **({"browser": _browser(made)} if format == WEB else {}),
    }


def _browser(made: _Made) -> dict[str, Any]:
    if made.browser is not None:
        return made.browser.to_dict()
    return {"program": None, "note": "no Chromium was there: the graph is proved, the page is not"}


def _format(name: str, *, int8: bool) -> Format:
    if name not in FORMATS:
        raise InferenceError(unknown("format", name, FORMATS))
    if int8 and name != "onnx":
        raise InferenceError(f"int8 is for the onnx format, received {name}. Leave it out.")
    require(FORMATS[name].extra, *FORMATS[name].packages)
    return FORMATS[name]


def _check_target(target: Path) -> None:
    """Raise InferenceError unless the folder is free, or holds no more than an earlier export."""
    if target.suffix:
        raise InferenceError(
            f"{target} looks like a file; an export is a folder of several. Give a folder."
        )
    if not target.exists():
        return
    try:
        known = read_json(target / PROOF)["files"]
        if isinstance(known, list) and set(_files_in(target)) <= {*known, PROOF}:
            return
    except (RunFolderError, KeyError, TypeError, OSError):
        if target.is_dir() and not any(target.iterdir()):
            return
    raise InferenceError(
        f"{target} holds something else than an earlier export. Choose another folder, or empty it."
    )


def _files_in(folder: Path) -> list[str]:
    """Return the names of all files below a folder, relative to it."""
    return sorted(
        item.relative_to(folder).as_posix() for item in folder.rglob("*") if not item.is_dir()
    )


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Give a folder to fill, beside the target; it takes its place when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{target.name}.",
        suffix=".unfinished",
        dir=target.parent,
        ignore_cleanup_errors=True,
    ) as place:
        scratch = Path(place) / target.name
        scratch.mkdir()
        yield scratch
        if target.exists():
            target.replace(Path(place) / "earlier")
        scratch.replace(target)
