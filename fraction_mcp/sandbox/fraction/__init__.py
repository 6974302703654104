"""The embedded FractionERP: what its API document says, and nothing that only a client would believe."""

from .app import FractionApp

__all__ = ["FractionApp"]
