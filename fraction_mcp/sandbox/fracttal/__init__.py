"""The embedded Fracttal: warehouse purchase orders, and the reads that support them."""

from .app import FracttalApp

__all__ = ["FracttalApp"]
