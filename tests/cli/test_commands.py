"""Each command on photos."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from classeur.data.manifest import read_manifest
from classeur.evaluation.openings import openings_of
from classeur.evaluation.predictions import Predictions
from classeur.run_folder import RunFolder, read_json_lines

Command = Callable[..., Any]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def undecodable(root: Path) -> Path:
    """Class folders with file names that are no UTF-8; in each, both photos are the same."""
    for label, colour in (("cat", "red"), ("dog", "blue")):
        folder = root / "odd" / label
        folder.mkdir(parents=True)
        for number in range(2):
            with (folder / os.fsdecode(b"%d\xe9.png" % number)).open("wb") as file:
                Image.new("RGB", (9, 9), colour).save(file, "PNG")
    return root / "odd"


def test_inspect(classeur: Command, photos: Path) -> None:
    shown = classeur("inspect", photos)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("40 photos in 2 classes (class-folders)\n\nclass  photos\n")
    assert "mean size: 24×20 pixels" in shown.out


def test_inspect_as_json(classeur: Command, photos: Path) -> None:
    shown = classeur("inspect", photos, "--json", "--classes", "dark,light", "--limit-per-class", 5)
    assert (shown.code, shown.err) == (0, "")
    found = json.loads(shown.out)
    assert found["total"] == 10
    assert found["per_class"] == {"dark": 5, "light": 5}


def test_inspect_names_what_it_cannot_read(classeur: Command, photos: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    (copy / "dark" / "page.jpg").write_text("<html>404</html>")
    shown = classeur("inspect", copy)
    assert shown.code == 0
    assert "unreadable files: 1\n  dark/page.jpg is an HTML page, not a photo\n" in shown.out


def test_names_that_are_no_text_are_shown_with_their_bytes(
    classeur: Command, tmp_path: Path
) -> None:
    odd = undecodable(tmp_path)
    shown = classeur("inspect", odd)
    assert shown.code == 0
    assert r"cat/0\udce9.png = cat/1\udce9.png" in shown.out
    shown = classeur("inspect", odd, "--json")
    assert shown.code == 0
    assert json.loads(shown.out)["duplicates"][0]["paths"] == ["cat/0\udce9.png", "cat/1\udce9.png"]


def test_prepare(classeur: Command, photos: Path, tmp_path: Path) -> None:
    to = tmp_path / "arrays"
    shown = classeur("prepare", photos, "--to", to, "--size", 12, "--color", "grey")
    assert shown.out == f"40 photos of 12×12×1 in {to}\n"
    assert np.load(to / "photos.npy").shape == (40, 12, 12, 1)
    assert np.load(to / "labels.npy").tolist() == [0] * 20 + [1] * 20
    assert json.loads((to / "class_names.json").read_text()) == ["dark", "light"]
    assert len(rows_of((to / "manifest.csv").read_text())) == 40


def test_prepare_refuses_a_folder_of_something_else(
    classeur: Command, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    shown = classeur("prepare", photos, "--to", tmp_path / "mine")
    assert shown.code == 1
    assert "is not empty and holds no prepared photos" in shown.err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_predict_a_folder(classeur: Command, run: RunFolder, photos: Path) -> None:
    shown = classeur("predict", run.path, photos)
    assert (shown.code, shown.told) == (0, "40 photos classified, 0 could not be read\n")
    rows = rows_of(shown.out)
    assert list(rows[0]) == [
        "path", "label", "probability", "label_2", "probability_2", "error",
    ]  # fmt: skip
    assert [row["label"] for row in rows] == ["dark"] * 20 + ["light"] * 20
    assert [Path(row["path"]).parent.name for row in rows] == [row["label"] for row in rows]
    assert all(float(row["probability"]) > 0.9 for row in rows)


def test_predict_names_the_first_photos_that_it_could_not_read(
    classeur: Command, run: RunFolder, tmp_path: Path
) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").touch()
    shown = classeur("predict", run.path, tmp_path)
    assert shown.told.splitlines() == [
        "0 photos classified, 5 could not be read",
        *(f"{tmp_path / f'{number}.jpg'}: is empty (0 bytes)" for number in range(3)),
        "and 2 more that could not be read",
    ]


def test_predict_says_what_it_could_not_read(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "page.jpg").write_text("<!DOCTYPE html><html></html>")
    paths = [photos / "light" / "0.png", tmp_path / "page.jpg", photos / "dark" / "0.png"]
    shown = classeur("predict", run.path, *paths, "--top-k", 1)
    assert (shown.code, shown.told) == (
        3,
        "2 photos classified, 1 could not be read\n"
        f"{tmp_path / 'page.jpg'}: is an HTML page, not a photo\n",
    )
    rows = rows_of(shown.out)
    assert list(rows[0]) == ["path", "label", "probability", "error"]
    assert [row["label"] for row in rows] == ["light", "", "dark"]
    assert rows[1]["error"] == "is an HTML page, not a photo"


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl", "p.parquet"])
def test_predict_into_a_file(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    shown = classeur("predict", run.path, photos, "--output", file)
    assert (shown.code, shown.out) == (0, "")
    if name == "p.parquet":
        labels = pq.read_table(file)["label"].to_pylist()
    elif name == "p.csv":
        labels = [row["label"] for row in rows_of(file.read_text())]
    else:
        labels = [line["label"] for line in read_json_lines(file)]
    assert labels == ["dark"] * 20 + ["light"] * 20


def test_predict_checks_its_output_before_it_works(
    classeur: Command, run: RunFolder, photos: Path
) -> None:
    shown = classeur("predict", run.path, photos, "-o", "answers.txt")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == (
        "error: answers.txt ends in no known format. Expected .csv, .jsonl, .parquet.\n"
    )


def test_predict_draws_a_figure(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    shown = classeur("predict", run.path, photos / "dark", "--figure", tmp_path / "grid.png")
    assert shown.code == 0
    with Image.open(tmp_path / "grid.png") as figure:
        assert figure.width > 500


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["gone.jpg"], 1, "error: gone.jpg does not exist. Expected photos, folders of photos, "),
        (["."], 1, "error: no photos in .."),
        ([".", "--device", "gpu"], 1, "error: device gpu is not there. This machine has: "),
        ([".", "--top-k", "0"], 2, "Invalid value for '--top-k': 0 is not in the range x>=1."),
        ([], 2, "Missing argument 'PATHS...'."),
    ],
)
def test_predict_what_cannot_be(
    classeur: Command, run: RunFolder, arguments: list[str], code: int, message: str
) -> None:
    shown = classeur("predict", run.path, *arguments)
    assert (shown.code, shown.out) == (code, "")
    assert message in shown.err


def test_predict_into_head(run: RunFolder, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # so that it fails at the very end
    command = [sys.executable, "-m", "classeur", "predict", str(run.path), str(photos / "dark")]
    reader, writer = os.pipe()
    os.close(reader)  # as head does when it has seen enough
    result = subprocess.run(command, check=False, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert result.returncode == 1
    assert result.stderr.startswith("20 photos classified, 0 could not be read; in ")


def test_evaluate(classeur: Command, run: RunFolder) -> None:
    shown = classeur("evaluate", run.path)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("8 photos\n\nfigure ")
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["accuracy", "1.0000", "0.6306–1.0000"] in rows
    assert ["dark", "1.000", "1.000", "1.000", "4"] in rows
    (opening,) = openings_of(run)
    assert (opening.reason, opening.photos, opening.accuracy) == ("evaluate", 8, 1.0)
    again = classeur("evaluate", run.path)
    assert again.err == "the test split of this run has been read 2 times\n"


@pytest.mark.parametrize(("split", "count"), [("train", 24), ("val", 8)])
def test_evaluate_another_split_opens_no_test(
    classeur: Command, run: RunFolder, split: str, count: int
) -> None:
    shown = classeur("evaluate", run.path, "--split", split, "--json")
    assert shown.code == 0
    assert json.loads(shown.out)["photos"] == count
    assert not run.test_openings.exists()


def test_evaluate_other_photos_in_another_layout(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number in range(6):
        shutil.copy(photos / "light" / f"{number}.png", flat / f"light.{number}.png")
    shutil.copy(photos / "dark" / "0.png", flat / "dark.0.png")
    shutil.copy(photos / "light" / "9.png", flat / "dark.1.png")  # a wrong label
    (flat / "light.7.jpg").touch()
    shown = classeur("evaluate", run.path, "--data", flat, "--json")
    assert shown.code == 0
    first, *known = shown.err.splitlines()
    assert first == "left out: light.7.jpg is empty (0 bytes)"
    # They are copies of the run's own photos, which the command says, and records.
    manifest = read_manifest(run.manifest)
    splits = {row.path: row.split for row in manifest.rows}
    own = Counter(splits[f"light/{n}.png"] for n in (*range(6), 9)) + Counter(
        [splits["dark/0.png"]]
    )
    assert sorted(known) == sorted(
        f"{number} of these photos are in the {name} split of the run"
        for name, number in own.items()
    )
    figures = json.loads(shown.out)
    assert figures["confusion"] == [[1, 1], [0, 6]]
    assert figures["accuracy"]["value"] == 7 / 8
    opened = [line["photos"] for line in read_json_lines(run.test_openings)]
    assert opened == ([own["test"]] if own["test"] else [])


@pytest.fixture
def tables(photos: Path, tmp_path: Path) -> Path:
    """Forty photos of four patients in a table, of which one patient's labels are wrong."""
    lines = ["path,label,patient"]
    for number in range(20):
        wrong = number % 4 == 3
        for label, other in (("dark", "light"), ("light", "dark")):
            path = photos / label / f"{number}.png"
            lines.append(f"{path},{other if wrong else label},p{number % 4}")
    table = tmp_path / "photos.csv"
    table.write_text("\n".join(lines))
    return table


def test_evaluate_other_photos_over_their_groups(
    classeur: Command, run: RunFolder, photos: Path, tables: Path
) -> None:
    naive = classeur("evaluate", run.path, "--data", tables, "--json")
    assert naive.code == 0
    shown = classeur("evaluate", run.path, "--data", tables, "--group-column", "patient", "--json")
    assert shown.code == 0
    alone, found = json.loads(naive.out), json.loads(shown.out)
    assert (alone["groups"], found["groups"]) == (0, 4)
    assert alone["accuracy"]["value"] == found["accuracy"]["value"] == 0.75
    assert alone["accuracy"]["low"] > 0.58
    assert found["accuracy"]["low"] < 0.2
    shown = classeur("evaluate", run.path, "--data", photos, "--group-from", r"(\d)\.png")
    assert (
        "40 photos in 10 groups (given, or copies of one picture); intervals are over the groups"
        in shown.out
    )
    text = classeur("evaluate", "--help").out
    assert text.index("--label-from") < text.index("--group-from") < text.index("--group-column")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--group-from", "p", "--group-column", "patient"],
            "group_from and group_column both name the groups: choose one of the two.",
        ),
        (["--group-from", "x("], "group_from must be a regular expression, received 'x('"),
        (["--group-from", "absent"], "group_from 'absent' matches the path of no photo"),
        (["--group-column", "patien"], 'has no column "patien" for the groups. Did you mean'),
    ],
)
def test_evaluate_refuses_groups_that_are_not_there(
    classeur: Command, run: RunFolder, tables: Path, options: list[str], said: str
) -> None:
    shown = classeur("evaluate", run.path, "--data", tables, *options)
    assert (shown.code, shown.out) == (1, "")
    assert said in shown.err
    assert not run.test_openings.exists()


def test_evaluate_says_how_many_other_photos_are_strange(
    classeur: Command, run: RunFolder, photos: Path
) -> None:
    from classeur.models.novelty import Known, Novelty

    assert "nothing the run has seen" not in classeur("evaluate", run.path, "--data", photos).out
    means = torch.nn.functional.normalize(torch.ones(1, 128))
    known = Known(means, torch.zeros(1, 128), torch.ones(1), torch.tensor(1.0))
    Novelty(known, torch.full((40,), 1e-9)).save(run)  # so that every photo is far
    near = np.linspace(0, 1.02, 40, dtype=np.float32)
    Predictions(
        [""] * 40, ["val"] * 40, np.zeros(40, np.int64), np.ones((40, 2)) / 2, ["a", "b"],
        strangeness=near,
    ).write(run.predictions)  # fmt: skip
    shown = classeur("evaluate", run.path, "--data", photos)
    assert (
        "40 of the 40 photos resemble nothing the run has seen: 100.0 % (95 % interval "
        "91.2–100.0 %). Of photos of the same kind as the validation photos about 5 % are to be "
        "expected, for the limit is drawn there. These are more than chance explains, in the draw "
        "of the validation photos too: the photos are not quite of the same kind."
    ) in shown.out
    of_groups = classeur(
        "evaluate", run.path, "--data", photos, "--group-from", r"\d\.png", "--json"
    )
    found = json.loads(of_groups.out)["strange"]
    assert (found["photos"], found["expected"]) == (40, 0.05)
    assert found["share"]["low"] == pytest.approx(0.025**0.1)


def test_evaluate_classes_that_the_run_does_not_know(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "other")
    (tmp_path / "other" / "light").rename(tmp_path / "other" / "lights")
    shown = classeur("evaluate", run.path, "--data", tmp_path / "other")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == (
        "error: the run does not know the classes lights. It knows: dark, light. "
        'Did you mean "light"?\n'
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layout", "flat"], "--layout is for --data; the run knows its own photos."),
        (
            ["--group-from", "p", "--group-column", "c"],
            "--group-from, --group-column is for --data; the run knows its own photos.",
        ),
        (
            ["--data", ".", "--split", "val"],
            "--split is of the run's own photos; of --data, all are scored.",
        ),
        (["--split", "tset"], "'tset' is not one of 'train', 'val', 'test'."),
    ],
)
def test_evaluate_ignores_no_option(
    classeur: Command, run: RunFolder, arguments: list[str], message: str
) -> None:
    shown = classeur("evaluate", run.path, *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert message in " ".join(shown.err.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either PHOTOS, --config TOML or --resume RUN."),
        (["photos", "--resume", "run"], "give either PHOTOS, --config TOML or --resume RUN."),
        (
            [
                "--resume",
                "run",
                "--class-weights",
                "--epochs",
                "3",
                "--to",
                "x",
                "--recipe",
                "dense",
            ],
            "a run is resumed as it was begun: "
            "leave out --recipe, --to, --class-weights, --epochs.",
        ),
        (["--resume", "run", "--seed", "0"], "begun: leave out --seed."),
        (["photos", "--epochs", "many"], "Invalid value for '--epochs'"),
    ],
)
def test_train_arguments_that_contradict_each_other(
    classeur: Command, arguments: list[str], message: str
) -> None:
    shown = classeur("train", *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert message in shown.err
    assert list(Path.cwd().iterdir()) == []


def test_an_unknown_recipe(classeur: Command, photos: Path) -> None:
    shown = classeur("train", photos, "--recipe", "conv4")
    assert shown.code == 1
    assert shown.err.startswith('error: unknown recipe "conv4". Did you mean "conv')


def test_recipes(classeur: Command) -> None:
    from classeur import RECIPES

    shown = classeur("recipes")
    assert (shown.code, shown.err) == (0, "")
    header, line, *rows = shown.out.splitlines()
    assert header.split() == [
        "recipe", "network", "epochs", "patience", "batch", "learning", "rate", "what", "it", "is",
    ]  # fmt: skip
    conv3 = next(row.split() for row in rows if row.startswith("conv3 "))
    assert conv3[2:7] == ["40", "8", "32", "0.001", "constant"]
    assert set(line) == {"─", " "}
    assert [row.split()[0] for row in rows] == list(RECIPES)
    assert all(recipe.description in shown.out for recipe in RECIPES.values())


def test_predict_with_a_run_in_training_says_so(
    classeur: Command, run: RunFolder, photos: Path
) -> None:
    run.training.unlink()
    shown = classeur("predict", run.path, photos / "dark" / "0.png")
    assert shown.code == 0
    assert shown.err.startswith("this run is still in training: its best weights so far answer\n")


@pytest.mark.parametrize("size", [1, 64])
def test_predict_in_batches_of_any_size(
    classeur: Command, run: RunFolder, photos: Path, size: int
) -> None:
    shown = classeur("predict", run.path, photos, "--batch-size", size)
    assert [row["label"] for row in rows_of(shown.out)] == ["dark"] * 20 + ["light"] * 20


def test_predict_never_draws_over_a_photo(classeur: Command, run: RunFolder, photos: Path) -> None:
    photo = photos / "dark" / "0.png"
    before = photo.read_bytes()
    shown = classeur("predict", run.path, photos, "--figure", photo)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == (
        f"error: {photo} is one of the photos and would be lost. Choose another file.\n"
    )
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--figure", "grid.gif"], "grid.gif ends in no known format. Expected .png."),
        (["--figure", "no/grid.png"], "no is no folder; make it first, or choose another."),
    ],
)
def test_predict_checks_its_figure_before_it_works(
    classeur: Command, run: RunFolder, photos: Path, arguments: list[str], message: str
) -> None:
    shown = classeur("predict", run.path, photos, *arguments)
    assert (shown.code, shown.out, shown.err) == (1, "", f"error: {message}\n")


def test_inspect_checks_its_page_before_it_works(classeur: Command, photos: Path) -> None:
    photo = photos / "dark" / "0.png"
    shown = classeur("inspect", photos, "--html", photo)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == f"error: {photo} ends in no known format. Expected .html, .htm.\n"


def test_a_figure_of_photos_whose_names_are_no_text(
    classeur: Command, run: RunFolder, tmp_path: Path
) -> None:
    folder = undecodable(tmp_path)
    shown = classeur("predict", run.path, folder, "--figure", tmp_path / "grid.png")
    assert (shown.code, shown.told) == (0, "4 photos classified, 0 could not be read\n")
    assert (tmp_path / "grid.png").stat().st_size > 0


def test_one_photo_is_counted_as_one(classeur: Command, photos: Path) -> None:
    shown = classeur("inspect", photos, "--classes", "dark", "--limit-per-class", 1)
    assert shown.out.startswith("1 photo in 1 class (class-folders)\n")


def test_inspect_shows_the_filters(classeur: Command, photos: Path, tmp_path: Path) -> None:
    pages = [tmp_path / name for name in ("found.html", "filters.html")]
    shown = classeur("inspect", photos, "--html", pages[0], "--filters", pages[1])
    assert (shown.code, shown.err) == (0, f"page: {pages[0]}\npage: {pages[1]}\n")
    assert "--filters equalize" in pages[1].read_text()
    assert "--filters equalize" not in pages[0].read_text()


def test_inspect_checks_its_page_of_filters_before_it_works(
    classeur: Command, photos: Path
) -> None:
    shown = classeur("inspect", photos, "--filters", photos / "dark" / "0.png")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.endswith("0.png ends in no known format. Expected .html, .htm.\n")
    shown = classeur("inspect", photos, "--filters", "a.html", "--html", "a.html")
    assert (shown.code, shown.out) == (2, "")
    assert "--html and --filters are two pages: give two files." in shown.err
    assert list(Path.cwd().iterdir()) == []


def test_prepare_with_filters(classeur: Command, photos: Path) -> None:
    for to, options in (("plain", []), ("turned", ["--filters", "flip,mirror"])):
        shown = classeur("prepare", photos, "--to", to, "--size", 8, *options)
        assert shown.code == 0
    plain, turned = (np.load(f"{to}/photos.npy") for to in ("plain", "turned"))
    assert np.array_equal(turned, plain[:, ::-1, ::-1])
    assert Path("plain/manifest.csv").read_bytes() == Path("turned/manifest.csv").read_bytes()
    shown = classeur("prepare", photos, "--to", "none", "--filters", "flop")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err.startswith('error: unknown filter "flop". Did you mean "flip"?')


def test_predict_marks_strange_photos(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    from classeur.models.novelty import Known, Novelty

    means = torch.nn.functional.normalize(torch.ones(1, 128))
    known = Known(means, torch.zeros(1, 128), torch.ones(1), torch.tensor(1.0))
    Novelty(known, torch.full((40,), 1e-9)).save(run)  # so that every photo is far
    options = ["--figure", tmp_path / "grid.png"]
    shown = classeur("predict", run.path, photos / "dark", *options)
    assert shown.code == 0
    assert shown.told == (
        "20 photos classified, 0 could not be read\n"
        "20 of them resemble nothing the run has seen (strange)\n"
    )
    assert {(row["strange"], row["label"]) for row in rows_of(shown.out)} == {("yes", "dark")}
    shown = classeur("predict", run.path, photos / "dark" / "0.png")
    assert shown.err.endswith("1 of them resembles nothing the run has seen (strange)\n")
    shown = classeur("predict", run.path, photos, "--strange-share", "1%")
    assert (shown.code, shown.out) == (1, "")
    assert "a strange share of 0.01 cannot be kept: with 40 validation photos" in shown.err
    Novelty(known, torch.full((40,), 1e-9), 0.55).save(run)
    shown = classeur("predict", run.path, photos / "dark")
    assert "strange" not in rows_of(shown.out)[0]
    assert shown.told == (
        "this network cannot tell strange photos: it hardly tells its own from the same cut up "
        "and shuffled (AUROC 0.55)\n"
        "20 photos classified, 0 could not be read\n"
    )


def test_predict_explains_no_dense_network(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    shown = classeur("predict", run.path, photos, "--explain", tmp_path / "maps")
    assert (shown.code, shown.out) == (1, "")
    assert "dense has no convolution to look at" in shown.err
    assert not (tmp_path / "maps").exists()


def test_predict_explains_a_convolutional_network(
    classeur: Command, run: RunFolder, photos: Path, tmp_path: Path
) -> None:
    from classeur.config import ModelConfig
    from classeur.models.classifier import Classifier

    dense = Classifier.load(run)
    made = Classifier.create(ModelConfig("conv1"), dense.class_names, dense.preprocessing)
    made.save_facts(run)
    made.save_weights(run)
    options = ["--explain", tmp_path / "maps", "-o", tmp_path / "p.csv"]
    shown = classeur("predict", run.path, photos / "dark" / "0.png", photos / "light", *options)
    assert shown.code == 0, shown.err
    assert len(list((tmp_path / "maps").glob("*.png"))) == 21
    assert (tmp_path / "maps" / "0-2.png").is_file()
    shown = classeur("predict", run.path, photos, "--explain", tmp_path / "maps")
    assert "maps holds files already. Choose a new folder" in shown.err
