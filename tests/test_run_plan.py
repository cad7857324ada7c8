"""A plan asks nobody, a sample pays for itself alone, and a budget that is used up is gone on with."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.stand_in_server import Request, StandInServer, completions
from florenz.pipeline import asking, plan_beside
from florenz.pipeline.__main__ import main
from florenz.pipeline.plan import ASSEMBLE
from florenz.pipeline.rates import WHILE_BESIDE, read_rates, share_beside
from florenz.pipeline.serving import Serving
from florenz.shards.manifest import read_manifest
from florenz.shards.verify import verify

NUM_IMAGES = 12
SENTENCES = {"de": "Ein rotes Auto steht am Fluss", "fr": "Une voiture rouge est près de la rivière"}
RECIPE = """
languages = ["de", "fr"]
out = "{out}"
[images]
source = "playground"
count = 12
[captioner]
model = "playground/models/captioner"
cpu_threads = 1
batch_size = 2
[translator]
model = "org/m"
prompt = "playground"
endpoint = "{endpoint}"
prompts_per_request = 2
max_in_flight = 1
[filters]
disabled = ["length_ratio", "repetition"]
[shards]
val_fraction = 0.3
[coverage]
withheld = ["turtle"]
[plan]
cost_per_hour = 2.0
"""


@pytest.fixture
def server() -> Iterator[StandInServer]:
    def answer(prompt: str) -> str:
        return SENTENCES[prompt[-4:-2]] + "." * (sum(prompt.encode()) % 2)

    with StandInServer("org/m", answer) as running:
        yield running


@pytest.fixture
def recipe(server: StandInServer, tmp_path: Path) -> str:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(out=tmp_path / "out", endpoint=server.endpoint))
    return str(path)


def test_a_plan_asks_nobody_and_a_sample_is_paid_for_once(
    server: StandInServer, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([recipe, "PLAN=1"]) == 0
    told = capsys.readouterr().out
    assert server.asked == [] and not list((tmp_path / "out").glob("ledger/captions/*"))
    assert "missing    24 captions of playground/models/captioner" in told and "24 translations of org/m, fr" in told
    assert "unknown for org/m, playground/models/captioner: SAMPLE=20" in told

    assert main([recipe, "PLAN=1", "SAMPLE=8"]) == 0
    told = capsys.readouterr().out
    assert len(server.asked) == 8 * 2 * 2 and not (tmp_path / "out" / "manifest.json").exists()
    assert "missing    8 captions" in told and "missing    8 translations of org/m, de (German)" in told
    assert "time       1 machine: " in told and "100 machines: " in told and ", cost " in told

    assert main([recipe]) == 0
    assert max(Counter(server.asked).values()) == 1 and len(server.asked) == NUM_IMAGES * 2 * 2
    capsys.readouterr()
    assert main([recipe, "PLAN=1"]) == 0
    told = capsys.readouterr().out
    assert "missing    0 captions" in told and "time       1 machine: 0 s" in told


def test_an_assembly_that_is_all_that_is_left_is_planned_too(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a budget that was used up with the last answer, or with another threshold."""
    assert main([recipe, "PLAN=1", f"SAMPLE={NUM_IMAGES}"]) == 0
    rates_path = tmp_path / "out" / "ledger" / "rates.json"
    rates = json.loads(rates_path.read_text())
    rates_path.write_text(json.dumps(rates | {ASSEMBLE: [[NUM_IMAGES, 60.0, 0]]}))
    capsys.readouterr()
    assert main([recipe, "PLAN=1"]) == 0
    told = capsys.readouterr().out
    assert "missing    0 captions" in told and "time       1 machine: 60 s" in told
    assert main([recipe]) == 0
    capsys.readouterr()
    assert main([recipe, "PLAN=1"]) == 0
    assert "time       1 machine: 0 s" in capsys.readouterr().out


def test_two_models_that_share_this_machine_s_cores_are_timed_at_once_and_nothing_of_it_is_kept(
    server: StandInServer,
    recipe: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stand-in in the place of a server of ours on the same machine."""
    monkeypatch.setattr(asking, "leaves_cores", lambda *_: True)
    monkeypatch.setattr(Serving, "num_cores", 1)
    monkeypatch.setattr(plan_beside, "PROBE_S", 0.0)
    out = str(tmp_path / "out")
    assert main([recipe, "PLAN=1", "SAMPLE=8"]) == 0
    told = capsys.readouterr().out
    assert "missing    8 captions" in told and "missing    8 translations of org/m, de (German)" in told
    assert "time       1 machine: " in told
    num_asked = len(server.asked)
    assert num_asked > 8 * 2 * 2, "thrown away"
    rates = read_rates(out)
    names = [name for name in rates if name.endswith(WHILE_BESIDE)]
    assert len(names) == 2, "captioner and translator"
    assert all(0 < share_beside(rates, name.removesuffix(WHILE_BESIDE)) <= 1 for name in names)

    assert main([recipe, "PLAN=1", "SAMPLE=2"]) == 0
    assert len(server.asked) - num_asked == 2 * 2 * 2, "it is known"


@pytest.mark.parametrize("budget", ["20tokens", "1s"])
def test_a_budget_that_is_used_up_ends_the_run_in_one_line_and_is_gone_on_with(
    server: StandInServer, recipe: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], budget: str
) -> None:
    assert main([recipe, f"BUDGET={budget}"]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert any("the budget is used up: " in line and "still to be asked for" in line for line in lines), lines
    assert len(server.asked) < NUM_IMAGES * 2 * 2 and not (tmp_path / "out" / "manifest.json").exists()
    assert main([recipe]) == 0
    assert max(Counter(server.asked).values()) == 1 and len(server.asked) == NUM_IMAGES * 2 * 2
    assert verify(str(tmp_path / "out")).problems == () and read_manifest(str(tmp_path / "out")).counts


def test_a_budget_of_tokens_that_nobody_counts_is_refused_before_anything_is_paid(
    server: StandInServer,
    recipe: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def uncounted(request: Request) -> None:
        request.send_json(completions(["Ein Hund."] * len(request.prompts)) | {"usage": None})

    monkeypatch.setattr(server, "fault_for", lambda request: uncounted)
    assert main([recipe, "BUDGET=100tokens"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "BUDGET is in tokens, and the server of 'org/m' does not say how many it has used: give hours" in line
    assert not list((tmp_path / "out").glob("ledger/captions/*"))


@pytest.mark.parametrize(
    ("variable", "told"),
    [("BUDGET=lots", "BUDGET is 'lots'"), ("PLAN=yes", "give PLAN=1"), ("SAMPLE=20", "and PLAN=1")],
)
def test_words_that_say_nothing_are_refused(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], variable: str, told: str
) -> None:
    assert main([recipe, variable]) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "out").exists()
