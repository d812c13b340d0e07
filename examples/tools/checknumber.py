"""A tool in Python, without any package: fetches numbers, says whether they are prime.

    penstock tools register checknumber --pull
    PENSTOCK_URL=http://127.0.0.1:8090 python examples/tools/checknumber.py

COUNT=n ends it after n tasks; PENSTOCK_TOKEN is sent when it is set.
"""

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any, TypeAlias

Json: TypeAlias = Any

URL = os.environ.get("PENSTOCK_URL", "http://127.0.0.1:8090")
TOOL = os.environ.get("TOOL", "checknumber")
COUNT = int(os.environ.get("COUNT", "-1"))
TOKEN = os.environ.get("PENSTOCK_TOKEN", "")
RETRY_S = 1.0


def ask(path: str, event: dict[str, Json] | None = None) -> Json:
    """The answer to a request; with an event, to its publication."""
    request = urllib.request.Request(URL + path)  # noqa: S310 - the address is the operator's
    if TOKEN:
        request.add_header("Authorization", f"Bearer {TOKEN}")
    if event is not None:
        request.data = json.dumps(event).encode()
        request.add_header("Content-Type", "application/cloudevents+json")
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above
        return json.load(response)


def say(task: dict[str, Json], what: str, data: dict[str, Json]) -> None:
    """Publishes one event that answers the task."""
    event = {
        "specversion": "1.0",
        "source": "/tools/checknumber.py",
        "id": f"{task['id']}/{task['penstocklease']}/{what}",
        "type": task["type"].removesuffix("triggered") + what,
        "triggeredid": task["id"],
        "penstocktool": task["penstocktool"],
        "penstocklease": task["penstocklease"],
        "data": data,
    }
    ask("/api/v1/events", event)


def work(task: dict[str, Json]) -> None:
    say(task, "started", {})
    number = (task.get("data") or {}).get("number")
    if not isinstance(number, int):
        say(task, "finished", {"status": "errored", "message": "number is missing"})
        return
    prime = number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))
    say(task, "finished", {"prime": prime})


def main() -> None:
    done = 0
    while done != COUNT:
        try:
            for task in ask(f"/api/v1/tools/{TOOL}/work?wait=30"):
                work(task)
                done += 1
        except (urllib.error.URLError, OSError) as error:
            print(f"the engine does not answer: {error}", flush=True)
            time.sleep(RETRY_S)


if __name__ == "__main__":
    main()
