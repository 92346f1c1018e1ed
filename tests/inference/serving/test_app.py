"""Photos in, labels out, and a reason for whatever is none."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.inference.conftest import NAMES

from classeur.errors import InferenceError, ModelError
from classeur.inference.predictor import Prediction, Predictor
from classeur.inference.serving import uploads
from classeur.models.abstention import Rule
from classeur.run_folder import RunFolder

Start = Callable[..., TestClient]
JPEG = {"Content-Type": "image/jpeg"}


def form(*contents: bytes, names: tuple[str, ...] = ()) -> list[Any]:
    names = names or tuple(f"{i}.jpg" for i in range(len(contents)))
    return [("photos", (name, one)) for name, one in zip(names, contents, strict=True)]


def refused(response: Any, status: int) -> str:
    """Return the reason of a refusal."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    (reason,) = response.json().values()
    return reason


def test_the_server_answers_as_the_predictor(
    client: TestClient, predictor: Predictor, png: bytes
) -> None:
    (said,) = predictor.predict([png], top_k=2)
    expected = {
        "label": said.label,
        "probability": pytest.approx(said.probability, abs=1e-6),
        "top": [
            {"label": name, "probability": pytest.approx(p, abs=1e-6)} for name, p in said.top
        ],
        "unsure": None, "possible": None, "strange": None, "strangeness": None, "error": None,
    }  # fmt: skip
    raw = client.post("/predict?top_k=2", content=png, headers=JPEG)
    assert raw.json() == {"photos": [{"file": None, **expected}]}
    sent = client.post("/predict?top_k=2", files=form(png, names=("chat été.png",)))
    assert sent.json() == {"photos": [{"file": "chat été.png", **expected}]}


def test_of_many_photos_each_has_an_answer_or_an_error(client: TestClient, png: bytes) -> None:
    response = client.post("/predict", files=form(png, b"no photo", png, b""))
    assert response.status_code == 200
    photos = response.json()["photos"]
    assert [one["file"] for one in photos] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert photos[0]["label"] == photos[2]["label"]
    assert photos[0]["label"] in NAMES
    assert len(photos[0]["top"]) == 3
    bad = photos[1]
    assert bad.pop("error").startswith("is not a photo in any known format")
    assert (bad.pop("file"), bad.pop("top")) == ("1.jpg", [])
    assert set(bad.values()) == {None}
    assert photos[3]["error"] == "is empty (0 bytes)"


def test_one_bad_photo_is_refused_with_its_reason(
    client: TestClient, photo: Image.Image, encode: Callable[..., bytes]
) -> None:
    whole = encode(photo, "JPEG")
    cases = {
        b"": "the file is empty (0 bytes).",
        b"<html></html>": "the file is an HTML page, not a photo.",
        whole[: len(whole) // 2]: "the file is broken: ",
    }
    for content, reason in cases.items():
        for body in ({"content": content, "headers": JPEG}, {"files": form(content)}):
            assert refused(client.post("/predict", **body), 422).startswith(reason)


def test_a_bomb_is_refused_before_it_is_decoded(
    client: TestClient, encode: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = encode(Image.new("1", (9000, 6000)))
    monkeypatch.setattr(Predictor, "prepared", lambda *_: pytest.fail("was decoded"))
    assert refused(client.post("/predict", content=bomb, headers=JPEG), 422) == (
        "the file is too large: 9000×6000 pixels, at most 50 megapixels are taken here."
    )
    head = b"IHDR" + struct.pack(">II", 60000, 60000) + bomb[24:29]
    gigantic = bomb[:12] + head + struct.pack(">I", zlib.crc32(head)) + bomb[33:]
    reason = refused(client.post("/predict", content=gigantic, headers=JPEG), 422)
    assert reason.startswith("the file is a decompression bomb: Image size (3600000000 pixels)")


def test_what_is_no_form_and_no_photo(client: TestClient) -> None:
    expected = "expected the Content-Type multipart/form-data, image/… or application/octet-stream"
    for kind, named in (("text/plain; charset=utf-8", "text/plain"), ("", "none")):
        headers = {"Content-Type": kind}
        reason = refused(client.post("/predict", content=b"x", headers=headers), 415)
        assert reason == f"{expected}, received {named}."
    curl = {"Content-Type": "application/x-www-form-urlencoded"}  # as of curl --data-binary
    assert refused(client.post("/predict", content=b"x", headers=curl), 415) == (
        f"{expected}, received application/x-www-form-urlencoded. "
        'Tell curl: -H "Content-Type: image/jpeg".'
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the form cannot be read: its end is missing."),
        (b"nothing like it", "the form cannot be read: "),
        (b'--x\r\nContent-Disposition: form-data; name="photos"\r\n\r\nhalf a pho',
         "the form cannot be read: its end is missing."),
    ],
)  # fmt: skip
def test_a_form_that_is_none(client: TestClient, body: bytes, reason: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert refused(client.post("/predict", content=body, headers=headers), 400).startswith(reason)


def test_a_form_without_a_boundary(client: TestClient) -> None:
    response = client.post(
        "/predict", content=b"x", headers={"Content-Type": "multipart/form-data"}
    )
    assert refused(response, 400) == "the form cannot be read: it has no boundary."


def test_a_form_without_photos_and_one_with_something_else(client: TestClient, png: bytes) -> None:
    empty = client.post(
        "/predict",
        content=b"--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert refused(empty, 422) == 'expected at least one file in the field "photos", received none.'
    other = client.post("/predict", files={"file": png})
    assert refused(other, 422) == ("unknown field 'file'. Expected files in the field \"photos\".")


def test_limits_of_a_request(start: Start, png: bytes) -> None:
    small = start(max_files=2, max_request_mb=1)
    assert refused(small.post("/predict", files=form(png, png, png)), 422) == (
        "a request may hold at most 2 files."
    )
    much = bytes(1 << 20) + b"x"

    def in_parts() -> Iterator[bytes]:
        yield much[:1000]
        yield much[1000:]

    for content in (much, in_parts()):  # with its length stated, and without
        response = small.post("/predict", content=content, headers=JPEG)
        assert refused(response, 413) == "the request is larger than 1 MiB."
    assert small.get("/metrics").text.count("classeur_waiting_bytes{") == 1
    assert " 0.0" in next(
        line for line in small.get("/metrics").text.splitlines() if "waiting_bytes{" in line
    )


def test_a_body_that_dawdles(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dawdling(*_: Any) -> Any:
        raise TimeoutError

    monkeypatch.setattr(uploads, "_whole", dawdling)
    response = start(receive_seconds=0.5).post("/predict", content=b"x", headers=JPEG)
    assert refused(response, 408) == "the request did not arrive within 0.5 seconds."


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("top_k=0", "top_k: input should be greater than or equal to 1."),
        ("top_k=x", "top_k: input should be a valid integer"),
        ("topk=1", 'unknown option "topk". Did you mean "top_k"? Expected one of: top_k.'),
    ],
)
def test_options_that_cannot_be(client: TestClient, png: bytes, query: str, reason: str) -> None:
    response = client.post(f"/predict?{query}", content=png, headers=JPEG)
    assert refused(response, 422).startswith(reason)


def test_more_classes_than_there_are(client: TestClient, png: bytes) -> None:
    response = client.post("/predict?top_k=1000", content=png, headers=JPEG)
    assert len(response.json()["photos"][0]["top"]) == len(NAMES)


def test_an_unsure_answer(start: Start, png: bytes) -> None:
    answers = start(served={"abstain_below": 0.999}).post("/predict", content=png, headers=JPEG)
    (said,) = answers.json()["photos"]
    assert (said["unsure"], said["possible"]) == (True, None)
    assert said["label"] in NAMES


def test_a_share_of_wrong_answers_names_what_is_possible(
    start: Start, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "rule", lambda *_: Rule(0.999, 0.0))
    served = start(served={"max_error": 0.05})
    (said,) = served.post("/predict", content=png, headers=JPEG).json()["photos"]
    assert said["unsure"] is True
    assert sorted(said["possible"]) == NAMES
    facts = served.get("/model").json()
    assert (facts["abstains"], facts["max_error"], facts["abstain_below"]) == (True, 0.05, None)


def test_a_strange_photo(client: TestClient, png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = Prediction("", "ape", 0.5, (("ape", 0.5),), strangeness=1.5)
    monkeypatch.setattr(Predictor, "answers", lambda self, pixels, **_: [strange] * len(pixels))
    (said,) = client.post("/predict", content=png, headers=JPEG).json()["photos"]
    assert (said["strange"], said["strangeness"]) == (True, 1.5)


def test_a_network_that_breaks_costs_one_answer(
    start: Start, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = start()
    own._transport.raise_server_exceptions = False
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "answers", lambda *_, **__: 1 / 0)
        reason = refused(own.post("/predict", content=png, headers=JPEG), 500)
    assert reason == "this is a bug in Classeur; the server's log has its trace."
    assert own.post("/predict", content=png, headers=JPEG).status_code == 200
    assert own.get("/readyz").json() == {"status": "ok"}


def test_a_heat_map(client: TestClient, png: bytes, predictor: Predictor) -> None:
    response = client.post("/explain?label=cat", content=png, headers=JPEG)
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(response.content))
    assert (picture.mode, picture.size) == ("RGBA", (72, 48))
    heat = predictor.explain(png, "cat")
    warmth = np.asarray(picture)[:, :, 3]
    assert np.abs(warmth / 255 - 0.75 * heat).max() < 0.01
    assert client.post("/explain", files=form(png)).status_code == 200


def test_a_heat_map_of_a_large_photo_is_small(
    client: TestClient, encode: Callable[..., bytes]
) -> None:
    large = encode(Image.new("RGB", (2000, 500), "red"))
    picture = Image.open(io.BytesIO(client.post("/explain", content=large, headers=JPEG).content))
    assert picture.size == (512, 128)


def test_a_heat_map_that_cannot_be(client: TestClient, png: bytes) -> None:
    unknown = client.post("/explain?label=dgo", content=png, headers=JPEG)
    assert refused(unknown, 422) == (
        'unknown label "dgo". Did you mean "dog"? Expected one of: ape, bee, cat, dog.'
    )
    assert refused(client.post("/explain", files=form(png, png)), 422) == (
        "expected one photo, received 2."
    )
    broken = client.post("/explain", content=b"no photo", headers=JPEG)
    assert refused(broken, 422).startswith("the file is not a photo in any known format")


def test_a_network_without_heat_maps(
    start: Start, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any) -> Any:
        raise ModelError("dense has no convolution to look at.")

    monkeypatch.setattr(Predictor, "explain", none)
    plain = start()
    response = plain.post("/explain", content=png, headers=JPEG)
    assert refused(response, 404) == "dense has no convolution to look at."
    assert plain.get("/model").json()["explains"] is False


def test_what_is_served(client: TestClient, run: RunFolder, predictor: Predictor) -> None:
    run.card.write_text("# Card", encoding="utf-8")
    facts = client.get("/model").json()
    run.card.unlink()
    assert facts["name"] == run.path.name
    assert facts["class_names"] == NAMES
    assert facts["preprocessing"] == predictor.preprocessing.to_dict()
    assert facts["limits"] == {"max_files": 32, "max_request_mb": 32, "max_megapixels": 50}
    assert (facts["abstains"], facts["tells_strange"], facts["explains"]) == (False, False, True)
    assert facts["card"] == "# Card"
    assert client.get("/model").json()["card"] is None


def test_a_share_that_cannot_be_promised_is_refused_at_the_start(start: Start) -> None:
    with pytest.raises(InferenceError, match="cannot tell which photos are strange"):
        start(served={"strange_share": 0.1})


def test_alive_and_ready(client: TestClient) -> None:
    for path in ("/healthz", "/readyz"):
        assert client.get(path).json() == {"status": "ok"}


def test_figures_for_prometheus(start: Start, png: bytes) -> None:
    own = start()
    own.post("/predict", files=form(png, png, b"x"))
    own.get("/secret-name.jpg")
    text = own.get("/metrics").text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")

    def figure(name: str, *words: str) -> list[float]:
        return [
            float(value) for key, value in figures.items()
            if key.startswith(name + "{") and all(word in key for word in words)
        ]  # fmt: skip

    assert figure("classeur_photos_total", 'outcome="answered"') == [2]
    assert figure("classeur_photos_total", 'outcome="unreadable"') == [1]
    assert figure("classeur_requests_total", 'path="/predict"', 'status="200"') == [1]
    assert figure("classeur_requests_total", 'path="other"', 'status="404"') == [1]
    assert sum(figure("classeur_batch_photos_sum")) == 2
    assert figure("classeur_waiting_photos") == [0]
    assert "secret" not in text


def test_the_log_says_how_much_and_never_what(
    start: Start, png: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("classeur.serve")
    monkeypatch.setattr(logger, "propagate", True)
    with caplog.at_level(logging.INFO, "classeur.serve"):
        own = start()
        own.post("/predict?top_k=1", files=form(png, names=("Aunt Mary.png",)))
        own.get("/Aunt%20Mary.png?token=abc")
        own.post("/explain?label=cat", content=b"Aunt Mary", headers=JPEG)
        own.request("BREW", "/predict")
    lines = [record.getMessage() for record in caplog.records if record.name == logger.name]
    assert [line.split(",")[0] for line in lines] == [
        "POST /predict 200", "GET other 404", "POST /explain 422", "other /predict 405",
    ]  # fmt: skip
    assert "Mary" not in caplog.text
    assert "abc" not in caplog.text


def test_paths_that_lead_nowhere(client: TestClient) -> None:
    assert refused(client.get("/docs"), 404) == "not found."
    assert refused(client.get("/web/../app.py"), 404) == "not found."
    assert refused(client.get("/web/%2e%2e/predictor.py"), 404) == "not found."
    response = client.get("/predict")
    assert refused(response, 405) == "method not allowed."
    assert response.headers["allow"] == "POST"


def test_the_description_is_of_this_server(client: TestClient, start: Start) -> None:
    plain, secured = (
        c.get("/openapi.json").json() for c in (client, start(token="t", max_files=7))
    )
    assert list(plain["paths"]) == [
        "/predict", "/explain", "/model", "/healthz", "/readyz", "/metrics",
    ]  # fmt: skip
    assert "securitySchemes" not in plain["components"]
    assert secured["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, codes in (("/predict", "401"), ("/model", "401")):
        (operation,) = secured["paths"][path].values()
        assert operation["security"] == [{"bearer": []}]
        assert codes in operation["responses"]
        (operation,) = plain["paths"][path].values()
        assert codes not in operation["responses"]
    body = secured["paths"]["/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert body["schema"]["properties"]["photos"]["maxItems"] == 7
