"""Train one recipe on a folder of photos."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

from classeur.config import DataConfig, RunConfig, override
from classeur.data.geometry import suggest_geometry
from classeur.data.prepare import scan_as
from classeur.data.store import Store, cached_store
from classeur.errors import ConfigError, RunFolderError
from classeur.models.registry import unsupported_options
from classeur.run_folder import RunFolder
from classeur.study.material import Material, gather
from classeur.study.rung import run_rung
from classeur.training.recipes import get_recipe
from classeur.training.session import begin_run


def configure(recipe: str, photos: Path | str, **options: Any) -> RunConfig:
    """Return the config of a recipe on photos, with options changed by their bare names.

    Raises:
        ConfigError: with every unknown recipe or option and every impossible value.
    """
    chosen = get_recipe(recipe)
    if options.get("manifest"):
        options["manifest"] = str(Path(options["manifest"]).expanduser().absolute())
    config = RunConfig(
        recipe=recipe,
        data=DataConfig(photos=str(Path(photos).expanduser().absolute())),
        model=chosen.model,
        augmentation=chosen.augmentation,
        training=chosen.training,
    )
    changed: RunConfig = override(config, options)
    unsupported = unsupported_options(changed.model)
    if unsupported:
        raise ConfigError([f"{recipe} has no option {name}." for name in unsupported])
    return changed


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
    return config


def train(
    photos: Path | str, recipe: str = "conv3", *, to: Path | str | None = None, **options: Any
) -> RunFolder:
    """Train one recipe, score it and write its report.

    Args:
        photos: a folder of photos, or a CSV, NPZ, NPY or IDX file.
        recipe: a name in `classeur.training.recipes.RECIPES`.
        to: the run folder to make. None: `runs/<recipe>`, with a number if that is taken.
        options: any option of `classeur.config` by its name: `epochs=10`, `size=96`, `seed=1`, ….

    Returns:
        The finished run.

    Raises:
        ConfigError: naming every option that is wrong.
        DataError: if the photos cannot be found, read or split.
        RunFolderError: if `to` holds a run already.
    """
    return train_config(configure(recipe, photos, **options), to=to)


def train_config(config: RunConfig, *, to: Path | str | None = None) -> RunFolder:
    """Train what a config says, for example the config.toml of another run.

    Args:
        config: complete; `RunConfig.from_toml(path)` reads one.
        to: the run folder to make. None: `runs/<recipe>`, with a number if that is taken.

    Raises:
        DataError: if the photos cannot be found, read or split.
        RunFolderError: if `to` holds a run already.
    """
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
    run_rung(run, material.store, Path(material.root))
    return run


def resume(path: Path | str) -> RunFolder:
    """Go on with a run that was interrupted, to the same result as if it had not been.

    Raises:
        RunFolderError: if the folder holds no run.
        DataError: if its photos are gone or have changed.
    """
    run = RunFolder(Path(path))
    run.require(run.config, run.manifest)
    store, root = store_of(run)
    run_rung(run, store, root)
    return run


def store_of(run: RunFolder) -> tuple[Store, Path]:
    """Return the prepared photos of a run and the folder they came from.

    Raises:
        DataError: if its photos are gone or have changed.
    """
    config = RunConfig.from_toml(run.config)
    listing = scan_as(dataclasses.replace(config.data, manifest=str(run.manifest)))
    asked = config.preprocessing
    geometry = suggest_geometry(listing, asked.size, asked.color, asked.resize)
    return cached_store(listing, geometry), listing.root


def settled(config: RunConfig, material: Material) -> RunConfig:
    """Return the config with what it left open filled in, so that it repeats the run."""
    return dataclasses.replace(config, preprocessing=material.preprocessing)


def free_run_folder(recipe: str) -> Path:
    """Return `runs/<recipe>`, or the first of `runs/<recipe>-2`, … that is not taken."""
    names = itertools.chain([recipe], (f"{recipe}-{number}" for number in itertools.count(2)))
    return next(path for name in names if not (path := Path("runs") / name).exists())
