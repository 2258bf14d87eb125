import inspect

import pytest
from elevenlabs.conversational_ai.conversations.client import ConversationsClient
from starlette.datastructures import QueryParams

from serve_app.api.filters import UNSERVED, filters_of
from serve_app.errors import ClientError
from serve_app.store.filters import Filters


def test_every_filter_of_the_official_client_is_served_or_refused_with_a_reason() -> None:
    theirs = set(inspect.signature(ConversationsClient.list).parameters) - {"self", "request_options"}
    assert {*Filters.__struct_fields__} | UNSERVED.keys() == theirs
    assert {*Filters.__struct_fields__} & UNSERVED.keys() == set()


def test_values_are_read_as_what_they_are() -> None:
    query = "page_size=7&text_only=false&tool_names=a&tool_names=b&call_start_after_unix=1800000000&cursor=&search="
    assert filters_of(QueryParams(query)) == Filters(
        page_size=7, text_only=False, tool_names=("a", "b"), call_start_after_unix=1_800_000_000, cursor="", search=""
    )


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("page_size=0", "page_size"),
        ("page_size=101", "page_size"),
        ("page_size=many", "page_size"),
        ("rating_min=6", "rating_min"),
        ("text_only=perhaps", "text_only"),
        ("sort_direction=down", "sort_direction"),
        ("exclude_statuses=asleep", "exclude_statuses"),
        ("call_start_after_unix=99999999999999999999", "call_start_after_unix"),
        (f"search={'a' * 501}", "search"),
        ("&".join(["tool_names=t"] * 51), "tool_names"),
        ("agent=default", "agent"),
        *((f"{name}=x", f"{name} cannot be filtered by: {why}") for name, why in UNSERVED.items()),
    ],
)
def test_what_cannot_be_filtered_by_is_an_error_that_names_it(query: str, named: str) -> None:
    with pytest.raises(ClientError) as refusal:
        filters_of(QueryParams(query))
    assert named in refusal.value.message
