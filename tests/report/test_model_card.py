"""The model card: what the hub reads, what people read, and what nobody else shall."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import ModelCard as HubCard

from classeur.data.manifest import Manifest, ManifestRow
from classeur.evaluation.evaluate import RunMetrics
from classeur.evaluation.leaks import LeakEffect
from classeur.evaluation.metrics import Figure
from classeur.report.model_card import build_model_card, hub_metadata
from classeur.report.render import render_card
from classeur.report.run_report import RunReport

WEIGHTS = {
    "name": "mobilenetv2_100",
    "licence": "Apache-2.0",
    "source": "/home/maria/w.safetensors",
    "pretrained_on": "ImageNet-1k",
}


@pytest.fixture
def card(run_report: Callable[..., RunReport], tmp_path: Path) -> Callable[..., str]:
    def make(folder: str = "photos", **changes: object) -> str:
        rows = [
            ManifestRow(f"secret/{i}.jpg", "cat", ("train", "val", "test")[i % 3], "", 9, 9, "")
            for i in range(9)
        ]
        report = run_report(**changes)
        built = build_model_card(report, Manifest(rows), Path("/home/maria") / folder, None)
        render_card(built, tmp_path / "README.md")
        return (tmp_path / "README.md").read_text(encoding="utf-8")

    return make


@pytest.mark.parametrize("folder", ["photos", "chats: «é» # 1", "- [x]", "a\nb", "on"])
def test_any_folder_makes_a_card_that_the_hub_reads(card: Callable[..., str], folder: str) -> None:
    data = HubCard(card(folder)).data
    assert data.eval_results[0].dataset_name == folder
    assert data.eval_results[0].dataset_type == "imagefolder"
    assert data.metrics == ["accuracy", "balanced_accuracy", "f1"]


def test_a_card_claims_no_more_of_its_test_photos_than_is_so(
    card: Callable[..., str], run_metrics: Callable[..., RunMetrics]
) -> None:
    assert "on 60 test photos. They had no part in training or in any choice." in card()
    effect = LeakEffect(3, 1, 56, Figure(0.9, 0.8, 1.0), None)
    text = card(metrics=dataclasses.replace(run_metrics(), leaks=effect))
    assert "on 60 test photos. 4 of them have copies among the training photos." in text
    assert "no part" not in text


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC BY NC 4.0", {"license": "cc-by-nc-4.0"}),
        ("Our own: ask", {"license": "other", "license_name": "Our own: ask"}),
        ("", {}),
    ],
)
def test_the_licence_is_named_as_the_hub_names_it(
    run_metrics: Callable[..., RunMetrics], licence: str, expected: dict[str, str]
) -> None:
    head = hub_metadata("run", "photos", run_metrics(), {"licence": licence})
    data = HubCard(f"---\n{head}\n---\n").data.to_dict()
    assert {k: v for k, v in data.items() if k.startswith("license")} == expected


def test_scores_have_their_intervals(card: Callable[..., str]) -> None:
    text = card()
    accuracy = HubCard(text).data.eval_results[0]
    assert accuracy.metric_name.startswith("Accuracy (95 % interval ")
    assert f"{100 * accuracy.metric_value:.1f}\u00a0%" in text.split("## Scores")[1]


def test_pretrained_weights_their_licence_and_photos_they_may_have_seen(
    card: Callable[..., str],
) -> None:
    text = card("n02085620-Chihuahua", backbone=WEIGHTS)
    assert "The pre-trained weights it began with are under Apache-2.0." in text
    assert "| source | w.safetensors |" in text
    assert "these photos are probably of ImageNet too" in text
    assert "/home" not in text
    assert "is not on record" in card(backbone={**WEIGHTS, "licence": ""})
    assert "Its weights were trained from scratch" in card()


def test_no_photo_and_no_path(card: Callable[..., str]) -> None:
    text = card()
    assert "secret" not in text
    assert "maria" not in text
    assert "/p" not in text.split("## Training")[1].split("## Preprocessing")[0]
    assert "data:image" not in text


def test_a_label_that_is_a_script_is_text(card: Callable[..., str], evil: str) -> None:
    body = card().split("---\n")[2]
    assert evil not in re.sub(r"```.*?```", "", body, flags=re.DOTALL)


def test_limits_tell_of_class_sizes_and_openings(card: Callable[..., str]) -> None:
    openings = [{"when": "", "reason": "", "photos": 1}] * 2
    text = card(class_sizes={"cat": 90, "dog": 30}, test_openings=openings)
    assert "90 training photos of the largest, 30 of the smallest" in text
    assert "The test photos were opened 2 times" in text
    assert "opened" not in card()
