"""Train one recipe on a folder of photos."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classeur.config import (
    DataConfig,
    RunConfig,
)
from classeur.data.filters import filter_problems
from classeur.data.prepare import scan_as
from classeur.data.store import Store, cached_store
from classeur.errors import ConfigError, RunFolderError
from classeur.models.registry import is_pretrained
from classeur.models.weights import find_weights
from classeur.report.range_test import TABLE, write_range_test
from classeur.run_folder import RunFolder
from classeur.section import override
from classeur.study.applicable import contradictions, unused_options
from classeur.study.material import Material, gather, geometry_of
from classeur.study.rung import run_rung
from classeur.training.find_lr import RangeTest
from classeur.training.find_lr import find_learning_rate as run_range_test
from classeur.training.recipes import Recipe, get_recipe
from classeur.training.session import begin_run
from classeur.training.tracking import ask_tracking, require_trackers

log = logging.getLogger(__name__)

_FILES = ("manifest", "drop_suspicious", "relabel")
"""Options that name a file: what is recorded must name it from anywhere."""


def configure(recipe: str | Recipe, photos: Path | str, **options: Any) -> RunConfig:
    """Return the config of a recipe on photos, with options changed by their bare names.

    Raises:
        ConfigError: with every unknown recipe or option and every impossible value.
    """
    chosen = recipe if isinstance(recipe, Recipe) else get_recipe(recipe)
    for name in _FILES:
        if options.get(name):
            options[name] = str(Path(options[name]).expanduser().absolute())
    config = RunConfig(
        recipe=chosen.name,
        description=chosen.description,
        data=DataConfig(photos=str(Path(photos).expanduser().absolute())),
        preprocessing=chosen.preprocessing,
        model=chosen.model,
        augmentation=chosen.augmentation,
        training=chosen.training,
        transfer=chosen.transfer,
    )
    return _checked(override(config, options))


def _checked(config: RunConfig) -> RunConfig:
    """Return the config as its weights want it; refuse options that would do nothing."""
    name = config.recipe or config.model.name
    problems = [f"{name} has no option {option}." for option in unused_options(config)]
    problems += contradictions(config)
    problems += filter_problems(config.preprocessing.filters)
    if problems:
        raise ConfigError(problems)
    return suited(config)


def suited(config: RunConfig) -> RunConfig:
    """Return the config of a backbone with what its weights ask for where it leaves that open.

    Raises:
        WeightsError: if what is said of the weights cannot be read.
    """
    if not is_pretrained(config.model.name):
        return config
    weights = find_weights(config.model.name, config.transfer.weights)
    asked = config.preprocessing
    preprocessing = dataclasses.replace(
        asked,
        size=asked.size or weights.size,
        color="rgb" if asked.color == "auto" else asked.color,
        interpolation=(
            weights.interpolation if asked.interpolation == "auto" else asked.interpolation
        ),
    )
    arguments = config.model.arguments or weights.arguments
    model = dataclasses.replace(config.model, arguments=arguments)
    return dataclasses.replace(config, preprocessing=preprocessing, model=model)


def reconfigure(path: Path | str, photos: Path | str | None = None, **options: Any) -> RunConfig:
    """Return the config in a TOML file, on other photos or with other options if any are given.

    Raises:
        ConfigError: if the file cannot be read, or names an option that is wrong.
    """
    if photos is not None:
        options["photos"] = str(Path(photos).expanduser().absolute())
    config: RunConfig = override(RunConfig.from_toml(Path(path)), options)
    if not config.data.photos:
        raise ConfigError([f"{path} names no photos. Give them beside --config."])
    return _checked(config)


def train(
    photos: Path | str,
    recipe: str | Recipe = "conv3",
    *,
    to: Path | str | None = None,
    track: Sequence[str] = (),
    **options: Any,
) -> RunFolder:
    """Train one recipe, score it and write its report.

    Args:
        photos: a folder of photos, or a CSV, NPZ, NPY or IDX file.
        recipe: a recipe, its name, or the TOML file that holds it.
        to: the run folder to make. None: `runs/<recipe>`, with a number if that is taken.
        track: `tensorboard`, `mlflow`: what is told of the training as it goes.
        options: any option of `classeur.config` by its name: `epochs=10`, `size=96`, `seed=1`, ….

    Returns:
        The finished run.

    Raises:
        ConfigError: naming every option that is wrong.
        DataError: if the photos cannot be found, read or split.
        RunFolderError: if `to` holds a run already.
    """
    return train_config(configure(recipe, photos, **options), to=to, track=track)


def train_config(
    config: RunConfig, *, to: Path | str | None = None, track: Sequence[str] = ()
) -> RunFolder:
    """Train what a config says, for example the config.toml of another run.

    Args:
        config: complete; `RunConfig.from_toml(path)` reads one.
        to: the run folder to make. None: `runs/<recipe>`, with a number if that is taken.
        track: as for `train`.

    Raises:
        DataError: if the photos cannot be found, read or split.
        RunFolderError: if `to` holds a run already.
        TrainingError: if a tracker is not installed.
    """
    require_trackers(track)
    run = RunFolder(
        Path(to) if to is not None else free_run_folder(config.recipe or config.model.name)
    )
    if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
        go_on = f'Go on with it by --resume "{run.path}", or choose'
        raise RunFolderError(
            f"{run.path} is there already. {go_on if run.config.is_file() else 'Choose'} another "
            "folder with --to."
        )
    material = gather(config.data, config.preprocessing)
    config = settled(config, material)
    begin_run(run, config, material.manifest)
    ask_tracking(run, track)
    run_rung(run, material.store, Path(material.root))
    return run


def find_learning_rate(config: RunConfig, *, to: Path | str) -> RangeTest:
    """Try learning rates from low to high on what a config trains, and write the page.

    Args:
        config: complete, as for `train_config`.
        to: the folder for index.html, learning_rates.svg and learning_rates.csv.

    Raises:
        DataError: if the photos cannot be found, read or split.
        RunFolderError: if the folder holds something else.
        TrainingError: if nothing is trained.
    """
    _refuse_foreign(Path(to))
    material = gather(config.data, config.preprocessing)
    config = settled(config, material)
    with tempfile.TemporaryDirectory(prefix="classeur-") as scratch:
        run = RunFolder(Path(scratch))
        begin_run(run, config, material.manifest)
        found = run_range_test(run, material.store)
    write_range_test(found, config.recipe, config.training.learning_rate, Path(to))
    return found


def _refuse_foreign(folder: Path) -> None:
    """Raise RunFolderError if the page of a range test would be mixed into other files."""
    is_ours = (folder / TABLE).is_file() or (folder.is_dir() and not any(folder.iterdir()))
    if folder.exists() and not is_ours:
        raise RunFolderError(
            f"{folder} is there already and holds no learning-rate test. Choose another folder "
            "with --to."
        )


def resume(path: Path | str, *, track: Sequence[str] = ()) -> RunFolder:
    """Go on with a run that was interrupted, to the same result as if it had not been.

    Args:
        path: the run folder.
        track: as for `train`, beside the trackers that follow the run already.

    Raises:
        RunFolderError: if the folder holds no run.
        DataError: if its photos are gone or have changed.
    """
    run = RunFolder(Path(path))
    run.require(run.config, run.manifest)
    require_trackers(track)
    store, root = store_of(run)
    ask_tracking(run, track)
    run_rung(run, store, root)
    return run


def store_of(run: RunFolder) -> tuple[Store, Path]:
    """Return the prepared photos of a run and the folder they came from.

    Raises:
        DataError: if its photos are gone or have changed.
    """
    config = RunConfig.from_toml(run.config)
    as_it_was = dataclasses.replace(
        config.data, manifest=str(run.manifest), folds=0, fold=1, drop_suspicious="", relabel=""
    )
    listing = scan_as(as_it_was)
    return cached_store(listing, geometry_of(listing, config.preprocessing)), listing.root


def settled(config: RunConfig, material: Material) -> RunConfig:
    """Return the config with what it left open filled in, so that it repeats the run."""
    return dataclasses.replace(config, preprocessing=material.preprocessing)


def free_run_folder(recipe: str) -> Path:
    """Return `runs/<recipe>`, or the first of `runs/<recipe>-2`, … that is free, and say so."""
    names = itertools.chain([recipe], (f"{recipe}-{number}" for number in itertools.count(2)))
    free = next(path for name in names if not (path := Path("runs") / name).exists())
    if free.name != recipe:
        log.info("%s is there already: this run is %s", free.with_name(recipe), free)
    return free
