"""Random changes to a batch of training photos."""

from __future__ import annotations

import math

import pytest
import torch

from classeur.config import AugmentationConfig
from classeur.data import augment as room
from classeur.data.augment import augment, mix

OFF = AugmentationConfig()
ALL = AugmentationConfig(
    flip=0.5, rotation=30, zoom=0.2, shift=0.1, shear=10, brightness=0.3, contrast=0.3,
    saturation=0.3, erasing=0.5,
)  # fmt: skip


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def photos():
    return torch.rand(8, 3, 20, 32, generator=generator(1))


@pytest.fixture
def at_the_limit(monkeypatch):
    """Every random change becomes the largest one, in the positive direction."""
    monkeypatch.setattr(room, "_uniform", lambda count, limit, _: torch.full((count,), limit))


def positions(height, width):
    """(1, 3, H, W): a photo whose pixels say where they lie, in pixels from its centre."""
    rows = torch.arange(height) - (height - 1) / 2
    columns = torch.arange(width) - (width - 1) / 2
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])[None]


class TestAugment:
    def test_all_off_changes_nothing(self, photos):
        assert torch.equal(augment(photos, OFF, generator()), photos)

    def test_it_does_not_change_its_input(self, photos):
        before = photos.clone()
        augment(photos, ALL, generator())
        assert torch.equal(photos, before)

    @pytest.mark.parametrize("shape", [(4, 3, 20, 32), (1, 1, 8, 8), (3, 3, 33, 7)])
    @pytest.mark.parametrize(
        "options",
        [
            {"flip": 1.0},
            {"rotation": 180.0},
            {"zoom": 0.9},
            {"shift": 0.9},
            {"shear": 70.0},
            {"brightness": 0.9},
            {"contrast": 0.9},
            {"saturation": 0.9},
            {"erasing": 1.0},
        ],
    )
    def test_shape_and_range(self, shape, options):
        photos = torch.rand(shape, generator=generator(2))
        for seed in range(5):
            changed = augment(photos, AugmentationConfig(**options), generator(seed))
            assert changed.shape == shape
            assert changed.dtype == torch.float32
            assert changed.min() >= 0
            assert changed.max() <= 1

    def test_a_seed_draws_the_same(self, photos):
        first, again, other = (augment(photos, ALL, generator(seed)) for seed in (3, 3, 4))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    def test_a_second_call_draws_anew(self, photos):
        draws = generator(3)
        assert not torch.equal(augment(photos, ALL, draws), augment(photos, ALL, draws))

    @pytest.mark.parametrize(
        "options",
        [
            {"rotation": 20.0},
            {"zoom": 0.2},
            {"shift": 0.2},
            {"shear": 20.0},
            {"brightness": 0.2},
            {"contrast": 0.2},
            {"saturation": 0.2},
            {"erasing": 1.0},
        ],
    )
    def test_each_photo_gets_its_own_draw(self, photos, options):
        same = photos[:1].expand(8, -1, -1, -1)
        changed = augment(same, AugmentationConfig(**options), generator())
        for left in range(8):
            for right in range(left):
                assert not torch.allclose(changed[left], changed[right], atol=1e-4)

    def test_flips_are_drawn_with_their_probability(self):
        ramp = torch.linspace(0, 1, 4).expand(400, 1, 4, 4)
        flipped = augment(ramp, AugmentationConfig(flip=0.3), generator())[:, 0, 0, 0] > 0.5
        assert 80 < flipped.sum() < 160


class TestGeometry:
    @pytest.mark.parametrize("shape", [(4, 3, 20, 32), (2, 1, 5, 5), (2, 3, 31, 8)])
    def test_a_certain_flip_is_the_exact_mirror(self, shape):
        photos = torch.rand(shape, generator=generator())
        mirrored = augment(photos, AugmentationConfig(flip=1.0), generator())
        assert torch.allclose(mirrored, photos.flip(3), atol=1e-5)

    def test_a_rotation_by_90_degrees(self, at_the_limit):
        photos = torch.rand(2, 3, 16, 16, generator=generator())
        turned = augment(photos, AugmentationConfig(rotation=90.0), generator())
        assert torch.allclose(turned, torch.rot90(photos, 1, (2, 3)), atol=1e-4)

    def test_a_rotation_by_180_degrees(self, at_the_limit, photos):
        turned = augment(photos, AugmentationConfig(rotation=180.0), generator())
        assert torch.allclose(turned, photos.flip(2, 3), atol=1e-4)

    def test_a_shift_by_whole_pixels(self, at_the_limit, photos):
        """A quarter of 20×32 pixels: 5 down and 8 across, the same fraction of both sides."""
        shifted = augment(photos, AugmentationConfig(shift=0.25), generator())
        assert torch.allclose(shifted[:, :, :15, :24], photos[:, :, 5:, 8:], atol=1e-4)

    @pytest.mark.parametrize("size", [(24, 24), (20, 36), (36, 20)])
    @pytest.mark.parametrize(
        ("options", "mapping"),
        [
            ({"rotation": 30.0}, [[math.cos(math.pi / 6), -0.5], [0.5, math.cos(math.pi / 6)]]),
            ({"zoom": 0.6}, [[1 / 1.6, 0], [0, 1 / 1.6]]),
            ({"shear": 45.0}, [[1, 1], [0, 1]]),
            ({"flip": 1.0, "zoom": 0.25}, [[-0.8, 0], [0, 0.8]]),
            ({"rotation": 90.0, "shear": 45.0}, [[0, -1], [1, 1]]),
        ],
    )
    def test_where_each_pixel_comes_from(self, at_the_limit, size, options, mapping):
        """In pixels, whatever the aspect: a turned square stays a square."""
        where = positions(*size)
        came_from = augment(where, AugmentationConfig(**options), generator())[0, :2]
        expected = torch.einsum("ij,jhw->ihw", torch.tensor(mapping).float(), where[0, :2])
        limits = torch.tensor([size[1] / 2 - 1, size[0] / 2 - 1])[:, None, None]
        inside = (expected.abs() < limits).all(0)
        assert inside.sum() > 100
        assert torch.allclose(came_from[:, inside], expected[:, inside], atol=1e-3)

    def test_draws_stay_within_their_limits(self):
        """The middle of the photo tells the shift, two pixels beside it the angle."""
        where = positions(65, 65).expand(200, -1, -1, -1)
        config = AugmentationConfig(rotation=20.0)
        turned = augment(where, config, generator())
        angles = torch.rad2deg(torch.atan2(turned[:, 1, 32, 42], turned[:, 0, 32, 42]))
        assert angles.abs().max() <= 20.01
        assert angles.min() < -15
        assert angles.max() > 15
        shifted = augment(where, AugmentationConfig(shift=0.1), generator())[:, :2, 32, 32]
        assert shifted.abs().max() <= 6.51
        assert shifted.min() < -5
        assert shifted.max() > 5

    def test_edges_are_reflected(self, at_the_limit):
        """No black corner comes in, which would tell a turned photo from a straight one."""
        white = torch.ones(1, 3, 16, 16)
        for options in ({"rotation": 45.0}, {"shift": 0.4}, {"shear": 45.0}, {"zoom": 0.5}):
            assert torch.allclose(augment(white, AugmentationConfig(**options), generator()), white)


class TestColors:
    def test_brightness(self, at_the_limit, photos):
        brighter = augment(photos, AugmentationConfig(brightness=0.5), generator())
        assert torch.allclose(brighter, (1.5 * photos).clamp(0, 1), atol=1e-5)

    def test_contrast(self, at_the_limit, photos):
        photos = 0.3 + 0.2 * photos
        mean = photos.mean(dim=(1, 2, 3), keepdim=True)
        stronger = augment(photos, AugmentationConfig(contrast=0.5), generator())
        assert torch.allclose(stronger, mean + 1.5 * (photos - mean), atol=1e-5)

    def test_saturation_keeps_the_luma(self, photos):
        photos = 0.4 + 0.2 * photos
        weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        changed = augment(photos, AugmentationConfig(saturation=0.5), generator())
        assert not torch.allclose(changed, photos, atol=1e-3)
        assert torch.allclose((changed * weights).sum(1), (photos * weights).sum(1), atol=1e-5)

    def test_saturation_has_nothing_to_do_on_grey(self, photos):
        config = AugmentationConfig(saturation=0.9)
        grey = photos[:, :1]
        assert torch.allclose(augment(grey, config, generator()), grey)
        same = grey.expand(-1, 3, -1, -1)
        assert torch.allclose(augment(same, config, generator()), same, atol=1e-6)


class TestErasing:
    def test_it_changes_only_a_rectangle(self, photos):
        for seed in range(10):
            changed = augment(photos, AugmentationConfig(erasing=1.0), generator(seed))
            for before, after in zip(photos, changed, strict=True):
                erased = (before != after).any(0)
                rows, columns = erased.any(1).nonzero()[:, 0], erased.any(0).nonzero()[:, 0]
                assert erased[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
                assert 0 < erased.sum() <= 0.4 * erased.numel()
                mean = before.mean(dim=(1, 2))
                assert torch.allclose(after[:, erased], mean[:, None].expand(-1, int(erased.sum())))

    def test_with_its_probability(self):
        photos = torch.rand(300, 1, 16, 16, generator=generator())
        changed = augment(photos, AugmentationConfig(erasing=0.25), generator())
        assert 45 < (photos != changed).any(dim=(1, 2, 3)).sum() < 105


class TestMix:
    @pytest.fixture
    def targets(self):
        return torch.eye(8)

    def test_off(self, photos, targets):
        mixed, blended = mix(photos, targets, OFF, generator())
        assert mixed is photos
        assert blended is targets

    @pytest.mark.parametrize(
        "options", [{"mixup": 0.2}, {"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}]
    )
    def test_targets_sum_to_one(self, photos, targets, options):
        for seed in range(20):
            mixed, blended = mix(photos, targets, AugmentationConfig(**options), generator(seed))
            assert mixed.shape == photos.shape
            assert torch.allclose(blended.sum(1), torch.ones(8))
            assert blended.min() >= 0

    def test_mixup_blends_photos_as_it_blends_targets(self, photos, targets):
        for seed in range(20):
            mixed, blended = mix(photos, targets, AugmentationConfig(mixup=1.0), generator(seed))
            expected = torch.einsum("ij,jchw->ichw", blended, photos)
            assert torch.allclose(mixed, expected, atol=1e-5)

    def test_the_share_of_cutmix_is_the_pasted_area(self, targets):
        photos = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 20, 32)
        pasted = []
        for seed in range(30):
            mixed, blended = mix(photos, targets, AugmentationConfig(cutmix=1.0), generator(seed))
            for number in range(8):
                shares = [(mixed[number, 0] == other).float().mean() for other in range(8)]
                assert torch.allclose(torch.stack(shares), blended[number], atol=1e-5)
                other = mixed[number, 0] != number
                rows, columns = other.any(1).nonzero()[:, 0], other.any(0).nonzero()[:, 0]
                if len(rows):
                    box = other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                    assert box.all()
                    pasted.append(float(other.float().mean()))
        assert min(pasted) < 0.1
        assert max(pasted) > 0.5

    def test_with_both_each_batch_draws_one(self, photos, targets):
        config = AugmentationConfig(mixup=1.0, cutmix=1.0)
        blends = 0
        for seed in range(40):
            mixed, blended = mix(photos, targets, config, generator(seed))
            blends += torch.allclose(
                mixed, torch.einsum("ij,jchw->ichw", blended, photos), atol=1e-5
            )
        assert 8 < blends < 32

    def test_a_seed_draws_the_same(self, photos, targets):
        config = AugmentationConfig(mixup=0.4, cutmix=1.0)
        first, again, other = (mix(photos, targets, config, generator(s)) for s in (5, 5, 6))
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1], again[1])
        assert not torch.equal(first[0], other[0])

    @pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
    def test_shares_follow_their_beta_distribution(self, alpha):
        draws = generator()
        shares = torch.tensor([room._beta(alpha, draws) for _ in range(4000)])
        assert abs(shares.mean() - 0.5) < 0.03
        assert abs(shares.var() * 4 * (2 * alpha + 1) - 1) < 0.1
