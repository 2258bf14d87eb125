from tests.regions.findings import Bar, Finding
from tests.regions.page import section, unmet, with_section

FINDINGS = [Finding("A wave", "It came.", (Bar("nobody is cut", True), Bar("it ends", False)))]


def test_the_section_tells_each_finding_and_its_bars() -> None:
    told = section(FINDINGS, 0.034)
    assert "### A wave\n\nIt came.\n\n- nobody is cut: met\n- it ends: **not met**\n" in told
    assert told.rstrip().endswith("3% of the machine's processors busy.")


def test_it_takes_the_place_of_the_one_before() -> None:
    page = "# Scaling\n\nWhy.\n\n## Measured\n\nold\n\n### old, too\n\n## What breaks\n\nThat.\n"
    new = with_section(page, section(FINDINGS, 0.0))
    assert "old" not in new
    assert new.startswith("# Scaling\n\nWhy.\n\n## Measured\n")
    assert new.endswith("busy.\n\n## What breaks\n\nThat.\n")
    assert with_section(new, section(FINDINGS, 0.0)) == new


def test_a_page_without_one_gets_it_at_its_end() -> None:
    page = with_section("# Scaling\n\nWhy.\n", section(FINDINGS, 0.0))
    assert page.startswith("# Scaling\n\nWhy.\n\n## Measured\n")
    assert with_section(page, section(FINDINGS, 0.0)) == page


def test_bars_that_are_not_met_are_named() -> None:
    assert unmet(FINDINGS) == ["A wave: it ends"]
