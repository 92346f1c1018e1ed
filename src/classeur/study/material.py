"""What every rung of a study shares: the photos, and one split.

Pixels are prepared once for each geometry that rungs ask for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from classeur.config import DataConfig, PreprocessingConfig
from classeur.data.filters import parse_filters
from classeur.data.geometry import Geometry, suggest_geometry
from classeur.data.inspect import Inspection, findings
from classeur.data.manifest import Manifest
from classeur.data.prepare import manifest_of, scan_as
from classeur.data.records import Listing
from classeur.data.store import Store, cached_store
from classeur.errors import DataError


@dataclass(frozen=True)
class Material:
    """Photos, pixels, split and findings."""

    listing: Listing
    """The photos of the manifest, in its order."""
    store: Store
    manifest: Manifest
    inspection: Inspection

    @property
    def root(self) -> str:
        """Folder that the manifest's paths are relative to."""
        return str(self.listing.root)

    @property
    def preprocessing(self) -> PreprocessingConfig:
        """What was chosen where the config left it open."""
        geometry = self.store.geometry
        return PreprocessingConfig(
            geometry.size,
            geometry.color,
            geometry.resize,
            geometry.interpolation,
            geometry.filters,
        )

    def prepared(self, asked: PreprocessingConfig) -> Material:
        """Return the same photos and split with pixels as another rung asks for them.

        Raises:
            DataError: if a photo of the split does not decode that way.
        """
        geometry = geometry_of(self.listing, asked)
        if geometry == self.store.geometry:
            return self
        store = cached_store(self.listing, geometry)
        if store.unreadable:
            item = store.unreadable[0]
            raise DataError(f"at {geometry.size} pixels, {item.path} {item.reason}.")
        return replace(self, store=store)

    def on_fold(self, data: DataConfig) -> Material:
        """Return the same photos and pixels with the split of the fold that a config names."""
        if not data.folds:
            return self
        facts = self.store.facts(self.listing)
        return replace(self, manifest=manifest_of(data, self.listing, facts))


def gather(data: DataConfig, preprocessing: PreprocessingConfig) -> Material:
    """Scan the photos, prepare them unless that was done before, and split them.

    Raises:
        ConfigError: naming every filter that cannot be.
        DataError: if the photos cannot be found, read or split.
    """
    parse_filters(preprocessing.filters)  # a wrong one is said before the photos are read
    listing = scan_as(data)
    store = cached_store(listing, geometry_of(listing, preprocessing))
    facts = store.facts(listing)
    manifest = manifest_of(data, listing, facts)
    unreadable = [*listing.unreadable, *store.unreadable]
    inspection = findings(listing, facts, unreadable, store.near_duplicates)
    readable = replace(listing, records=[fact.record for fact in facts], unreadable=[])
    return Material(readable, store, manifest, inspection)


def geometry_of(listing: Listing, asked: PreprocessingConfig) -> Geometry:
    """Return the geometry that a config asks for, what it leaves open chosen from the photos."""
    return suggest_geometry(
        listing, asked.size, asked.color, asked.resize, asked.interpolation, asked.filters
    )
