"""README.md of a run: a model card as the Hugging Face hub reads it (Mitchell et al., 2019).

It goes where the weights go, so it holds no photo, no file name, and no path of the machine that
trained.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from classeur.config import RunConfig
from classeur.data.inspect import findings
from classeur.data.manifest import Manifest
from classeur.data.records import Listing, Record
from classeur.data.store import Store
from classeur.evaluation.evaluate import RunMetrics
from classeur.report.imbalance import is_imbalanced
from classeur.report.run_report import RunReport
from classeur.report.svg import showable
from classeur.report.units import plain
from classeur.report.views import last_part
from classeur.report.words import describe_slices, interval, seen_before

_HUB_LICENCES = frozenset({
    "apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "cc",
    "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
    "cc-by-nc-nd-4.0", "cc-by-nd-4.0", "gpl", "gpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0",
    "mpl-2.0", "isc", "unlicense", "other",
})  # fmt: skip
"""Identifiers that the hub knows, of those that weights for photos come under."""

_ALWAYS = ("epochs", "batch_size", "optimizer", "learning_rate")
_OF_THE_MACHINE = ("name", "weights", "device", "number_format")


@dataclass(frozen=True)
class ModelCard:
    """All that a card says."""

    head: str
    """YAML: what the hub reads."""
    report: RunReport
    photos: str
    """Name of the folder of photos."""
    splits: dict[str, dict[str, int]]
    """split -> label -> photos."""
    findings: list[str]
    """About the photos, in sentences."""
    options: list[tuple[str, str]]
    """Of the recipe: the main ones, and those that are not at their defaults."""
    limits: list[str]
    """What the scores do not say, in sentences."""

    @property
    def folder(self) -> str:
        """The run's folder, quoted for a shell."""
        return shlex.quote(showable(self.report.name))

    @property
    def python(self) -> str:
        """How to predict with it in Python."""
        return (
            "import classeur\n\n"
            f'for answer in classeur.predict({showable(self.report.name)!r}, ["photo.jpg"]):\n'
            "    print(answer.label, answer.probability)"
        )

    @property
    def backbone(self) -> list[tuple[str, str]]:
        """What is known of the pre-trained weights; of a file on this machine, only its name."""
        return [
            (name.replace("_", " "), last_part(value) if Path(value).is_absolute() else value)
            for name, value in self.report.backbone.items()
            if value
        ]

    @property
    def environment(self) -> list[tuple[str, str]]:
        """Versions, device and seed; nothing that names a machine."""
        known = self.report.environment
        rows = [("python", known.get("python", "")), *known.get("packages", {}).items()]
        rows += [(name, known.get(name, "")) for name in ("commit", "device", "number_format")]
        rows.append(("seed", str(self.report.config.seed)))
        return [(name.replace("_", " "), str(value)) for name, value in rows if value]


def build_model_card(
    report: RunReport, manifest: Manifest, root: Path, store: Store | None
) -> ModelCard:
    """Return the card of a run.

    Args:
        report: its sheet.
        manifest: its split.
        root: the folder of photos.
        store: its prepared photos; None: nothing is said of how photos are stored.
    """
    photos = showable(root.name or "photos")
    return ModelCard(
        head=hub_metadata(report.name, photos, report.metrics, report.backbone),
        report=report,
        photos=photos,
        splits={name: dict(sorted(n.items())) for name, n in manifest.counts().items()},
        findings=_findings(manifest, store),
        options=_options(report.config),
        limits=_limits(report, [root.name, *(row.path for row in manifest.rows)]),
    )


def hub_metadata(name: str, photos: str, metrics: RunMetrics, backbone: dict[str, str]) -> str:
    """Return the front matter of a card as YAML, as the hub's own library writes it.

    Args:
        name: of the run.
        photos: name of the folder of photos.
        metrics: on the test photos, among others.
        backbone: facts of the pre-trained weights; empty: none.
    """
    from huggingface_hub import EvalResult, ModelCardData

    test = metrics.splits["test"]
    scores = [
        ("accuracy", "Accuracy", test.accuracy),
        ("balanced_accuracy", "Balanced accuracy", test.balanced_accuracy),
        ("f1", "Macro-F1", test.macro_f1),
    ]
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type="imagefolder",
            dataset_name=photos,
            dataset_split="test",
            metric_type=kind,
            metric_value=round(figure.value, 4),
            metric_name=f"{title} (95 % interval {interval(figure)})",
        )
        for kind, title, figure in scores
    ]
    data = ModelCardData(
        library_name="classeur",
        pipeline_tag="image-classification",
        tags=["image-classification", "pytorch", *(["timm"] if backbone else [])],
        metrics=[kind for kind, _, _ in scores],
        model_name=showable(name),
        eval_results=results,
        **_licence(backbone),
    )
    return str(data.to_yaml())


def _licence(backbone: dict[str, str]) -> dict[str, Any]:
    """Return the licence of the weights as the hub names it; nothing if there is none to name."""
    given = backbone.get("licence", "")
    if not given:
        return {}
    known = given.strip().lower().replace(" ", "-")
    if known in _HUB_LICENCES:
        return {"license": known}
    return {"license": "other", "license_name": showable(given)}


def _findings(manifest: Manifest, store: Store | None) -> list[str]:
    if store is None:
        return []
    records = [Record(r.path, r.label, r.split, r.group, r.sha256) for r in manifest.rows]
    listing = Listing(Path(), "", records)
    found = findings(listing, store.facts(listing), store.unreadable)
    modes = ", ".join(f"{mode}: {number:,}" for mode, number in found.modes.items())
    return [
        f"Width {found.widths.minimum:,} to {found.widths.maximum:,} pixels (median "
        f"{found.widths.median:,.0f}), height {found.heights.minimum:,} to "
        f"{found.heights.maximum:,} (median {found.heights.median:,.0f}); colour modes: {modes}.",
        *found.sentences(),
    ]


def _options(config: RunConfig) -> list[tuple[str, str]]:
    rows = [("recipe", config.recipe or "none of Classeur's own"), ("network", config.model.name)]
    default = RunConfig()
    for section in ("model", "transfer", "augmentation", "training"):
        usual = asdict(getattr(default, section))
        rows += [
            (name.replace("_", " "), plain(value))
            for name, value in asdict(getattr(config, section)).items()
            if name not in _OF_THE_MACHINE and (value != usual[name] or name in _ALWAYS)
        ]
    return [*rows, ("seed", str(config.seed))]


def _limits(report: RunReport, paths: Sequence[str]) -> list[str]:
    metrics = report.metrics
    said = [
        f"The {metrics.splits['test'].photos:,} test photos come from the same collection as the "
        "training photos: the scores say nothing of photos from elsewhere, such as another camera, "
        "place or year.",
        "Every photo is given one of the classes, also one that shows none of them.",
        *seen_before({report.name: report.backbone.get("pretrained_on", "")}, paths),
        *report.sentences,
    ]
    if is_imbalanced(report.class_sizes):
        most, least = max(report.class_sizes.values()), min(report.class_sizes.values())
        said.append(
            f"The classes differ in size: {most:,} training photos of the largest, {least:,} of "
            "the smallest. Read balanced accuracy and macro-F1 beside accuracy."
        )
    if metrics.slices and describe_slices(metrics.slices) not in said:
        said.append(describe_slices(metrics.slices))
    if len(report.test_openings) > 1:
        said.append(
            f"The test photos were opened {len(report.test_openings)} times; only the first score "
            "is that of photos nobody had seen."
        )
    return said
