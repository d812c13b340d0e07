"""The contract of stores as tests: a store joins by a class that inherits these and a fixture `store`."""

from tests.store.contract_definitions import DefinitionContract
from tests.store.contract_events import EventContract
from tests.store.contract_lists import ListContract
from tests.store.contract_nodes import NodeContract
from tests.store.contract_retention import RetentionContract
from tests.store.contract_tokens import TokenContract
from tests.store.contract_turns import TurnContract
from tests.store.contract_work import WorkContract
from tests.store.contract_work_histories import WorkHistoryContract


class StoreContract(
    TurnContract,
    ListContract,
    EventContract,
    WorkContract,
    WorkHistoryContract,
    DefinitionContract,
    TokenContract,
    RetentionContract,
    NodeContract,
):
    """Every test of the contract, under the same name for every store."""
