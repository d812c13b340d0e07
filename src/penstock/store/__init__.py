"""Where runs, events and definitions are kept; nothing above reads or writes SQL."""

from penstock.store.counters import StoreStatistics
from penstock.store.open import holds_password, open_store, path_of, shown_url
from penstock.store.protocol import Store
from penstock.store.vault import Vault, load_key

__all__ = ["Store", "StoreStatistics", "Vault", "holds_password", "load_key", "open_store", "path_of", "shown_url"]
