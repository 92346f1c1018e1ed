"""What machines and people do to a study while it is at work: nothing is lost, all is named."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.conftest import here
from tests.study.conftest import draw_photos

from classeur.data.manifest import read_manifest
from classeur.data.scan import scan
from classeur.data.store import cache_root
from classeur.errors import DataError, StoreError, StudyError
from classeur.exit_codes import INTERRUPTED
from classeur.run_folder import append_json_line, locked, read_json_lines
from classeur.study import score as score_module
from classeur.study import study as module
from classeur.study.process import STUDY
from classeur.study.score import evaluate
from classeur.study.study import run_study
from classeur.study.train import resume, train

__all__ = ["here"]

OPTIONS = {"epochs": 2, "size": 24, "batch_size": 16, "device": "cpu"}
RUNGS = ("majority", "dense")
STORE = 60 * 24 * 24 * 3
"""Bytes of the prepared photos."""


@pytest.fixture
def own(tmp_path) -> Path:
    """Photos that the test may spoil."""
    return draw_photos(tmp_path / "photos")


@contextlib.contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as on a disk that is about to be full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestFullDisk:
    def test_while_photos_are_prepared(self, own, here, tmp_path, monkeypatch):
        monkeypatch.setenv("CLASSEUR_CACHE", str(tmp_path / "cache"))  # not that of other tests
        with disk_of(STORE // 2), pytest.raises(StoreError) as caught:
            run_study(own, RUNGS, to=tmp_path / "binder", **OPTIONS)
        assert str(caught.value).startswith("the disk is full while preparing photos at ")
        assert list((cache_root() / "stores").iterdir()) == []
        assert not (tmp_path / "binder").exists()
        assert run_study(own, RUNGS, to=tmp_path / "binder", **OPTIONS).binder.is_file()

    def test_while_a_rung_trains(self, own, here, tmp_path):
        calm = run_study(own, RUNGS, to=tmp_path / "calm", **OPTIONS)
        with disk_of(2 * STORE):
            full = run_study(own, RUNGS, to=tmp_path / "full", **OPTIONS)
        assert list(full.report.failed) == ["dense"]
        reason = full.report.failed["dense"]
        assert reason.startswith(f"cannot write {full.folder / 'dense'}")
        left = [path.name for path in (full.folder / "dense").iterdir()]
        assert not [name for name in left if name.endswith(".unfinished")]

        again = run_study(own, RUNGS, to=full.folder, **OPTIONS)
        assert again.report.failed == {}
        for name in ("model.safetensors", "predictions.parquet"):
            whole = (calm.folder / "dense" / name).read_bytes()
            assert (again.folder / "dense" / name).read_bytes() == whole

    def test_while_the_binder_is_written(self, own, here, tmp_path, monkeypatch):
        study = run_study(own, ("majority",), to=tmp_path / "binder", **OPTIONS)
        before = study.binder.read_bytes()
        write = module.write_study_report

        def on_a_full_disk(report, folder) -> None:
            with disk_of(1000):
                write(report, folder)

        monkeypatch.setattr(module, "write_study_report", on_a_full_disk)
        with pytest.raises(OSError, match="File too large") as caught:
            run_study(own, RUNGS, to=study.folder, **OPTIONS)
        assert Path(caught.value.filename).parent == study.folder
        assert study.binder.read_bytes() == before
        monkeypatch.undo()
        again = run_study(own, RUNGS, to=study.folder, **OPTIONS)
        assert {sheet.name for sheet in again.report.rungs} == set(RUNGS)

    def test_an_opening_is_recorded_whole_or_not_at_all(self, tmp_path):
        file = tmp_path / "openings.jsonl"
        append_json_line(file, {"reason": "end of training"})
        size = file.stat().st_size
        with disk_of(size + 5), pytest.raises(OSError, match="No space left on device"):
            append_json_line(file, {"reason": "evaluate"})
        assert file.stat().st_size == size
        append_json_line(file, {"reason": "evaluate"})
        assert [row["reason"] for row in read_json_lines(file)] == ["end of training", "evaluate"]


class TestOtherPhotos:
    """Photos that vanish, appear or change between the scan and a later look at them."""

    def replace(self, photos: Path, name: str) -> None:
        Image.new("RGB", (24, 24), "red").save(photos / name)

    def test_between_two_calls_of_a_study(self, own, here, tmp_path):
        folder = run_study(own, ("majority",), to=tmp_path / "binder", **OPTIONS).folder
        whole = (folder / "index.html").read_bytes()
        for spoil, said in (
            (lambda: self.replace(own, "left/3.png"), "1 is changed (left/3.png)"),
            ((own / "left" / "3.png").unlink, "1 is gone (left/3.png)"),
            (lambda: self.replace(own, "right/99.png"), "1 is new (right/99.png)"),
        ):
            kept = shutil.copytree(own, tmp_path / "kept")
            spoil()
            message = f"{folder} holds a study of other photos, or of another split: {said}"
            with pytest.raises(StudyError, match=re.escape(message)):
                run_study(own, RUNGS, to=folder, **OPTIONS)
            shutil.rmtree(own)
            kept.rename(own)
        assert (folder / "index.html").read_bytes() == whole
        assert len(run_study(own, RUNGS, to=folder, **OPTIONS).report.rungs) == 2

    def test_between_training_and_what_follows_it(self, own, here, tmp_path):
        run = train(own, "majority", to=tmp_path / "run", **OPTIONS)
        run.report.unlink()
        self.replace(own, "left/3.png")
        (own / "right" / "4.png").unlink()
        for act in (lambda: resume(run.path), lambda: evaluate(run.path)):
            with pytest.raises(DataError, match=r"are not there: right/4\.png\. Expected the very"):
                act()
        self.replace(own, "right/4.png")
        with pytest.raises(DataError, match=r"have changed since: left/3\.png, right/4\.png"):
            evaluate(run.path)

    def test_while_a_study_trains(self, own, here, tmp_path, monkeypatch, messages):
        """The pixels are prepared by then: the scores are those of the photos that were scanned."""
        calm = run_study(own, RUNGS, to=tmp_path / "calm", **OPTIONS)
        work = module._in_own_process

        def after_a_change(run, material) -> str:
            for file in own.rglob("*.png"):
                self.replace(own, str(file.relative_to(own)))
            return work(run, material)

        monkeypatch.setattr(module, "_in_own_process", after_a_change)
        study = run_study(own, RUNGS, to=tmp_path / "binder", **OPTIONS)
        for name in ("manifest.csv", "dense/model.safetensors", "dense/predictions.parquet"):
            assert (study.folder / name).read_bytes() == (calm.folder / name).read_bytes()
        # No page shows the photo that took another's place under its name.
        assert study.report.samples == {"left": [], "middle": [], "right": []}
        page = (study.folder / "dense" / "report.html").read_text()
        assert page.count("data:image/png") == (calm.folder / "dense" / "report.html").read_text(
        ).count("data:image/png")  # fmt: skip
        said = [line for line in messages if "has changed since it was scanned" in line]
        assert any(line.endswith("it is shown as it was prepared") for line in said)
        assert any(line.endswith("it is not shown") for line in said)

    def test_while_other_photos_are_scored(self, own, here, tmp_path, monkeypatch):
        run = train(own, "majority", to=tmp_path / "run", **OPTIONS)
        others = shutil.copytree(own, tmp_path / "others")

        def scan_and_change(folder):
            listing = scan(folder)
            self.replace(others, "left/3.png")
            return listing

        monkeypatch.setattr(score_module, "scan", scan_and_change)
        score = score_module.evaluate(run.path, others)
        assert [(item.path, item.reason) for item in score.unreadable] == [
            ("left/3.png", "has changed since it was scanned")
        ]
        assert len(score.predictions.paths) == 59


class TestNotAllowed:
    """As a user who is not root, for root may read and write everything."""

    @pytest.fixture
    def open_place(self) -> Iterator[Path]:
        root = Path(tempfile.mkdtemp(prefix="classeur-test-"))
        root.chmod(0o755)
        yield root
        for folder in root.rglob("*"):
            if folder.is_dir():
                folder.chmod(0o755)
        shutil.rmtree(root)

    @pytest.fixture
    def as_anybody(self, cache) -> Iterator[Callable[[], contextlib.AbstractContextManager[None]]]:
        @contextlib.contextmanager
        def become() -> Iterator[None]:
            if os.geteuid() != 0:
                yield
                return
            os.seteuid(65534)
            try:
                yield
            finally:
                os.seteuid(0)

        return become

    def test_a_class_folder_that_becomes_unreadable(
        self, open_place, here, as_anybody, tmp_path, monkeypatch
    ):
        photos = draw_photos(open_place / "photos")
        (open_place / "cache" / "stores").mkdir(parents=True)
        (open_place / "cache" / "stores").chmod(0o777)
        monkeypatch.setenv("CLASSEUR_CACHE", str(open_place / "cache"))
        folder = run_study(photos, ("majority",), to=tmp_path / "binder", **OPTIONS).folder
        (photos / "left").chmod(0)
        message = "20 are gone (left/0.png, left/1.png, left/2.png, left/3.png, left/4.png, …)"
        # Their folder is a finding of the scan; without them, the study is of other photos.
        with as_anybody():
            material = module.gather(*sections(photos))
        with pytest.raises(StudyError) as caught:
            module.begin_study(folder, material, [], module.read_definition("standard"))
        assert message in str(caught.value)
        assert len(read_manifest(folder / "manifest.csv").rows) == 60

    def test_an_output_folder_that_may_not_be_written(self, open_place, as_anybody):
        for make in (
            lambda: module.make_folder(open_place / "binder", []),
            lambda: enter(open_place),
        ):
            with as_anybody(), pytest.raises((StudyError, PermissionError)) as caught:
                make()
            assert "Permission denied" in str(caught.value)
            assert list(open_place.iterdir()) == []


def sections(photos: Path):
    from classeur.study.train import configure

    config = configure("majority", photos, **OPTIONS)
    return config.data, config.preprocessing


def enter(folder: Path) -> None:
    with locked(folder):
        pass


def test_a_rung_that_starts_when_its_study_is_dead_does_nothing(study, photos, tmp_path):
    """It is told of a death that it lives to see; this one came while Python was starting."""
    run = shutil.copytree(study.folder / "dense", tmp_path / "run")
    for name in ("report.html", "metrics.json", "training.json"):
        (run / name).unlink()
    command = [sys.executable, "-m", "classeur.study.rung", str(run), "store", str(photos)]
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    started_by = {**os.environ, STUDY: str(dead.pid)}
    assert subprocess.run(command, env=started_by, check=False).returncode == INTERRUPTED
    assert not (run / "training.json").exists()
    assert not (run / "failure.json").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_studies_on_one_folder(own, cache, tmp_path):
    """The second is refused, with the number of the first, which goes on unharmed."""
    command = [sys.executable, "-m", "classeur", "study", str(own), "--to", str(tmp_path / "b")]
    command += ["--rungs", "majority,dense", "--epochs=2", "--size=24", "--device=cpu"]
    both = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=800)[1] for process in both]
    codes = [process.returncode for process in both]
    first, second = (0, 1) if codes[0] == 0 else (1, 0)
    assert sorted(codes) == [0, 1], said
    number = both[first].pid
    message = f"another process ({number}) is at work on {tmp_path / 'b'}. Wait for it, or end it"
    assert message in said[second]
    assert (tmp_path / "b" / "index.html").is_file()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_study_that_is_killed_three_times_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    """The script does it twenty times: `benchmarks/faults.py`."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import faults

    record = faults.disturb(3, 0, tmp_path)
    assert sum(record.injected.values()) == 3
    assert record.differences == []
    assert not record.strays
