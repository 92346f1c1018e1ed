"""A ladder of recipes on one split, in order and resumable, and the binder that compares them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classeur.config import DataConfig, RunConfig
from classeur.data.inspect import Inspection
from classeur.data.manifest import Manifest
from classeur.data.records import SPLITS
from classeur.errors import ConfigError, StudyError, WeightsError
from classeur.evaluation.trivial import trivial_rung
from classeur.models.weights import fetched
from classeur.report.binder import build_study_report, write_study_report
from classeur.report.study_report import StudyReport
from classeur.report.units import plain, quantity
from classeur.run_folder import RunFolder, locked
from classeur.study.arrays import save_arrays
from classeur.study.definition import Definition, read_definition
from classeur.study.folder import begin_study, make_folder
from classeur.study.material import Material, gather
from classeur.study.plan import PlannedRun, options_for, plan
from classeur.study.process import wait_for
from classeur.study.rung import failure_file
from classeur.study.train import settled
from classeur.study.tuning import require_optuna, tune
from classeur.training.recipes import Recipe
from classeur.training.session import begin_run, pretrained_weights
from classeur.training.tracking import ask_tracking, require_trackers

log = logging.getLogger(__name__)


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


def run_study(
    photos: Path | str,
    rungs: Sequence[str | Recipe] | None = None,
    *,
    definition: Definition | str | Path | None = None,
    to: Path | str = "binder",
    seeds: int = 1,
    budget: float = 0.0,
    compare_frozen: bool = False,
    track: Sequence[str] = (),
    **options: Any,
) -> Study:
    """Train several recipes on the same split and write the binder that compares them.

    Each rung runs in a process of its own. Called again with the same arguments it skips what is
    finished, goes on with what was interrupted, and tries again what failed. Rungs of the
    definition whose pre-trained weights cannot be had are left out, and the binder says so.

    Args:
        photos: a folder of photos, or a CSV, NPZ, NPY or IDX file.
        rungs: recipes or their names, in any order, in place of those of the definition; their
            pre-trained weights must be there. Rungs of earlier calls stay in the binder.
        definition: what is compared and asked: a name of `list_studies()`, a TOML file, or a value.
            None: `standard`, or the rungs alone.
        to: the study's folder.
        seeds: trainings of each rung, with the seeds 0, 1, ….
        budget: minutes of training for the whole study, shared out evenly. 0: no limit.
        compare_frozen: also train the head alone of each rung that is fine-tuned, and answer what
            fine-tuning brings.
        track: `tensorboard`, `mlflow`: what is told of every training as it goes.
        options: any option of `classeur.config` by its name, for all rungs that have it:
            `epochs=10`, …. With `folds=K` each rung is trained on K splits that test every photo
            once, and its predictions are pooled.

    Raises:
        ConfigError: naming every option that is wrong.
        DataError: if the photos cannot be found, read or split.
        WeightsError: if the pre-trained weights of `rungs` cannot be had.
        StudyError: if `to` holds another study, or no rung finishes.
        RunFolderError: if another process is at work on `to`.
        TrainingError: if a tracker is not installed.
    """
    require_trackers(track)
    asked, configs = _asked(
        photos, rungs, definition, seeds, budget, options, compare_frozen=compare_frozen
    )
    folder = Path(to)
    material = gather(configs[0].data, configs[0].preprocessing)
    _say_what_is_there(material, configs[0].data.folds)
    skipped = _missing(asked, configs, may_miss=rungs is None)
    there = asked.without(skipped)
    if not there.rungs:
        raise StudyError(f"no rung can be trained. {'; '.join(skipped.values())}")
    if skipped:
        configs = _plan(photos, there, seeds, budget)
    planned = _planned(configs, folder, material, seeds)
    make_folder(folder, planned)
    with locked(folder):
        as_it_stands = [item for item in planned if there.tuning(item.rung) is None]
        begin_study(folder, material, as_it_stands, asked)
        if asked.arrays.name:
            plain = dataclasses.replace(material.preprocessing, filters=())
            save_arrays(asked.arrays, material.prepared(plain).store, material.manifest, folder)
        failed: dict[str, str] = {}
        if there.searches:
            there, failed = _searched(there, photos, folder, planned, budget)
            if not there.rungs:
                raise StudyError(f"no rung finished. {_reasons(failed)}")
            planned = _planned(_plan(photos, there, seeds, budget), folder, material, seeds)
            begin_study(folder, material, planned, asked)
        failed |= _run_all(planned, track)
        report = _report(folder, asked, planned, failed, skipped, _settings(planned, seeds, budget))
        write_study_report(report, folder)
    return Study(folder, report)


def _asked(
    photos: Path | str, rungs: Sequence[str | Recipe] | None,
    definition: Definition | str | Path | None, seeds: int, budget: float,
    options: Mapping[str, Any], *, compare_frozen: bool,
) -> tuple[Definition, list[RunConfig]]:  # fmt: skip
    """Return the study with the options given here, and its configs; say all that is wrong."""
    asked = (
        definition
        if isinstance(definition, Definition)
        else read_definition(definition or "standard")
    )
    if definition is None and rungs is not None:  # what it says of itself is not of these rungs
        asked = dataclasses.replace(asked, title="", about="")
    given = {name: value for name, value in options.items() if value is not None}
    asked = dataclasses.replace(asked, options={**asked.options, **given})
    problems: list[str] = []
    try:
        if rungs is not None:
            asked = asked.with_rungs(rungs)
        if compare_frozen:
            asked = asked.compared_with_frozen()
    except ConfigError as error:
        problems += error.problems
    if asked.searches and asked.options.get("folds"):
        names = ", ".join(tuning.name for tuning in asked.searches)
        problems.append(
            f"a search would see test photos of other folds: leave out folds, or {names} by rungs."
        )
    try:
        configs = _plan(photos, asked, seeds, budget)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return asked, configs


def _plan(photos: Path | str, asked: Definition, seeds: int, budget: float) -> list[RunConfig]:
    return plan(photos, asked.rungs, seeds, budget, asked.options, len(asked.searches))


def _say_what_is_there(material: Material, folds: int) -> None:
    counts = material.manifest.counts()
    log.info(
        "%s of %s%s: %s%s",
        quantity(len(material.manifest.rows), "photo", "photos"),
        quantity(len(material.manifest.class_names), "class", "classes"),
        f", in the first of {folds} folds" if folds else "",
        ", ".join(f"{sum(counts[split].values()):,} {split}" for split in SPLITS),
        _left_out(material.inspection),
    )


def _left_out(found: Inspection) -> str:
    if not found.unreadable:
        return ""
    number = quantity(len(found.unreadable), "file", "files")
    return f"; {number} left out, first {found.unreadable[0].path} {found.unreadable[0].reason}"


def _missing(asked: Definition, configs: Sequence[RunConfig], *, may_miss: bool) -> dict[str, str]:
    """Return rung -> why it cannot be trained here; fetch the pre-trained weights of the others."""
    missing: dict[str, str] = {}
    for config in configs:
        if config.recipe in missing:
            continue
        try:
            if asked.tuning(config.recipe):
                require_optuna()
            weights = pretrained_weights(config)
            if weights is not None:
                fetched(weights)
        except (WeightsError, StudyError) as error:
            if not may_miss:
                raise
            log.info("%s is skipped: %s", config.recipe, error)
            missing[config.recipe] = str(error)
    return missing


def _searched(
    asked: Definition,
    photos: Path | str,
    folder: Path,
    planned: Sequence[PlannedRun],
    budget: float,
) -> tuple[Definition, dict[str, str]]:
    """Return the study with what its searches found, and rung -> why a search failed."""
    found: dict[str, Recipe] = {}
    failed: dict[str, str] = {}
    share = {item.rung: item.config.training.max_minutes if budget else 0.0 for item in planned}
    for rung in asked.rungs:
        tuning = asked.tuning(rung.name)
        if tuning is None:
            continue
        log.info("%s: a search of %s first", rung.name, quantity(tuning.trials, "trial", "trials"))
        try:
            options = options_for(rung, asked.options)
            found[rung.name] = tune(tuning, rung, photos, folder, share[rung.name], options)
        except StudyError as error:
            log.info("%s failed: %s", rung.name, error)
            failed[rung.name] = str(error)
    there = asked.without(failed)
    return dataclasses.replace(
        there, rungs=tuple(found.get(r.name, r) for r in there.rungs)
    ), failed


def _planned(
    configs: Sequence[RunConfig], folder: Path, material: Material, seeds: int
) -> list[PlannedRun]:
    """Return the runs, the photos prepared once for each way, however many ask for it."""
    prepared = {
        wanted: material.prepared(wanted)
        for wanted in dict.fromkeys(config.preprocessing for config in configs)
    }
    manifests = {data.fold: material.on_fold(data).manifest for data in _folds_of(configs)}
    return [
        PlannedRun(
            config.recipe,
            RunFolder(folder / _name(config, seeds)),
            settled(config, prepared[config.preprocessing]),
            dataclasses.replace(
                prepared[config.preprocessing], manifest=manifests[config.data.fold]
            ),
        )
        for config in configs
    ]


def _folds_of(configs: Sequence[RunConfig]) -> list[DataConfig]:
    """Return what is asked of the data, once for each fold; in a study without, once."""
    return list({config.data.fold: config.data for config in configs}.values())


def _report(
    folder: Path,
    asked: Definition,
    planned: Sequence[PlannedRun],
    failed: dict[str, str],
    skipped: dict[str, str],
    settings: dict[str, Any],
) -> StudyReport:
    finished = _finished(folder)
    if not finished:
        raise StudyError(f"no rung finished. {_reasons(failed)}")
    material = planned[0].material
    root = Path(material.root)
    folds = _manifests(planned)
    trivial = trivial_rung(material.store.facts(material.listing), folds or [material.manifest])
    trivial.predictions.write(folder / "trivial.parquet")
    return build_study_report(
        root.name,
        root,
        settings=settings,
        manifest=material.manifest,
        folds=folds,
        inspection=material.inspection,
        runs=finished,
        failed=failed,
        skipped=skipped,
        questions=asked.questions,
        missing={*skipped, *(item.rung for item in planned if item.run.path.name in failed)},
        about=_about(asked),
        searches={
            tuning.name: tuning.folder
            for tuning in asked.searches
            if (folder / tuning.folder / "index.html").is_file()
        },
        trivial=trivial,
    )


def _reasons(failed: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in failed.items())


def _manifests(planned: Sequence[PlannedRun]) -> list[Manifest]:
    """Return the split of each fold; empty for a study without."""
    found = {p.config.data.fold: p.material.manifest for p in planned if p.config.data.folds}
    return list(found.values())


def _about(asked: Definition) -> list[str]:
    published = f"Published: {asked.published}" if asked.published else ""
    return [text for text in (asked.title, asked.about, published) if text]


def _finished(folder: Path) -> dict[str, list[RunFolder]]:
    """Return recipe -> finished runs in the folder, those of earlier calls included.

    A rung on folds is finished when all of them are. One that was run alone and again among
    several seeds counts once for its seed.
    """
    finished: dict[str, dict[tuple[int, int], RunFolder]] = {}
    folds: dict[str, int] = {}
    for path in sorted(folder.iterdir()):
        run = RunFolder(path)
        if run.is_finished:
            config = RunConfig.from_toml(run.config)
            finished.setdefault(config.recipe, {})[config.data.fold, config.seed] = run
            folds[config.recipe] = config.data.folds
    return {
        recipe: [runs[key] for key in sorted(runs)]
        for recipe, runs in finished.items()
        if len(runs) >= folds[recipe]
    }


def _run_all(planned: Sequence[PlannedRun], track: Sequence[str]) -> dict[str, str]:
    """Run what is not finished; return run -> reason for those that failed."""
    failed: dict[str, str] = {}
    for number, item in enumerate(planned, 1):
        name = item.run.path.name
        if item.run.is_finished:
            log.info("[%d/%d] %s: finished before", number, len(planned), name)
            continue
        log.info("[%d/%d] %s", number, len(planned), name)
        begin_run(item.run, item.config, item.material.manifest)
        ask_tracking(item.run, track)
        reason = _in_own_process(item.run, item.material)
        if reason:
            log.info("%s failed: %s", name, reason)
            failed[name] = reason
    return failed


def _in_own_process(run: RunFolder, material: Material) -> str:
    """Run a rung as a process; return why it failed, or ''."""
    arguments = [str(run.path), str(material.store.path), material.root]
    return wait_for("classeur.study.rung", arguments, failure_file(run))


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
    if config.data.folds:
        return f"{config.recipe}-fold{config.data.fold}"
    return config.recipe if seeds == 1 else f"{config.recipe}-seed{config.seed}"


def _settings(planned: Sequence[PlannedRun], seeds: int, budget: float) -> dict[str, Any]:
    """Return what the rungs share, for the binder."""
    config = planned[0].config
    data = dataclasses.asdict(config.data)
    default = dataclasses.asdict(type(config.data)())
    return {
        **{k: v for k, v in data.items() if k not in ("photos", "fold") and v != default[k]},
        **{name: _each(planned, name) for name in ("size", "color", "resize", "interpolation")},
        "filters": _filters(planned),
        "split_seed": config.data.split_seed,
        "seeds": seeds,
        "epochs at most": max(item.config.training.epochs for item in planned),
        "budget": f"{budget:g} minutes" if budget else "none",
    }
