"""The alias for any JSON value: the one place where `Any` appears."""

from typing import Any, TypeAlias

Json: TypeAlias = Any
