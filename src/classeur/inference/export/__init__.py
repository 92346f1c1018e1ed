"""A trained run as a file that other programs run, proved against the predictor."""

from classeur.inference.export.export import FORMATS, Exported, export

__all__ = ["FORMATS", "Exported", "export"]
