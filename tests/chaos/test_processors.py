import time

from tests.chaos.processors import Processors


def test_who_computes_keeps_a_processor_busy() -> None:
    processors = Processors()
    ends = time.process_time() + 0.05
    while time.process_time() < ends:
        pass
    assert 0 < processors.busy <= 1
