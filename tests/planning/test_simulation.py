"""A region through part of a day: nothing is lost, nothing overfull, and what is wished for is there."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from serve_app.planning.arrivals import Call
from serve_app.planning.region import GATEWAY, TTS, VAD, WHISPER
from serve_app.planning.simulation import Moment
from serve_app.planning.traffic import Engines, Outage, Providers, Times
from serve_app.scaling.schedule import Hours
from serve_app.scaling.wishes import Wishes
from tests.planning.small_region import CLUSTER, TRAFFIC, region, run, with_nodes


def poisson(erlangs: float, seconds: float, mean_s: float = 120.0, seed: int = 1, spoken: bool = True) -> list[Call]:
    generator = np.random.default_rng(seed)
    starts = np.cumsum(generator.exponential(mean_s / erlangs, int(1.5 * erlangs * seconds / mean_s) + 10))
    durations = generator.exponential(mean_s, starts.size)
    return [
        Call(start, duration, spoken)
        for start, duration in zip(starts.tolist(), durations.tolist(), strict=True)
        if start < seconds
    ]


def running(moments: Sequence[Moment], name: str) -> list[int]:
    return [moment.replicas[name].running for moment in moments]


def test_without_callers_there_is_as_little_as_may_be() -> None:
    moments = list(run(region(Gateway=(2, 8), TtsProxy=(3, 8))))
    for moment in moments:
        assert {name: replicas.running for name, replicas in moment.replicas.items()} == {
            GATEWAY: 2,
            VAD: 1,
            WHISPER: 0,
            TTS: 3,
        }
    assert moments[-1].nodes == (1, 0)


def test_at_certain_hours_there_is_what_the_schedule_wants() -> None:
    morning = Hours({"Gateway": 4, "LocalWhisper": 1}, from_="00:10", until="00:20")
    moments = list(run(region(wishes=Wishes(spare_places=4, schedule=(morning,))), hours=0.5, tick_s=10))
    gateways, whispers = running(moments, GATEWAY), running(moments, WHISPER)
    assert set(gateways[:59]) == {1}
    assert set(gateways[64:119]) == {4}
    assert gateways[-1] == 1
    assert set(whispers[59:81]) == {0}
    assert set(whispers[84:119]) == {1}  # a GPU node was rented for it
    assert whispers[-1] == 0
    assert moments[-1].nodes == (1, 0)


@pytest.mark.parametrize("erlangs", [5.0, 40.0, 150.0])
def test_every_call_is_accounted_for_and_no_gateway_is_overfull(erlangs: float) -> None:
    moments = list(run(calls=poisson(erlangs, 1500), hours=0.5, tick_s=5))
    for moment in moments:
        assert moment.arrived == moment.refused + moment.open + moment.ended + moment.cut
        assert moment.fullest <= 10
        assert moment.replicas[GATEWAY].running <= 8
    assert moments[-1].arrived == len(poisson(erlangs, 1500))
    for before, after in pairwise(moments):
        assert before.arrived <= after.arrived
        assert before.refused <= after.refused


def test_growth_brings_gateways_before_anybody_is_refused() -> None:
    moments = list(run(calls=[Call(60 + 5 * number, 600, True) for number in range(50)], hours=0.25))
    assert moments[-1].refused == 0
    assert max(running(moments, GATEWAY)) == 7  # 50 calls and 4 spare places, at 8 each


def test_a_burst_quicker_than_a_replica_starts_is_refused_in_part() -> None:
    moments = list(run(calls=[Call(60 + 0.1 * number, 300, True) for number in range(50)], hours=0.1))
    assert moments[-1].refused == 40
    assert max(running(moments, GATEWAY)) > 1


def test_a_gateway_that_goes_keeps_its_calls() -> None:
    calls = [Call(10 + number, 500, True) for number in range(30)]
    assert list(run(calls=calls, hours=0.5, tick_s=5))[-1].cut == 0
    short = msgspec.structs.replace(TRAFFIC, times=Times(TRAFFIC.times.start_s, drain_s=30), updates=("00:05",))
    assert 0 < list(run(calls=calls, traffic=short, hours=0.5, tick_s=5))[-1].cut <= 30


def test_an_update_takes_room_for_twice_as_many_and_refuses_nobody() -> None:
    updated = msgspec.structs.replace(TRAFFIC, updates=("00:05",))
    moments = list(run(calls=poisson(20, 600), traffic=updated, hours=0.2))
    at = moments[5 * 60 + 2]
    assert at.replicas[GATEWAY].starting == at.replicas[GATEWAY].running
    assert max(moment.replicas[GATEWAY].draining for moment in moments) >= at.replicas[GATEWAY].running
    assert moments[-1].refused == 0


def test_all_kinds_of_nodes_together_are_no_more_than_allowed() -> None:
    few = replace(CLUSTER, at_most=2)
    wishes = Wishes(spare_places=4, schedule=(Hours({"LocalWhisper": 2}),))
    moments = list(run(region(wishes=wishes, Gateway=(8, 8), Vad=(8, 8), TtsProxy=(8, 8)), hours=0.1, cluster=few))
    assert max(sum(moment.nodes) for moment in moments) == 2
    assert moments[-1].replicas[WHISPER].unplaced == 1  # for the second GPU there may be no node


def test_where_no_node_may_be_added_replicas_wait_and_callers_are_refused() -> None:
    calls = poisson(60, 1500)
    few, many = (list(run(calls=calls, cluster=with_nodes(most), tick_s=5)) for most in (1, 5))
    assert any(moment.replicas[GATEWAY].unplaced for moment in few)
    assert few[-1].refused > many[-1].refused
    assert max(moment.nodes[0] for moment in few) == 1


def test_while_groq_is_away_whisper_is_warmed_and_hears() -> None:
    away = Providers(10_000, 10_000, 100, groq_outages=(Outage(at="00:05", minutes=10),))
    outage = msgspec.structs.replace(TRAFFIC, providers=away)
    wishes = Wishes(spare_places=4, while_stt_fails={"LocalWhisper": 2})
    moments = list(run(region(wishes=wishes), [Call(1, 1700, True)], traffic=outage, hours=0.5))
    before, warm, warmer, after = moments[290], moments[300 + 240], moments[300 + 480], moments[1690]
    assert before.asked.local_recognitions == 0
    assert before.replicas[WHISPER].running == 0
    assert warm.replicas[WHISPER].running == 1  # while requests wait and none runs, Serve starts one alone
    assert warmer.replicas[WHISPER].running == 2
    assert warm.asked.local_recognitions == pytest.approx(0.1)
    assert warm.asked.unheard == 0
    assert sum(moment.asked.unheard for moment in moments) == pytest.approx(0.1 * 220, rel=0.1)
    assert after.asked.groq_recognitions == pytest.approx(0.2)


def test_what_groq_does_not_allow_is_heard_here_and_starts_a_replica() -> None:
    little = msgspec.structs.replace(TRAFFIC, providers=Providers(60, 10_000, 100))
    moments = list(run(calls=[Call(1, 1700, True) for _ in range(10)], traffic=little, hours=0.25))
    assert moments[60].asked.groq_recognitions == pytest.approx(1)
    assert moments[60].asked.local_recognitions == pytest.approx(0.5)
    assert moments[-1].replicas[WHISPER].running >= 1


def test_voices_wait_for_generations_that_the_contract_does_not_allow() -> None:
    few = msgspec.structs.replace(TRAFFIC, providers=Providers(10_000, 10_000, 1))
    last = list(run(calls=[Call(1, 500, True) for _ in range(6)], traffic=few, hours=0.1))[-1]
    assert last.asked.generations == 1
    assert last.asked.voice_wait_s == pytest.approx(0.85)
    assert last.asked.unspoken == pytest.approx(0.2)


def test_answers_that_groq_does_not_give_are_counted() -> None:
    call = [Call(1, 1700, False)]
    limited = Providers(10_000, 3, 100, groq_outages=(Outage(at="00:05", minutes=10),))
    asked = [moment.asked for moment in run(calls=call, traffic=msgspec.structs.replace(TRAFFIC, providers=limited))]
    assert asked[100].unanswered == pytest.approx(0.05)  # six are asked for, three are allowed
    assert asked[400].unanswered == pytest.approx(0.1)


def test_none_is_missed_where_groq_is_not_asked() -> None:
    unused = Providers(10_000, 0, 100, groq_outages=(Outage(at="00:05", minutes=10),))
    moments = list(run(calls=[Call(1, 1700, False)], traffic=msgspec.structs.replace(TRAFFIC, providers=unused)))
    assert {(moment.asked.groq_answers, moment.asked.unanswered) for moment in moments} == {(0.0, 0.0)}


def test_who_only_types_asks_for_answers_alone() -> None:
    last = list(run(calls=[Call(1, 500, False)], hours=0.1))[-1]
    assert last.asked.groq_answers == pytest.approx(0.1)
    assert set(last.asked.work.values()) == {0}


def test_engines_are_scaled_by_their_work() -> None:
    slow = msgspec.structs.replace(TRAFFIC, engines=Engines(0.2, 2, 0.5, 1))
    moments = list(run(calls=[Call(30 + 5 * number, 1700, True) for number in range(40)], traffic=slow, hours=0.25))
    assert moments[-1].replicas[VAD].running == 4  # 40 speakers, 24 judgements a minute each, of 0.2 s: 3.2 in hand
    assert moments[-1].replicas[TTS].running == 2  # 8 clauses in hand, at 7 each


def test_serves_own_policy_is_run_if_the_application_names_none() -> None:
    calls = [Call(60 + 10 * number, 1700, True) for number in range(30)]
    moments = list(run(region(policy=None), calls, hours=0.25))
    assert moments[-1].replicas[GATEWAY].running == 4  # 30 calls, 8 each; nothing spare


def test_the_same_day_again_is_the_same() -> None:
    assert list(run(calls=poisson(30, 600), hours=0.2, tick_s=5)) == list(
        run(calls=poisson(30, 600), hours=0.2, tick_s=5)
    )


def test_a_coarser_tick_tells_the_same() -> None:
    fine, coarse = (list(run(calls=poisson(30, 1000), hours=0.3, tick_s=tick_s)) for tick_s in (1.0, 2.0))
    assert coarse[-1].refused == fine[-1].refused
    assert np.mean(running(coarse, GATEWAY)) == pytest.approx(np.mean(running(fine, GATEWAY)), rel=0.05)
