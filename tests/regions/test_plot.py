from tests.regions.plot import WIDTH, Curve, plot


def test_a_curve_is_where_its_values_are() -> None:
    steps = [1.0] * 20 + [3.0] * 20
    lines = plot("gateways", range(40), [Curve(steps, "o")], height=8).splitlines()
    assert lines[0].strip() == "gateways"
    assert max(map(len, lines)) <= WIDTH
    dots = {number: line.partition("┤")[2] for number, line in enumerate(lines) if "o" in line}
    high, low = (dots[number] for number in sorted(dots))
    assert high.index("o") > low.rindex("o"), "first one, then three"
    assert [line.partition("┤")[0].strip() for line in lines if "o" in line] == ["3", "1"]


def test_what_comes_later_lies_over_what_was_before() -> None:
    drawn = plot("", range(40), [Curve([1.0] * 40, "."), Curve([1.0] * 40, "o")], height=6)
    assert "o" in drawn
    assert "." not in drawn


def test_nothing_at_all_is_a_line_at_zero() -> None:
    assert "o" in plot("", range(10), [Curve([0.0] * 10, "o")], height=6)
