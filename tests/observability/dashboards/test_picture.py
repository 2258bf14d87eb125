"""What is drawn of an answer of Prometheus'."""

import pytest

from tests.observability.dashboards.boards import boards
from tests.observability.dashboards.picture import Answered, Line, height, lines, page, rounded_up, stacked


def test_a_line_is_named_as_its_panel_says_and_holds_numbers_alone() -> None:
    answer = [
        {"metric": {"stage": "stt", "le": "1"}, "values": [[10, "1.5"], [15, "NaN"], [20, "+Inf"], [25, "2"]]},
        {"metric": {"stage": "tts"}, "values": [[10, "NaN"]]},
    ]
    assert lines("{{stage}} in vain", answer) == [Line("stt in vain", [(10.0, 1.5), (25.0, 2.0)])]
    assert lines("{{why}}", answer)[0].legend == "none"


def test_what_is_stacked_stands_on_what_is_below() -> None:
    below, above = Line("a", [(1.0, 2.0), (2.0, 3.0)]), Line("b", [(2.0, 10.0)])
    assert stacked([below, above]) == [{1.0: 2.0, 2.0: 3.0}, {1.0: 2.0, 2.0: 13.0}]


@pytest.mark.parametrize(
    ("value", "top"), [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (30.0, 50.0), (450.0, 500.0), (501, 1000)]
)
def test_a_scale_ends_with_a_round_number(value: float, top: float) -> None:
    assert rounded_up(value) == pytest.approx(top)


def test_every_panel_is_on_the_page() -> None:
    answered = [
        Answered(board, [[Line("now <1>", [(1000.0, 1.0), (1100.0, 2.0)])] for _ in board.panels]) for board in boards()
    ]
    drawn = page(answered, 1000.0, 1180.0)
    charts = [panel for each in answered for panel in each.board.panels if panel.kind == "timeseries"]
    assert drawn.count("<polyline ") == len(charts)
    assert drawn.count('stroke-dasharray="5 4"') == sum(len(panel.steps) for panel in charts)
    assert "now <1>" not in drawn
    assert height(answered) > 1000
