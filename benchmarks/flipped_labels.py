"""How many wrong labels `classeur labels` finds, and how many of those it lists are wrong.

Claim: most of the labels that are flipped at random stand in its list, and most of the list is
flipped.

    CLASSEUR_WEIGHTS=/path/to/weights .venv/bin/python benchmarks/flipped_labels.py PHOTOS

Work: of each class of PHOTOS (a folder with one folder of photos a class, or splits of such), N
photos are drawn; of all of them, a share gets another label, drawn at random. The photos are
linked, not copied, into folders by those labels.
Precision: flipped photos in the list / photos in the list. Recall: flipped photos in the list /
flipped photos. The data set's own mistakes count against precision. A flipped photo counts as found
whatever is suggested; how often that is its true label is the third figure. Intervals: exact, 95 %
(Clopper and Pearson).
n: 1,000 photos, 50 of them flipped. Time: 2 minutes on 2 cores of an Intel Xeon at 2.5 GHz without
a GPU. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from classeur.data.records import Record
from classeur.data.scan import scan
from classeur.evaluation.metrics import share_of
from classeur.evaluation.suspicious import Suspect
from classeur.study.suspicious import find_suspicious
from rounds import conditions


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--per-class", type=int, default=500)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backbone", default="", help="of timm, or none: a small network")
    args = parser.parse_args()
    print(conditions(**{name.replace("-", "_"): value for name, value in vars(args).items()}))
    with tempfile.TemporaryDirectory() as folder:
        truth = link(args.photos, Path(folder) / "photos", args.per_class, args.share, args.seed)
        found = find_suspicious(
            Path(folder) / "photos", to=Path(folder) / "labels", backbone=args.backbone
        )
        print(f"judged by {found.by}\n\n{table(found.suspects, truth)}")


def link(photos: Path, to: Path, per_class: int, share: float, seed: int) -> dict[str, str]:
    """Link photos into folders, some under a wrong label; return path of those -> true label."""
    records = _drawn(scan(photos).records, per_class, seed)
    labels = sorted({record.label for record in records})
    draw = random.Random(seed)
    flipped = set(draw.sample(range(len(records)), round(share * len(records))))
    truth = {}
    for number, record in enumerate(records):
        label = record.label
        if number in flipped:
            label = draw.choice([name for name in labels if name != label])
        path = f"{label}/{number}{Path(record.path).suffix}"
        (to / label).mkdir(parents=True, exist_ok=True)
        (to / path).symlink_to((photos / record.path).resolve())
        if number in flipped:
            truth[path] = record.label
    return truth


def _drawn(records: Sequence[Record], per_class: int, seed: int) -> list[Record]:
    drawn: list[Record] = []
    for label in sorted({record.label for record in records}):
        mine = [record for record in records if record.label == label]
        drawn += random.Random(seed).sample(mine, min(per_class, len(mine)))
    return drawn


def table(suspects: Sequence[Suspect], truth: dict[str, str]) -> str:
    """Return precision, recall and the share of right suggestions as a table."""
    hits = [item for item in suspects if item.path in truth]
    right = sum(item.suggested == truth[item.path] for item in hits)
    rows = [
        ("precision", len(hits), len(suspects)),
        ("recall", len(hits), len(truth)),
        ("the true label suggested", right, len(hits)),
    ]
    lines = ["| | | | 95 % interval |", "|---|---|---|---|"]
    for name, some, all_of_them in rows:
        if all_of_them:
            figure = share_of(some, all_of_them)
            shown = f"{100 * figure.low:.1f}–{100 * figure.high:.1f} %"
            lines.append(f"| {name} | {some} of {all_of_them} | {figure.value:.3f} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    os.environ.setdefault("CLASSEUR_CACHE", tempfile.mkdtemp(prefix="classeur-"))
    main()
