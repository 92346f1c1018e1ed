"""A ladder of recipes on one split, in order and resumable, and the binder that compares them."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from classeur.config import AugmentationConfig, ModelConfig, RunConfig, TransferConfig
from classeur.data.inspect import Inspection
from classeur.data.manifest import read_manifest
from classeur.data.records import SPLITS
from classeur.errors import ConfigError, StudyError, WeightsError
from classeur.exit_codes import INTERRUPTED
from classeur.models.registry import options_of
from classeur.models.weights import fetched
from classeur.report.binder import build_study_report, write_study_report
from classeur.report.study_report import StudyReport
from classeur.report.units import plain, quantity
from classeur.run_folder import LOCK, RunFolder, locked, read_json, write_json, write_text
from classeur.study.material import Material, gather
from classeur.study.rung import failure_file
from classeur.study.train import configure, is_augmented, settled, used_by_method
from classeur.training.recipes import DEFAULT_RUNGS
from classeur.training.session import begin_run, pretrained_weights

log = logging.getLogger(__name__)

_MODEL_OPTIONS = {field.name for field in dataclasses.fields(ModelConfig)} - {"name"}
_TRANSFER_OPTIONS = {field.name for field in dataclasses.fields(TransferConfig)}
_AUGMENTATION_OPTIONS = {field.name for field in dataclasses.fields(AugmentationConfig)}


@dataclass(frozen=True)
class Study:
    """A finished study."""

    folder: Path
    report: StudyReport

    @property
    def binder(self) -> Path:
        """The page to open."""
        return self.folder / "index.html"

    @property
    def best(self) -> RunFolder:
        """The run that validation chose."""
        return RunFolder(self.folder / self.report.rungs[0].folder)


@dataclass(frozen=True)
class PlannedRun:
    """One rung with one seed."""

    rung: str
    run: RunFolder
    config: RunConfig
    material: Material
    """The study's photos and split, with the pixels that this rung sees."""


def run_study(
    photos: Path | str,
    rungs: Sequence[str] = DEFAULT_RUNGS,
    *,
    to: Path | str = "binder",
    seeds: int = 1,
    budget: float = 0.0,
    skip_missing: bool | None = None,
    **options: Any,
) -> Study:
    """Train several recipes on the same split and write the binder that compares them.

    Each rung runs in a process of its own. Called again with the same arguments it skips what is
    finished, goes on with what was interrupted, and tries again what failed.

    Args:
        photos: a folder of photos, or a CSV, NPZ, NPY or IDX file.
        rungs: recipe names, in any order. Rungs of earlier calls stay in the binder.
        to: the study's folder.
        seeds: trainings of each rung, with the seeds 0, 1, ….
        budget: minutes of training for the whole study, shared out evenly. 0: no limit.
        skip_missing: leave out rungs whose pre-trained weights cannot be had, and say so. None:
            only in the default ladder, where nobody asked for them by name.
        options: any option of `classeur.config` by its name, for all rungs that have it:
            `epochs=10`, ….

    Raises:
        ConfigError: naming every option that is wrong.
        DataError: if the photos cannot be found, read or split.
        WeightsError: if pre-trained weights cannot be had, unless they may be missing.
        StudyError: if `to` holds another study, or no rung finishes.
        RunFolderError: if another process is at work on `to`.
    """
    configs = _configs(photos, rungs, seeds, budget, options)
    folder = Path(to)
    material = gather(configs[0].data, configs[0].preprocessing)
    may_miss = rungs is DEFAULT_RUNGS if skip_missing is None else skip_missing
    _say_what_is_there(material)
    skipped = _missing(configs, may_miss=may_miss)
    if skipped:
        there = [rung for rung in rungs if rung not in skipped]
        configs = _configs(photos, there, seeds, budget, options) if there else []
    # once for each way of preparing, however many rungs and seeds ask for it
    prepared = {
        asked: material.prepared(asked)
        for asked in dict.fromkeys(config.preprocessing for config in configs)
    }
    planned = [
        _planned(config, folder / _name(config, seeds), prepared[config.preprocessing])
        for config in configs
    ]
    if not planned:
        raise StudyError(f"no rung can be trained. {'; '.join(skipped.values())}")
    _make(folder, planned)
    with locked(folder):
        _begin(folder, material, planned)
        failed = _run_all(planned)
        report = _report(folder, material, failed, skipped, _settings(planned, seeds, budget))
        write_study_report(report, folder)
    return Study(folder, report)


def _say_what_is_there(material: Material) -> None:
    counts = material.manifest.counts()
    log.info(
        "%s of %s: %s%s",
        quantity(len(material.manifest.rows), "photo", "photos"),
        quantity(len(material.manifest.class_names), "class", "classes"),
        ", ".join(f"{sum(counts[split].values()):,} {split}" for split in SPLITS),
        _left_out(material.inspection),
    )


def _left_out(found: Inspection) -> str:
    if not found.unreadable:
        return ""
    number = quantity(len(found.unreadable), "file", "files")
    return f"; {number} left out, first {found.unreadable[0].path} {found.unreadable[0].reason}"


def _missing(configs: Sequence[RunConfig], *, may_miss: bool) -> dict[str, str]:
    """Return rung -> why its pre-trained weights cannot be had; fetch those that can."""
    missing: dict[str, str] = {}
    for config in configs:
        weights = pretrained_weights(config)
        if weights is None or config.recipe in missing:
            continue
        try:
            fetched(weights)
        except WeightsError as error:
            if not may_miss:
                raise
            log.info("%s is skipped: %s", config.recipe, error)
            missing[config.recipe] = str(error)
    return missing


def _planned(config: RunConfig, folder: Path, material: Material) -> PlannedRun:
    return PlannedRun(config.recipe, RunFolder(folder), settled(config, material), material)


def _report(
    folder: Path,
    material: Material,
    failed: dict[str, str],
    skipped: dict[str, str],
    settings: dict[str, Any],
) -> StudyReport:
    finished = _finished(folder)
    if not finished:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise StudyError(f"no rung finished. {reasons}")
    root = Path(material.root)
    return build_study_report(
        root.name,
        root,
        settings=settings,
        manifest=material.manifest,
        inspection=material.inspection,
        runs=finished,
        failed=failed,
        skipped=skipped,
    )


def _finished(folder: Path) -> dict[str, list[RunFolder]]:
    """Return recipe -> finished runs in the folder, those of earlier calls included."""
    finished: dict[str, list[RunFolder]] = {}
    for path in sorted(folder.iterdir()):
        run = RunFolder(path)
        if run.is_finished:
            finished.setdefault(RunConfig.from_toml(run.config).recipe, []).append(run)
    return finished


def _configs(
    photos: Path | str, rungs: Sequence[str], seeds: int, budget: float, options: dict[str, Any]
) -> list[RunConfig]:
    """Return a config for each rung and seed; raise ConfigError with all that is wrong."""
    problems = [
        f"{name} must be at least {least}, received {value}."
        for name, value, least in (("seeds", seeds, 1), ("budget", budget, 0))
        if not value >= least
    ]
    if not rungs:
        problems.append("rungs must name at least one recipe.")
    twice = sorted({name for name in rungs if list(rungs).count(name) > 1})
    if twice:
        problems.append(f"rungs names {', '.join(twice)} twice.")
    training = sum(name != "majority" for name in rungs) * seeds
    if budget > 0 and training:
        if options.get("max_minutes"):
            problems.append("give budget for the whole study or max_minutes for each rung.")
        options = {**options, "max_minutes": budget / training}
    some = _MODEL_OPTIONS | _TRANSFER_OPTIONS
    unused = {name for name in some if options.get(name) is not None}
    configs = []
    for rung in rungs:
        own = {k: v for k, v in options.items() if k not in _not_for(rung, options)}
        unused -= own.keys()
        for seed in range(max(1, seeds)):
            try:
                configs.append(
                    configure(rung, photos, **{**own, "seed": own.get("seed", 0) + seed})
                )
            except ConfigError as error:
                problems += [p for p in error.problems if p not in problems]
    problems += [f"none of the rungs has the option {name}." for name in sorted(unused)]
    if problems:
        raise ConfigError(problems)
    return configs


def _not_for(rung: str, options: dict[str, Any]) -> set[str]:
    """Return the options that hold for other rungs of a study, not for this one."""
    try:
        config = configure(rung, "")
    except ConfigError:  # of a rung that is none: said where it is configured
        return set()
    skipped = _MODEL_OPTIONS - options_of(config.model.name)
    skipped |= _TRANSFER_OPTIONS - used_by_method(config)
    if not is_augmented(config) and not options.get("views"):
        skipped |= _AUGMENTATION_OPTIONS
    return skipped | {"epochs"} if rung == "majority" else skipped


def _make(folder: Path, planned: Sequence[PlannedRun]) -> None:
    """Make the study's folder; refuse one that holds something else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StudyError(f"{folder} is a file. Choose a folder with --to.") from error
    except OSError as error:
        raise StudyError(f"cannot write the study at {folder}: {error.strerror}.") from error
    _refuse_foreign(folder, planned)


def _begin(folder: Path, material: Material, planned: Sequence[PlannedRun]) -> None:
    """Write what the study shares; refuse a folder that holds another study."""
    manifest = folder / "manifest.csv"
    if manifest.is_file() and read_manifest(manifest).rows != material.manifest.rows:
        raise StudyError(
            f"{folder} holds a study of other photos, or of another split. Choose another folder "
            "with --to, or delete this one."
        )
    for item in planned:
        if item.run.config.is_file():
            _check_same(item)
    material.manifest.write(manifest)
    write_json(folder / "inspection.json", material.inspection.to_dict())
    first = planned[0].config
    shared = {
        "rungs": list(dict.fromkeys(item.rung for item in planned)),
        "seeds": sorted({item.config.seed for item in planned}),
        "data": dataclasses.asdict(first.data),
        "preprocessing": dataclasses.asdict(first.preprocessing),
    }
    write_text(folder / "study.toml", tomli_w.dumps(shared))


def _refuse_foreign(folder: Path, planned: Sequence[PlannedRun]) -> None:
    """Raise StudyError if the study or a run of it would be mixed into somebody's own files."""
    homes = {folder: "study.toml", **{item.run.path: "config.toml" for item in planned}}
    for home, mark in homes.items():
        ours = (home / mark).is_file() or (home / "manifest.csv").is_file()
        if home.exists() and not ours and _holds_something(home):
            raise StudyError(
                f"{home} is not empty and holds no study. Choose another folder with --to."
            )


def _holds_something(home: Path) -> bool:
    return not home.is_dir() or any(entry.name != LOCK for entry in home.iterdir())


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
    for section in ("preprocessing", "model", "augmentation", "training", "transfer"):
        for name, value in old[section].items():
            # A rung that is added later changes every rung's share of the budget.
            if name != "max_minutes" and value != new[section][name]:
                yield section, name, value, new[section][name]
    if before.seed != now.seed:
        yield "run", "seed", before.seed, now.seed


def _run_all(planned: Sequence[PlannedRun]) -> dict[str, str]:
    """Run what is not finished; return run -> reason for those that failed."""
    failed: dict[str, str] = {}
    for number, item in enumerate(planned, 1):
        name = item.run.path.name
        if item.run.is_finished:
            log.info("[%d/%d] %s: finished before", number, len(planned), name)
            continue
        log.info("[%d/%d] %s", number, len(planned), name)
        begin_run(item.run, item.config, item.material.manifest)
        reason = _in_own_process(item.run, item.material)
        if reason:
            log.info("%s failed: %s", name, reason)
            failed[name] = reason
    return failed


def _in_own_process(run: RunFolder, material: Material) -> str:
    """Run a rung as a process; return why it failed, or ''."""
    command = [sys.executable, "-m", "classeur.study.rung"]
    command += [str(run.path), str(material.store.path), material.root]
    # In a group of its own, so that Ctrl-C reaches it once, from here, however it was sent; as
    # SIGTERM, because a shell's background jobs ignore SIGINT, and so do their children.
    process = subprocess.Popen(command, process_group=0)
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
    if failure_file(run).is_file():
        return str(read_json(failure_file(run))["error"])
    if code < 0:
        return f"its process was killed by signal {-code}" + (
            "; the machine may have run out of memory" if code == -9 else ""
        )
    return f"its process ended with exit code {code}; its messages are above"


def _each(planned: Sequence[PlannedRun], name: str) -> str:
    """Return the values that a field of the preprocessing has in the rungs."""
    values = [getattr(item.config.preprocessing, name) for item in planned]
    return ", ".join(map(str, dict.fromkeys(values)))


def _filters(planned: Sequence[PlannedRun]) -> str:
    """Return the filters of the photos and, where the rungs differ, of which rung."""
    rungs: dict[tuple[str, ...], dict[str, None]] = {}
    for item in planned:
        rungs.setdefault(item.config.preprocessing.filters, {})[item.rung] = None
    if len(rungs) == 1:
        return plain(next(iter(rungs)))
    return "; ".join(f"{plain(filters)} ({', '.join(names)})" for filters, names in rungs.items())


def _name(config: RunConfig, seeds: int) -> str:
    return config.recipe if seeds == 1 else f"{config.recipe}-seed{config.seed}"


def _settings(planned: Sequence[PlannedRun], seeds: int, budget: float) -> dict[str, Any]:
    """Return what the rungs share, for the binder."""
    config = planned[0].config
    data = dataclasses.asdict(config.data)
    default = dataclasses.asdict(type(config.data)())
    return {
        **{k: v for k, v in data.items() if k != "photos" and v != default[k]},
        **{name: _each(planned, name) for name in ("size", "color", "resize", "interpolation")},
        "filters": _filters(planned),
        "split_seed": config.data.split_seed,
        "seeds": seeds,
        "epochs at most": max(item.config.training.epochs for item in planned),
        "budget": f"{budget:g} minutes" if budget else "none",
    }
