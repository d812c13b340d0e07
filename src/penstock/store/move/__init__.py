"""Moves a system from one store to another: everything that is in it, and verified."""

from penstock.store.move.move import MoveReport, move
from penstock.store.move.progress import Progress

__all__ = ["MoveReport", "Progress", "move"]
