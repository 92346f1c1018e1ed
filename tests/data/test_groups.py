"""Groups from paths and from columns, and splits that keep them together."""

from __future__ import annotations

import pytest

from classeur.config import DataConfig
from classeur.data.geometry import Geometry
from classeur.data.prepare import scan_as, split_as
from classeur.data.scan import scan
from classeur.data.store import Store, cached_store
from classeur.errors import ConfigError, DataError, SplitError


@pytest.fixture
def patients(class_folders, tmp_path):
    """Sixty photos of twelve patients, named `p<patient>-<number>.png`."""
    root = class_folders({"ill": 30, "well": 30})
    for label in ("ill", "well"):
        for i, file in enumerate(sorted((root / label).iterdir())):
            file.rename(file.with_name(f"{label[0]}{i // 5}-{i}.png"))
    return root


def sides(root, **options):
    config = DataConfig(photos=str(root), **options)
    listing = scan_as(config)
    store: Store = cached_store(listing, Geometry(16))
    manifest = split_as(config, store.facts(listing))
    found = {}
    for row in manifest.rows:
        found.setdefault(row.group, set()).add(row.split)
    return found


class TestFromPaths:
    def test_groups_lie_in_one_split(self, patients):
        found = sides(patients, group_from=r"/(\w\d)-")
        assert sorted(found) == [f"{label}{i}" for label in "iw" for i in range(6)]
        assert all(len(splits) == 1 for splits in found.values())
        assert {next(iter(splits)) for splits in found.values()} == {"train", "val", "test"}

    def test_without_them_they_do_not(self, patients):
        assert sides(patients) == {"": {"train", "val", "test"}}

    def test_all_of_the_match_where_there_is_no_group(self, patients):
        records = scan(patients, group_from=r"i0|i1").records
        assert {record.group for record in records} == {"i0", "i1", ""}

    def test_a_path_that_does_not_match_has_no_group(self, patients):
        records = scan(patients, group_from=r"/(i\d)-").records
        assert all(bool(record.group) == (record.label == "ill") for record in records)

    def test_nothing_matches(self, patients):
        with pytest.raises(
            DataError,
            match=r"group_from 'x\(\\\\d\)' matches the path of no photo, not ill/i0-0.png. "
            r"Expected a regular expression on paths relative to the folder of photos",
        ):
            scan(patients, group_from=r"x(\d)")

    def test_no_regular_expression(self, patients):
        with pytest.raises(
            DataError, match=r"group_from must be a regular expression, received '\('"
        ):
            scan(patients, group_from="(")

    def test_photos_that_have_groups_already(self, patients):
        table = patients / "photos.csv"
        table.write_text("path,label,group\nill/i0-0.png,ill,Ann\nwell/w0-0.png,well,\n")
        with pytest.raises(
            DataError, match=r'a table gives ill/i0-0.png the group "Ann" already. Leave out one'
        ):
            scan(table, group_from=r"(\w\d)-")

    def test_groups_that_make_a_split_impossible(self, patients):
        with pytest.raises(
            SplitError,
            match=r"with duplicates and groups kept together: ill \(30 photos in 1 group, none "
            r"left for val, test\)",
        ):
            sides(patients, group_from=r"^(ill)")

    def test_a_manifest_keeps_its_groups(self, patients, tmp_path):
        config = DataConfig(photos=str(patients), group_from=r"/(\w\d)-")
        listing = scan_as(config)
        split_as(config, cached_store(listing, Geometry(16)).facts(listing)).write(
            tmp_path / "manifest.csv"
        )
        again = scan_as(DataConfig(photos=str(patients), manifest=str(tmp_path / "manifest.csv")))
        assert [r.group for r in again.records] == [r.group for r in listing.records]


class TestFromAColumn:
    @pytest.fixture
    def table(self, patients):
        rows = [
            f"{r.path},{r.label},{r.path[-8:-4]},day {r.path[-5]}" for r in scan(patients).records
        ]
        table = patients / "photos.csv"
        table.write_text("\n".join(["path,label,group,Camera", *rows]))
        return table

    def test_the_named_column(self, table):
        groups = {record.group for record in scan(table, group_column="Camera").records}
        assert groups == {f"day {i}" for i in range(10)}

    def test_no_such_column(self, table):
        with pytest.raises(
            DataError,
            match=r'no column "camra" for the groups. Did you mean "Camera"\? Its columns are: '
            "path, label, group, Camera.",
        ):
            scan(table, group_column="camra")

    def test_no_table(self, patients):
        with pytest.raises(
            DataError,
            match="group_column takes the groups from a column of a table, but these photos are "
            "found as class-folders",
        ):
            scan(patients, group_column="patient")


def test_one_of_the_two():
    with pytest.raises(ConfigError, match="group_from and group_column both name the groups"):
        DataConfig(group_from="x", group_column="y")
