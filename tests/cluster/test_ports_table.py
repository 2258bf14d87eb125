from tests.cluster.ports_table import row_of, table


def test_every_row_of_the_page_is_read() -> None:
    assert len(table()) == 18


def test_a_port_is_looked_up_on_its_node() -> None:
    gcs = row_of(6379, "head")
    assert gcs is not None
    assert gcs.listener == "GCS"
    assert gcs.reached_by == {"nodes"}
    assert row_of(6379, "gateway") is None


def test_a_port_within_a_range_is_of_the_narrowest_row() -> None:
    metrics = row_of(44217, "head")
    assert metrics is not None
    assert "autoscaler" in metrics.listener
    among_replicas = row_of(44218, "head")
    assert among_replicas is not None
    assert "gRPC" in among_replicas.listener


def test_a_port_that_nobody_wrote_down_has_no_row() -> None:
    assert row_of(7777, "gateway") is None


def test_calls_are_what_the_load_balancer_reaches_and_nobody_reaches_the_dashboard() -> None:
    assert [row.first for row in table() if "the load balancer" in row.reached_by] == [8000]
    assert [row.first for row in table() if row.reached_by == {"nobody"}] == [8265]
