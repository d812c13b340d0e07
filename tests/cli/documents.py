"""The workflows of these tests."""


def head(name: str, version: str = "1.0.0") -> str:
    return f"document: {{dsl: '1.0.3', namespace: tests, name: {name}, version: '{version}'}}\n"


def hello(name: str = "hello", version: str = "1.0.0") -> str:
    """Completes with `{"said": "hello <input.name>"}`."""
    return head(name, version) + "do:\n  - greet:\n      set: {said: '${ \"hello \" + .name }'}\n"


def faulty(name: str = "faulty") -> str:
    """Faults in its second task, `stop`, whose key stands in line 4, column 5."""
    return head(name) + (
        "do:\n"
        "  - first: {set: {x: 1}}\n"
        "  - stop:\n"
        "      raise:\n"
        "        error: {type: 'https://example.com/boom', status: 500, title: Boom, detail: on purpose}\n"
    )


def listening(name: str, event: str) -> str:
    """Waits for one event of a type, then completes with its data in a list."""
    return head(name) + (
        "do:\n"
        "  - before: {set: {ready: true}}\n"
        f"  - await:\n      listen: {{to: {{one: {{with: {{type: {event}}}}}}}}}\n"
    )


def sleeping(name: str = "sleeping") -> str:
    """Waits for an hour."""
    return head(name) + "do:\n  - doze: {wait: {hours: 1}}\n"
