"""Train conv3 with a plain PyTorch loop."""

import json
import time
from collections.abc import Callable

import numpy as np
import torch
from options import parse
from torch import nn

Augment = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    options = parse()
    photos = torch.from_numpy(np.load(options.folder / "photos.npy"))
    photos = (photos.permute(0, 3, 1, 2).float() / 255).contiguous()  # (N, H, W, C) -> (N, C, H, W)
    labels = torch.from_numpy(np.load(options.folder / "labels.npy")).float()
    transform = moved() if options.augment else None
    seconds = train(conv3(), photos, labels, options.batch_size, transform)
    software = f"torch {torch.__version__}, float32"
    print(json.dumps({"with": software, "seconds": seconds[options.skip :]}))


def train(
    network: nn.Module,
    photos: torch.Tensor,
    labels: torch.Tensor,
    batch_size: int,
    transform: Augment | None,
) -> list[float]:
    """Train for one epoch; return the seconds of every step."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    criterion = nn.BCEWithLogitsLoss()
    network.train()
    times = [time.perf_counter()]
    for rows in torch.randperm(len(photos)).split(batch_size):
        batch = photos[rows]
        if transform is not None:
            batch = torch.stack([transform(photo) for photo in batch])
        optimizer.zero_grad()
        loss = criterion(network(batch)[:, 0], labels[rows])
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter())
    return np.diff(times).tolist()


def conv3() -> nn.Module:
    """Return the layers of Classeur's conv3."""
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(17 * 17 * 64, 128), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(128, 1),
    )


def moved() -> Augment:
    """Return the augmentation of train.py."""
    from classeur.models.torchvision_schemas import declare_missing_schemas

    declare_missing_schemas()  # lets torchvision be imported beside a torch for CPUs only
    from torchvision.transforms import InterpolationMode, v2

    shift, scale = (0.1, 0.1), (0.85, 1.15)
    affine = v2.RandomAffine(15, shift, scale, interpolation=InterpolationMode.BILINEAR)
    return v2.Compose([v2.RandomHorizontalFlip(), affine])


if __name__ == "__main__":
    main()
