"""How many planted near-duplicates are found, and how many photos are called so wrongly.

Claim: photos that were resized, saved again at low quality, or cropped by 3 % on each side are
found among thousands of others, and photos that only look alike are left alone.

    .venv/bin/python benchmarks/planted_duplicates.py /path/to/photos --subset 2000

Work: the photos (or a subset drawn at random) are linked into a folder of their own, and near-
duplicates of some of them are planted in it, under other names: a third resized to between 40 and
90 %, a third saved again as JPEG of quality 40, a third cropped by 3 % on each side.
    found         planted pairs that are reported
    missed        planted pairs that are not
    others        groups without a planted photo: near-duplicates of the data's own, or
                  false alarms; --sheet writes them to a page, to be looked at
                  false alarms; --sheet writes them to a page, to be looked at
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from PIL import Image

from classeur.data.decode import SUFFIXES, decode
from classeur.data.inspect import Inspection, inspect_listing
from classeur.data.scan import scan
from classeur.report.photos import data_uri

WAYS = ("resized", "re-encoded", "cropped")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path, help="folder of photos, in class folders or deeper")
    parser.add_argument("--planted", type=int, default=40)
    parser.add_argument("--subset", type=int, default=0, help="photos to keep; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="HTML page to write with the other groups")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        root = Path(folder)
        paths = gather(args.photos, root, args.subset, args.seed)
        planted = plant(root, paths, args.planted, args.seed)
        started = time.perf_counter()
        found = inspect_listing(scan(root))
        print(f"{found.total:,} photos, inspected in {time.perf_counter() - started:.0f} s")
        print(report(found, planted))
        if args.sheet:
            args.sheet.write_text(sheet(root, others(found, planted)), encoding="utf-8")


def gather(photos: Path, to: Path, subset: int, seed: int) -> list[Path]:
    """Link photos into class folders below `to`; return their paths there."""
    found = sorted(path for path in photos.rglob("*") if path.suffix.lower() in SUFFIXES)
    if subset:
        found = sorted(random.Random(seed).sample(found, min(subset, len(found))))
    paths = []
    for path in found:
        link = to / path.parent.name / "-".join(path.relative_to(photos).parts)
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(path.resolve())
        paths.append(link)
    return paths


def plant(root: Path, paths: list[Path], number: int, seed: int) -> dict[str, tuple[str, str]]:
    """Write near-duplicates of photos drawn at random; return path -> (original, way)."""
    draw = random.Random(seed + 1)
    planted = {}
    for index, path in enumerate(draw.sample(paths, number)):
        way = WAYS[index % len(WAYS)]
        copy = path.with_name(f"planted-{index}.jpg")
        image, quality = changed(decode(path.read_bytes()).image, way, draw)
        image.save(copy, "JPEG", quality=quality)
        planted[str(copy.relative_to(root))] = (str(path.relative_to(root)), way)
    return planted


def changed(image: Image.Image, way: str, draw: random.Random) -> tuple[Image.Image, int]:
    """Return a near-duplicate and the quality to save it at."""
    width, height = image.size
    if way == "resized":
        scale = draw.uniform(0.4, 0.9)
        return image.resize((round(width * scale), round(height * scale))), 90
    if way == "cropped":
        left, top = round(0.03 * width), round(0.03 * height)
        return image.crop((left, top, width - left, height - top)), 90
    return image, 40


def report(found: Inspection, planted: dict[str, tuple[str, str]]) -> str:
    """Return the table."""
    together = [set(group.paths) for group in found.near_duplicates]
    together += [set(group.paths) for group in found.duplicates]
    hits = {
        copy: any({copy, original} <= paths for paths in together)
        for copy, (original, _) in planted.items()
    }
    totals = Counter(way for _, way in planted.values())
    lines = ["way          planted  found  missed"]
    for way in WAYS:
        right = sum(hits[copy] for copy, (_, made) in planted.items() if made == way)
        lines.append(f"{way:12} {totals[way]:7} {right:6} {totals[way] - right:7}")
    lines.append(f"others: {len(others(found, planted))} groups without a planted photo")
    lines += [f"  {' ~ '.join(group)}" for group in others(found, planted)]
    small = [copy for copy, hit in hits.items() if not hit]
    return "\n".join([*lines, *(f"  missed: {copy} of {planted[copy]}" for copy in small)])


def others(found: Inspection, planted: dict[str, tuple[str, str]]) -> list[list[str]]:
    """Return the groups with what was planted and its originals taken out, if two remain."""
    groups = []
    for group in found.near_duplicates:
        ours = {copy for copy in group.paths if copy in planted}
        rest = [path for path in group.paths if path not in ours]
        if len(rest) > 1:
            groups.append(rest)
    return groups


def sheet(root: Path, groups: list[list[str]]) -> str:
    """Return a page with a row of photos for each group."""
    rows = []
    for group in groups:
        photos = (decode((root / path).read_bytes(), enough=160).image for path in group)
        pictures = "".join(f'<img src="{data_uri(photo)}"> ' for photo in photos)
        rows.append(f"<p>{pictures}<br>{' ~ '.join(group)}</p>")
    return "<!doctype html><meta charset=utf-8>" + "\n".join(rows)


if __name__ == "__main__":
    main()
