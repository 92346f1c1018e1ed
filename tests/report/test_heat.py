"""Heat maps lie right on the photo, whatever was done to it before the network saw it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.models.test_explain import Bright

from classeur.config import ModelConfig
from classeur.data.geometry import Geometry
from classeur.errors import InferenceError, ModelError, UnreadablePhotoError
from classeur.inference.predictor import Prediction, Predictor
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing
from classeur.report.heat import empty_folder, lay_over, warmth_of, write_heat_maps

GEOMETRIES = [
    Geometry(32, resize="squash"),
    Geometry(32, resize="crop", crop_pct=0.875),
    Geometry(32, resize="pad"),
    Geometry(32, resize="pad", filters=("transpose", "rotate=90", "mirror")),
    Geometry(32, resize="squash", filters=("rotate=90", "flip")),
    Geometry(32, resize="crop", filters=("rotate=20", "mirror")),
]


def predictor(geometry: Geometry, name: str = "conv1") -> Predictor:
    preprocessing = Preprocessing(geometry, (0.0,) * 3, (1.0,) * 3)
    classifier = Classifier.create(ModelConfig(name), ["dark", "light"], preprocessing)
    if name == "conv1":
        classifier.network = Bright(2)
    return Predictor(classifier)


def drawn(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGB", size)
    image.paste((255, 255, 255), box)
    return image


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: "-".join([g.resize, *g.filters]))
@pytest.mark.parametrize(
    ("size", "box"),
    [((120, 60), (70, 10, 82, 22)), ((60, 120), (12, 70, 24, 82)), ((64, 64), (20, 8, 32, 20))],
)
def test_the_heat_lies_on_the_bright_square(
    geometry: Geometry, size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    heat = predictor(geometry).explain(drawn(size, box), "light")
    assert heat.shape == size[::-1]
    assert 0 <= heat.min() <= heat.max() <= 1 + 1e-6
    hot = np.argwhere(heat > 0.7 * heat.max())
    down, across = hot.mean(axis=0)
    assert down == pytest.approx((box[1] + box[3] - 1) / 2, abs=4)
    assert across == pytest.approx((box[0] + box[2] - 1) / 2, abs=4)


def test_what_was_cut_off_is_cold() -> None:
    heat = predictor(GEOMETRIES[1]).explain(Image.new("RGB", (120, 60), "white"), "light")
    columns = np.flatnonzero(heat.max(axis=0) > 0)
    assert (columns[0], columns[-1]) == (34, 85)  # 52.5 pixels in the middle of 120


def test_a_photo_on_its_side_is_explained_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = drawn((120, 60), (10, 10, 30, 30))
    lying.save(tmp_path / "a.jpg", exif=exif, quality=95)
    heat = predictor(Geometry(32)).explain(tmp_path / "a.jpg")
    assert heat.shape == (120, 60)
    down, across = np.argwhere(heat > 0.7).mean(axis=0)
    assert (down, across) == pytest.approx((19.5, 39.5), abs=4)


def test_what_cannot_be_explained() -> None:
    found = predictor(Geometry(32))
    with pytest.raises(InferenceError, match=r'unknown label "lihgt"\. Did you mean "light"\?'):
        found.explain(Image.new("RGB", (9, 9)), "lihgt")
    with pytest.raises(UnreadablePhotoError, match="is empty"):
        found.explain(b"")
    with pytest.raises(ModelError, match="dense has no convolution to look at"):
        predictor(Geometry(32), "dense").explain(Image.new("RGB", (9, 9)))
    assert warmth_of(predictor(Geometry(32), "dense").classifier) is None


def test_cold_places_are_grey_and_hot_ones_coloured() -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[:, 2:] = 1
    picture = np.asarray(lay_over(Image.new("RGB", (4, 4), (90, 30, 60)), heat)).astype(int)
    assert np.ptp(picture[:, 0], axis=1).max() == 0
    assert np.ptp(picture[:, 3], axis=1).min() > 50


def test_small_photos_are_enlarged_in_a_page() -> None:
    warmth = warmth_of(predictor(Geometry(32, resize="pad")).classifier)
    assert warmth is not None
    pixels = np.zeros((32, 32, 3), np.uint8)
    small, large = Image.new("RGB", (28, 14)), Image.new("RGB", (800, 400))
    assert warmth.over(small, pixels, 1, is_square=False).size == (112, 56)
    assert warmth.over(large, pixels, 1, is_square=False).size == (160, 80)
    assert warmth.over(Image.new("RGB", (32, 32)), pixels, 1, is_square=True).size == (96, 96)


def test_each_photo_has_a_file_of_its_own(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "1.png", tmp_path / "b" / "1.png", tmp_path / "b" / "1.PNG"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        drawn((2000, 500), (0, 0, 99, 99)).save(path, "PNG")
    gone = Prediction(str(tmp_path / "gone.png"), "light", 1.0)
    broken = Prediction(str(tmp_path / "broken.png"), error="is empty")
    answers = [*(Prediction(str(path), "light", 1.0) for path in paths), gone, broken]
    folder = empty_folder(tmp_path / "maps" / "here")
    assert list(write_heat_maps(predictor(Geometry(32)), answers, folder)) == answers
    assert sorted(p.name for p in folder.iterdir()) == ["1-2.png", "1-3.png", "1.png"]
    with Image.open(folder / "1.png") as picture:
        assert picture.size == (1024, 256)


def test_a_folder_that_holds_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.png").touch()
    with pytest.raises(InferenceError) as raised:
        empty_folder(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path} holds files already. Choose a new folder for the heat maps, so that nothing "
        "is written over."
    )
    with pytest.raises(InferenceError, match=r"cannot make .*photo\.png"):
        empty_folder(tmp_path / "photo.png")


def test_a_folder_that_goes_away(tmp_path: Path) -> None:
    drawn((20, 20), (0, 0, 9, 9)).save(tmp_path / "1.png")
    answers = [Prediction(str(tmp_path / "1.png"), "light", 1.0)]
    torch.manual_seed(0)
    with pytest.raises(InferenceError, match=r"cannot write .*gone/1\.png: No such file"):
        list(write_heat_maps(predictor(Geometry(32)), answers, tmp_path / "gone"))
