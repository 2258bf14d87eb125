import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.serve_config.tree import header, read

SOME = """\
# what the file is about

# what a is
a: 1 # why 1
b:
  c: [x, 'y # no comment'] # why these
  d: {e: true}

# two of them
l:
  - name: first # of two
    n: null
  - &second {name: second}
m:
  <<: *second
  name: third
"""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def test_values_lines_and_comments() -> None:
    tree, problems = read(SOME)
    assert problems == []
    assert tree.plain == yaml.safe_load(SOME)
    assert header(SOME) == ("# what the file is about",)
    a = tree.at("a")
    assert a
    assert (a.line, a.text, a.above, a.beside) == (4, "1", ("", "# what a is"), "# why 1")
    c = tree.at("b", "c")
    assert c
    assert (c.line, c.beside, c.flow) == (6, "# why these", True)
    second = tree.at("l", 1, "name")
    assert second
    assert second.line == 13


def test_what_stands_nowhere_is_told_with_the_way_there() -> None:
    tree, _ = read(SOME)
    found, rest = tree.nearest(("b", "d", "f", 3))
    assert (found.line, rest) == (7, ("f", 3))
    assert tree.at("b", "d", "f") is None
    assert tree.at("l", 2) is None


def test_the_first_comment_is_the_keys_where_no_line_is_empty() -> None:
    tree, _ = read("# of a\na: 1\n")
    a = tree.at("a")
    assert a
    assert (header("# of a\na: 1\n"), a.above) == ((), ("# of a",))


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, r"a stands twice in this block: take one out \(line 1\)"),
        ("a: {b: 1, b: 2}\n", 1, "b stands twice"),
        ("a: b\n\tc: d\n", 2, "tab"),
        ("a: [1\nb: 2\n", 2, "no YAML"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("a: *b\n", 1, "undefined alias"),
        ("a: &x [*x]\n", 1, "an alias cannot hold itself"),
        ("a: &x {<<: *x}\n", 1, "an alias cannot hold itself"),
        ("a: {<<: 3}\n", 1, "<< takes a mapping"),
        ("1: a\n", 1, "a key is text: put 1 in quotes"),
        ("yes: a\n", 1, "a key is text: put yes in quotes"),
        ("a: .inf\n", 1, "no number"),
        ("a: 2026-13-45\n", 1, "no value"),
        ("a: !!python/name:os.system\n", 1, "no value"),
        ("- a\n", 1, "no Serve config"),
        ("", 1, "no Serve config"),
        ("a: \x01\n", 1, "no YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, told: str) -> None:
    _, problems = read(text)
    assert len(problems) == 1
    assert problems[0].line == line
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(problems[0].message)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), values, max_size=4), st.booleans())
def test_values_are_those_that_serve_reads(given: dict[str, object], flow: bool) -> None:
    text = yaml.safe_dump(given, default_flow_style=flow, allow_unicode=True)
    tree, problems = read(text)
    assert problems == []
    assert tree.plain == yaml.safe_load(text)
