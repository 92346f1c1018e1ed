"""The pages, in a real browser."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.chromium import PROGRAM, Chromium

from classeur.board.app import SHARED, WEB
from classeur.study.train import train

needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium")

ROWS = "[...document.querySelectorAll('tbody tr')].map((row) => row.innerText)"
NAME = "document.getElementById('name').textContent"
STATUS = "(document.getElementById('status')?.textContent ?? '')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as one:
        one.resize(1200, 900)
        yield one


@needs_chromium
def test_from_the_folder_to_two_runs_photo_by_photo(
    browser: Chromium, address: Callable[..., str], runs: Path
) -> None:
    shutil.copytree(runs / "un classeur" / "dense", runs / "<img src=x onerror=alert(1)>")
    browser.complaints.clear()
    browser.go(address())
    browser.wait_for("document.querySelectorAll('tbody tr').length === 2")
    assert browser.evaluate(NAME) == "runs"
    rows = browser.evaluate(ROWS)
    assert any("<img src=x onerror=alert(1)>" in row for row in rows)
    assert any("un classeur" in row and "2 of 3 finished" in row for row in rows)

    browser.evaluate("document.querySelector('a[href^=\"/study\"]').click()")
    browser.wait_for("document.querySelectorAll('.small svg').length === 1")
    assert browser.evaluate(NAME) == "un classeur"
    assert "failed" in next(row for row in browser.evaluate(ROWS) if "conv3" in row)
    binder = browser.evaluate("document.querySelector('a.button').getAttribute('href')")
    assert binder == "/files/un%20classeur/index.html"
    for _ in range(3):
        browser.evaluate("document.querySelector('input[type=checkbox]:not(:checked)')?.click()")
    assert not browser.evaluate("document.querySelector('button.first').disabled")
    browser.evaluate("document.querySelector('button.first').click()")

    browser.wait_for("document.querySelector('.gallery img')?.naturalWidth > 0")
    table = browser.evaluate(
        "[...document.querySelectorAll('.four button')].map((b) => Number(b.textContent))"
    )
    shown = browser.evaluate("document.querySelectorAll('.gallery li').length")
    assert shown == table[1]
    assert browser.evaluate(
        "[...document.querySelectorAll('.gallery li')].every((one) => ['.right', '.wrong']"
        ".every((name) => one.querySelectorAll(name).length === 1))"
    )
    browser.evaluate("document.querySelector('[data-cell=neither]').focus()")
    browser.press("Enter", 13, "\r")
    browser.wait_for(f"document.querySelectorAll('.gallery .wrong').length === {2 * table[3]}")
    assert browser.evaluate("document.activeElement.dataset.cell") == "neither"
    browser.evaluate("document.querySelector('summary').click()")
    browser.wait_for("document.querySelectorAll('iframe').length === 2")
    browser.wait_for(
        "[...document.querySelectorAll('iframe')].every((one) =>"
        "one.contentDocument?.querySelector('h1'))"
    )
    assert browser.complaints == []


@needs_chromium
def test_a_run_draws_itself_while_it_trains(
    address: Callable[..., str], runs: Path, photos: Path
) -> None:
    with Chromium("fr-FR") as browser:
        browser.resize(390, 800, dark=True)
        place = address()
        browser.go(place)
        browser.wait_for("document.querySelectorAll('tbody tr').length === 1")
        at_work = threading.Thread(
            target=train, args=(photos, "conv1"), daemon=True,
            kwargs={"to": runs / "live", "epochs": 60, "patience": 0, "size": 24, "device": "cpu"},
        )  # fmt: skip
        at_work.start()
        browser.wait_for("document.querySelector('.works progress')?.value > 0")
        browser.evaluate("document.querySelector('.works .label a').click()")
        browser.wait_for("document.querySelectorAll('.charts svg').length === 2")
        assert browser.evaluate("document.documentElement.lang") == "fr"
        epoch = f"Number({STATUS}.match(/Époque (\\d+)/)?.[1] ?? 0)"
        browser.wait_for(f"{epoch} > 1")
        before = browser.evaluate(epoch)
        browser.wait_for(f"{epoch} > {before} || document.querySelector('.finished')")
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390
        at_work.join()
        browser.wait_for("document.querySelector('.state.finished')")
        browser.wait_for("document.querySelectorAll('details tbody tr').length === 60")
        assert "apprentissage à" in browser.evaluate(
            "document.querySelector('.charts svg').getAttribute('aria-label')"
        )
        browser.go(f"{place}/run?id=nobody")
        browser.wait_for(f"{STATUS} === 'Il n’y a pas de tel entraînement dans ce dossier.'")
        assert browser.complaints == []


@needs_chromium
def test_a_token_is_asked_for_and_holds_for_sheets_and_photos(
    browser: Chromium, address: Callable[..., str]
) -> None:
    place = address(token="secret")
    browser.go(place)
    browser.wait_for("document.getElementById('token-form')?.hidden === false")

    def enter(token: str) -> None:
        browser.evaluate(
            f"(() => {{ document.getElementById('token').value = {token!r};"
            "document.querySelector('#token-form button').click(); })()"
        )

    enter("guess")
    browser.wait_for(f'{STATUS} === "That is not this board\'s token."')
    enter("secret")
    browser.wait_for("document.querySelectorAll('tbody tr').length === 1")
    browser.go(f"{place}/files/un%20classeur/index.html")
    browser.wait_for("document.querySelector('a[href=\"dense/report.html\"]')")
    browser.evaluate("document.querySelector('a[href=\"dense/report.html\"]').click()")
    browser.wait_for("document.querySelector('.eyebrow')?.textContent.includes('sheet')")


@needs_chromium
def test_a_page_that_may_not_follow_asks_instead(
    browser: Chromium, address: Callable[..., str]
) -> None:
    import httpx2

    place = address(max_followers=1)
    with httpx2.stream("GET", f"{place}/api/events") as other:
        lines = other.iter_lines()
        next(lines)
        browser.go(place)
        browser.wait_for("document.querySelectorAll('tbody tr').length === 1")
        assert browser.evaluate("document.getElementById('feed').textContent").startswith("Many")
        lines.close()


def test_the_page_brings_all_it_needs_and_no_html_from_text() -> None:
    page = (WEB / "board.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://", page)
    for place, name in re.findall(r'(?:src|href)="/(web|shared)/([^"]+)"', page):
        assert ((WEB if place == "web" else SHARED) / name).is_file()
    for file in WEB.glob("*.js"):
        source = file.read_text(encoding="utf-8")
        assert "innerHTML" not in source
        for module in re.findall(r'from "\./([^"]+)"', source):
            assert (WEB / module).is_file()


def test_both_languages_have_the_same_words() -> None:
    source = (WEB / "words.js").read_text(encoding="utf-8")
    _, *parts = re.split(r"^const (?:en|fr) =", source, flags=re.M)
    english, french = (re.findall(r"^  (\w+):", part, re.M) for part in parts)
    assert english == french
    page = (WEB / "board.html").read_text(encoding="utf-8")
    scripts = "".join(file.read_text(encoding="utf-8") for file in WEB.glob("*.js"))
    used = set(re.findall(r"words\.(?!js\b)(\w+)", scripts))
    used |= set(re.findall(r'data-word="(\w+)"', page))
    by_name = set(re.findall(r'"(\w+)"', scripts))
    assert used <= set(english)
    assert set(english) <= used | by_name
