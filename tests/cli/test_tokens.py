"""`penstock tokens` against a real server: from development mode to tokens that may little, and back to nobody."""

import json

from tests.cli.process import Shell


def test_from_the_first_token_to_one_that_is_revoked(penstock: Shell) -> None:
    assert penstock("ls").status == 0
    alone = penstock("tokens", "create", "ci", "--scope", "view")
    assert (alone.status, "only way in" in alone.err) == (4, True)
    tried = penstock("tokens", "create", "me", "--scope", "admin", "--dry-run")
    assert (tried.status, tried.out) == (0, "")
    assert penstock("ls").status == 0

    first = penstock("tokens", "create", "me", "--scope", "admin")
    assert first.out.startswith("pnsk_")
    assert first.out not in first.err
    assert penstock("ls").status == 2

    me = {"PENSTOCK_TOKEN": first.out.strip()}
    ci = penstock(
        *("tokens", "create", "ci", "--scope", "trigger", "--scope", "tool:mine", "--namespace", "shop"),
        *("--expires-in", "P90D", "-o", "json"),
        **me,
    ).json
    assert penstock("ls", PENSTOCK_TOKEN=ci["token"]).status == 0
    refused = penstock("secrets", "ls", PENSTOCK_TOKEN=ci["token"])
    assert refused.status == 2
    assert "needs the scope view" in refused.err
    assert "penstock tokens create NAME --scope view" in refused.err
    elsewhere = penstock("start", "other/one", PENSTOCK_TOKEN=ci["token"])
    assert (elsewhere.status, "not for the namespace 'other'" in elsewhere.err) == (2, True)

    shown = penstock("tokens", "ls", **me)
    assert "tool:mine trigger" in shown.out
    assert "shop" in shown.out
    assert ci["token"] not in shown.out
    listed = json.loads(penstock("ls", "tokens", "-o", "json", **me).out)
    assert [token["name"] for token in listed] == ["me", "ci"]

    assert penstock("tokens", "revoke", ci["id"], "--dry-run", **me).status == 0
    assert penstock("ls", PENSTOCK_TOKEN=ci["token"]).status == 0
    assert penstock("tokens", "revoke", ci["id"], **me).status == 0
    assert penstock("ls", PENSTOCK_TOKEN=ci["token"]).status == 2
    assert penstock("tokens", "revoke", "0" * 16, **me).status == 3
    assert "revoked" in penstock("tokens", "ls", **me).out
