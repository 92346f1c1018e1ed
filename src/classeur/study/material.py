"""What every rung of a study shares: the photos, prepared once, and one split."""

from __future__ import annotations

from dataclasses import dataclass

from classeur.config import DataConfig, PreprocessingConfig
from classeur.data.geometry import suggest_geometry
from classeur.data.inspect import Inspection, findings
from classeur.data.manifest import Manifest
from classeur.data.prepare import scan_as, split_as
from classeur.data.store import Store, cached_store


@dataclass(frozen=True)
class Material:
    """Photos, pixels, split and findings."""

    root: str
    """Folder that the manifest's paths are relative to."""
    store: Store
    manifest: Manifest
    inspection: Inspection

    @property
    def preprocessing(self) -> PreprocessingConfig:
        """What was chosen where the config left it open."""
        geometry = self.store.geometry
        return PreprocessingConfig(geometry.size, geometry.color, geometry.resize)


def gather(data: DataConfig, preprocessing: PreprocessingConfig) -> Material:
    """Scan the photos, prepare them unless that was done before, and split them.

    Raises:
        DataError: if the photos cannot be found, read or split.
    """
    listing = scan_as(data)
    geometry = suggest_geometry(
        listing, preprocessing.size, preprocessing.color, preprocessing.resize
    )
    store = cached_store(listing, geometry)
    facts = store.facts(listing)
    manifest = split_as(data, facts)
    unreadable = [*listing.unreadable, *store.unreadable]
    return Material(str(listing.root), store, manifest, findings(listing, facts, unreadable))
