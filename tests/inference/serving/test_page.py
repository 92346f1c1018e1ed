"""The page at /, in a real browser."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.chromium import PROGRAM, Chromium

from classeur.inference.export.web_files import OWN
from classeur.inference.predictor import Predictor
from classeur.inference.serving.app import WEB

needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three photos in three formats, the second to be turned, the third with a wicked name."""
    folder = tmp_path_factory.mktemp("photos")
    y, x = np.mgrid[0:60, 0:90] / 90
    pictures = [
        Image.fromarray((255 * np.stack(bands, 2)).clip(0, 255).astype(np.uint8))
        for bands in ((x, y, 1 - x), (1 - y, 0 * x, x * x), (np.sin(9 * x) ** 2, y, y))
    ]
    turned = Image.Exif()
    turned[0x0112] = 6
    files = [folder / name for name in ("one.png", "two été.jpg", "=1+1.webp")]
    pictures[0].save(files[0])
    pictures[1].save(files[1], exif=turned, quality=95)
    pictures[2].save(files[2], lossless=True)
    return files


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as one:
        one.resize(1200, 900)
        yield one


SHOWN = "document.getElementById('take')?.hidden === false"
LABELS = "[...document.querySelectorAll('.card .label')].map((p) => p.textContent)"
NAMES = "[...document.querySelectorAll('.card .file')].map((p) => p.textContent)"
STATUS = "document.getElementById('status').textContent"


def click(browser: Chromium, selector: str) -> None:
    browser.evaluate(f"document.querySelector({selector!r}).click()")


@needs_chromium
def test_photos_get_the_labels_of_the_predictor(
    browser: Chromium, address: Callable[..., str], predictor: Predictor, photos: list[Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    expected = list(predictor.predict(photos))
    browser.complaints.clear()
    browser.go(address())
    browser.wait_for(SHOWN)
    assert browser.evaluate("document.documentElement.lang") == "en"
    assert browser.evaluate("document.getElementById('classes').textContent") == (
        "Knows 4 classes: ape, bee, cat, dog."
    )
    browser.choose("#files", photos)
    browser.wait_for(f"{STATUS}.endsWith('classified.')")
    assert browser.evaluate(STATUS) == "3 photos classified."
    assert browser.evaluate(LABELS) == [one.label for one in expected]
    assert browser.evaluate(NAMES) == [path.name for path in photos]
    ranked = browser.evaluate(
        "[...document.querySelectorAll('.top')].map((list) => [...list.children].map("
        "(row) => [row.querySelector('.name').textContent, parseFloat(row.querySelector('i')"
        ".style.width) / 100]))"
    )
    assert [[name for name, _ in one] for one in ranked] == [
        [name for name, _ in one.top] for one in expected
    ]
    widths = [share for one in ranked for _, share in one]
    assert widths == pytest.approx([p for one in expected for _, p in one.top], abs=1e-4)
    assert browser.complaints == []

    click(browser, ".look")
    browser.wait_for("document.querySelector('.heat')?.naturalWidth === 90")
    assert browser.evaluate("document.querySelector('.look').ariaPressed") == "true"
    boxes = browser.evaluate(
        "['.photo', '.heat'].map((s) => JSON.stringify(document.querySelector(s)"
        ".getBoundingClientRect()))"
    )
    assert boxes[0] == boxes[1]
    click(browser, ".look")
    browser.wait_for("document.querySelector('.heat').hidden")
    assert browser.complaints == []

    order = sorted(expected, key=lambda one: one.probability)
    browser.evaluate(
        "(() => { const o = document.getElementById('order'); o.value = 'doubtful'; "
        "o.dispatchEvent(new Event('change')); })()"
    )
    assert browser.evaluate(LABELS) == [one.label for one in order]
    table = downloaded(browser, tmp_path)
    assert table[0] == ["photo", "label", "probability", "unsure", "possible", "strange", "error"]
    assert [row[1] for row in table[1:]] == [one.label for one in order]
    assert [float(row[2]) for row in table[1:]] == pytest.approx([o.probability for o in order])
    assert sorted(row[0] for row in table[1:]) == ["'=1+1.webp", "one.png", "two été.jpg"]
    click(browser, "#clear")
    assert browser.evaluate("document.getElementById('results').hidden")
    assert browser.evaluate("document.activeElement.id") == "files"


def downloaded(browser: Chromium, folder: Path) -> list[list[str]]:
    """Press the button for the table; return its rows."""
    browser.tell("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    click(browser, "#save")
    file = folder / "classeur.csv"
    for _ in range(600):
        if file.exists() and file.stat().st_size:
            break
        time.sleep(0.05)
    return list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))


@needs_chromium
def test_what_is_no_photo_says_why_among_the_others(
    browser: Chromium, address: Callable[..., str], photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "page.jpg").write_text("<html></html>")
    browser.go(address())
    browser.wait_for(SHOWN)
    browser.choose("#files", [tmp_path / "page.jpg", photos[0]])
    browser.wait_for(f"{STATUS}.includes('could not')")
    assert browser.evaluate(STATUS) == "1 photo classified, 1 could not be."
    assert browser.evaluate(LABELS)[0] == "This file is an HTML page, not a photo."
    browser.wait_for("document.querySelector('.none')")
    assert downloaded(browser, tmp_path)[1] == [
        "page.jpg", "", "", "", "", "", "is an HTML page, not a photo",
    ]  # fmt: skip


@needs_chromium
def test_unsure_in_french_by_keyboard_and_with_the_camera(address: Callable[..., str]) -> None:
    with Chromium("fr-FR") as browser:
        browser.resize(390, 800, dark=True)
        browser.go(address(served={"abstain_below": 0.999}))
        browser.wait_for(SHOWN)
        assert browser.evaluate("document.documentElement.lang") == "fr"
        assert browser.evaluate(
            "[...document.querySelectorAll('[data-word]')].filter((e) => !e.textContent).length"
        ) == 0  # fmt: skip
        passed = []
        for _ in range(3):
            browser.press("Tab", 9)
            passed.append(browser.evaluate("document.activeElement.id"))
        assert passed[:2] == ["files", "camera"]
        browser.evaluate("document.getElementById('camera').focus()")
        browser.press("Enter", 13, "\r")
        browser.wait_for("document.getElementById('video').videoWidth > 0")
        click(browser, "#shoot")
        browser.wait_for(f"{STATUS}.startsWith('1 photo classée')")
        assert not browser.evaluate("document.getElementById('viewfinder').open")
        assert browser.evaluate("document.getElementById('video').srcObject") is None
        assert browser.evaluate("document.querySelector('.marks').textContent") == "Pas sûr."
        assert browser.evaluate(NAMES)[0].startswith("camera-")
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390
        assert browser.complaints == []


@needs_chromium
def test_a_token_is_asked_for(
    browser: Chromium, address: Callable[..., str], photos: list[Path]
) -> None:
    browser.go(address(token="secret"))
    browser.wait_for("document.getElementById('token-form')?.hidden === false")

    def enter(token: str) -> None:
        browser.evaluate(
            f"(() => {{ document.getElementById('token').value = {token!r};"
            "document.querySelector('#token-form button').click(); })()"
        )

    enter("guess")
    browser.wait_for(f'{STATUS} === "That is not this server\'s token."')
    enter("secret")
    browser.wait_for(SHOWN)
    browser.choose("#files", photos[:1])
    browser.wait_for(f"{STATUS} === '1 photo classified.'")
    click(browser, ".look")
    browser.wait_for("document.querySelector('.heat')")


@needs_chromium
def test_dropped_and_pasted_photos(
    browser: Chromium, address: Callable[..., str], photos: list[Path]
) -> None:
    browser.go(address())
    browser.wait_for(SHOWN)
    for event, field in (
        ("DragEvent('drop'", "dataTransfer"),
        ("ClipboardEvent('paste'", "clipboardData"),
    ):
        browser.evaluate(
            "(async () => { const canvas = document.createElement('canvas');"
            "const blob = await new Promise((done) => canvas.toBlob(done));"
            "const data = new DataTransfer(); data.items.add(new File([blob], 'it.png'));"
            f"document.dispatchEvent(new {event}, {{ {field}: data, cancelable: true }})); }})()"
        )
    browser.wait_for(f"{STATUS} === '2 photos classified.'")


def test_the_page_has_all_that_its_policy_allows_and_nothing_else(client: TestClient) -> None:
    page = client.get("/").text
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://", page)
    for link in re.findall(r'(?:src|href)="(web/[^"]+)"', page):
        assert client.get("/" + link).status_code == 200
    for file in WEB.glob("*.js"):
        assert client.get(f"/web/{file.name}").headers["content-type"].startswith("text/javascript")
        source = file.read_text(encoding="utf-8")
        assert "innerHTML" not in source
        for module in re.findall(r'from "\./([^"]+)"', source):
            assert (WEB / module).is_file()


def test_both_languages_have_the_same_words() -> None:
    source = (WEB / "words.js").read_text(encoding="utf-8")
    _, *parts = re.split(r"^const (?:en|fr) =", source, flags=re.M)
    english, french = (re.findall(r"^  (\w+):", part, re.M) for part in parts)
    assert english == french
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'data-word="(\w+)"', page)) <= set(english)
    scripts = [*WEB.glob("*.js"), *OWN.glob("*.js")]
    used = set(re.findall(r"words\.(?!js\b)(\w+)", "".join(f.read_text() for f in scripts)))
    assert used <= set(english)
    assert set(english) == used | set(re.findall(r'data-word="(\w+)"', page))
