"""Figures: what they show, and that they fit a page in light and dark."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from classeur.report.curves import learning_curves, small_multiples
from classeur.report.figures import accuracy_against_time, confusion_map, test_scores
from classeur.report.placement import Frame, place, spread
from classeur.report.study_report import RungSheet
from classeur.report.svg import Drawing, label, showable, text_width
from classeur.training.history import EpochRow

test_scores.__test__ = False  # type: ignore[attr-defined]

MakeHistory = Callable[[int], list[EpochRow]]
MakeSheet = Callable[..., RungSheet]


def texts(drawing: Drawing) -> list[str]:
    root = ElementTree.fromstring(drawing.inline)
    return [element.text or "" for element in root.iter("text")]


def test_nothing_trained_gives_no_figure(sheet: MakeSheet) -> None:
    assert learning_curves([], 0) == []
    assert small_multiples([sheet("majority")], 6) == {}
    assert test_scores([]) is None
    assert accuracy_against_time([sheet("conv3")]) is None


def test_learning_curves_name_their_lines_and_the_epoch_kept(history: MakeHistory) -> None:
    loss, accuracy = learning_curves(history(9), 7)
    assert (loss.name, accuracy.name) == ("loss", "accuracy")
    for drawing in (loss, accuracy):
        assert {"training", "validation", "epoch 7 kept", "epoch"} <= set(texts(drawing))
    assert loss.alt == (
        "Loss over 9 epochs: training from 2.00 to 0.22, validation from 1.92 to 0.39; "
        "the weights of epoch 7 were kept."
    )
    assert "training from 50.0 % to 94.4 %" in accuracy.alt


def test_a_single_epoch_has_whole_ticks(history: MakeHistory) -> None:
    for drawing in learning_curves(history(1), 1):
        numbers = [text for text in texts(drawing) if re.fullmatch(r"[\d.]+", text)]
        assert "1" in numbers
        assert "epoch 1 kept" in texts(drawing)


def test_a_figure_takes_its_colours_from_the_page(history: MakeHistory) -> None:
    drawing = learning_curves(history(5), 3)[0]
    assert "var(--accent)" in drawing.inline
    assert "currentColor" in drawing.inline
    assert "var(" not in drawing.file
    for svg in (drawing.inline, drawing.file):
        assert not re.search("#0[1-5]0[1-5]0[1-5]", svg)
        assert "#000000" not in svg
        assert "DejaVu" not in svg
        assert "<style" not in svg
        assert "metadata" not in svg


def test_training_and_validation_differ_without_colour(history: MakeHistory) -> None:
    assert "stroke-dasharray" in learning_curves(history(5), 3)[0].inline


def test_a_file_of_its_own_is_an_image(history: MakeHistory) -> None:
    root = ElementTree.fromstring(learning_curves(history(5), 3)[0].file)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["width"] == "450"


def test_figures_are_the_same_each_time_and_share_no_ids(
    history: MakeHistory, sheet: MakeSheet
) -> None:
    rungs = [sheet("conv3"), sheet("dense", 1), sheet("majority", 2)]

    def draw() -> list[Drawing]:
        every = [*learning_curves(history(5), 3), test_scores(rungs), accuracy_against_time(rungs)]
        return [drawing for drawing in every if drawing] + list(small_multiples(rungs, 6).values())

    first, second = draw(), draw()
    assert [drawing.inline for drawing in first] == [drawing.inline for drawing in second]
    ids = [name for drawing in first for name in re.findall(r' id="([^"]+)"', drawing.inline)]
    assert len(ids) == len(set(ids)) > 0
    for drawing in first:
        for name in re.findall(r'(?:href="#|url\(#)([^")]+)', drawing.inline):
            assert f'id="{name}"' in drawing.inline


def test_the_reader_s_own_style_changes_nothing(history: MakeHistory) -> None:
    plain = learning_curves(history(5), 3)[0].inline
    with mpl.rc_context({"lines.linewidth": 9, "axes.facecolor": "red", "text.usetex": True}):
        assert learning_curves(history(5), 3)[0].inline == plain
        assert mpl.rcParams["lines.linewidth"] == 9


def test_labels_are_text_and_never_mathematics(sheet: MakeSheet, evil: str) -> None:
    rungs = [sheet(evil), sheet(r"$\frac{1}{2}$", 1), sheet("猫 \udce9", 2)]
    for drawing in (test_scores(rungs), accuracy_against_time(rungs)):
        assert drawing is not None
        assert "<script" not in drawing.inline
        assert {evil, r"$\frac{1}{2}$", "猫 �"} <= set(texts(drawing))


def test_letters_that_matplotlib_lacks_are_left_to_the_page(sheet: MakeSheet) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = test_scores([sheet("犬"), sheet("猫", 1)])
    assert drawing is not None
    assert {"犬", "猫"} <= set(texts(drawing))


def test_scores_are_written_beside_each_rung(sheet: MakeSheet) -> None:
    rungs = [sheet("conv3"), sheet("dense", 1)]
    drawing = test_scores(rungs)
    assert drawing is not None
    for rung in rungs:
        assert f"{100 * rung.test.value:.1f} %" in texts(drawing)
        assert f"{rung.name} {100 * rung.test.value:.1f} %" in drawing.alt


def test_every_rung_is_named_beside_its_point(sheet: MakeSheet) -> None:
    rungs = [sheet(f"a rung with a long name {i}", i % 5) for i in range(15)]
    drawing = accuracy_against_time(rungs)
    assert drawing is not None
    assert {rung.name for rung in rungs} <= set(texts(drawing))


def test_far_apart_times_are_logarithmic_with_zero_beyond_a_break(sheet: MakeSheet) -> None:
    rungs = [sheet("a", seconds=2.0), sheet("b", 1, seconds=4000.0), sheet("majority", 2)]
    drawing = accuracy_against_time(rungs)
    assert drawing is not None
    assert {"0 s", "//", "3 s", "1 min", "30 min", "1 h"} <= set(texts(drawing))


def test_times_close_together_are_linear(sheet: MakeSheet) -> None:
    rungs = [sheet("a", seconds=30.0), sheet("b", 1, seconds=70.0), sheet("majority", 2)]
    drawing = accuracy_against_time(rungs)
    assert drawing is not None
    assert {"0 s", "30 s", "1 min"} <= set(texts(drawing))
    assert "//" not in texts(drawing)


@pytest.mark.parametrize("longest", [0.4, 7, 45, 100, 264, 500, 1000, 4000, 9000, 40_000, 400_000])
def test_every_time_on_the_axis_reads_well(sheet: MakeSheet, longest: float) -> None:
    drawing = accuracy_against_time([sheet("a", seconds=longest), sheet("majority", 2)])
    assert drawing is not None
    times = [text for text in texts(drawing) if re.fullmatch(r"[\d.]+\s(s|min|h|d)", text)]
    assert len(times) >= 3
    assert all(len(text.split()[0].partition(".")[2]) <= 2 for text in times), times


def test_only_rungs_that_took_no_time(sheet: MakeSheet) -> None:
    drawing = accuracy_against_time([sheet("majority"), sheet("most frequent", 1, seconds=0.0)])
    assert drawing is not None
    assert "0 s" in texts(drawing)


def test_small_multiples_share_their_axes(sheet: MakeSheet) -> None:
    drawings = small_multiples([sheet("a"), sheet("b", 1), sheet("majority", 2)], 6)
    assert list(drawings) == ["a", "b"]
    assert [drawing.name for drawing in drawings.values()] == ["curves-1", "curves-2"]
    ticks = [
        [text for text in texts(drawing) if re.fullmatch(r"[\d.]+( %)?", text)]
        for drawing in drawings.values()
    ]
    assert ticks[0] == ticks[1]


def test_a_loss_beyond_the_top_is_told_in_words(
    sheet: MakeSheet, history: MakeHistory, guessing: Callable[[int], float]
) -> None:
    wild = [EpochRow(e, 1.0, 0.5, 10.0 * e, 0.2, 1e-3, 1.0) for e in (1, 2, 3)]
    drawings = small_multiples([sheet("tame"), sheet("wild", 1, history=wild)], 6)
    assert "validation up to 30 ↑" in texts(drawings["wild"])
    assert not any("↑" in text for text in texts(drawings["tame"]))
    assert guessing(6) < 10


def test_the_map_has_one_square_for_each_kind_of_mistake() -> None:
    confusion = np.diag([10] * 25)
    confusion[0, 1] = 10
    confusion[3, 20] = 2
    drawing = confusion_map(confusion.tolist(), [f"class {i}" for i in range(25)])
    squares = sum(
        path.attrib["d"].count("M ")
        for path in ElementTree.fromstring(drawing.inline).iter("path")
        if re.match(r"fill: (currentColor|var\(--accent\))", path.attrib.get("style", ""))
    )
    assert squares == 27
    assert drawing.alt == "Confusion matrix of 25 classes: 250 of 262 photos on the diagonal."
    assert texts(drawing).count("class 7") == 2


def test_a_map_of_very_many_classes_has_no_labels() -> None:
    drawing = confusion_map(np.eye(200, dtype=int).tolist(), [f"class {i}" for i in range(200)])
    assert not any(text.startswith("class") for text in texts(drawing))
    assert len(drawing.inline) < 100_000


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("cat", "cat"),
        ("two\nlines\tof  text", "two lines of text"),
        ("x" * 60, "x" * 18 + "…" + "x" * 9),
        ("a\x00b", "a�b"),
    ],
)
def test_labels_fit_on_a_line(text: str, short: str) -> None:
    assert label(text) == short
    assert len(label(text)) <= 28


def test_text_keeps_what_a_page_can_show() -> None:
    assert showable("ünï\n\tcødé 猫") == "ünï\n\tcødé 猫"
    assert showable("\ud800\x7f") == "��"


def test_wide_letters_are_wider() -> None:
    assert text_width("猫", 10) == 10
    assert text_width("cat", 10) == pytest.approx(17.4)


def test_placed_labels_do_not_overlap_and_stay_inside() -> None:
    random = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in random.uniform(200, 300, (20, 2))]
    sizes = [(100.0, 15.0)] * 20
    frame = Frame(50, 40, 500, 400)
    corners = place(points, sizes, np.empty((0, 4)), frame)
    for i, (left, bottom) in enumerate(corners):
        assert frame.left <= left
        assert left + 100 <= frame.right
        assert frame.bottom <= bottom
        assert bottom + 15 <= frame.top
        for other, low in corners[:i]:
            assert abs(other - left) >= 100 or abs(low - bottom) >= 15


def test_a_lone_label_stays_beside_its_point() -> None:
    ((left, bottom),) = place([(100, 100)], [(50, 15)], np.empty((0, 4)), Frame(0, 0, 500, 500))
    assert math.dist((left + 25, bottom + 7.5), (100, 100)) < 40


def test_a_label_wider_than_the_frame_still_has_a_place() -> None:
    ((left, _),) = place([(10, 10)], [(900, 15)], np.empty((0, 4)), Frame(0, 0, 100, 100))
    assert left == 0


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        ([10.0, 100.0], [10.0, 100.0]),
        ([50.0, 50.0], [42.5, 57.5]),
        ([60.0, 50.0], [62.5, 47.5]),
        ([0.0, 1.0, 2.0], [-14.0, 1.0, 16.0]),
        ([], []),
    ],
)
def test_labels_in_a_column_push_each_other_away(
    wanted: list[float], positions: list[float]
) -> None:
    assert spread(wanted, 15) == positions
