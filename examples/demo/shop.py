"""The shop that the orders of the second part ask: a service that fails, and one that must not act twice.

Its stock fails the first time for each order. It remembers its answers by idempotency key, as a service with effects
should: a call that comes again under the same key gets the same answer and changes nothing.
"""

from collections import Counter
from typing import Any, Final

BASE_PRICE: Final = 10

Reply = tuple[int, dict[str, Any]]


class Shop:
    """`reservations` counts by order how often the stock went down; it must end at one for each."""

    def __init__(self) -> None:
        self.reservations: Counter[int] = Counter()
        self._failed: set[int] = set()
        self._answers: dict[str, Reply] = {}

    def answer(self, question: str, key: str, order: int) -> Reply:
        """Status and body for a question about an order; the same again for the same key."""
        if key not in self._answers:
            self._answers[key] = self._decide(question, order)
        return self._answers[key]

    def _decide(self, question: str, order: int) -> Reply:
        match question:
            case "stock" if order not in self._failed:
                self._failed.add(order)
                return 503, {"title": "the stock is being counted, come again"}
            case "stock":
                self.reservations[order] += 1
                return 200, {"reserved": True}
            case "price":
                return 200, {"price": price_of(order)}
            case "parcel":
                return 200, {"parcel": parcel_of(order)}
            case _:
                return 404, {"title": f"the shop does not know about {question}"}


def price_of(order: int) -> int:
    return BASE_PRICE + order


def parcel_of(order: int) -> str:
    return f"parcel-{order:04d}"
