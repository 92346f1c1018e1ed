"""A folder with a page that classifies photos in the browser, for any static file server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from classeur.inference.export.onnx_files import BATCH, write_onnx
from classeur.inference.export.runtime import runtime
from classeur.inference.export.torch_files import Run
from classeur.models.classifier import Classifier
from classeur.run_folder import RunFolder, write_json

SERVED = Path(__file__).parents[1] / "web"
"""The page of `classeur serve`, most of which is also this one's."""

OWN = Path(__file__).parent / "web"
"""What answers here instead of a server."""

_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' blob:; media-src 'self' blob: mediastream:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)
_CLOSED = (
    "This page needs a server: run python -m http.server in its folder (see README.txt). "
    "Cette page a besoin d’un serveur : lancez python -m http.server dans son dossier."
)
"""What stands there until the page's scripts run, which they do not when it is opened from disk."""


def write_web(classifier: Classifier, run: RunFolder, folder: Path, facts: dict[str, str]) -> Run:
    """Write the page, the network and what runs it; return what runs the network here.

    Raises:
        InferenceError: if ONNX Runtime Web cannot be had.
    """
    parts = runtime()
    answer = write_onnx(classifier, folder, facts)
    (folder / BATCH).unlink()  # a page takes one photo at a time
    write_json(folder / "model.json", _model(classifier, run, facts))
    web = folder / "web"
    shutil.copytree(SERVED, web, ignore=shutil.ignore_patterns("index.html", "ask.js"))
    for file in OWN.iterdir():
        shutil.copyfile(file, (folder if file.suffix == ".txt" else web) / file.name)
    for name, content in parts.items():
        (web / name).write_bytes(content)
    (folder / "index.html").write_text(_page(), encoding="utf-8")
    _add_licences(folder / "licences")
    return answer


def _page() -> str:
    """Return the served page with a policy that forbids to ask any other site."""
    page = (SERVED / "index.html").read_text(encoding="utf-8")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{policy}')
    return page.replace('aria-live="polite"></p>', f'aria-live="polite">{_CLOSED}</p>')


def _model(classifier: Classifier, run: RunFolder, facts: dict[str, str]) -> dict[str, object]:
    """Return what the page says of the network; the keys are those of `GET /model`."""
    levels = classifier.abstention.levels if classifier.abstention else ()
    return {
        "name": run.path.resolve().name,
        "version": facts["classeur"],
        "run": facts["run"],
        "class_names": classifier.class_names,
        "preprocessing": json.loads(facts["preprocessing"]),
        "tells_strange": False,
        "explains": False,
        "in_browser": True,
        "levels": [
            {
                "max_error": level.max_error,
                "below": level.below,
                "possible_from": level.possible_from,
            }
            for level in levels
            if level.below is not None
        ],
    }


def _add_licences(folder: Path) -> None:
    """Copy those that the Python package of ONNX Runtime carries: the program is the same."""
    import onnxruntime  # type: ignore[import-untyped]

    folder.mkdir()
    for name in ("LICENSE", "ThirdPartyNotices.txt"):
        source = Path(onnxruntime.__file__).parent / name
        if source.is_file():
            shutil.copyfile(source, folder / f"onnxruntime-{name.removesuffix('.txt')}.txt")
