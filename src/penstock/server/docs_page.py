"""`/docs`: one self-contained page that lists the API and the newest runs. No script, nothing external."""

import base64
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import Final

from aiohttp import web

from penstock.model.json_value import Json
from penstock.server.endpoints import Endpoint

RUNS_SHOWN: Final = 20

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
"""
_STYLE_HASH: Final = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_HASH}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def docs_page(endpoints: Sequence[Endpoint], runs: Sequence[Json], version: str) -> web.Response:
    """The page. `runs` are run summaries as the API gives them."""
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Penstock</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>Penstock {escape(version)}</h1>"
        '<p>The interface as a document for programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"<h2>Newest runs</h2>{_runs(runs)}<h2>Calls</h2>{_calls(endpoints)}</main></body></html>"
    )
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
    return web.Response(text=body, content_type="text/html", charset="utf-8", headers=headers)


def _runs(runs: Sequence[Json]) -> str:
    if not runs:
        return "<p>No run yet.</p>"
    return _table(("Run", "Workflow", "Status", "Created"), [_run_row(run) for run in runs])


def _run_row(run: Json) -> tuple[str, ...]:
    identity = run["workflow"]
    workflow = f"{identity['namespace']}/{identity['name']}:{identity['version']}"
    link = f'<a href="/api/v1/runs/{escape(run["id"])}"><code>{escape(run["id"])}</code></a>'
    return (link, escape(workflow), escape(run["status"]), escape(run["created_at"] or ""))


def _calls(endpoints: Sequence[Endpoint]) -> str:
    rows = [
        (escape(endpoint.method), f"<code>{escape(endpoint.path)}</code>", escape(endpoint.summary))
        for endpoint in endpoints
        if endpoint.listed
    ]
    return _table(("Method", "Path", "What it does"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
