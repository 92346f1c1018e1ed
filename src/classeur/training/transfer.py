"""Learning on a pre-trained backbone: the head on frozen features, then the backbone too.

Fine-tuning goes from the top down, with a learning rate that falls block by block towards the photo
(Howard and Ruder, 2018, "Universal language model fine-tuning for text classification").
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from classeur.config import AugmentationConfig, RunConfig, TrainingConfig
from classeur.data.store import Store
from classeur.errors import RunFolderError
from classeur.models.classifier import Classifier
from classeur.models.pretrained import Pretrained, load_backbone
from classeur.models.weights import Weights
from classeur.run_folder import RunFolder, read_json, replacing
from classeur.section import override
from classeur.training.checkpoint import Progress, finish
from classeur.training.features import backbone_of, compute_features
from classeur.training.inputs import Pixels, TrainingData
from classeur.training.loop import Learner, learn
from classeur.training.recipes import like

log = logging.getLogger(__name__)

_HEAD = TrainingConfig(learning_rate=1e-3, patience=5)
"""How the head learns before the backbone does."""


@dataclasses.dataclass(frozen=True)
class Transfer:
    """All that learning on a backbone needs."""

    classifier: Classifier
    weights: Weights
    data: TrainingData
    store: Store
    device: torch.device
    number_format: str


def fit_transfer(
    transfer: Transfer, config: RunConfig, run: RunFolder, learner: Learner = learn
) -> Progress:
    """Train as `config.transfer.method` says; keep the best weights, as `loop.fit` does.

    `learner` is for the last stage: a head that learns before the backbone does just learns.

    Raises:
        WeightsError: if the pre-trained weights cannot be had or do not fit.
        DivergedError: if the loss becomes NaN or infinite.
        TrainingError: if memory runs out.
    """
    network = backbone_of(transfer.classifier)
    file = load_backbone(network, transfer.weights)
    network.to(transfer.device)
    if config.transfer.method == "frozen":
        progress = _fit_head(transfer, config, run, file, learner)
        transfer.classifier.save_weights(run)
        return progress
    seconds = 0.0
    if config.transfer.head_epochs:
        stage = head_stage(run)
        stage.path.mkdir(exist_ok=True)
        if not stage.training.is_file():
            log.info("the head learns first, on frozen features")
            finish(stage, _fit_head(transfer, _head_config(config), stage, file))
        _load_head(network, stage)
        seconds = read_json(stage.training)["seconds"]
    progress = _fine_tune(transfer, network, _after(config, seconds), run, learner)
    progress.seconds += seconds
    return progress


def head_stage(run: RunFolder) -> RunFolder:
    """Return where the head of a fine-tuned run learns alone, before the backbone does."""
    return RunFolder(run.path / "head")


def _head_config(config: RunConfig) -> RunConfig:
    own = dataclasses.replace(
        like(_HEAD, config.training),
        epochs=config.transfer.head_epochs,
        max_minutes=config.training.max_minutes,
        restore_prior=False,  # once, at the end
    )
    plain = dataclasses.replace(config.transfer, views=0)
    return dataclasses.replace(
        config, training=own, transfer=plain, augmentation=AugmentationConfig()
    )


def _after(config: RunConfig, seconds: float) -> RunConfig:
    """Return the config with what is left of its time budget, if it has one."""
    if not config.training.max_minutes:
        return config
    left = max(0.001, round(config.training.max_minutes - seconds / 60, 3))
    return override(config, {"max_minutes": left})  # type: ignore[no-any-return]


def _fit_head(
    transfer: Transfer, config: RunConfig, run: RunFolder, file: Path, learner: Learner = learn
) -> Progress:
    """Train the head on features; afterwards the classifier has the best one."""
    features = compute_features(
        transfer.classifier,
        transfer.data,
        store_key=transfer.store.key,
        weights=file,
        views=config.transfer.views,
        augmentation=config.augmentation,
        seed=config.seed,
        device=transfer.device,
        number_format=transfer.number_format,
        batch_size=config.training.batch_size,
    )
    network = backbone_of(transfer.classifier)

    def keep() -> None:
        state = {k: v.detach().cpu().contiguous() for k, v in network.head.state_dict().items()}
        with replacing(_head_file(run)) as temporary:
            save_file(state, temporary)

    progress = learner(
        network.head, features, _after(config, features.seconds), run,
        device=transfer.device, number_format=transfer.number_format, keep=keep,
    )  # fmt: skip
    _load_head(network, run)
    progress.seconds += features.seconds
    return progress


def _head_file(run: RunFolder) -> Path:
    """Return where the best head so far is kept: the backbone is not written anew each epoch."""
    return run.path / "head.safetensors"


def _load_head(network: Pretrained, run: RunFolder) -> None:
    try:
        network.head.load_state_dict(load_file(_head_file(run)))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunFolderError(f"{_head_file(run)} cannot be read: {reason}.") from error


def _fine_tune(
    transfer: Transfer, network: Pretrained, config: RunConfig, run: RunFolder, learner: Learner
) -> Progress:
    """Train head and backbone together on pixels."""
    how = config.transfer
    network.keep_norms = how.keep_norms

    def begin_epoch(epoch: int) -> None:
        if how.unfreeze == "blocks":
            network.unfreeze(epoch)

    network.unfreeze(None if how.unfreeze in ("all", "blocks") else int(how.unfreeze))
    progress = learner(
        network,
        Pixels(transfer.data, transfer.classifier.preprocessing, config.augmentation),
        config,
        run,
        device=transfer.device,
        number_format=transfer.number_format,
        keep=lambda: transfer.classifier.save_weights(run),
        begin_epoch=begin_epoch,
        rates=_rates(network, how.layer_decay),
    )
    transfer.classifier.load_weights(run.weights)
    return progress


def _rates(network: Pretrained, decay: float) -> dict[str, float]:
    """Return parameter that learns -> its share of the learning rate, less towards the photo."""
    blocks = network.blocks()
    top = max(blocks.values())
    rates = {f"head.{name}": 1.0 for name, _ in network.head.named_parameters()}
    for name, parameter in network.backbone.named_parameters():
        if parameter.requires_grad:
            rates[f"backbone.{name}"] = decay ** (1 + top - blocks[name])
    return rates
