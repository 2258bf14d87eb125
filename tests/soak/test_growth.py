from tests.soak.growth import MB, broken_bars, growths, table
from tests.soak.vitals import Held, Vitals

GATEWAY = Held(1, 200 * MB, 80, 20)
CLIENTS = Held(2, 80 * MB, 200, 2)


def vitals(
    gateway: Held = GATEWAY, clients: Held = CLIENTS, *, tasks: int = 30, connections: int = 2, journal: int = 1
) -> Vitals:
    return Vitals({"gateway": gateway, "postgres: client": clients}, tasks, connections, journal)


def test_nothing_has_grown() -> None:
    assert list(broken_bars(vitals(), vitals())) == []


def test_a_little_memory_may_come_on_top() -> None:
    assert list(broken_bars(vitals(), vitals(GATEWAY._replace(memory=209 * MB)))) == []
    after = vitals(GATEWAY._replace(memory=211 * MB))
    assert list(broken_bars(vitals(), after)) == ["gateway: 5.5% more memory"]


def test_a_small_process_may_have_a_page_or_two_more() -> None:
    small = Held(1, 4 * MB, 10, 0)
    assert list(broken_bars(vitals(small), vitals(small._replace(memory=5 * MB)))) == []
    assert list(broken_bars(vitals(small), vitals(small._replace(memory=5 * MB + 1)))) == ["gateway: 25.0% more memory"]


def test_what_is_open_must_be_closed_again() -> None:
    after = vitals(GATEWAY._replace(sockets=21), tasks=31, connections=3, journal=2)
    assert list(broken_bars(vitals(), after)) == [
        "tasks: 30, then 31",
        "open sockets: 22, then 23",
        "database connections: 2, then 3",
        "files of the journal: 1, then 2",
    ]


def test_fewer_processes_of_a_name_are_compared_one_by_one() -> None:
    after = vitals(clients=Held(1, 44 * MB, 100, 1))
    assert [growth.memory for growth in growths(vitals(), after)] == [1.0, 1.1]
    assert list(broken_bars(vitals(), after)) == ["postgres: client: 10.0% more memory"]


def test_a_process_that_has_gone_or_come_has_not_grown() -> None:
    after = Vitals({"gateway": GATEWAY, "worker": CLIENTS}, 30, 2, 1)
    assert list(broken_bars(vitals(), after)) == []
    assert [growth.name for growth in growths(vitals(), after)] == ["gateway", "postgres: client", "worker"]


def test_the_table_has_a_line_for_each() -> None:
    lines = list(table(vitals(), vitals(GATEWAY._replace(memory=210 * MB))))
    assert lines[1].split() == ["gateway", "200.0", "->", "210.0", "+5.0%", "80", "->", "80", "20", "->", "20"]
    assert len(lines) == 6
