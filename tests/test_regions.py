from hypothesis import given
from hypothesis import strategies as st

from serve_app.regions import Regions

NAMES = st.lists(st.sampled_from("abcde"), min_size=1, unique=True)


@given(NAMES, st.booleans(), st.data())
def test_every_region_is_named_once_whichever_is_first(
    names: list[str], own_has_room: bool, data: st.DataObject
) -> None:
    regions = Regions(data.draw(st.sampled_from(names)), dict.fromkeys(names, "https://there"))
    asked = data.draw(st.none() | st.sampled_from(names))
    order = list(regions.for_caller(asked, own_has_room=own_has_room))
    assert sorted(order) == sorted(names)
    if asked or own_has_room:
        assert order[0] == (asked or regions.own)
    else:
        assert order[-1] == regions.own
    around = [*names, *names]
    assert order == around[names.index(order[0]) :][: len(names)], "those near each other stay next to each other"
