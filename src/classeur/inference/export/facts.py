"""What travels with the weights into an exported file, as texts."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version

from classeur.models.classifier import Classifier
from classeur.run_folder import RunFolder


def run_hash(run: RunFolder) -> str:
    """Return the SHA-256 over model.json and model.safetensors: it says which run this is."""
    digest = hashlib.sha256(run.model.read_bytes())
    with run.weights.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def facts_of(classifier: Classifier, run: RunFolder) -> dict[str, str]:
    """Return the metadata of every exported file; lists and mappings are JSON."""
    abstention = classifier.abstention.to_dict() if classifier.abstention else None
    return {
        "classeur": version("classeur"),
        "run": run_hash(run),
        "network": classifier.config.name,
        "class_names": json.dumps(classifier.class_names, ensure_ascii=False),
        "temperature": repr(classifier.temperature),
        "preprocessing": json.dumps(classifier.preprocessing.to_dict()),
        "abstention": json.dumps(abstention),
    }
