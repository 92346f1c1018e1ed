"""Make `import torchvision` work where its compiled operators cannot load.

Where pip brings a CPU-only torch next to a torchvision built for CUDA, torchvision's compiled
library does not load. Its Python code then registers meta kernels for `torchvision::nms` and
`torchvision::qnms`, unguarded, and the import ends in "operator torchvision::nms does not exist".
Declaring the two schemas first is enough for transforms and for timm, which never call them.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

_declared: list[torch.library.Library] = []  # a library's schemas live as long as the object


def declare_missing_schemas() -> bool:
    """Declare what torchvision's broken library would have; return whether it was needed.

    Does nothing where torchvision is whole or not installed, and nothing on a second call.
    """
    if _declared or _library_loads():
        return False
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS.values():
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
    return True


def _library_loads() -> bool:
    """Whether torchvision's compiled operators load, or there is no torchvision to mend."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True
    folder = Path(spec.origin).parent
    suffixes = importlib.machinery.EXTENSION_SUFFIXES
    library = next((folder / f"_C{s}" for s in suffixes if (folder / f"_C{s}").is_file()), None)
    if library is None:
        return False
    try:
        torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
    except (OSError, RuntimeError):
        return False
    return True
