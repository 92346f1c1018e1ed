"""A reviewed list of labels: what it changes, and every way in which it can be wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from classeur.config import DataConfig, PreprocessingConfig
from classeur.data.inspect import inspect_listing
from classeur.data.manifest import read_manifest
from classeur.data.prepare import prepare, scan_as
from classeur.data.records import Review
from classeur.errors import ConfigError, DataError

HEAD = "path,label,suggested,score,decision"


@pytest.fixture
def photos(class_folders):
    return class_folders({"ant": 9, "bee": 9, "cat": 9})


@pytest.fixture
def reviewed(tmp_path):
    """`reviewed("ant/0.png,ant,bee,0.1,drop", …)`: the file."""

    def write(*lines: str, head: str = HEAD) -> Path:
        file = tmp_path / "reviewed.csv"
        file.write_text("\n".join([head, *lines]) + "\n")
        return file

    return write


def labels(photos: Path, **options: object) -> dict[str, str]:
    listing = scan_as(DataConfig(photos=str(photos), **{k: str(v) for k, v in options.items()}))
    return {record.path: record.label for record in listing.records}


DECIDED = (
    "ant/0.png,ant,bee,0.1,drop",
    "ant/1.png,ant,bee,0.1,relabel",
    "bee/2.png,bee,ant,0.2,cat",
    "bee/3.png,bee,ant,0.3,keep",
    "bee/4.png,bee,ant,0.3,",
    "bee/5.png,bee,ant,0.3,bee",
    "cat/6.png,cat,ant,0.4, drop ",
)


class TestWhatItChanges:
    def test_relabel(self, photos, reviewed):
        before, after = labels(photos), labels(photos, relabel=reviewed(*DECIDED))
        assert before.keys() - after.keys() == {"ant/0.png", "cat/6.png"}
        changed = {path: label for path, label in after.items() if before[path] != label}
        assert changed == {"ant/1.png": "bee", "bee/2.png": "cat"}

    def test_drop_suspicious(self, photos, reviewed):
        before, after = labels(photos), labels(photos, drop_suspicious=reviewed(*DECIDED))
        assert before.keys() - after.keys() == {"ant/0.png", "ant/1.png", "bee/2.png", "cat/6.png"}
        assert all(before[path] == label for path, label in after.items())

    def test_the_manifest_carries_the_labels(self, photos, reviewed, tmp_path):
        config = DataConfig(photos=str(photos), relabel=str(reviewed(*DECIDED)))
        prepare(config, PreprocessingConfig(size=8), tmp_path / "to")
        manifest = read_manifest(tmp_path / "to" / "manifest.csv")
        assert Counter(row.label for row in manifest.rows) == {"ant": 7, "bee": 9, "cat": 9}

    def test_the_inspection_says_how_many(self, photos, reviewed):
        file = reviewed(*DECIDED)
        found = inspect_listing(scan_as(DataConfig(photos=str(photos), relabel=str(file))))
        assert found.review == Review("reviewed.csv", 2, 2)
        assert found.to_dict()["review"]["relabelled"] == 2
        sentence = "As decided in reviewed.csv, 2 of the photos were dropped and 2 relabelled."
        assert sentence in found.sentences()

    def test_photos_that_other_options_leave_out_may_be_named(self, photos, reviewed):
        listing = scan_as(
            DataConfig(
                photos=str(photos),
                classes=("ant", "bee"),
                relabel=str(reviewed(*DECIDED[:2], DECIDED[-1])),
            )
        )
        assert len(listing.records) == 17
        assert listing.review == Review("reviewed.csv", 1, 1)

    def test_a_byte_order_mark_and_other_columns_do_no_harm(self, photos, reviewed):
        file = reviewed(
            "yes,drop,ant,bee,ant/0.png", head="\ufeffseen,decision,label,suggested,path"
        )
        assert "ant/0.png" not in labels(photos, relabel=file)


class TestWhatIsRefused:
    def message(self, photos: Path, file: Path | str) -> str:
        with pytest.raises(DataError) as caught:
            labels(photos, relabel=file)
        return str(caught.value)

    def test_every_line_that_cannot_be_at_once(self, photos, reviewed):
        file = reviewed(
            "ant/0.png,ant,bee,0.1,drpo",
            "ant/1.png,ant,bee,0.1,relabel",
            "ant/1.png,ant,bee,0.1,relabel",
            "ant/2.png,ant,wasp,0.1,relabel",
            "ant/3.png,ant,bee",
            "ant/99.png,ant,bee,0.1,drop",
            "bee/1.png,ant,bee,0.1,drop",
        )
        assert self.message(photos, file) == (
            f'{file} cannot be applied: line 2: "drpo" is neither keep, drop, relabel nor a label '
            'of the photos. Did you mean "drop"? line 4: ant/1.png is there twice. line 5: "wasp" '
            "is neither keep, drop, relabel nor a label of the photos. line 6 has not one value "
            "for each column. line 7: ant/99.png is not among the photos. line 8: bee/1.png was "
            '"ant" when the list was made, and is "bee" now.'
        )

    def test_of_many_lines_ten_are_named(self, photos, reviewed):
        file = reviewed(*(f"ant/{n}.jpg,ant,bee,0,drop" for n in range(13)))
        message = self.message(photos, file)
        assert message.count("is not among the photos") == 10
        assert message.endswith("And 3 more lines.")

    def test_a_list_that_decides_nothing(self, photos, reviewed):
        file = reviewed("ant/0.png,ant,bee,0.1,", "ant/1.png,ant,bee,0.1,keep")
        assert self.message(photos, file) == (
            f"{file} decides nothing: its column decision is empty or says keep everywhere. Write "
            "drop, relabel or a label there, or leave the option out."
        )

    def test_another_table(self, photos, reviewed):
        file = reviewed("ant/0.png,ant", head="path,label")
        assert self.message(photos, file) == (
            f"{file} is no reviewed list: expected the columns path, label, suggested, decision, "
            "received path, label. `classeur labels` writes one."
        )

    def test_an_empty_file(self, photos, tmp_path):
        (tmp_path / "empty.csv").touch()
        assert "received none." in self.message(photos, tmp_path / "empty.csv")

    def test_a_file_that_is_not_there(self, photos):
        assert self.message(photos, "gone.csv") == (
            "gone.csv cannot be read: No such file or directory."
        )

    def test_a_quote_that_never_ends(self, photos, reviewed):
        file = reviewed('"ant/0.png,ant,bee,0.1,drop')
        assert self.message(photos, file) == (f"{file}, line 1, is no CSV: unexpected end of data.")

    def test_options_that_exclude_each_other(self):
        with pytest.raises(ConfigError) as caught:
            DataConfig(drop_suspicious="a", relabel="a", manifest="m")
        assert caught.value.problems == [
            "drop_suspicious and relabel both say what becomes of wrong labels: choose one of the "
            "two.",
            "drop_suspicious and relabel change nothing with a manifest, which has the labels "
            "already: leave out one or the other.",
        ]
