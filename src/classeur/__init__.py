"""Classeur: a folder of photos in, a binder out.

The same words as on the command line:

    import classeur

    classeur.inspect("photos")                          # what is in the folder
    classeur.prepare("photos", to="arrays", size=150)   # decoded once, for numpy.load
    run = classeur.train("photos", "conv3", epochs=10)  # one recipe
    study = classeur.run_study("photos", ["dense", "conv3"], to="binder")
    classeur.evaluate(run.path)
    for answer in classeur.predict(run.path, ["new/1.jpg"]):
        print(answer.path, answer.label, answer.probability)
    classeur.export(run.path, "onnx")                   # proved against predict

Importing the package is light: torch is loaded by the first call that needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classeur.api import inspect, predict, prepare
    from classeur.config import RunConfig
    from classeur.data.fetch import fetch
    from classeur.data.inspect import Inspection
    from classeur.data.store import Store
    from classeur.errors import ClasseurError
    from classeur.inference.export import Exported, export
    from classeur.inference.predictor import Prediction, Predictor
    from classeur.models.registry import create_model, list_models
    from classeur.models.weights import list_backbones
    from classeur.run_folder import RunFolder
    from classeur.search.search import Search, run_search
    from classeur.study.definition import Definition, list_studies, read_definition
    from classeur.study.demo import demo
    from classeur.study.score import Score, evaluate
    from classeur.study.study import Study, run_study
    from classeur.study.suspicious import find_suspicious
    from classeur.study.train import resume, train
    from classeur.training.recipe_files import read_recipe
    from classeur.training.recipes import RECIPES, Recipe, get_recipe

__version__ = "0.1.0"

_HOMES = {
    "ClasseurError": "classeur.errors",
    "Definition": "classeur.study.definition",
    "Exported": "classeur.inference.export",
    "Inspection": "classeur.data.inspect",
    "Prediction": "classeur.inference.predictor",
    "Predictor": "classeur.inference.predictor",
    "RECIPES": "classeur.training.recipes",
    "Recipe": "classeur.training.recipes",
    "RunConfig": "classeur.config",
    "RunFolder": "classeur.run_folder",
    "Score": "classeur.study.score",
    "Search": "classeur.search.search",
    "Store": "classeur.data.store",
    "Study": "classeur.study.study",
    "create_model": "classeur.models.registry",
    "demo": "classeur.study.demo",
    "evaluate": "classeur.study.score",
    "export": "classeur.inference.export",
    "fetch": "classeur.data.fetch",
    "find_suspicious": "classeur.study.suspicious",
    "get_recipe": "classeur.training.recipes",
    "inspect": "classeur.api",
    "list_backbones": "classeur.models.weights",
    "list_models": "classeur.models.registry",
    "list_studies": "classeur.study.definition",
    "predict": "classeur.api",
    "prepare": "classeur.api",
    "read_definition": "classeur.study.definition",
    "read_recipe": "classeur.training.recipe_files",
    "resume": "classeur.study.train",
    "run_search": "classeur.search.search",
    "run_study": "classeur.study.study",
    "train": "classeur.study.train",
}

__all__ = [
    "RECIPES",
    "ClasseurError",
    "Definition",
    "Exported",
    "Inspection",
    "Prediction",
    "Predictor",
    "Recipe",
    "RunConfig",
    "RunFolder",
    "Score",
    "Search",
    "Store",
    "Study",
    "create_model",
    "demo",
    "evaluate",
    "export",
    "fetch",
    "find_suspicious",
    "get_recipe",
    "inspect",
    "list_backbones",
    "list_models",
    "list_studies",
    "predict",
    "prepare",
    "read_definition",
    "read_recipe",
    "resume",
    "run_search",
    "run_study",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'classeur' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
