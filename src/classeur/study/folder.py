"""The folder of a study: made, recognised, and never mixed with somebody's own files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from classeur.config import SECTIONS, DataConfig, RunConfig
from classeur.data.manifest import Manifest, read_manifest
from classeur.errors import StudyError
from classeur.run_folder import is_leftover, write_json, write_text
from classeur.study.definition import Definition
from classeur.study.material import Material
from classeur.study.plan import PlannedRun


def make_folder(folder: Path, planned: Sequence[PlannedRun]) -> None:
    """Make the study's folder; refuse one that holds something else.

    Raises:
        StudyError: if it cannot be written, or is not a study's.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StudyError(f"{folder} is a file. Choose a folder with --to.") from error
    except OSError as error:
        raise StudyError(f"cannot write the study at {folder}: {error.strerror}.") from error
    _refuse_foreign(folder, planned)


def begin_study(
    folder: Path, material: Material, planned: Sequence[PlannedRun], definition: Definition
) -> None:
    """Write what the study shares; refuse a folder that holds another study.

    Raises:
        StudyError: if it holds other photos, another split, other folds or other options.
    """
    manifests = {manifest_name(item.config.data): item.material.manifest for item in planned}
    manifests = manifests or {"manifest.csv": material.manifest}
    _check_same_splits(folder, manifests)
    for item in planned:
        if item.run.config.is_file():
            _check_same(item)
    for name, manifest in manifests.items():
        manifest.write(folder / name)
    write_json(folder / "inspection.json", material.inspection.to_dict())
    write_text(folder / "study.toml", definition.to_toml())


def manifest_name(data: DataConfig) -> str:
    """Return the name of the file in a study that holds a split: one, or one for each fold."""
    return f"manifest-fold{data.fold}of{data.folds}.csv" if data.folds else "manifest.csv"


_MANIFEST = re.compile(r"manifest(?:-fold\d+of(\d+))?\.csv")


def _folds_there(folder: Path) -> dict[str, str]:
    """Return manifest in the folder -> how many folds its study has."""
    found = {path.name: _MANIFEST.fullmatch(path.name) for path in folder.glob("manifest*.csv")}
    return {name: match[1] or "0" for name, match in found.items() if match}


def _check_same_splits(folder: Path, manifests: Mapping[str, Manifest]) -> None:
    there = _folds_there(folder)
    before = {number for name, number in there.items() if name not in manifests}
    if before:
        said = " and ".join("one split" if n == "0" else f"{n} folds" for n in sorted(before))
        now = f"{len(manifests)} folds" if len(manifests) > 1 else "one split"
        raise StudyError(
            f"{folder} holds a study on {said}; asked for now: {now}. Choose another folder "
            "with --to, or delete this one."
        )
    for name, manifest in manifests.items():
        old = read_manifest(folder / name) if name in there else manifest
        if old.rows != manifest.rows:
            raise StudyError(
                f"{folder} holds a study of other photos, or of another split: "
                f"{_what_differs(old, manifest)}. Choose another folder with --to, or delete this "
                "one."
            )


def _what_differs(before: Manifest, now: Manifest) -> str:
    """Name the photos in which two manifests differ."""
    old, new = ({row.path: row for row in manifest.rows} for manifest in (before, now))
    both = [path for path in old if path in new]

    def differing(*names: str) -> list[str]:
        return [p for p in both if any(getattr(old[p], n) != getattr(new[p], n) for n in names)]

    found = {
        "gone": [path for path in old if path not in new],
        "new": [path for path in new if path not in old],
        "changed": differing("sha256"),
        "under another label": differing("label"),
        "in another split or group": differing("split", "group"),
    }
    return (
        "; ".join(
            f"{len(paths)} {'is' if len(paths) == 1 else 'are'} {what} ({_some(paths)})"
            for what, paths in found.items()
            if paths
        )
        or "their order differs"
    )


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:5]) + (", …" if len(paths) > 5 else "")


def _refuse_foreign(folder: Path, planned: Sequence[PlannedRun]) -> None:
    """Raise StudyError if the study or a run of it would be mixed into somebody's own files."""
    if (folder / "config.toml").is_file():
        raise StudyError(f"{folder} is a run. Choose another folder with --to.")
    homes = {folder: "study.toml", **{item.run.path: "config.toml" for item in planned}}
    for home, mark in homes.items():
        ours = (home / mark).is_file() or bool(_folds_there(home))
        if home.exists() and not ours and _holds_something(home):
            raise StudyError(
                f"{home} is not empty and holds no study. Choose another folder with --to."
            )


def _holds_something(home: Path) -> bool:
    return not home.is_dir() or not all(map(is_leftover, home.iterdir()))


def _check_same(item: PlannedRun) -> None:
    """Raise StudyError if a run of that name was asked for with other options."""
    before, now = RunConfig.from_toml(item.run.config), item.config
    changes = [
        f"{section}.{name} was {value!r}, now {new!r}"
        for section, name, value, new in _differences(before, now)
    ]
    if changes:
        raise StudyError(
            f"{item.run.path} was begun with other options: {'; '.join(changes)}. Choose another "
            "folder with --to, or delete this run."
        )


def _differences(before: RunConfig, now: RunConfig) -> Iterator[tuple[str, str, object, object]]:
    old, new = dataclasses.asdict(before), dataclasses.asdict(now)
    for section in SECTIONS:
        for name, value in old[section].items():
            # A rung that is added later changes every rung's share of the budget.
            if name != "max_minutes" and value != new[section][name]:
                yield section, name, value, new[section][name]
    if before.seed != now.seed:
        yield "run", "seed", before.seed, now.seed
