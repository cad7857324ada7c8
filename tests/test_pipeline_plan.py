"""Plans and budgets: what is worked out from measured steps, and words that say how much may be used."""

import itertools
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pipeline_examples import answers_for, index_of, makers_for, recipe_for, write_ledger, write_pictures

from florenz.filters.alignment_check import MIN_PAIRS
from florenz.pipeline import plan_assembly
from florenz.pipeline.answers.survey import survey
from florenz.pipeline.assemble.build import assembly_of
from florenz.pipeline.budget import UNLIMITED, Budget, parse_budget
from florenz.pipeline.plan import Missing, beside_s, hours_of, in_words, missing_by_model, tell
from florenz.pipeline.plan_assembly import assembly_rate
from florenz.pipeline.plan_beside import shares
from florenz.pipeline.rates import (
    KEPT,
    OWN,
    WHILE_BESIDE,
    Measurement,
    PlanSettings,
    Rate,
    known_rate,
    note_rate,
    rate_of,
    rates_path,
    read_rates,
    share_beside,
)
from florenz.translators.endpoint import ServerError


def step(items: int, fixed_s: float, per_s: float) -> Measurement:
    return Measurement(items=items, seconds=fixed_s + items / per_s, chars=50 * items)


def missing(items: int, rate: Rate | None, where: str = "de", what: str = "translations") -> Missing:
    return Missing(what=what, where=where, model="org/m", items=items, rate=rate)


def test_a_step_s_own_time_is_told_from_that_of_its_items() -> None:
    rate = rate_of([step(5, 4.0, 100.0), step(20, 4.0, 100.0), step(400, 4.0, 100.0)])
    assert rate is not None and rate.per_s == pytest.approx(100) and rate.fixed_s == pytest.approx(4)
    assert rate.chars == 50


@pytest.mark.parametrize(
    "measured", [[step(10, 0.0, 5.0)], [step(10, 0.0, 5.0)] * 3, [step(1, 9.0, 9.0), step(9, 0.0, 5.0)]]
)
def test_what_can_t_be_told_apart_counts_as_the_items(measured: list[Measurement]) -> None:
    rate = rate_of(measured)
    assert rate is not None and rate.fixed_s == 0
    assert rate.per_s == pytest.approx(sum(one.items for one in measured) / sum(one.seconds for one in measured))
    assert rate_of([]) is None and rate_of([Measurement(items=0, seconds=3, chars=0)]) is None


def test_what_was_measured_is_found_again_and_what_is_damaged_is_nothing(tmp_path: object) -> None:
    out = str(tmp_path)
    assert read_rates(out) == {}
    for number in range(1, KEPT + 5):
        note_rate(out, "f", Measurement(items=number, seconds=2.5, chars=9))
    assert [one.items for one in read_rates(out)["f"]] == list(range(5, KEPT + 5))
    with open(rates_path(out), "w") as file:
        file.write('{"f": [[1]]}')
    assert read_rates(out) == {}


def test_machines_share_the_items_and_each_has_its_own_start() -> None:
    rate = Rate(per_s=10, fixed_s=5, chars=40, start_s=60)
    both = [missing(36_000, rate, "de"), missing(36_000, rate, "fr"), missing(0, rate, "es")]
    assert hours_of(both, 1) * 3600 == pytest.approx(65 + 7200)
    assert hours_of(both, 100) * 3600 == pytest.approx(65 + 72)
    assert both[0].tokens == 360_000


def test_the_first_translator_s_server_comes_up_while_captions_are_made() -> None:
    captions = missing(1000, Rate(per_s=10, fixed_s=0, chars=40), "short", "captions")
    slow, other = (Rate(per_s=10, fixed_s=0, chars=40, start_s=seconds) for seconds in (130, 60))
    second = Missing(what="translations", where="fr", model="org/other", items=1000, rate=other)
    both = [captions, missing(1000, slow), second]
    assert hours_of(both, 1) * 3600 == pytest.approx(100 + (30 + 100) + (60 + 100))
    assert hours_of(both, 10) * 3600 == pytest.approx(10 + (120 + 10) + (60 + 10))


def test_on_one_machine_with_room_for_both_the_translator_works_while_captions_are_made() -> None:
    captions = missing(1600, Rate(per_s=10, fixed_s=0, chars=40), "short", "captions")
    quick, slow = (missing(1600, Rate(per_s=per_s, fixed_s=0, chars=40, start_s=30)) for per_s in (100, 5))
    assert hours_of([captions, quick], 1, is_beside=True) * 3600 == pytest.approx(160 + 16 / 16), "the last range"
    assert hours_of([captions, slow], 1, is_beside=True) * 3600 == pytest.approx(30 + 320), "from the server's start on"
    other = Missing(what="captions", where="long", model="org/other", items=1600, rate=captions.rate)
    after_another = hours_of([other, captions, slow], 1, is_beside=True)
    assert after_another * 3600 == pytest.approx(160 + 10 + 320), "from the first range of the last captioner on"
    loaded = missing(1600, Rate(per_s=10, fixed_s=0, chars=40, start_s=80), "short", "captions")
    assert hours_of([loaded, slow], 1, is_beside=True) * 3600 == pytest.approx(80 + 10 + 320), "captioner's start"
    assert hours_of([captions, slow], 2, is_beside=True) == hours_of([captions, slow], 2)
    assert hours_of([slow], 1, is_beside=True) * 3600 == pytest.approx(30 + 320), "nothing to caption"


def test_two_models_on_the_same_cores_have_the_shares_that_were_measured() -> None:
    captions = Missing(
        what="captions", where="short", model="org/c", items=1600, beside=0.5, rate=Rate(per_s=10, fixed_s=0, chars=40)
    )
    quick, slow = (replace(missing(1600, Rate(per_s=per_s, fixed_s=0, chars=40)), beside=0.5) for per_s in (100, 5))
    # 10 s until the first range is there; the 15 s of translating take 30, in which 15 of captioning get done.
    assert hours_of([captions, quick], 1, is_beside=True) * 3600 == pytest.approx(10 + 30 + (150 - 15) + 1)
    # The 150 s of captioning that are left take 300, in which 150 of translating get done.
    assert hours_of([captions, slow], 1, is_beside=True) * 3600 == pytest.approx(10 + 300 + (320 - 150))
    assert hours_of([captions, slow], 2, is_beside=True) == hours_of([captions, slow], 2), "each has its own machine"


def test_at_half_of_its_speed_each_nothing_is_gained_and_at_full_speed_the_longer_counts() -> None:
    assert beside_s(150, 150, shares=(0.5, 0.5)) == pytest.approx(300)
    assert beside_s(150, 150, shares=(1.0, 1.0)) == pytest.approx(150 + 150 / 16)
    assert beside_s(0, 320, shares=(0.5, 0.5)) == 320 and beside_s(150, 0, shares=(0.5, 0.5)) == 150


def test_the_share_is_told_from_a_model_s_rates_alone_and_beside() -> None:
    alone, beside = step(100, 0, 10.0), Measurement(items=1000, seconds=250.0, chars=0)
    assert share_beside({"f": [alone], f"f{WHILE_BESIDE}": [beside]}, "f") == pytest.approx(0.4)
    assert share_beside({"f": [alone]}, "f") == share_beside({f"f{WHILE_BESIDE}": [beside]}, "f") == 1.0
    rate = known_rate({f"f{WHILE_BESIDE}": [beside]}, "f")
    assert rate is not None and rate.per_s == 4.0, "one that never worked alone"
    assert share_beside({"f": [beside], f"f{WHILE_BESIDE}": [alone]}, "f") == 1.0, "never more than all of it"


def test_what_a_step_takes_besides_its_questions_is_a_time_of_its_own() -> None:
    own = [Measurement(items=1, seconds=seconds, chars=0) for seconds in (2.0, 4.0)]
    rate = known_rate({"f": [step(100, 0, 10.0)], f"f{OWN}": own}, "f")
    assert rate is not None and (rate.per_s, rate.fixed_s, rate.start_s) == (10.0, 3.0, 0.0)


class TwoModels:
    """A turn takes a time that depends on whether the other one works too; each thread has a clock of its own."""

    def __init__(self, alone_s: float, beside_s: float) -> None:
        self.alone_s, self.beside_s = alone_s, beside_s
        self.now = threading.local()
        self.at_once = threading.Barrier(2, timeout=60)
        self.num_beside = 0

    def clock(self) -> float:
        return getattr(self.now, "at", 0.0)

    def turn(self) -> int:
        is_beside = threading.current_thread().name.startswith("beside")
        if is_beside and not self.clock():
            self.at_once.wait()  # BrokenBarrierError where the other one never comes
        self.now.at = self.clock() + (self.beside_s if is_beside else self.alone_s)
        return 4


def test_both_are_timed_alone_and_then_at_once() -> None:
    two = TwoModels(0.5, 0.8)
    found = shares(two.turn, two.turn, seconds=3.0, clock=two.clock)
    assert found == pytest.approx((0.5 / 0.8, 0.5 / 0.8))


def test_an_error_of_one_ends_both() -> None:
    turns = iter(range(1000))

    def breaks() -> int:
        if threading.current_thread().name.startswith("beside"):
            raise ServerError("the server is gone")
        return 1

    with pytest.raises(ServerError, match="is gone"):
        shares(breaks, lambda: next(turns) and 1, seconds=0.0)


def test_a_plan_says_what_is_missing_and_what_it_costs() -> None:
    lines: list[str] = []
    given = PlanSettings(cost_per_hour=3.0)
    rate = Rate(per_s=10, fixed_s=0, chars=40)
    tell(lines.append, images=1000, missing=[missing(72_000, rate)], image_bytes=10**9, given=given)
    assert lines[0].split() == ["images", "1,000"]
    assert "72,000 translations of org/m, de (German): about 720,000 tokens of answers, 10.0/s" in lines[1]
    assert "1.03 GB" in lines[2]
    assert lines[3:] == [
        "time       1 machine: 2.0 h, cost 6.00", "time       2 machines: 60 min, cost 6.00",
        "time       8 machines: 15 min, cost 6.00", "time       100 machines: 72 s, cost 6.00",
    ]  # fmt: skip


def test_a_model_of_which_nothing_is_known_is_named_instead_of_guessed_at() -> None:
    lines: list[str] = []
    tell(lines.append, images=5, missing=[missing(10, None), missing(0, None)], image_bytes=0, given=PlanSettings())
    assert lines[-1] == "time       unknown for org/m: SAMPLE=20 measures it, or [plan] in the recipe says it"


def test_budgets_in_hours_money_and_tokens() -> None:
    def parsed(text: str, workers: int = 1) -> Budget:
        return parse_budget(text, cost_per_hour=6.0, workers=workers, now=1000.0)

    assert parsed("2h") == Budget(deadline=8200.0) and parsed("90min") == Budget(deadline=6400.0)
    assert parsed("12") == Budget(deadline=8200.0) and parsed("500000tokens", 4) == Budget(tokens=125_000)
    assert not UNLIMITED.is_used_up(10**12)
    assert Budget(tokens=5).is_used_up(5) and not Budget(tokens=5).is_used_up(4) and parsed("1s").is_used_up()


@pytest.mark.parametrize("text", ["", "0h", "-2h", "2 days", "h", "1e5", "1,5h", "inf", "2h30"])
def test_a_budget_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give hours, minutes, tokens or money"):
        parse_budget(text, cost_per_hour=1.0, workers=1)
    with pytest.raises(ValueError, match="cost_per_hour"):
        parse_budget("12.50", cost_per_hour=None, workers=1)


def test_times_in_words() -> None:
    assert [in_words(hours) for hours in (0.01, 0.5, 3.25, 1234)] == ["36 s", "30 min", "3.2 h", "1,234.0 h"]


def test_a_large_assembly_is_planned_for_the_processes_that_it_will_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = write_pictures(tmp_path / "pictures", 4)
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")
    write_ledger(recipe, keys)
    index = index_of(recipe)
    assembly, answers = assembly_of(recipe, makers_for(recipe)), answers_for(recipe).fitted(index.digits)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    ticks = itertools.count()
    monkeypatch.setattr(plan_assembly.time, "monotonic", lambda: float(next(ticks)))  # each try takes as long
    rates = []
    for images in (index.num_images + 1, 1):
        monkeypatch.setattr(plan_assembly, "IMAGES_FOR_A_PROCESS", images)
        rates.append(assembly_rate(assembly, index, answers, set(keys), recipe.running))
    assert rates[1].per_s == pytest.approx(rates[0].per_s * (1 + 2 * plan_assembly.EACH_FURTHER))


def test_a_sample_s_images_tell_how_long_the_assembly_takes_and_learning_is_its_own_time(tmp_path: Path) -> None:
    keys = write_pictures(tmp_path / "pictures", 8)
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")
    write_ledger(recipe, keys)
    index = index_of(recipe)
    assembly, answers = assembly_of(recipe, makers_for(recipe)), answers_for(recipe).fitted(index.digits)
    rate = assembly_rate(assembly, index, answers, set(keys[:5]), recipe.running)
    assert rate is not None and rate.per_s > 0 and rate.fixed_s == 0, "too few pairs to learn from"
    many = replace(index, parts=tuple(replace(part, images=MIN_PAIRS) for part in index.parts))
    learning = assembly_rate(assembly, many, answers, set(keys[:5]), recipe.running)
    assert learning is not None and learning.fixed_s > 0
    off = replace(assembly, filters=replace(assembly.filters, alignment="off"))
    silent = assembly_rate(off, many, answers, set(keys[:5]), recipe.running)
    assert silent is not None and silent.fixed_s == 0
    assert assembly_rate(assembly, index, answers, set(), recipe.running) is None
    assert not (tmp_path / "out" / "shards").exists() and not (tmp_path / "out" / "assembling").exists()


def test_an_assembly_that_was_measured_goes_before_one_that_a_sample_showed(tmp_path: Path) -> None:
    keys = write_pictures(tmp_path / "pictures", 4)
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")
    write_ledger(recipe, keys[:3])
    index = index_of(recipe)
    found = survey(recipe, index, answers_for(recipe).fitted(index.digits))
    shown = Rate(per_s=3.0, fixed_s=7.0, chars=0.0)

    def rate(measured: dict[str, list[Measurement]], shown: Rate | None) -> Rate | None:
        return missing_by_model(found, makers_for(recipe), measured, PlanSettings(), shown)[-1].rate

    assert rate({}, shown) == shown and rate({}, None) != shown
    measured = rate({"assemble": [Measurement(items=10, seconds=2.0, chars=0)]}, shown)
    assert measured is not None and measured.per_s == 5.0
