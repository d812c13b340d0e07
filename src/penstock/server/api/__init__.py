"""The rows of the HTTP contract, one file per kind of thing."""
