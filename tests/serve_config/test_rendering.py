import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.serve_config.rendering import rendered
from serve_app.serve_config.tree import read

WELL_READ = """\
# what a is
a: 1 # why

b:
  c: {d: [x, "y"], e: null} # both
  # of f
  f:
    - name: one # the first
      g:

    # of two
    - name: two
    - plain
    - - nested
      - list
  h: []
"""


def test_what_is_written_well_stays_as_it_is() -> None:
    assert rendered(read(WELL_READ)[0]) == WELL_READ


def test_anchors_are_written_out() -> None:
    text = "a: &x {n: 1}\nb: *x\nc:\n  <<: *x\n  m: 2\n"
    assert rendered(read(text)[0]) == "a: {n: 1}\nb: {n: 1}\nc:\n  n: 1\n  m: 2\n"


def test_anchors_of_values_are_written_out() -> None:
    text = """\
a: &x 5 # why
b: *x
c: &text "a & b"
d: [&y 3, *y , &nothing , *text ]
e: &z
f: !!str &one 1
g: &two !!str 2
h: &below
  7
i: &long |
  x
  y
j: {k: &x-1 v, l: *x-1 }
"""
    written = rendered(read(text)[0])
    assert yaml.safe_load(written) == yaml.safe_load(text)
    assert written.startswith("a: 5 # why\nb: 5")
    assert rendered(read(written)[0]) == written


def test_comments_stay_where_they_stand_around_text_of_several_lines() -> None:
    text = """\
a: |- # of a
  one
  # of one
b: >
  two # of two

# over c
c: 1 # of c
d: "three

  # of three"
e: 2 # of e
"""
    assert (
        rendered(read(text)[0])
        == """\
a: "one\\n# of one" # of a
b: "two # of two\\n"

# over c
c: 1 # of c
d: "three\\n# of three"
e: 2 # of e
"""
    )


def test_text_of_several_lines_stays_what_it_is() -> None:
    text = "a: |\n  one\n  two: # no comment\nb: >-\n  three\n  four\n"
    assert yaml.safe_load(rendered(read(text)[0])) == yaml.safe_load(text)


keys = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=12)
texts = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" \n#:'"), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(keys, values, min_size=1, max_size=4), st.sampled_from([None, True, False]))
def test_what_was_rendered_has_the_same_values(given: dict[str, object], flow: bool | None) -> None:
    text = yaml.safe_dump(given, default_flow_style=flow, allow_unicode=True)
    again = rendered(read(text)[0])
    assert yaml.safe_load(again) == yaml.safe_load(text)
    assert rendered(read(again)[0]) == again
