"""A trained run as a file that other programs run, proved against the predictor."""

from classeur.inference.export.export import Exported, export
from classeur.inference.export.formats import FORMATS

__all__ = ["FORMATS", "Exported", "export"]
