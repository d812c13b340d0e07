"""Every task is visited once, wherever it is nested."""

from penstock.model.walk import sequences_of, tasks_of
from tests.model.documents import workflow

SET = {"set": {"a": 1}}
NESTED = workflow(
    {"outer": {"do": [{"inner": SET}]}},
    {"loop": {"for": {"in": ".x"}, "do": [{"body": SET}]}},
    {"forked": {"fork": {"branches": [{"b1": SET}, {"b2": {"do": [{"deep": SET}]}}]}}},
    {"tried": {"try": [{"risky": SET}], "catch": {"do": [{"rescue": SET}]}}},
    {"heard": {"listen": {"to": {"any": []}}, "foreach": {"do": [{"each": SET}]}}},
    use={
        "functions": {"fn/1": {"do": [{"inside": SET}]}},
        "extensions": [{"e": {"extend": "all", "before": [{"b": SET}], "after": [{"a": SET}]}}],
    },
)


def test_every_task_is_visited_once_before_what_is_nested_in_it() -> None:
    visited = [pointer for pointer, _ in tasks_of(NESTED)]
    assert visited == [
        "/do/0/outer",
        "/do/0/outer/do/0/inner",
        "/do/1/loop",
        "/do/1/loop/do/0/body",
        "/do/2/forked",
        "/do/2/forked/fork/branches/0/b1",
        "/do/2/forked/fork/branches/1/b2",
        "/do/2/forked/fork/branches/1/b2/do/0/deep",
        "/do/3/tried",
        "/do/3/tried/try/0/risky",
        "/do/3/tried/catch/do/0/rescue",
        "/do/4/heard",
        "/do/4/heard/foreach/do/0/each",
        "/use/extensions/0/e/before/0/b",
        "/use/extensions/0/e/after/0/a",
        "/use/functions/fn~11",
        "/use/functions/fn~11/do/0/inside",
    ]


def test_the_branches_of_a_fork_are_no_sequence() -> None:
    names = [[named.name for named in tasks] for tasks in sequences_of(NESTED)]
    assert ["b1", "b2"] not in names
    assert ["deep"] in names
    assert ["outer", "loop", "forked", "tried", "heard"] in names
    assert ["inside"] in names
