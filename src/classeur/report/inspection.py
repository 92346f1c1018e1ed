"""The findings about a folder of photos as a page with pictures."""

from __future__ import annotations

from pathlib import Path

from classeur.data.inspect import Inspection
from classeur.report.binder import sample_sheet
from classeur.report.leaks import leaking_pairs
from classeur.report.odd import odd_sheet


def write_inspection_page(found: Inspection, path: Path) -> None:
    """Write the page. Photos that cannot be read are named in it, not shown."""
    from classeur.report.render import render_inspection

    render_inspection(found, sample_sheet(found), path, odd_sheet(found), leaking_pairs(found))
