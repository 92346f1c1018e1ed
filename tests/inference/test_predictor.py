"""A trained run classifies photos that it has never seen."""

from __future__ import annotations

import dataclasses
import functools
import io
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.inference.conftest import NAMES

from classeur.data.reader import MAX_BYTES
from classeur.errors import InferenceError, RunFolderError, UnreadablePhotoError
from classeur.inference.predictor import Photo, Prediction, Predictor
from classeur.inference.sources import find_sources
from classeur.models.novelty import Known, Novelty, watching
from classeur.run_folder import RunFolder

Encode = Callable[..., bytes]


def answer(predictor: Predictor, photo: Photo, **options: Any) -> Prediction:
    (one,) = predictor.predict([photo], **options)
    return one


def assert_same(one: Prediction, other: Prediction, tolerance: float = 1e-6) -> None:
    assert not one.error
    assert not other.error
    ours, theirs = dict(one.top), dict(other.top)
    assert ours.keys() == theirs.keys()
    assert ours == pytest.approx(theirs, abs=tolerance)
    assert one.label == other.label


def test_the_same_photo_in_any_form_gets_the_same_answer(
    predictor: Predictor, photo: Image.Image, png: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(png)
    forms: list[Photo] = [
        path, str(path), png, np.asarray(photo), photo, lambda: png, lambda: np.asarray(photo),
        functools.partial(Image.open, path),
    ]  # fmt: skip
    answers = list(predictor.predict(forms, top_k=4))
    for other in answers[1:]:
        assert_same(answers[0], other)
    assert [a.path for a in answers] == [str(path), str(path), "", "", "", "", "", ""]


def test_an_answer_names_the_classes_best_first(predictor: Predictor, png: bytes) -> None:
    found = answer(predictor, png, top_k=4)
    assert {name for name, _ in found.top} == set(predictor.class_names)
    probabilities = [p for _, p in found.top]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-6)
    assert (found.label, found.probability) == found.top[0]
    assert answer(predictor, png, top_k=2).top == found.top[:2]
    assert answer(predictor, png, top_k=99).top == found.top
    none = answer(predictor, png, top_k=0)
    assert (none.label, none.top) == (found.label, ())


def test_prediction_sees_the_pixels_that_training_saw(
    predictor: Predictor, photo: Image.Image, png: bytes
) -> None:
    from classeur.data.geometry import Geometry

    prepared, _ = Geometry(16).open(png)  # what the store holds
    expected = predictor.probabilities(prepared[None])[0]
    ((_, row, *_),) = predictor.rows([png])
    np.testing.assert_allclose(row, expected, atol=1e-6)


def test_preparing_and_answering_apart_is_predicting(predictor: Predictor, png: bytes) -> None:
    pixels = np.stack([predictor.prepared(png)] * 2)
    rule = predictor.rule(abstain_below=0.999, max_error=None)
    for apart in predictor.answers(pixels, top_k=2, rule=rule):
        assert_same(apart, answer(predictor, png, top_k=2))
        assert apart.unsure
    with pytest.raises(UnreadablePhotoError, match=r"is empty \(0 bytes\)"):
        predictor.prepared(b"")


def test_an_answer_apart_that_is_no_number(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "probabilities", lambda pixels: np.full((1, 4), np.nan))
    (bad,) = predictor.answers(np.zeros((1, 16, 16, 3), np.uint8))
    assert (bad.label, bad.error) == ("", "the network gives it no finite probability")


def test_threads_take_turns_at_the_network(predictor: Predictor, png: bytes) -> None:
    expected = answer(predictor, png, top_k=4)
    with ThreadPoolExecutor(4) as pool:
        heats = [pool.submit(predictor.explain, png, "cat") for _ in range(6)]
        said = [pool.submit(answer, predictor, png, top_k=4) for _ in range(6)]
    for one in said:
        assert_same(one.result(), expected)
    for heat in heats:
        np.testing.assert_allclose(heat.result(), heats[0].result(), atol=1e-5)


def test_a_heat_map_of_a_stated_size(predictor: Predictor, png: bytes) -> None:
    whole, small = predictor.explain(png, "cat"), predictor.explain(png, "cat", side=36)
    assert (whole.shape, small.shape) == ((48, 72), (24, 36))
    assert predictor.explain(png, "cat", side=500).shape == (48, 72)
    shrunk = whole.reshape(24, 2, 36, 2).mean(axis=(1, 3))
    assert np.abs(small - shrunk).mean() < 0.05


def test_the_order_is_kept_over_many_batches(predictor: Predictor) -> None:
    shades = [np.full((9, 9, 3), shade, np.uint8) for shade in range(0, 250, 5)]
    alone = [answer(predictor, shade, top_k=4) for shade in shades]
    together = list(predictor.predict(shades, top_k=4, batch_size=7))
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other, 1e-5)


def test_unreadable_files_are_rows_among_the_good_ones(predictor: Predictor, folder: Path) -> None:
    names = ["2.png", "empty.jpg", "10.png", "page.jpg", "gone.jpg", "deep", "notes.txt", "2.png"]
    found = list(predictor.predict([folder / name for name in names], batch_size=3))
    assert [Path(one.path).name for one in found] == names
    assert [one.error for one in found] == [
        "",
        "is empty (0 bytes)",
        "",
        "is an HTML page, not a photo",
        "does not exist",
        "is a folder, not a photo",
        "is not a photo in any known format (JPEG, PNG, WebP, BMP, GIF, TIFF), "
        "or its head is cut off",
        "",
    ]
    for one in found:
        assert bool(one.label) is bool(one.top) is (not one.error)
        assert (one.probability > 0) is (not one.error)
    assert_same(found[0], found[-1])


def test_a_batch_without_a_single_photo(predictor: Predictor) -> None:
    found = list(predictor.predict([b"", b"", b""], batch_size=2))
    assert [one.error for one in found] == ["is empty (0 bytes)"] * 3


def test_no_photos_no_answers(predictor: Predictor) -> None:
    assert list(predictor.predict([])) == []


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 7)), np.zeros((2, 2, 2, 3)), np.full((4, 4), np.nan), np.array("x")]
)
def test_an_array_that_is_no_photo(predictor: Predictor, array: np.ndarray) -> None:
    assert answer(predictor, array).error


def test_a_jpeg_taken_with_the_camera_turned(
    encode: Encode, predictor: Predictor, photo: Image.Image
) -> None:
    stored = photo.transpose(Image.Transpose.ROTATE_90)  # EXIF 6: show it turned to the right
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = answer(predictor, encode(stored, "JPEG", quality=98, exif=exif), top_k=4)
    upright = answer(predictor, encode(photo, "JPEG", quality=98), top_k=4)
    lying = answer(predictor, encode(stored, "JPEG", quality=98), top_k=4)
    assert_same(turned, upright, 0.01)
    assert dict(lying.top) != pytest.approx(dict(upright.top), abs=0.03)


def test_a_16_bit_png(encode: Encode, predictor: Predictor, photo: Image.Image) -> None:
    grey = np.asarray(photo.convert("L"))
    deep = encode(Image.fromarray(grey.astype(np.uint16) * 257))
    assert Image.open(io.BytesIO(deep)).mode.startswith("I")
    assert_same(answer(predictor, deep, top_k=4), answer(predictor, grey, top_k=4))


def test_a_cmyk_jpeg(encode: Encode, predictor: Predictor, photo: Image.Image) -> None:
    printed = encode(photo.convert("CMYK"), "JPEG", quality=98)
    assert_same(answer(predictor, printed, top_k=4), answer(predictor, photo, top_k=4), 0.02)


def test_transparency_is_white(encode: Encode, predictor: Predictor) -> None:
    clear = encode(Image.new("RGBA", (20, 20), (0, 0, 0, 0)))
    white = encode(Image.new("RGB", (20, 20), "white"))
    assert_same(answer(predictor, clear, top_k=4), answer(predictor, white, top_k=4))


def test_a_photo_cut_off_is_no_photo(
    encode: Encode, predictor: Predictor, photo: Image.Image
) -> None:
    whole = encode(photo, "JPEG")
    assert answer(predictor, whole[: len(whole) // 2]).error.startswith("is broken: ")


def test_a_pipe_is_not_waited_for(predictor: Predictor, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert answer(predictor, tmp_path / "pipe.jpg").error == "is no file"


def test_a_huge_file_is_not_read(predictor: Predictor, tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert answer(predictor, tmp_path / "huge.jpg").error == "is larger than 1 GiB"


def test_an_endless_stream_is_consumed_as_it_is_asked_for(predictor: Predictor, png: bytes) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield png

    answers = predictor.predict(endless(), batch_size=4)
    assert taken == 0
    some = list(itertools.islice(answers, 10))
    assert all(one.label for one in some)
    assert taken <= 12 + 8 * (os.cpu_count() or 1)
    answers.close()


@pytest.mark.parametrize("photos", ["photo.jpg", b"bytes of one", Path("photo.jpg")])
def test_one_photo_is_no_list_of_photos(predictor: Predictor, photos: Any) -> None:
    with pytest.raises(InferenceError) as raised:
        next(predictor.predict(photos))
    assert str(raised.value) == "expected several photos, received one; give a list: [photo]."


def test_an_error_of_a_function_is_not_swallowed(predictor: Predictor) -> None:
    def fail() -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(predictor.predict([fail]))


def test_loading_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is no run folder"):
        Predictor.load(tmp_path / "gone")


def test_files_folders_and_what_lies_deep_in_them(folder: Path) -> None:
    found = find_sources([folder / "notes.txt", folder])
    assert [path.relative_to(folder).as_posix() for path in found] == [
        "notes.txt", "2.png", "10.png", "deep/er/1.png", "empty.jpg", "page.jpg",
    ]  # fmt: skip


def test_paths_that_are_not_there(folder: Path) -> None:
    one, two = str(folder / "gone"), str(folder / "lost")
    for names, verb in (([one], "does"), ([one, two], "do")):
        with pytest.raises(InferenceError) as raised:
            find_sources([folder, *names])
        assert str(raised.value) == (
            f"{', '.join(names)} {verb} not exist. Expected photos, folders of photos, patterns, "
            "URLs, or - for a list on standard input."
        )


def test_a_folder_without_photos(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InferenceError) as raised:
        find_sources([str(tmp_path)])
    assert str(raised.value) == f"no photos in {tmp_path}."


def test_a_folder_that_may_not_be_read_is_an_error_row(
    predictor: Predictor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def guarded(path: Any) -> Any:
        if Path(path).name == "er":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    found = find_sources([folder])
    assert folder / "deep" / "er" in found
    errors = {Path(one.path).name: one.error for one in predictor.predict(found)}
    assert errors["er"] == "is a folder, not a photo"


def test_inference_never_imports_training(run: RunFolder, png: bytes) -> None:
    code = (
        "import sys\n"
        "from classeur.inference.predictor import Predictor\n"
        "import classeur.inference.output\n"
        "list(Predictor.load(sys.argv[1]).predict([sys.stdin.buffer.read()]))\n"
        "rooms = {name.split('.')[1] for name in sys.modules if name.startswith('classeur.')}\n"
        "print(*sorted(rooms & {'training', 'evaluation', 'study', 'report', 'cli'}))\n"
        "print(*sorted({'matplotlib', 'sklearn', 'timm'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(run.path)], check=False, input=png, capture_output=True
    )
    assert result.stdout == b"\n\n", result.stderr


def test_an_answer_that_is_no_number_is_an_error(
    predictor: Predictor, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflowing(pixels: np.ndarray) -> np.ndarray:
        return np.array([[0.5, 0.5, 0, 0], [np.nan] * 4], np.float32)

    monkeypatch.setattr(predictor, "probabilities", overflowing)
    good, bad = predictor.predict([png, png])
    assert (good.label, good.error) == ("ape", "")
    assert (bad.label, bad.error) == ("", "the network gives it no finite probability")


@pytest.fixture
def knowing(predictor: Predictor, run: RunFolder) -> Iterator[Predictor]:
    """A predictor whose run has seen soft grey photos."""
    network = predictor.classifier.network
    random = np.random.default_rng(0)
    grey = random.integers(100, 150, (60, 16, 16, 3)).astype(np.uint8)
    features: list[torch.Tensor] = []
    with watching(network, features.append):
        predictor.classifier.logits(grey)
    known = Known.fit(features[0][:40], torch.arange(40) % 4)
    Novelty(known, known.distance(features[0][40:]).sort().values).save(run)
    yield Predictor.load(run.path)
    run.novelty.unlink()


def test_a_photo_like_no_other_is_strange_and_keeps_its_label(knowing: Predictor) -> None:
    random = np.random.default_rng(1)
    own = [random.integers(100, 150, (16, 16, 3)).astype(np.uint8) for _ in range(30)]
    other = np.zeros((16, 16, 3), np.uint8)
    other[:8] = (255, 0, 0)
    *like, unlike = knowing.predict([*own, b"", other], batch_size=7)
    assert unlike.is_strange
    assert unlike.label in NAMES
    assert unlike.strangeness is not None
    assert unlike.strangeness > max(one.strangeness or 0 for one in like)
    assert sum(one.is_strange for one in like) <= 5
    assert (like[-1].strangeness, like[-1].is_strange, bool(like[-1].error)) == (None, False, True)


def test_a_larger_share_calls_more_photos_strange(knowing: Predictor, run: RunFolder) -> None:
    photo = np.full((16, 16, 3), 125, np.uint8)
    strict, loose = (
        answer(Predictor.load(run.path, strange_share=share), photo).strangeness
        for share in (0.05, 0.9)
    )
    assert strict is not None
    assert loose is not None
    assert loose > strict
    with pytest.raises(InferenceError, match=r"a strange share of 0\.01 cannot be kept"):
        Predictor.load(run.path, strange_share=0.01)


def test_a_network_that_cannot_tell_calls_nothing_strange(
    knowing: Predictor, run: RunFolder, png: bytes
) -> None:
    assert knowing.novelty is not None
    dataclasses.replace(knowing.novelty, auroc=0.55).save(run)
    found = answer(Predictor.load(run.path), png)
    assert (found.strangeness, found.is_strange) == (None, False)
    with pytest.raises(InferenceError) as raised:
        Predictor.load(run.path, strange_share=0.1)
    assert str(raised.value) == (
        f"{run.path} cannot tell which photos are strange: it hardly tells its own photos from the "
        "same cut up and shuffled (AUROC 0.55, expected at least 0.8). Leave out the strange "
        "share, or train a network that learns more."
    )


def test_an_older_run_calls_nothing_strange(run: RunFolder, png: bytes) -> None:
    found = answer(Predictor.load(run.path), png)
    assert (found.strangeness, found.is_strange) == (None, False)
    with pytest.raises(InferenceError) as raised:
        Predictor.load(run.path, strange_share=0.1)
    assert str(raised.value) == (
        f"{run.path} cannot tell which photos are strange: it has no novelty.safetensors. "
        "Leave out the strange share, or train the run again."
    )
