"""Counts requests by what they asked for: the method, the route as it is declared, and the status.

The labels are of closed sets, whatever callers send: a path that is no route counts under one name.
"""

from time import perf_counter
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_NO_ROUTE: Final = "none"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0)


def request_metrics(registry: CollectorRegistry) -> Middleware:
    """The middleware that counts. It stands outside of the one that turns errors into answers."""
    requests = Counter(
        "penstock_http_requests",
        "Requests that were answered, by method, route and status.",
        ("method", "route", "status"),
        registry=registry,
    )
    under_way = Gauge(
        "penstock_http_requests_in_flight", "Requests under way, live streams included.", registry=registry
    )
    seconds = Histogram(
        "penstock_http_request_seconds",
        "Duration of a request, its waiting included; live streams are left out.",
        registry=registry,
        buckets=_SECONDS,
    )

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        status, streamed = "gone", False
        began = perf_counter()
        under_way.inc()
        try:
            response = await handler(request)
            status, streamed = str(response.status), not isinstance(response, web.Response)
            return response
        finally:
            under_way.dec()
            requests.labels(_method(request), _route(request), status).inc()
            if not streamed:
                seconds.observe(perf_counter() - began)

    return count


def _method(request: web.Request) -> str:
    return request.method if request.method in _METHODS else "other"


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return _NO_ROUTE if resource is None else resource.canonical
