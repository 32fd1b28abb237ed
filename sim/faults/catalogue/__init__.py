"""All faults there are. The order is that of the table in docs/faults.md."""

from __future__ import annotations

from types import MappingProxyType

from sim.faults.catalogue.arm import ARM
from sim.faults.catalogue.mind import MIND
from sim.faults.catalogue.pictures import PICTURES
from sim.faults.catalogue.table import TABLE

CATALOGUE = MappingProxyType(
    {kind.name: kind for kind in sorted((*PICTURES, *ARM, *TABLE, *MIND), key=lambda k: k.number)}
)
"""Kinds by name, in the order of their numbers."""
