"""The pages: complete, well-formed, self-contained, and safe whatever a label holds."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from classeur.evaluation.evaluate import RunMetrics
from classeur.report.photos import PhotoCard
from classeur.report.render import render_inspection, render_run, render_study
from classeur.report.run_report import RunReport
from classeur.report.study_report import RungSheet, StudyReport

VOID = {"meta", "link", "img", "br", "hr", "input"}
MakeRun = Callable[..., RunReport]
MakeStudy = Callable[..., StudyReport]


class Page(HTMLParser):
    """Reads a page; complains about tags that do not match and ids that stand twice."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(self.html)
        self.close()
        assert self.open == []
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def rows(page: Page, caption: str) -> list[list[str]]:
    """Return the cells of the body of the table with a caption."""
    table = next(
        part for part in re.split("<table", page.html)[1:]
        if caption in re.search(r"<caption>(.*?)</caption>", part, re.S)[1]
    )  # fmt: skip
    body = re.search(r"<tbody>(.*?)</tbody>", table, re.S)[1]
    return [
        [
            " ".join(re.sub(r"<[^>]+>", " ", cell).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
        ]
        for row in re.findall(r"<tr.*?</tr>", body, re.S)
    ]


@pytest.fixture
def run_page(run_report: MakeRun, tmp_path: Path) -> Callable[..., Page]:
    def make(**changes: object) -> Page:
        render_run(run_report(**changes), tmp_path)
        return Page(tmp_path / "report.html")

    return make


@pytest.fixture
def study_page(study_report: MakeStudy, tmp_path: Path) -> Callable[..., Page]:
    def make(**changes: object) -> Page:
        render_study(study_report(**changes), tmp_path)
        return Page(tmp_path / "index.html")

    return make


def test_a_page_asks_nothing_of_the_network(
    run_page: Callable[..., Page], study_page: Callable[..., Page]
) -> None:
    for page in (run_page(), run_page(classes=30), study_page()):
        assert "://" not in page.html
        assert "@import" not in page.html
        assert not page.named("script")
        for name in ("src", "href"):
            for _, attributes in page.tags:
                address = attributes.get(name, "data:")
                assert address.startswith(("data:", "#")) or address.endswith("report.html")


def test_a_label_that_is_a_script_is_text(
    run_page: Callable[..., Page], study_page: Callable[..., Page], evil: str, tmp_path: Path
) -> None:
    for page in (run_page(), run_page(classes=30), study_page()):
        assert "<script" not in page.html
        assert evil in page.text
    for figure in (tmp_path / "figures").iterdir():
        assert "<script" not in figure.read_text(encoding="utf-8")


def test_markdown_cannot_be_broken_by_a_label(
    run_report: MakeRun, study_report: MakeStudy, tmp_path: Path
) -> None:
    render_run(run_report(name="[x](http://evil) `a` <b> *c* $d$"), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# \\[x\\](http://evil) \\`a\\` &lt;b&gt; \\*c\\* \\$d\\$\n")
    assert "<script" not in re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.S | re.M)
    render_study(study_report(), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| dense | the loss \\| became nan &lt;script&gt;alert(1)&lt;/script&gt; |" in text


@pytest.mark.parametrize("name", ["run", "study"])
def test_every_table_in_markdown_has_as_many_cells_in_each_row(
    name: str, run_report: MakeRun, study_report: MakeStudy, tmp_path: Path
) -> None:
    render_run(run_report(), tmp_path) if name == "run" else render_study(study_report(), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.M)
    assert len(blocks) >= 6
    for block in blocks:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1, block
        assert re.fullmatch(r"\|(?:-+:?\|)+", block.splitlines()[1])


def test_a_configuration_stands_in_a_fence_that_nothing_in_it_ends(
    run_report: MakeRun, tmp_path: Path
) -> None:
    report = run_report()
    render_run(report, tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert f"````toml\n{report.config.to_toml().rstrip()}\n````\n" in text


def test_rendering_twice_gives_the_same_bytes(
    run_report: MakeRun, study_report: MakeStudy, tmp_path: Path
) -> None:
    def render(folder: Path) -> dict[str, bytes]:
        (folder / "run").mkdir(parents=True)
        render_run(run_report(classes=25), folder / "run")
        render_study(study_report(), folder)
        return {
            str(file.relative_to(folder)): file.read_bytes()
            for file in sorted(folder.rglob("*")) if file.is_file()
        }  # fmt: skip

    first, second = render(tmp_path / "a" / "x"), render(tmp_path / "b" / "x")
    # the command to predict names the folder, and nothing else does
    different = {
        name for name in first
        if first[name] != second[name].replace(bytes(tmp_path / "b"), bytes(tmp_path / "a"))
    }  # fmt: skip
    assert first.keys() == second.keys()
    assert len(first) == 4 + 3 + 2 + 3
    assert different == set()


def test_the_page_is_written_last(
    run_report: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(
        "classeur.report.render.write_text", lambda path, _: written.append(path.name)
    )
    render_run(run_report(), tmp_path)
    assert written[-2:] == ["report.md", "report.html"]


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
    f1 = [float(row[3].removesuffix("\u00a0%").removesuffix(" %")) for row in weakest]
    assert f1 == sorted(f1)
    assert "All 40 classes" in page.text


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
        ["trainable parameters", "89,930"],
        ["time spent in training", "3 min 20 s"],
        ["epochs", "6; the weights of epoch 4 are kept"],
        ["why it stopped", "all 6 epochs were done"],
        ["peak memory", "434.3 MB"],
        ["weights on disk", "360.4 kB"],
        ["one photo, once prepared", "1.32 ms"],
    ]


def test_openings_of_the_test_split_are_listed(run_page: Callable[..., Page]) -> None:
    openings = [
        {"when": "2026-11-21T09:41:21+00:00", "reason": "end of training", "photos": 60},
        {"when": "2026-11-22T10:00:00+00:00", "reason": "asked again", "photos": 60},
    ]
    page = run_page(test_openings=openings)
    assert rows(page, "When the test split")[1] == ["2026-11-22 10:00 UTC", "asked again", "60"]
    assert "Only the first score is that of photos nobody had seen." in page.text
    assert "None is recorded." in run_page(test_openings=[]).text


def test_a_sheet_leads_back_to_its_binder_if_it_has_one(run_page: Callable[..., Page]) -> None:
    assert "back to the binder" not in run_page().text
    assert {"class": "screen", "href": "../index.html"} in run_page_with_binder(run_page)


def run_page_with_binder(run_page: Callable[..., Page]) -> list[dict[str, str]]:
    return run_page(binder="../index.html").named("a")


def test_stray_bytes_and_control_codes_do_not_reach_a_page(
    run_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = run_page(name="caf\udce9 \x00\x1b[31m")
    assert "caf� ��[31m" in page.text
    (tmp_path / "report.md").read_bytes().decode("utf-8")


def test_the_binder_names_every_rung_and_links_its_sheet(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=15)
    table = rows(page, "Sorted by validation accuracy")
    assert len(table) == 15
    links = [link["href"] for link in page.named("a") if link["href"].endswith("report.html")]
    assert "conv3/report.html" in links
    assert "%3Cscript%3Ealert%281%29%3C/script%3E/report.html" in links
    assert "rung%20number%2010/report.html" in links


def test_the_comparison_shows_scores_with_intervals(
    study_page: Callable[..., Page], sheet: Callable[..., RungSheet]
) -> None:
    first, second = sheet("conv3"), sheet("majority", 1)
    page = study_page(rungs=[first, second])
    cells = rows(page, "Sorted by validation accuracy")
    assert cells[0][0] == "conv3 chosen What conv3 is."
    value, low, high = (100 * getattr(first.test, name) for name in ("value", "low", "high"))
    assert cells[0][2].replace("\u00a0", " ") == f"{value:.1f} % {low:.1f}–{high:.1f} %"
    assert cells[0][7:] == ["6 (4)", "10 s", "89,930", "400.0 MB", "1.32 ms", "no"]
    assert cells[1][7:9] == ["0", "0 s"]
    assert cells[1][-1] == "overfits"


def test_seeds_are_shown_beside_the_score_not_mixed_into_it(
    study_page: Callable[..., Page], sheet: Callable[..., RungSheet]
) -> None:
    assert "over seeds" not in study_page().text
    page = study_page(rungs=[sheet("conv3", seed_scores=[0.90, 0.92, 0.94]), sheet("dense", 1)])
    cells = rows(page, "Sorted by validation accuracy")
    assert "92.0 ± 2.0 % 3 seeds" in cells[0]
    assert "over seeds: mean ± s.d." in page.text


def test_openings_are_a_column_only_if_there_were_several(
    study_page: Callable[..., Page], sheet: Callable[..., RungSheet]
) -> None:
    assert "openings of test" not in study_page().text
    assert "openings of test" in study_page(rungs=[sheet("a", openings=2), sheet("b")]).text


def test_pairs_say_whether_two_differ(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=2)
    assert rows(page, "All pairs") == [
        [
            "conv3", "&lt;script&gt;alert(1)&lt;/script&gt;", "+3.1", "+1.0 to +5.2", "12", "3",
            "&lt; 0.001", "0.400", "indistinguishable",
        ],
    ]  # fmt: skip


def test_the_chosen_is_compared_first(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=4)
    mine = rows(page, "conv3 against each of the others")
    assert [row[1] for row in mine][1:] == ["a|b", "majority"]
    assert [row[-1] for row in mine] == ["indistinguishable", "different", "indistinguishable"]
    assert "All 6 pairs" in page.text
    comparison = rows(page, "Sorted by validation accuracy")
    assert [row[3] for row in comparison] == [
        "—", "indistinguishable", "worse", "indistinguishable",
    ]  # fmt: skip


def test_failed_rungs_have_their_reason(study_page: Callable[..., Page]) -> None:
    table = rows(study_page(), "did not finish")
    assert table == [["dense", "the loss | became nan &lt;script&gt;alert(1)&lt;/script&gt;"]]


def test_rungs_without_epochs_are_named_not_drawn(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=4)
    assert page.html.count('aria-label="majority: loss') == 0
    assert page.html.count('aria-label="conv3: loss') == 1
    assert "Nothing was trained for majority." in page.text


def test_the_binder_tells_how_to_predict(study_page: Callable[..., Page], tmp_path: Path) -> None:
    assert f"classeur predict {tmp_path}/conv3 PHOTOS" in study_page().text


def test_a_binder_in_which_nothing_finished_still_opens(study_page: Callable[..., Page]) -> None:
    page = study_page(rungs=[], pairs=[], conclusion=[])
    assert "0 approaches to 1,234 photos" in page.text
    assert "classeur predict" not in page.text
    assert rows(page, "did not finish")


def test_counts_stand_by_class_and_split(study_page: Callable[..., Page]) -> None:
    page = study_page()
    table = rows(page, "in each split")
    assert ["cat", "7", "7", "7", "21", ""] in table
    order = re.search(r"in each split.*?<thead>(.*?)</thead>", page.html, re.S)[1]
    assert re.findall(r"training|validation|test|in all", order) == [
        "training", "validation", "test", "in all",
    ]  # fmt: skip


def test_three_hundred_unreadable_files_fold_away(study_page: Callable[..., Page]) -> None:
    page = study_page(unreadable=300)
    assert "Files that cannot be read (300)" in page.text
    assert "290 more unreadable files" in page.text
    assert page.html.count("is empty") == 300


def test_a_list_without_end_is_cut_with_its_count(study_page: Callable[..., Page]) -> None:
    page = study_page(unreadable=1500)
    assert "… and 500 more that are not listed here." in page.text
    assert page.html.count("is empty") == 1000


def test_contradictions_and_leaks_are_named(study_page: Callable[..., Page], evil: str) -> None:
    text = study_page().text
    assert "One picture, several labels (1)" in text
    assert f"cat, {evil} : a/1.jpg , b/1.jpg" in text
    assert "training, test : a/2.jpg , a/3.jpg" in text
    assert "Exact copies (2 pictures)" in text


def test_a_hundred_and_twenty_classes_fold_away(study_page: Callable[..., Page]) -> None:
    page = study_page(classes=120)
    assert "Photos of all 120 classes" in page.text
    assert "A few photos of each of 120 classes" in page.text
    assert len(rows(page, "in each split")) == 120


def test_headings_go_down_step_by_step(
    run_page: Callable[..., Page], study_page: Callable[..., Page]
) -> None:
    for page in (run_page(), study_page()):
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_link_inside_a_page_leads_somewhere(
    run_page: Callable[..., Page], study_page: Callable[..., Page]
) -> None:
    for page in (run_page(), run_page(history=[]), study_page(), study_page(rungs=[], pairs=[])):
        ids = {attributes.get("id") for _, attributes in page.tags}
        for link in page.named("a") + page.named("use"):
            if link["href"].startswith("#"):
                assert link["href"][1:] in ids
        for _, attributes in page.tags:
            assert attributes.get("aria-labelledby") in {None, *ids}


def test_tables_have_captions_and_scopes_and_images_have_texts(
    run_page: Callable[..., Page], study_page: Callable[..., Page]
) -> None:
    for page in (run_page(), study_page()):
        assert len(page.named("table")) == len(page.named("caption")) > 0
        assert all(cell["scope"] in ("row", "col") for cell in page.named("th"))
        assert all(image["alt"] for image in page.named("img"))
        drawings = [svg for svg in page.named("svg") if svg.get("role") == "img"]
        assert drawings
        assert all(svg["aria-label"] for svg in drawings)


def test_the_inspection_is_a_page_of_its_own(
    study_report: MakeStudy, tmp_path: Path, evil: str
) -> None:
    report = study_report()
    cards: dict[str, list[PhotoCard]] = report.samples
    render_inspection(report.inspection, cards, tmp_path / "photos.html")
    page = Page(tmp_path / "photos.html")
    assert "1,234 photos of 6 classes" in page.text
    assert "<script" not in page.html
    assert evil in page.text
    assert rows(page, "Size of the photos")[0] == [
        "width", "20", "64", "224", "1,000", "4,000", "302",
    ]  # fmt: skip
    assert rows(page, "How the photos are stored") == [
        ["mean size", "302 × 302 pixels"],
        ["colour modes", "RGB: 1,200, L: 34"],
        ["file formats", "JPEG: 1,234"],
        ["passed over", "hidden or system files: 3"],
    ]
    assert len(page.named("img")) == 12


def test_photos_without_a_finding_are_said_to_be_fine(
    study_report: MakeStudy, tmp_path: Path
) -> None:
    inspection = dataclasses.replace(
        study_report(unreadable=0).inspection, duplicates=[], imbalance=1.0
    )
    render_inspection(inspection, {}, tmp_path / "photos.html")
    page = Page(tmp_path / "photos.html")
    assert "Nothing was found that calls for a decision" in page.text
    assert "Sample sheet" not in page.text
    assert "cannot be read" not in page.text


def test_the_templates_lie_in_the_package() -> None:
    from importlib.resources import files

    names = {item.name for item in (files("classeur.report") / "templates").iterdir()}
    assert {"run.html.j2", "study.html.j2", "inspection.html.j2", "run.md.j2"} <= names
