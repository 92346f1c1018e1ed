"""The routes: what is there, what is refused, and files that are not what they should be."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from starlette.testclient import TestClient

from classeur.board import finding, reading, watcher
from classeur.data.manifest import read_manifest
from classeur.errors import RunFolderError
from classeur.evaluation.predictions import read_predictions
from classeur.run_folder import RunFolder, is_locked, locked

Made = Callable[..., TestClient]
STUDY = "un%20classeur"
DENSE, MAJORITY, CONV3 = (f"{STUDY}/{name}" for name in ("dense", "majority", "conv3"))


def runs_of(client: TestClient) -> dict[str, dict[str, Any]]:
    answer = client.get("/api/runs")
    assert answer.status_code == 200
    return {run["id"]: run for run in answer.json()["runs"]}


def test_a_study_and_its_runs(client: Made) -> None:
    found = runs_of(client())
    assert set(found) == {STUDY, DENSE, MAJORITY, CONV3}
    study, dense = found[STUDY], found[DENSE]
    assert (study["kind"], study["state"], study["done"], study["total"]) == (
        "study", "finished", 2, 3,
    )  # fmt: skip
    assert study["name"] == "un classeur"
    assert study["chosen"] == "dense"
    assert study["pages"] == ["index.html"]
    assert (dense["state"], dense["epoch"], dense["epochs"], dense["group"]) == (
        "finished", 3, 3, STUDY,
    )  # fmt: skip
    assert dense["comparable"]
    assert 0 <= dense["val_accuracy"] <= 1
    assert found[CONV3]["state"] == "failed"
    assert "conv3" in found[CONV3]["reason"]
    assert found[CONV3]["test_accuracy"] is None


def test_a_study_is_a_folder_of_runs_itself(client: Made, runs: Path) -> None:
    board = client(runs / "un classeur")
    assert set(runs_of(board)) == {"", "dense", "majority", "conv3"}
    assert board.get("/files/index.html").text.startswith("<!doctype html>")
    assert board.get("/api/study", params={"id": ""}).json()["conclusion"]


def wait_for(board: TestClient, state: str) -> None:
    """Look until the dense run is in a state: the board does not look at every request."""
    until = time.monotonic() + 30
    while (found := runs_of(board)[DENSE]["state"]) != state:
        assert time.monotonic() < until, found
        time.sleep(0.05)


def test_states_of_runs_at_work(client: Made, runs: Path) -> None:
    board, dense = client(), runs / "un classeur" / "dense"
    for name in ("report.html", "metrics.json", "training.json"):
        (dense / name).unlink()
    assert runs_of(board)[DENSE]["state"] == "interrupted"
    with locked(dense.parent):
        wait_for(board, "waiting")
        with locked(dense):
            wait_for(board, "running")
            found = runs_of(board)
            assert found[DENSE]["state"] == found[STUDY]["state"] == "running"
            assert (found[DENSE]["stage"], found[DENSE]["seconds_left"]) == ("training", 0.0)
            (dense / "training.json").write_text("{}")
            time.sleep(0.1)
            assert runs_of(board)[DENSE]["stage"] == "scoring"
    time.sleep(0.1)
    assert runs_of(board)[STUDY]["state"] == "finished"


def test_rungs_that_are_not_begun(client: Made, runs: Path) -> None:
    folder = runs / "un classeur"
    shutil.rmtree(folder / "majority")
    shutil.rmtree(folder / "conv3")
    told = json.loads((folder / "comparison.json").read_text())
    (folder / "comparison.json").write_text(json.dumps({**told, "skipped": {"conv3": "no <b>"}}))
    found = runs_of(client())[STUDY]
    assert found["others"] == {"majority": "", "conv3": "no <b>"}
    assert (found["done"], found["total"]) == (1, 2)


def test_of_many_rungs_the_first_are_shown(client: Made, runs: Path) -> None:
    rungs = [f"r{number}" for number in range(1000)] + ["x" * 5000]
    (runs / "un classeur" / "study.toml").write_text(f"rungs = {json.dumps(rungs)}")
    found = runs_of(client())[STUDY]
    assert list(found["others"]) == rungs[:200]
    assert (found["more_others"], found["total"]) == (801, 1004)


def test_a_state_is_written_once_for_all_who_ask(
    client: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def counted(state: Any) -> dict[str, Any]:
        written.append(state.id)
        return asdict(state)

    monkeypatch.setattr(watcher, "asdict", counted)
    board = client()
    for _ in range(3):
        assert len(runs_of(board)) == 4
        time.sleep(0.1)
    assert len(written) == 4


def test_numbers_that_are_none_do_not_silence_the_board(client: Made, runs: Path) -> None:
    config = f'recipe = "x"\n[training]\nepochs = 0x{"f" * 9000}\n'
    (runs / "un classeur" / "dense" / "config.toml").write_text(config)
    assert runs_of(client())[DENSE]["epochs"] == 0


def test_to_look_disturbs_no_training(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    for _ in range(100):
        with locked(tmp_path):
            pass
        is_locked(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.toml", "epochs = [", "TOMLDecodeError"),
        ("config.toml", "a = " + "[" * 5000, "cannot be read"),
        ("history.csv", "epoch,train_loss\n1,", "cannot be read"),
        ("history.csv", "epoch\x00\n\xff\xfe", ""),
        ("metrics.json", '{"splits": [', "cannot be read as JSON"),
        ("metrics.json", '{"splits": [1, 2]}', "TypeError"),
        ("metrics.json", "[" * 200_000, "cannot be read"),
        ("metrics.json", '{"splits": {"val": {}}}', "KeyError"),
    ],
)
def test_a_broken_file_is_a_line_with_its_reason(
    client: Made, runs: Path, file: str, content: str, reason: str
) -> None:
    (runs / "un classeur" / "dense" / file).write_text(content, errors="surrogateescape")
    board = client()
    found = runs_of(board)
    assert found[DENSE]["state"] == ("broken" if reason else found[DENSE]["state"])
    assert reason in found[DENSE]["reason"]
    assert found[MAJORITY]["state"] == "finished"
    assert board.get("/api/run", params={"id": DENSE}).status_code in (200, 409)
    assert board.get("/api/study", params={"id": STUDY}).status_code == 200


def test_figures_that_are_no_numbers_are_none(client: Made, runs: Path) -> None:
    dense = runs / "un classeur" / "dense"
    text = (dense / "history.csv").read_text().splitlines()
    (dense / "history.csv").write_text("\n".join([text[0], "1,nan,inf,-inf,nan,0.1,1"]))
    told = json.loads((dense / "metrics.json").read_text())
    told["splits"]["test"]["accuracy"]["value"] = float("nan")
    (dense / "metrics.json").write_text(json.dumps(told))
    board = client()
    assert runs_of(board)[DENSE]["test_accuracy"] is None
    row = board.get("/api/run", params={"id": DENSE}).json()["history"][0]
    assert (row["train_loss"], row["val_accuracy"]) == (None, None)


def test_a_huge_file_is_not_read(client: Made, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reading.LARGEST, "config.toml", 1000)
    reason = runs_of(client())[DENSE]["reason"]
    assert reason.startswith("config.toml has 1,")
    assert reason.endswith("bytes; that of a run or study has at most 1,000.")


@pytest.mark.parametrize("part", ["a", '"a b"', "',='", "1", '"\\""'])
def test_a_key_too_deep_is_not_parsed(client: Made, runs: Path, part: str) -> None:
    deep = " . ".join([part] * 5000) + " = 1"
    (runs / "un classeur" / "dense" / "config.toml").write_text(deep)
    began = time.monotonic()
    reason = runs_of(client())[DENSE]["reason"]
    assert reason == "config.toml has a key of more than 32 parts."
    assert time.monotonic() - began < 3


def test_a_file_that_has_grown_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reading.LARGEST, "config.toml", 10)
    (tmp_path / "config.toml").write_text("a = 12345678")
    with pytest.raises(RunFolderError, match=r"config\.toml has more than 10 bytes"):
        reading.read_toml(tmp_path / "config.toml")


def test_pipes_and_links_are_not_followed(client: Made, runs: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.move(runs / "un classeur" / "dense", outside)
    (runs / "link").symlink_to(outside)
    (runs / "loop").symlink_to(runs)
    majority = runs / "un classeur" / "majority"
    (majority / "history.csv").unlink(missing_ok=True)
    os.mkfifo(majority / "history.csv")
    (majority / ".lock").unlink()
    os.mkfifo(majority / ".lock")
    (majority / "report.html").unlink()
    (majority / "report.html").symlink_to(outside / "report.html")
    (majority / "figures").mkdir(exist_ok=True)
    (majority / "figures" / "x.svg").symlink_to(outside / "report.html")
    board = client()
    found = runs_of(board)
    assert set(found) == {STUDY, MAJORITY, CONV3}
    assert found[MAJORITY]["state"] == "interrupted"
    for path in ("report.html", "figures/x.svg"):
        assert board.get(f"/files/{MAJORITY}/{path}").status_code == 404
    assert board.get("/files/link/report.html").status_code == 404


def test_too_many_folders_are_said_to_be(client: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST_FOLDERS", 2)
    answer = client().get("/api/runs").json()
    assert answer["cut"]
    assert len(answer["runs"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/files/../../etc/passwd", "/files/%2e%2e/%2e%2e/etc/passwd", "/files/..%2f..%2fpasswd",
        f"/files/{STUDY}/../{STUDY}/manifest.csv", f"/files/{STUDY}/manifest.csv", "/files/",
        f"/files/{DENSE}/config.toml", f"/files/{DENSE}/model.safetensors", "/files/index.html",
        f"/files/{DENSE}/figures/..%2freport.html", f"/files/{DENSE}/figures/%2e%2e.svg",
        f"/files/{DENSE}/figures/..%2f..%2fx.svg", f"/files/{DENSE}", f"/files/{DENSE}/",
        "/files//etc/passwd", "/files/%00", f"/files/{STUDY}/figures", "/files/%ff/index.html",
        f"/files/{DENSE}/figures/%00.svg", f"/files/{DENSE}/figures/{'x' * 300}.svg",
    ],
)  # fmt: skip
def test_nothing_but_pages_of_runs_is_sent(client: Made, path: str) -> None:
    assert client().get(path).status_code == 404


def test_pages_of_runs_run_no_script_of_theirs(client: Made) -> None:
    board = client()
    for path, kind in (
        (f"{STUDY}/index.html", "text/html; charset=utf-8"),
        (f"{DENSE}/report.html", "text/html; charset=utf-8"),
        (f"{DENSE}/README.md", "text/plain; charset=utf-8"),
        (f"{DENSE}/figures/loss.svg", "image/svg+xml"),
    ):
        answer = board.get(f"/files/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-security-policy"].startswith("sandbox allow-same-origin; ")


def test_links_inside_the_binder_lead_somewhere(client: Made) -> None:
    board = client()
    assert 'href="dense/report.html"' in board.get(f"/files/{STUDY}/index.html").text
    sheet = board.get(f"/files/{DENSE}/report.html")
    assert 'href="../index.html"' in sheet.text


def test_names_that_are_no_text(client: Made, runs: Path) -> None:
    strange = os.fsencode(runs) + b"/\xff<script>"
    os.rename(runs / "un classeur" / "dense", strange)  # noqa: PTH104
    board = client()
    found = runs_of(board)["%FF%3Cscript%3E"]
    assert (found["name"], found["state"], found["group"]) == ("\\xff<script>", "finished", "")
    assert board.get("/files/%ff%3cscript%3E/report.html").status_code == 200
    assert board.get("/api/run", params={"id": "%FF%3Cscript%3E"}).status_code == 200


def compare(board: TestClient, **changed: Any) -> Any:
    asked = {"first": DENSE, "second": MAJORITY, **changed}
    return board.get("/api/compare", params=asked)


def test_two_runs_photo_by_photo(client: Made, runs: Path) -> None:
    board = client()
    both = [
        read_predictions(runs / "un classeur" / name / "predictions.parquet").of_split("test")
        for name in ("dense", "majority")
    ]
    found = compare(board).json()
    first, second = (some.correct for some in both)
    assert found["counts"] == {
        "first": (first & ~second).sum(), "second": (second & ~first).sum(),
        "both": (first & second).sum(), "neither": (~first & ~second).sum(),
    }  # fmt: skip
    assert sum(found["counts"].values()) == found["photos"] == len(first)
    told = json.loads((runs / "un classeur" / "comparison.json").read_text())["pairs"][0]
    assert found["p"] == pytest.approx(told["p_value"])
    assert found["difference"] == pytest.approx(list(told["difference"].values()))
    paths = both[0].paths
    wanted = {path for path, right in zip(paths, first & ~second, strict=True) if right}
    assert {photo["path"] for photo in found["photos_of"]} == wanted
    rows = read_manifest(runs / "un classeur" / "dense" / "manifest.csv").rows
    for photo in found["photos_of"]:
        assert rows[photo["row"]].path == photo["path"]
        assert rows[photo["row"]].label == photo["label"] == photo["said"][0]["label"]
        assert [said["right"] for said in photo["said"]] == [True, False]
        at = paths.index(photo["path"])
        for said, some in zip(photo["said"], both, strict=True):
            assert said["probability"] == pytest.approx(float(some.probabilities[at].max()))
    assert compare(board, page=1).json()["photos_of"] == []
    assert compare(board, split="val").json()["split"] == "val"


def test_what_cannot_be_compared_says_why(client: Made, runs: Path) -> None:
    board = client()
    assert compare(board, second=CONV3).json() == {
        "error": "conv3 keeps no predictions: it has not been scored yet."
    }
    assert compare(board, second="nobody").status_code == 404
    assert compare(board, split="train").json()["error"].startswith("split is one of test, val;")
    assert compare(board, cell="x").status_code == compare(board, page=-1).status_code == 422
    manifest = runs / "un classeur" / "majority" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",val,", ",test,", 1))
    time.sleep(0.1)
    os.utime(runs / "un classeur" / "majority")
    answer = compare(board)
    assert answer.status_code == 409
    assert answer.json()["error"] == (
        "dense and majority had different photos, labels or splits: 1 photos differ. Runs of one "
        "study can be compared, and runs with the same --manifest."
    )


@pytest.mark.parametrize("kind", ["text", "empty", "other", "rows"])
def test_broken_predictions_say_why(client: Made, runs: Path, kind: str) -> None:
    file = RunFolder(runs / "un classeur" / "majority").predictions
    table = pq.read_table(file)
    file.unlink()
    if kind == "text":
        file.write_text("PAR1 no table PAR1")
    elif kind == "empty":
        file.touch()
    elif kind == "other":
        pq.write_table(pa.table({"a": [1]}), file)
    else:
        pq.write_table(table.slice(0, len(table) - 2), file)
    answer = compare(client())
    assert answer.status_code == 409
    assert "read" in answer.json()["error"] or "different" in answer.json()["error"]


def test_photos_are_those_of_the_manifest_drawn_anew(
    client: Made, runs: Path, photos: Path
) -> None:
    board = client()
    row = read_manifest(runs / "un classeur" / "dense" / "manifest.csv").rows[0]
    answer = board.get("/photo", params={"run": DENSE, "row": 0})
    assert answer.headers["content-type"] == "image/png"
    shown = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
    assert (shown == np.asarray(Image.open(photos / row.path).convert("RGB"))).all()
    for wrong in (-1, 10**6):
        assert board.get("/photo", params={"run": DENSE, "row": wrong}).status_code == 404
    assert board.get("/photo", params={"run": DENSE, "row": "x"}).status_code == 422
    assert board.get("/photo", params={"run": STUDY, "row": 0}).status_code == 404


def test_a_manifest_cannot_name_any_picture_of_the_machine(
    client: Made, runs: Path, photos: Path
) -> None:
    manifest = runs / "un classeur" / "dense" / "manifest.csv"
    secret = photos.parent / "secret.png"
    Image.new("RGB", (9, 9), "red").save(secret)
    text = manifest.read_text()
    row = read_manifest(manifest).rows[0]

    def asked(changed: str) -> Any:
        manifest.write_text(changed)
        os.utime(manifest.parent)
        return client().get("/photo", params={"run": DENSE, "row": 0})

    assert (
        "leads out of the folder" in asked(text.replace(row.path, "../secret.png")).json()["error"]
    )
    assert "leads out of the folder" in asked(text.replace(row.path, str(secret))).json()["error"]
    no_hash = asked(text.replace(row.sha256, "")).json()["error"]
    assert no_hash == "this photo has no hash in the manifest to know it by."
    other = asked(text.replace(row.sha256, "0" * 64)).json()["error"]
    assert other == "this photo has changed since it was scanned."


def test_only_names_of_this_machine_are_answered_without_a_token(client: Made) -> None:
    board = client()
    for host in ("127.0.0.1:8001", "localhost:1", "[::1]:8001", "10.0.0.1", "a.localhost"):
        assert board.get("/api/runs", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", "evil.example:8001", "127.0.0.1.evil.example", "localhost.evil.x"):
        answer = board.get("/api/runs", headers={"Host": host})
        assert (answer.status_code, answer.json()) == (
            403, {"error": "this board is not known by that name."},
        ), host  # fmt: skip


def test_pages_of_other_sites_may_only_link_here(client: Made) -> None:
    board = client()
    other = {"Sec-Fetch-Site": "cross-site"}
    assert board.get("/api/runs", headers=other).status_code == 403
    assert board.get("/photo?run=x&row=0", headers=other).status_code == 403
    assert board.get("/", headers={**other, "Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert board.delete("/api/runs").status_code == 405
    assert board.get("/").headers["content-security-policy"].startswith("default-src 'none'; ")


def test_the_token_is_asked_once_and_kept_in_a_cookie(client: Made) -> None:
    board = client(token="secret")
    for path in ("/api/runs", "/api/events", f"/files/{STUDY}/index.html", "/photo?run=x&row=0"):
        assert board.get(path).status_code == 401
    assert board.get("/").status_code == board.get("/web/board.js").status_code == 200
    for wrong in ("Bearer guess", "Basic secret", "Bearer é", ""):
        shown = {"Authorization": wrong.encode()}
        assert board.post("/enter", headers=shown).json() == {
            "error": "that is not this board's token."
        }
    board.cookies.set("classeur-board", "secret")
    assert board.get("/api/runs").status_code == 401
    board.cookies.clear()
    answer = board.post("/enter", headers={"Authorization": "Bearer secret"})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert "secret" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert board.get("/api/runs").status_code == 200
    named = {"Authorization": "Bearer secret", "Host": "board.example"}
    assert client(token="secret").get("/api/runs", headers=named).status_code == 200


def test_what_changed_since_a_mark(client: Made, runs: Path) -> None:
    board = client()
    first = board.get("/api/runs").json()
    assert first["whole"]
    same = board.get("/api/runs", params={"since": first["mark"]}).json()
    assert (same["whole"], same["runs"], same["gone"]) == (False, [], [])
    shutil.rmtree(runs / "un classeur" / "conv3")
    (runs / "new").mkdir()
    (runs / "new" / "config.toml").write_text('recipe = "x"\n[training]\nepochs = 9\n')
    time.sleep(0.1)
    news = board.get("/api/runs", params={"since": first["mark"]}).json()
    assert news["gone"] == [CONV3]
    assert {run["id"] for run in news["runs"]} == {"new", STUDY}
    name = first["mark"].split("-")[0]
    for other in ("", "abc-1", "x", f"{name}-x", f"{name}-", f"{name}-{'9' * 5000}", f"{name}-²"):
        assert board.get("/api/runs", params={"since": other}).json()["whole"]


def test_a_thousand_runs_are_quick(client: Made, runs: Path, study: Path) -> None:
    for number in range(1000):
        folder = runs / f"{number:04}"
        folder.mkdir()
        for name in ("config.toml", "history.csv", "metrics.json", "report.html", "training.json"):
            os.link(study / "dense" / name, folder / name)
        os.utime(folder, (0, 0))
    board = client()
    assert len(runs_of(board)) == 1004
    time.sleep(2)
    began = time.monotonic()
    assert len(runs_of(board)) == 1004
    assert time.monotonic() - began < 1
