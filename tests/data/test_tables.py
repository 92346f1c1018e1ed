"""Photos listed in a CSV or TSV."""

from __future__ import annotations

import os

import pytest

from classeur.data.records import Record
from classeur.data.sources import EXPECTED, list_photos
from classeur.errors import DataError


@pytest.fixture
def table(tmp_path):
    def write(text, name="photos.csv", encoding="utf-8"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    return write


def rows(listing):
    return [(r.path, r.label, r.split, r.group) for r in listing.records]


class TestReading:
    def test_path_and_label(self, table, tmp_path):
        listing = list_photos(table("path,label\nb/2.jpg,dog\na/1.jpg,cat\n"))
        assert listing.layout == "table"
        assert listing.root == tmp_path
        assert listing.records == [Record("a/1.jpg", "cat"), Record("b/2.jpg", "dog")]

    def test_split_and_group(self, table):
        listing = list_photos(
            table(
                "group,split,label,path\np1,training,cat,1.jpg\np1,valid,cat,2.jpg\n"
                "p2,Test,dog,3.jpg\n,,dog,4.jpg\n"
            )
        )
        assert rows(listing) == [
            ("1.jpg", "cat", "train", "p1"),
            ("2.jpg", "cat", "val", "p1"),
            ("3.jpg", "dog", "test", "p2"),
            ("4.jpg", "dog", "", ""),
        ]

    @pytest.mark.parametrize("path", ["path", "file", "filename", "image", "Image_Path", " photo "])
    @pytest.mark.parametrize("label", ["label", "class", "category", "Target"])
    def test_names_of_columns(self, table, path, label):
        assert rows(list_photos(table(f"id,{path},{label}\n7,1.jpg,cat\n"))) == [
            ("1.jpg", "cat", "", "")
        ]

    @pytest.mark.parametrize(
        ("text", "name", "encoding"),
        [
            ("path,label\n1.jpg,cat\n2.jpg,dog\n", "p.csv", "utf-8-sig"),  # a byte-order mark
            ("path;label\n1.jpg;cat\n2.jpg;dog\n", "p.csv", "utf-8-sig"),
            ("path\tlabel\r\n1.jpg\tcat\r\n2.jpg\tdog\r\n", "p.csv", "utf-16"),  # "Unicode text"
            ("path;label\r\n1.jpg;cat\r\n2.jpg;dog\r\n", "p.csv", "utf-8"),
            ("path\tlabel\n1.jpg\tcat\n2.jpg\tdog\n", "p.tsv", "utf-8"),
            ("path\tlabel\n1.jpg\tcat\n2.jpg\tdog\n", "p.CSV", "utf-8"),
            ('"path","label"\n"1.jpg","cat"\n\n2.jpg, dog \n', "p.csv", "utf-8"),
            ("path,label,note\n1.jpg,cat\n2.jpg,dog,x,y,z\n", "p.csv", "utf-8"),
        ],
    )
    def test_every_way_of_writing_one(self, table, text, name, encoding):
        listing = list_photos(table(text, name, encoding))
        assert rows(listing) == [("1.jpg", "cat", "", ""), ("2.jpg", "dog", "", "")]

    def test_labels_with_commas_and_accents(self, table):
        listing = list_photos(table('path,label\n1.jpg,"crane, bird"\n2.jpg,épagneul\n'))
        assert listing.labels() == ["crane, bird", "épagneul"]

    def test_a_photo_whose_name_is_no_utf8(self, table, tmp_path):
        (tmp_path / os.fsdecode(b"caf\xe9.jpg")).touch()
        listing = list_photos(table("path,label\ncaf\xe9.jpg,cat\n", encoding="latin-1"))
        assert os.fsencode(listing.records[0].path) == b"caf\xe9.jpg"

    @pytest.mark.parametrize("row", ["1.jpg,caf\xe9,", "caf\xe9,cat,", "1.jpg,cat,caf\xe9"])
    def test_text_in_an_older_encoding(self, table, row):
        path = table(f"path,label,group\n{row}\n", encoding="latin-1")
        with pytest.raises(DataError) as caught:
            list_photos(path)
        assert str(caught.value) == (
            f'{path} is not UTF-8: it holds "caf\\xe9". Save it as UTF-8 and try again.'
        )

    def test_utf16_cut_off(self, tmp_path):
        path = tmp_path / "t.csv"
        path.write_bytes("path,label\n1.jpg,cat".encode("utf-16")[:-1])
        with pytest.raises(DataError, match=r"t\.csv is no table: 'utf-16"):
            list_photos(path)

    def test_found_in_a_folder(self, table, tmp_path):
        table("path,label\n1.jpg,cat\n", "data.csv")
        table("name,weight\nx,1\n", "other.csv")
        table("", "empty.csv")
        assert rows(list_photos(tmp_path)) == [("1.jpg", "cat", "", "")]

    def test_forced_over_the_photos_beside_it(self, table, tree, tmp_path):
        tree("a/1.jpg", "b/2.jpg", root=tmp_path)
        table("path,label\na/1.jpg,cat\nb/2.jpg,dog\n")
        assert list_photos(tmp_path).labels() == ["a", "b"]
        assert list_photos(tmp_path, "table").labels() == ["cat", "dog"]


class TestPaths:
    def test_absolute_paths_below_the_table(self, table, tmp_path):
        listing = list_photos(table(f"path,label\n{tmp_path}/a/1.jpg,cat\n"))
        assert (listing.root, listing.records[0].path) == (tmp_path, "a/1.jpg")

    def test_absolute_paths_elsewhere(self, table, tmp_path):
        text = f"path,label\n{tmp_path}/far/a/1.jpg,cat\n{tmp_path}/far/b/2.jpg,dog\n"
        listing = list_photos(table(text, "tables/t.csv"))
        assert listing.root == tmp_path / "far"
        assert [record.path for record in listing.records] == ["a/1.jpg", "b/2.jpg"]

    def test_paths_that_lead_up(self, table, tmp_path):
        listing = list_photos(table("path,label\n../far/1.jpg,cat\nhere.jpg,dog\n", "tables/t.csv"))
        assert listing.root == tmp_path
        assert [record.path for record in listing.records] == ["far/1.jpg", "tables/here.jpg"]

    def test_the_same_photos_however_the_table_is_reached(self, table, tmp_path, monkeypatch):
        path = table("path,label\na/1.jpg,cat\na/./2.jpg,dog\n", "tables/t.csv")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        for way in (path, "../tables/t.csv", "../elsewhere/../tables/t.csv"):
            listing = list_photos(way)
            assert listing.root == tmp_path / "tables"
            assert [record.path for record in listing.records] == ["a/1.jpg", "a/2.jpg"]

    def test_other_files_are_counted(self, table):
        listing = list_photos(table("path,label\n1.jpg,cat\n2.txt,cat\n3,cat\n"))
        assert len(listing.records) == 1
        assert listing.passed_over == {"non-photos (.txt)": 1, "non-photos (no ending)": 1}


class TestMistakes:
    def test_rows_that_repeat_a_photo(self, table):
        listing = list_photos(table("path,label\n1.jpg,cat\n./1.jpg,cat\nx/../1.jpg,cat\n"))
        assert len(listing.records) == 1
        assert listing.passed_over == {"rows that repeat a photo": 2}

    @pytest.mark.parametrize(
        ("column", "one", "other"),
        [("label", "dog", "cat"), ("split", "test", "train"), ("group", "a", "b")],
    )
    def test_rows_that_contradict_each_other(self, table, column, one, other):
        values = {"path": "1.jpg", "label": "dog", "split": "", "group": ""}
        lines = [",".join({**values, column: value}.values()) for value in (one, other)]
        path = table("\n".join([",".join(values), *lines]))
        with pytest.raises(DataError) as caught:
            list_photos(path)
        assert str(caught.value) == (
            f'{path} gives 1.jpg two {column}s, "{one}" and "{other}". Keep one row for each photo.'
        )

    @pytest.mark.parametrize(
        ("text", "missing", "seen"),
        [
            ("name,label\n1.jpg,cat\n", "path", "name, label"),
            ("path,weight\n1.jpg,3\n", "label", "path, weight"),
            ("1.jpg,cat\n2.jpg,dog\n", "label and path", "1.jpg, cat"),
            ("", "label and path", "an empty file"),
        ],
    )
    def test_missing_columns(self, table, text, missing, seen):
        path = table(text)
        with pytest.raises(DataError) as caught:
            list_photos(path)
        assert str(caught.value) == (
            f"{path} lacks the column {missing}. Expected the header path,label[,split,group], "
            f"found: {seen}."
        )

    @pytest.mark.parametrize(
        ("row", "missing"), [(",cat", "path"), ("2.jpg,", "label"), ("2.jpg", "label")]
    )
    def test_empty_cells(self, table, row, missing):
        path = table(f"path,label\n1.jpg,cat\n\n{row}\n")
        with pytest.raises(DataError) as caught:
            list_photos(path)
        assert str(caught.value) == (
            f"{path}, line 4, has no {missing}. Fill it in or delete the row."
        )

    def test_unknown_split(self, table):
        path = table("path,label,split\n1.jpg,cat,train\n2.jpg,cat,trial\n")
        with pytest.raises(DataError) as caught:
            list_photos(path)
        assert str(caught.value) == (
            f'{path}, line 3, has the split "trial". Expected train, val, test or nothing.'
        )

    def test_no_rows(self, table):
        path = table("path,label\n")
        with pytest.raises(DataError) as caught:
            list_photos(path)
        assert str(caught.value) == f"{path} holds no labelled photos (table). {EXPECTED}"

    def test_no_table(self, table):
        path = table("path,label\n1.jpg," + "x" * 140_000)
        with pytest.raises(DataError) as caught:
            list_photos(path)
        assert str(caught.value) == f"{path} is no table: field larger than field limit (131072)."

    def test_no_table_in_a_folder(self, table, tmp_path):
        table("x" * 140_000)
        with pytest.raises(DataError, match="holds no labelled photos that could be recognised"):
            list_photos(tmp_path)

    def test_two_tables(self, table, tmp_path):
        table("path,label\n1.jpg,cat\n", "a.csv")
        table("path,label\n1.jpg,cat\n", "b.csv")
        with pytest.raises(DataError) as caught:
            list_photos(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path} should hold one CSV or TSV with the columns path and label, found a.csv, "
            "b.csv. Give the path of the file itself."
        )

    def test_forced_without_a_table(self, tmp_path):
        with pytest.raises(DataError, match=r"found none\. Give the path of the file itself\."):
            list_photos(tmp_path, "table")


class TestFurtherColumns:
    def test_they_are_kept_by_their_own_names(self, table):
        listing = list_photos(
            table("path,label, Camera ,Width,class,,Camera\n1.jpg,cat,A,9,k,x,C\n2.jpg,dog,B\n")
        )
        assert listing.columns == {"Camera": {"1.jpg": "A", "2.jpg": "B"}}

    def test_a_photo_whose_rows_differ_has_no_value(self, table):
        listing = list_photos(
            table("path,label,x,y\n1.jpg,cat,1,5\n1.jpg,cat,2,5\n1.jpg,cat,1,5\n")
        )
        assert listing.columns == {"x": {"1.jpg": ""}, "y": {"1.jpg": "5"}}

    def test_stray_bytes_become_text(self, table):
        listing = list_photos(table("path,label,place\n1.jpg,cat,Orl\xe9ans\n", encoding="latin-1"))
        assert listing.columns == {"place": {"1.jpg": "Orl\\xe9ans"}}
