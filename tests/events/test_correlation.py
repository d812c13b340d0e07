"""One key for one set of values."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.events.correlation import correlation_key
from penstock.model.limits import MAX_CORRELATION_KEY

VALUES = st.dictionaries(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
        max_leaves=5,
    ),
    max_size=4,
)


def test_it_is_readable_sorted_and_empty_for_nothing():
    assert correlation_key({}) == ""
    assert correlation_key({"b": 1, "a": {"d": 1, "c": "ü"}}) == '{"a":{"c":"ü","d":1},"b":1}'


def test_equal_numbers_have_one_key_and_other_types_another():
    assert correlation_key({"a": 1.0}) == correlation_key({"a": 1})
    assert correlation_key({"a": [{"b": 2.0}]}) == correlation_key({"a": [{"b": 2}]})
    others = (1, 1.5, "1", True, None, [1], {"1": 1}, 1e300)
    assert len({correlation_key({"a": value}) for value in others}) == len(others)
    assert correlation_key({"a": 2.0**63}) == correlation_key({"a": 2**63})


def test_the_limit_and_one_over():
    room = MAX_CORRELATION_KEY - len('{"a":""}')
    assert len(correlation_key({"a": "x" * room})) == MAX_CORRELATION_KEY
    hashed = correlation_key({"a": "x" * (room + 1)})
    assert hashed.startswith("#")
    assert len(hashed) == 65
    assert hashed != correlation_key({"a": "x" * (room + 2)})


@given(VALUES, VALUES)
def test_keys_are_equal_exactly_when_values_are(one, other):
    def exact(value):
        if isinstance(value, dict):
            return {name: exact(item) for name, item in value.items()}
        return [exact(item) for item in value] if isinstance(value, list) else (type(value), value)

    assert (correlation_key(one) == correlation_key(other)) == (exact(one) == exact(other))
    assert correlation_key(one) == correlation_key(dict(reversed(one.items())))
