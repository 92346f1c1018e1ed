"""The probabilities of classes as frequent as they are, where training has shown them otherwise.

Class weights, balanced sampling and more views of rare classes make a network answer as if all
classes were as frequent as it has seen them. Its logits then lack the log of the ratio of the two
frequencies, and that can be given back to them afterwards (Saerens, Latinne and Decaestecker, 2002,
"Adjusting the outputs of a classifier to new a priori probabilities"; Menon et al., 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from classeur.training.optimization import balanced_weights
from classeur.training.sampling import Sampling, class_sizes


def prior_shift(sampling: Sampling) -> torch.Tensor:
    """Return what the logits of a run lack, (num_classes,) with mean 0: 0 if it shows all alike."""
    sizes = torch.from_numpy(class_sizes(sampling.data).clip(min=1)).double()
    shares = torch.from_numpy(sampling.shares.clip(min=1)).double()
    if sampling.config.training.class_weights:
        shares *= balanced_weights(torch.from_numpy(sampling.shares)).double()
    shift = (sizes / shares).log()
    return (shift - shift.mean()).float()


@contextmanager
def shifted(network: nn.Module, shift: torch.Tensor) -> Iterator[None]:
    """Inside, the logits of the network have the shift, through the bias of its last layer."""
    bias = _last_bias(network)
    aside = bias.detach().clone()
    amount = shift[1:] - shift[:1] if len(bias) == 1 else shift
    with torch.no_grad():
        bias += amount.to(bias.device)
    try:
        yield
    finally:
        with torch.no_grad():
            bias.copy_(aside)


def _last_bias(network: nn.Module) -> torch.Tensor:
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return layers[-1].bias
