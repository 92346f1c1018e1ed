"""Which photo is in which split: written, read, and compared with what is on disk."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from classeur.data.manifest import Manifest, ManifestRow, read_manifest, select
from classeur.data.scan import scan
from classeur.errors import DataError

COLUMNS = "path,label,split,sha256,width,height,group"


def row(path="a/1.jpg", label="a", split="train", sha256="00", width=4, height=3, group=""):
    return ManifestRow(path, label, split, sha256, width, height, group)


class TestValue:
    manifest = Manifest(
        [
            row("1", "b", "train"),
            row("2", "a", "test"),
            row("3", "b", "val"),
            row("4", "a", "train"),
        ]
    )

    def test_class_names_are_sorted(self):
        assert self.manifest.class_names == ["a", "b"]

    def test_indices(self):
        assert self.manifest.indices("train").tolist() == [0, 3]
        assert self.manifest.indices("val").tolist() == [2]
        assert self.manifest.indices("train").dtype == np.int64
        assert Manifest([]).indices("test").tolist() == []

    def test_counts(self):
        assert self.manifest.counts() == {
            "train": {"a": 1, "b": 1},
            "val": {"b": 1},
            "test": {"a": 1},
        }


class TestFile:
    def test_columns(self, tmp_path):
        Manifest([row(group="g")]).write(tmp_path / "manifest.csv")
        text = (tmp_path / "manifest.csv").read_text()
        assert text == f"{COLUMNS}\na/1.jpg,a,train,00,4,3,g\n"

    def test_what_photos_are_kept_with_has_a_column_only_if_there_is_something(self, tmp_path):
        rows = [row("1", group="g"), replace(row("2"), kept_with="1", attributes={"mode": "L"})]
        Manifest(rows).write(tmp_path / "manifest.csv")
        text = (tmp_path / "manifest.csv").read_text()
        assert text.splitlines()[0] == f"{COLUMNS},kept_with,mode"
        found = read_manifest(tmp_path / "manifest.csv").rows
        assert [item.unit for item in found] == ["g", "1"]
        assert [item.attributes for item in found] == [{"mode": ""}, {"mode": "L"}]
        assert found == [row("1", group="g"), row("2")]  # the same split as without

    def test_there_and_back(self, tmp_path):
        names = [
            "a, b.jpg", 'say "x".jpg', "two\nlines.jpg", "é/猫.jpg", " spaces .jpg", "a;b.jpg",
            "caf\udce9.jpg", "a\rb.jpg", "a\r\nb.jpg", "'=1+1'.jpg", "x.npz#x_train/12", "-.jpg",
        ]  # fmt: skip
        manifest = Manifest([row(name, label=name, group=name) for name in names])
        manifest.write(tmp_path / "manifest.csv")
        assert read_manifest(tmp_path / "manifest.csv") == manifest

    def test_readable_without_classeur(self, tmp_path):
        Manifest([row(), row("b/2.jpg", "b", "test")]).write(tmp_path / "manifest.csv")
        with (tmp_path / "manifest.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [r["split"] for r in rows] == ["train", "test"]

    def read(self, tmp_path, text):
        file = tmp_path / "manifest.csv"
        file.write_text(text)
        with pytest.raises(DataError) as caught:
            read_manifest(file)
        return str(caught.value).replace(str(file), "FILE")

    def test_missing(self, tmp_path):
        with pytest.raises(DataError) as caught:
            read_manifest(tmp_path / "x.csv")
        assert str(caught.value) == f"{tmp_path}/x.csv cannot be read: No such file or directory."

    @pytest.mark.parametrize(
        ("header", "received"),
        [
            ("path,label", "path,label"),
            ("", ""),
            ("note," + COLUMNS, "note," + COLUMNS),
            (COLUMNS + ",a,a", COLUMNS + ",a,a"),
        ],
    )
    def test_other_columns(self, tmp_path, header, received):
        assert self.read(tmp_path, header) == (
            f"FILE is no manifest: expected the columns {COLUMNS} and others of "
            f"different names, received {received}."
        )

    def test_a_path_twice(self, tmp_path):
        text = f"{COLUMNS}\na.jpg,a,train,0,1,1,\nb.jpg,a,train,0,1,1,\na.jpg,a,val,0,1,1,\n"
        assert self.read(tmp_path, text) == "FILE, line 4: a.jpg is there twice."

    @pytest.mark.parametrize("width", ["", "x", "1.5"])
    def test_sizes(self, tmp_path, width):
        text = f"{COLUMNS}\na.jpg,a,train,0,{width},1,\n"
        assert self.read(tmp_path, text) == "FILE, line 2: width and height must be whole numbers."

    def test_unknown_split(self, tmp_path):
        assert self.read(tmp_path, f"{COLUMNS}\na.jpg,a,valid,0,1,1,\n") == (
            'FILE, line 2: unknown split "valid". Expected train, val or test.'
        )

    @pytest.mark.parametrize("path", ["/etc/passwd", "../a.jpg", "a/../../b.jpg", "", "."])
    def test_a_path_that_leads_out(self, tmp_path, path):
        assert self.read(tmp_path, f"{COLUMNS}\n{path},a,train,0,1,1,\n") == (
            f'FILE, line 2: "{path}" leads out of the folder of photos.'
        )

    @pytest.mark.parametrize(
        "line", ["a.jpg", "a.jpg,a,train,0,1", "a.jpg,a,train,0,1,1", "a.jpg,a,train,0,1,1,,more"]
    )
    def test_a_line_of_another_length(self, tmp_path, line):
        assert self.read(tmp_path, f"{COLUMNS}\n{line}\n") == (
            "FILE, line 2: expected one value for each column."
        )


class TestSelect:
    @pytest.fixture
    def listing(self, class_folders):
        return scan(class_folders({"a": 3, "b": 3}))

    def rows(self, listing, *paths):
        records = {record.path: record for record in listing.records}
        return [row(path, "z", "val", records[path].sha256, group="g") for path in paths]

    def test_photos_labels_and_splits_are_those_of_the_manifest(self, listing):
        manifest = Manifest(self.rows(listing, "b/1.png", "a/0.png"))
        chosen = select(listing, manifest, listing.root)
        assert [(r.path, r.label, r.split, r.group) for r in chosen.records] == [
            ("b/1.png", "z", "val", "g"),
            ("a/0.png", "z", "val", "g"),
        ]
        assert chosen.root == listing.root

    def test_photos_that_are_gone(self, listing):
        rows = [*self.rows(listing, "a/0.png"), *(row(f"x/{n}.png") for n in range(7))]
        with pytest.raises(DataError) as caught:
            select(listing, Manifest(rows), listing.root)
        assert str(caught.value) == (
            f"7 of the 8 photos in {listing.root} are not there: x/0.png, x/1.png, x/2.png, "
            "x/3.png, x/4.png, …. Expected the very photos that the manifest was made from."
        )

    def test_photos_that_have_changed(self, listing):
        rows = self.rows(listing, "a/0.png", "b/1.png")
        with pytest.raises(DataError) as caught:
            select(listing, Manifest([rows[0], replace(rows[1], sha256="0")]), listing.root)
        assert str(caught.value) == (
            f"1 of the 2 photos in {listing.root} have changed since: b/1.png. Expected "
            "the very photos that the manifest was made from."
        )


class TestAttributes:
    def test_they_are_columns_after_ours(self, tmp_path):
        rows = [
            replace(row("1.jpg"), attributes={"mode": "L", "day": "a, b"}),
            replace(row("2.jpg"), attributes={"mode": "RGB", "age": "3"}),
        ]
        Manifest(rows).write(tmp_path / "m.csv")
        assert (tmp_path / "m.csv").read_text().startswith(COLUMNS + ",mode,day,age\n")
        found = read_manifest(tmp_path / "m.csv")
        assert [r.attributes for r in found.rows] == [
            {"mode": "L", "day": "a, b", "age": ""},
            {"mode": "RGB", "day": "", "age": "3"},
        ]
        assert found == Manifest([row("1.jpg"), row("2.jpg")]), "the same split without them"

    def test_an_older_manifest_has_none(self, tmp_path):
        Manifest([row()]).write(tmp_path / "m.csv")
        assert (tmp_path / "m.csv").read_text().splitlines()[0] == COLUMNS
        assert read_manifest(tmp_path / "m.csv").rows[0].attributes == {}
