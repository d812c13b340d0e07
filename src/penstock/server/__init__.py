"""The HTTP interface of an engine."""
