from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from classeur.run_folder import RunFolder
from classeur.section import override
from classeur.training import loop
from classeur.training.averaging import Average


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def test_the_average_is_that_of_the_formula():
    net = network()
    average = Average(net, decay=0.25)
    expected = net[0].weight.detach().clone()
    for step in (1, 2, 3, 4):
        with torch.no_grad():
            net[0].weight += step
        average.update()
        decay = min(0.25, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * net[0].weight.detach()
    live = net[0].weight.detach().clone()
    with average.applied():
        assert torch.allclose(net[0].weight, expected)
    assert torch.equal(net[0].weight, live)


def test_statistics_of_norms_are_averaged_and_counters_left():
    net = network()
    average = Average(net, decay=0.99)
    net(torch.ones(2, 1, 5, 5))
    average.update()
    live = net[1].running_mean.clone()
    with average.applied():
        assert 0 < float(net[1].running_mean.abs().sum()) < float(live.abs().sum())
        assert int(net[1].num_batches_tracked) == 1


def test_the_weights_come_back_when_scoring_fails():
    net = network()
    average = Average(net, decay=0.5)
    with torch.no_grad():
        net[0].weight += 1
    live = net[0].weight.detach().clone()
    with pytest.raises(KeyboardInterrupt), average.applied():
        raise KeyboardInterrupt
    assert torch.equal(net[0].weight, live)


def test_a_saved_average_goes_on():
    first, second = network(), network()
    one, two = Average(first, 0.9), Average(second, 0.9)
    with torch.no_grad():
        first[0].weight += 1
    one.update()
    two.load_state_dict(one.state_dict())
    assert all(map(torch.equal, one.state_dict()["mean"], two.state_dict()["mean"]))
    assert two.state_dict()["steps"] == 1
    with pytest.raises(ValueError, match="the averaged weights are of another network"):
        Average(nn.Linear(2, 2), 0.9).load_state_dict(one.state_dict())


def test_what_is_kept_is_what_was_validated(config, train, data, tmp_path, monkeypatch):
    seen = []
    validate = loop.validate

    def watched(trainer):
        seen.append({k: v.clone() for k, v in trainer.network.state_dict().items()})
        return validate(trainer)

    monkeypatch.setattr(loop, "validate", watched)
    _, progress = train(override(config, {"ema": 0.9}), tmp_path / "averaged")
    kept = load_file(RunFolder(tmp_path / "averaged").weights)
    best = seen[progress.best_epoch - 1]
    assert all(torch.equal(kept[name], best[name]) for name in kept)

    train(config, tmp_path / "plain")
    plain = load_file(RunFolder(tmp_path / "plain").weights)
    assert any(not torch.equal(kept[name], plain[name]) for name in kept)
