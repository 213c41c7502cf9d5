"""Features read one after the other are those that reading the whole text gives."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.features import open_collection

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
DOCUMENTS = st.dictionaries(st.sampled_from(["type", "crs_name", "name", "特征", ""]), VALUES, max_size=4)


@settings(deadline=None, max_examples=60)
@given(DOCUMENTS, st.lists(VALUES, max_size=6), st.integers(0, 4), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_the_head_and_the_features_are_those_of_the_text(
    head: dict[str, object], features: list[object], place: int, indent: int | str | None, ascii_only: bool
) -> None:
    members = list(head.items())
    members.insert(place, ("features", features))
    found = open_collection(f" {json.dumps(dict(members), indent=indent, ensure_ascii=ascii_only)}\n")
    assert found is not None
    assert dict(found[0]) == head
    assert list(found[1]) == features


@given(st.text(alphabet='{}[]",: \n1aeftnru\\', max_size=40))
def test_what_json_refuses_is_refused_and_what_it_takes_is_taken(noise: str) -> None:
    text = '{"features": [1, {"a": [2]}], ' + noise
    try:
        wanted = json.loads(text)
    except json.JSONDecodeError as error:
        with pytest.raises(json.JSONDecodeError) as caught:
            open_collection(text)
        assert str(caught.value) == str(error)
        return
    found = open_collection(text)
    features = wanted.pop("features")
    assert (found is None) == (not isinstance(features, list))
    if found is not None:
        assert dict(found[0]) == wanted
        assert list(found[1]) == features


@pytest.mark.parametrize("text", ["[]", "1", '"features"', "{}", '{"features": {}}', '{"type": "FeatureCollection"}'])
def test_without_a_list_of_features_there_is_nothing_to_read(text: str) -> None:
    assert open_collection(text) is None


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ('{"features": [1], "features": [2, 3]}', [2, 3]),
        ('{"features": []}', []),
        ('{ "features" : [ 1 , 2 ] , "a" : [] }', [1, 2]),
    ],
)
def test_odd_but_right(text: str, features: list[object]) -> None:
    found = open_collection(text)
    assert found is not None
    assert list(found[1]) == features
