"""The pages: well-formed, self-contained, and safe whatever a label holds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.report.pages import Page

from classeur.report.render import render_run, render_study
from classeur.report.run_report import RunReport
from classeur.report.study_report import StudyReport

MakeRun = Callable[..., RunReport]
MakeStudy = Callable[..., StudyReport]


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


def test_stray_bytes_and_control_codes_do_not_reach_a_page(
    run_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = run_page(name="caf\udce9 \x00\x1b[31m")
    assert "caf� ��[31m" in page.text
    (tmp_path / "report.md").read_bytes().decode("utf-8")


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


def test_the_templates_lie_in_the_package() -> None:
    from importlib.resources import files

    names = {item.name for item in (files("classeur.report") / "templates").iterdir()}
    assert {"run.html.j2", "study.html.j2", "inspection.html.j2", "run.md.j2"} <= names
