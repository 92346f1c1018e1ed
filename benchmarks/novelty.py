"""Which score tells photos of something else from those a run was trained for.

Claim: the distance that Classeur uses (models/novelty.py) is as good as any here, and small enough
to travel with the run.

    .venv/bin/python benchmarks/novelty.py RUN OUTSIDE…

RUN is a finished run; OUTSIDE are folders of photos or IDX files of something else. Inside: up to
500 photos of the run's test split, whose opening is recorded in the run; outside: up to 150 photos
of each, evenly spread. Everything that is fitted is fitted on at most 1,000 training photos.
    probability     of the most probable class (Hendrycks and Gimpel, 2017)
    max logit       (Hendrycks et al., 2022)
    energy          of the logits (Liu et al., 2020)
    neighbours      cosine distance to the 5th nearest training photo (Sun et al., 2022)
    Mahalanobis     nearest class mean, whole covariance, Ledoit-Wolf (Lee et al., 2018)
    classeur        the same on features of length one, with 32 directions and one variance
Printed: AUROC (1: all of them apart, 0.5: no better than a coin), and how many of the outside
photos pass where 95 % of the inside ones do. With two classes the first three rank photos alike.
Time: mostly that of the passes through the network. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from classeur.data.folders import walk_photos
from classeur.data.manifest import read_manifest
from classeur.data.reader import PhotoReader
from classeur.data.records import Listing
from classeur.data.scan import scan
from classeur.errors import DataError, UnreadablePhotoError
from classeur.evaluation.evaluate import record_opening
from classeur.models.classifier import Classifier
from classeur.models.novelty import Known, unit, watching
from classeur.run_folder import RunFolder
from classeur.study.train import store_of
from rounds import conditions

INSIDE, OUTSIDE, TRAINING, BATCH, NEIGHBOURS = 500, 150, 1000, 32, 5
Seen = tuple[torch.Tensor, torch.Tensor]
"""(features (N, F), logits (N, C))"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("outside", type=Path, nargs="+")
    args = parser.parse_args()
    run = RunFolder(args.run)
    classifier, manifest, (store, _) = (
        Classifier.load(run),
        read_manifest(run.manifest),
        store_of(run),
    )
    train, test = (
        spread(manifest.indices(name), n) for name, n in (("train", TRAINING), ("test", INSIDE))
    )
    record_opening(run, "benchmark of novelty", len(test))
    seen = {
        name: look(classifier, store.photos, rows)
        for name, rows in (("train", train), ("test", test))
    }
    index = {name: i for i, name in enumerate(classifier.class_names)}
    labels = torch.tensor([index[manifest.rows[i].label] for i in train])
    scores = fitted(seen["train"][0], labels)
    outside = {path.name: opened(classifier, path) for path in args.outside}
    print(conditions(run=run.path.name, training=len(train), inside=len(test)))
    print(f"| | {' | '.join(f'{name} ({len(photos)})' for name, photos in outside.items())} |")
    print("|---|" + "---|" * len(outside))
    found = {
        name: look(classifier, photos, np.arange(len(photos))) for name, photos in outside.items()
    }
    for name, score in scores.items():
        inner = score(*seen["test"])
        cells = [describe(inner, score(*one)) for one in found.values()]
        print(f"| {name} | {' | '.join(cells)} |")


def fitted(
    features: torch.Tensor, labels: torch.Tensor
) -> dict[str, Callable[..., NDArray[np.float64]]]:
    """Return the scores by name: (features, logits) -> (N,), higher is stranger."""
    near = unit(features)
    known = Known.fit(features, labels)
    means = torch.stack([features[labels == label].mean(0) for label in labels.unique()]).numpy()
    centred = features.numpy() - means[labels.unique(return_inverse=True)[1]]
    precision = LedoitWolf(assume_centered=True).fit(centred).precision_

    def mahalanobis(some: torch.Tensor, _: torch.Tensor) -> NDArray[np.float64]:
        away = some.numpy()[:, None] - means  # (N, K, F)
        return np.einsum("nkf,nkf->nk", away @ precision, away).min(axis=1)

    return {
        "probability": lambda _, logits: -both(logits).softmax(1).amax(1).numpy(),
        "max logit": lambda _, logits: -both(logits).amax(1).numpy(),
        "energy": lambda _, logits: -both(logits).logsumexp(1).numpy(),
        "neighbours": lambda some, _: -(unit(some) @ near.T).topk(NEIGHBOURS).values[:, -1].numpy(),
        "Mahalanobis": mahalanobis,
        "classeur": lambda some, _: known.distance(some).numpy(),
    }


def both(logits: torch.Tensor) -> torch.Tensor:
    """Return a logit for each class, in double precision: one alone stands for its two halves."""
    wide = logits.double()
    return torch.cat([-wide / 2, wide / 2], dim=1) if wide.shape[1] == 1 else wide


def look(classifier: Classifier, photos: NDArray[np.uint8], rows: NDArray[np.int64]) -> Seen:
    """Return features and logits of photos."""
    features: list[torch.Tensor] = []
    with watching(classifier.network, features.append):
        logits = [
            classifier.logits(np.asarray(photos[rows[i : i + BATCH]]))
            for i in range(0, len(rows), BATCH)
        ]
    return torch.cat(features), torch.cat(logits)


def opened(classifier: Classifier, path: Path) -> NDArray[np.uint8]:
    """Return prepared photos of a folder or a file, evenly spread."""
    try:
        listing = scan(path)
        root, names = listing.root, [record.path for record in listing.records]
    except DataError:  # photos without labels
        root, names = path, list(walk_photos(path, Listing(path, "")))
    read = partial(PhotoReader(root).read)
    pixels = []
    for row in spread(np.arange(len(names)), OUTSIDE):
        try:
            pixels.append(classifier.preprocessing.open(read(names[row]))[0])
        except UnreadablePhotoError as error:
            print(f"left out: {names[row]} {error}")
    return np.stack(pixels)


def spread(rows: NDArray[np.int64], at_most: int) -> NDArray[np.int64]:
    """Return at most so many rows, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), at_most)).round().astype(np.int64)]


def describe(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> str:
    """Return AUROC and the share of outside photos below the 95 % quantile of the inside ones."""
    is_outside = np.repeat([0, 1], [len(inside), len(outside)])
    area = roc_auc_score(is_outside, np.concatenate([inside, outside]))
    passed = (outside <= np.quantile(inside, 0.95)).mean()
    return f"{area:.3f}, {100 * passed:.0f} %"


if __name__ == "__main__":
    main()
