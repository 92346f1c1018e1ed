"""The sheet of a run: everything it has to show."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.report.pages import Page, rows

from classeur.evaluation.evaluate import RunMetrics
from classeur.evaluation.metrics import Figure
from classeur.evaluation.predictions import Predictions
from classeur.evaluation.slices import Slice
from classeur.report.run_report import RunReport, small_test


def test_a_sheet_shows_its_headline(run_page: Callable[..., Page]) -> None:
    page = run_page()
    assert page.named("html")[0]["lang"] == "en"
    assert "Test accuracy" in page.text
    for name in ("Balanced accuracy", "Macro-F1", "Top-3 accuracy", "Log-loss"):
        assert name in page.text
    assert "It confuses <script>alert(1)</script> in 12\u00a0% of cases." in " ".join(page.words)


def test_without_top_k_the_sheet_does_without(
    run_page: Callable[..., Page], run_metrics: Callable[..., RunMetrics]
) -> None:
    metrics = run_metrics(4)
    assert metrics.splits["test"].top_k is None
    page = run_page(metrics=metrics)
    assert "Top-" not in page.text
    assert [row[0] for row in rows(page, "three splits")] == [
        "Accuracy", "Balanced accuracy", "Macro-F1", "Log-loss", "photos scored",
    ]  # fmt: skip


def test_the_gap_is_training_minus_validation(
    run_page: Callable[..., Page], run_metrics: Callable[..., RunMetrics]
) -> None:
    metrics = run_metrics()
    page = run_page(metrics=metrics)
    train, val = (metrics.splits[name].accuracy.value for name in ("train", "val"))
    assert rows(page, "three splits")[0][-1] == f"{100 * (train - val):+.1f}"


def test_the_confusion_table_holds_the_numbers(
    run_page: Callable[..., Page], run_metrics: Callable[..., RunMetrics]
) -> None:
    metrics = run_metrics()
    table = rows(run_page(metrics=metrics), "Photos by given label")
    confusion = metrics.splits["test"].confusion
    assert [[int(cell) for cell in row[1:-1]] for row in table] == confusion
    assert [int(row[-1]) for row in table] == [sum(row) for row in confusion]
    assert [row[0] for row in table][:2] == ["&lt;script&gt;alert(1)&lt;/script&gt;", "a|b"]


def test_a_large_test_shows_what_a_small_one_would_have(run_page: Callable[..., Page]) -> None:
    assert "small test" not in run_page().text
    small = [[30 * (i == j) + i + j for j in range(6)] for i in range(6)]
    number = sum(map(sum, small))
    page = run_page(small_test=small)
    assert f"On {number} test photos drawn at random" in page.text
    table = rows(page, f"(columns), {number} test photos drawn at random.")
    assert [[int(cell) for cell in row[1:-1]] for row in table] == small


def test_two_hundred_photos_are_a_small_test_of_a_thousand() -> None:
    labels = np.arange(1000) % 3
    probabilities = np.eye(3, dtype=np.float32)[(labels + (labels == 2)) % 3]  # 2 is taken for 0
    names, paths = ["a", "b", "c"], [f"{i}.png" for i in range(1000)]
    predictions = Predictions(paths, ["test"] * 1000, labels, probabilities, names)
    matrix = np.array(small_test(predictions))
    assert matrix.sum() == 200
    assert matrix[0, 0] + matrix[1, 1] + matrix[2, 0] == 200
    assert matrix.sum(axis=1).min() > 40
    one_less = Predictions(paths[1:], ["test"] * 999, labels[1:], probabilities[1:], names)
    assert small_test(one_less) == []


def test_the_diagonal_is_marked(run_page: Callable[..., Page]) -> None:
    cells = re.findall(r'<td class="([^"]*)" style="--share', run_page().html)
    assert [i for i, name in enumerate(cells) if name.startswith("hit")] == [
        6 * i + i for i in range(6)
    ]


def test_more_than_twenty_classes_are_drawn_as_a_map(
    run_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = run_page(classes=21)
    assert 'class="matrix"' not in page.html
    assert "Confusion matrix of 21 classes" in page.html
    assert (tmp_path / "figures" / "confusion.svg").is_file()
    assert "The most frequent mistakes" in page.text


def test_twenty_classes_are_a_table(run_page: Callable[..., Page]) -> None:
    assert 'class="matrix"' in run_page(classes=20).html


def test_of_many_classes_the_weakest_are_shown_and_all_are_there(
    run_page: Callable[..., Page],
) -> None:
    page = run_page(classes=40)
    weakest = rows(page, "The 15 classes with the lowest F1 of 40")
    every = rows(page, "Precision, recall and F1 of each class")
    assert len(weakest) == 15
    assert len(every) == 40
    f1 = [float(row[3].split("\u00a0")[0].split(" ")[0]) for row in weakest]
    assert f1 == sorted(f1)
    assert "All 40 classes" in page.text


def test_each_figure_of_a_class_has_its_interval(
    run_page: Callable[..., Page], run_report: Callable[..., RunReport], tmp_path: Path
) -> None:
    table = rows(run_page(), "Precision, recall and F1 of each class")
    written = (tmp_path / "report.md").read_text("utf-8").replace("\u00a0", " ")
    for row, found in zip(table, run_report().metrics.splits["test"].per_class, strict=True):
        said = []
        for cell, figure in zip(
            row[1:4],
            (found.precision_interval, found.recall_interval, found.f1_interval),
            strict=True,
        ):
            assert figure is not None
            span = f"{100 * figure.low:.1f}–{100 * figure.high:.1f} %"
            assert cell.replace("\u00a0", " ").endswith(f" % {span}")
            said.append(f"{100 * figure.value:.1f} % ({span})")
        assert f"| {' | '.join(said)} |" in written


def test_right_and_wrong_are_told_in_words_and_signs(run_page: Callable[..., Page]) -> None:
    page = run_page()
    assert "✓ right: cat 87 %" in page.text
    assert "✗ wrong: cat 87 % is <script>alert(1)</script> 2 %" in page.text
    alts = [image["alt"] for image in page.named("img")]
    assert alts[0] == "Photo labelled cat, predicted cat"
    assert all("pixels" in image["class"] for image in page.named("img"))


def test_no_mistakes_are_said_to_be_none(run_page: Callable[..., Page]) -> None:
    assert "There are none: every test photo was given its label." in run_page(mistakes=[]).text


def test_a_run_that_trained_nothing_has_no_empty_plot(
    run_page: Callable[..., Page], tmp_path: Path
) -> None:
    training = {
        "epochs": 0,
        "best_epoch": 0,
        "seconds": 0.0,
        "peak_memory": 1,
        "stopped": "nothing",
    }
    page = run_page(history=[], training=training)
    assert "Learning curves" not in page.text
    assert not (tmp_path / "figures").exists()
    assert ["epochs", "none"] in rows(page, "Cost of training")


def test_layers_add_up(run_page: Callable[..., Page]) -> None:
    page = run_page()
    assert rows(page, "Layers in the order")[0] == [
        "0", "Conv2d 3→32, 3×3", "32 × 30 × 30", "896",
    ]  # fmt: skip
    assert re.search(r"in all</th><td class=\"n\">903<", page.html)


def test_the_cost_is_told_in_its_units(run_page: Callable[..., Page]) -> None:
    assert rows(run_page(), "Cost of training") == [
        ["parameters", "89,930"],
        ["time spent in training", "3 min 20 s"],
        ["epochs", "6; the weights of epoch 4 are kept"],
        ["why it stopped", "all 6 epochs were done"],
        ["peak memory", "434.3 MB"],
        ["weights on disk", "360.4 kB"],
        ["one photo, once prepared", "1.32 ms"],
    ]


def test_openings_of_the_test_split_are_listed(run_page: Callable[..., Page]) -> None:
    openings = [
        {
            "when": "2026-11-21T09:41:21+00:00",
            "reason": "end of training",
            "photos": 60,
            "accuracy": 0.9,
        },
        {"when": "2026-11-22T10:00:00+00:00", "reason": "asked again", "photos": 60},
    ]
    page = run_page(test_openings=openings)
    first, second = rows(page, "When the test split")
    assert first[-1] == "90.0 %"
    assert second == ["2026-11-22 10:00 UTC", "asked again", "60", "—"]
    assert "Only the first score is that of photos nobody had seen." in page.text
    assert "None is recorded." in run_page(test_openings=[]).text


def test_a_sheet_leads_back_to_its_binder_if_it_has_one(run_page: Callable[..., Page]) -> None:
    assert "back to the binder" not in run_page().text
    assert {"class": "screen", "href": "../index.html"} in run_page_with_binder(run_page)


def run_page_with_binder(run_page: Callable[..., Page]) -> list[dict[str, str]]:
    return run_page(binder="../index.html").named("a")


def test_pre_trained_weights_are_named(run_page: Callable[..., Page]) -> None:
    assert "Pre-trained weights it began with" not in run_page().text
    facts = {
        "name": "vgg16",
        "licence": "BSD",
        "source": "<b>there</b>",
        "pretrained_on": "ImageNet",
    }
    table = rows(run_page(backbone=facts), "Pre-trained weights it began with")
    assert table == [
        ["name", "vgg16"], ["licence", "BSD"], ["source", "&lt;b&gt;there&lt;/b&gt;"],
        ["pretrained on", "ImageNet"],
    ]  # fmt: skip


def test_slices_are_a_block_and_the_worse_ones_are_marked(
    run_page: Callable[..., Page],
    run_metrics: Callable[..., RunMetrics],
    figure: Callable[..., Figure],
) -> None:
    slices = [
        Slice("brightness", "darkest third", 40, figure(0.5), 0.9, 0.0001, 0.0004),
        Slice("brightness", "brightest third", 40, figure(0.9), 0.8, 0.9, 1.0),
        Slice("camera", "<b>", 30, figure(0.85), 0.8, 0.5, 1.0),
    ]
    page = run_page(metrics=replace(run_metrics(), slices=slices))
    found = rows(page, "Accuracy on test photos that have something in common")
    assert [(row[0], row[1], row[-1]) for row in found] == [
        ("brightness", "darkest third", "worse"), ("", "brightest third", ""),
        ("camera", "&lt;b&gt;", ""),
    ]  # fmt: skip
    assert "It is worst where brightness is “darkest third”: 50.0" in page.text
    assert "at least 20 photos" in page.text
    assert "t-test over the groups" not in page.text
    found = replace(run_metrics(), slices=slices)
    found.splits["test"] = replace(found.splits["test"], groups=7)
    said = "and by a t-test over the groups that the photos are in, of which the larger p counts"
    assert said in run_page(metrics=found).text
    assert "On which photos it is weak" not in run_page().text


def test_slices_of_photos_in_groups_name_their_test(
    run_page: Callable[..., Page], run_metrics: Callable[..., RunMetrics]
) -> None:
    metrics = replace(
        run_metrics(), slices=[Slice("size", "small", 30, Figure(0.9, 0.8, 1), 0.9, 1, 1)]
    )
    assert "t-test" not in run_page(metrics=metrics).text
    metrics.splits["test"] = replace(metrics.splits["test"], groups=12)
    said = "by Fisher’s exact test and by a t-test over the groups that the photos are in"
    assert said in run_page(metrics=metrics).text
