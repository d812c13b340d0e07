"""Penstock: a durable, event-driven workflow engine.

The public surface for authors is `penstock.sdk`; this package itself holds nothing but the version.
"""

from typing import Final

__version__: Final = "0.1.0"
