"""The life and above all the end of a server, with a small program in vLLM's place."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from servers_examples import FAKE, SETTINGS, all_gone_soon, fake, is_running, pids_in

from florenz.translators.crash import crash_reason
from florenz.translators.endpoint import ServerError, list_models
from florenz.translators.phases import FIRST, phase_of
from florenz.translators.server import Server, free_port, server_environment, vllm_command
from florenz.translators.settings import TranslatorSettings

ROOT = Path(__file__).resolve().parents[1]


def test_a_started_server_answers_and_is_gone_with_its_children_after_the_context(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "server.log"
    with Server(SETTINGS, log, command=fake()) as server:
        server.wait_ready()
        assert list_models(server.endpoint) == ["m"]
        pids = pids_in(log)
        assert len(pids) == 2 and all(map(is_running, pids))
    assert not server.is_alive() and all_gone_soon(pids)
    server.stop()


def test_a_server_that_comes_up_says_its_phases(tmp_path: Path) -> None:
    """As vLLM writes them; with what stands before a phase known and after it unknown."""
    lines = ["INFO Resolved architecture: LlamaForCausalLM", "INFO Starting to load model m...", "INFO something else"]
    told: list[str] = []
    with Server(SETTINGS, tmp_path / "server.log", command=fake(f"print({lines!r}, flush=True)\n{FAKE}")) as server:
        server.wait_ready(tell=told.append)
    assert set(told) <= {FIRST, "loading the weights"} and len(set(told)) == len(told)
    log = ""
    phases = [phase_of(log := f"{log}{line}\n") for line in lines]
    assert phases == ["starting its engine", "loading the weights", "loading the weights"] and phase_of("") == FIRST


def test_a_real_servers_log_has_the_phases(translation_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.getbasetemp() / "server0" / "vllm.log"
    lines = log.read_text(errors="replace").splitlines(keepends=True)
    phases = dict.fromkeys(phase_of("".join(lines[:end])) for end in range(0, len(lines), 2))
    assert list(phases)[:3] == [FIRST, "starting its engine", "loading the weights"]
    assert list(phases)[-1] == "opening its port"


def test_an_exception_in_the_context_ends_the_server_too(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with pytest.raises(KeyboardInterrupt), Server(SETTINGS, log, command=fake()) as server:
        server.wait_ready()
        raise KeyboardInterrupt
    assert all_gone_soon(pids_in(log))


def test_a_server_that_is_deaf_to_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("florenz.translators.server.STOP_WITHIN_S", 0.3)
    log = tmp_path / "server.log"
    with Server(SETTINGS, log, command=fake(FAKE, "deaf")) as server:
        server.wait_ready()
    assert all_gone_soon(pids_in(log))


def test_a_crash_is_told_at_once_with_its_last_line_and_the_log(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    crash = "print('INFO loading'); raise RuntimeError('no such model: m')"
    with Server(SETTINGS, log, command=fake(crash)) as server:
        with pytest.raises(ServerError) as caught:
            server.wait_ready()
        assert not server.is_alive()
    message = str(caught.value)
    assert "RuntimeError: no such model: m" in message and str(log) in message and "exit status 1" in message
    assert "\n" not in message


def test_a_crash_leaves_no_child_behind(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    crash = FAKE.replace("server = StandInServer(", "raise SystemExit('error: out of memory')  # ")
    with Server(SETTINGS, log, command=fake(crash)) as server, pytest.raises(ServerError, match="out of memory"):
        server.wait_ready()
    assert all_gone_soon(pids_in(log))


def test_a_server_that_never_gets_ready_is_stopped_at_the_time_limit(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    hang = FAKE.replace("server = StandInServer(", "signal.pause()  # ")
    with Server(SETTINGS, log, command=fake(hang)) as server:
        with pytest.raises(ServerError, match="not ready after 1 s"):
            server.wait_ready(1)
        assert not server.is_alive()
    assert all_gone_soon(pids_in(log))


def test_a_server_that_was_not_started_says_so(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="never started"):
        Server(SETTINGS, tmp_path / "server.log").wait_ready()


def test_another_model_under_our_port_is_noticed(tmp_path: Path) -> None:
    settings = TranslatorSettings(model="other", prompt="playground", startup_timeout_s=300)
    with Server(settings, tmp_path / "server.log", command=fake()) as server:
        with pytest.raises(ServerError, match="serves m, not 'other'"):
            server.wait_ready()
        assert not server.is_alive()


def test_a_port_that_somebody_else_took_is_replaced(tmp_path: Path) -> None:
    ports: list[int] = []

    def taken_at_first(port: int) -> list[str]:
        ports.append(port)
        program = FAKE if len(ports) == 2 else "raise OSError(98, 'Address already in use')"
        return fake(program)(port)

    with Server(SETTINGS, tmp_path / "server.log", command=taken_at_first) as server:
        server.wait_ready()
        assert len(ports) == 2 and server.endpoint == f"http://127.0.0.1:{ports[1]}/v1"


def test_a_port_that_is_always_taken_is_an_error(tmp_path: Path) -> None:
    crash = fake("raise OSError(98, 'Address already in use')")
    with Server(SETTINGS, tmp_path / "server.log", command=crash) as server, pytest.raises(ServerError, match="in use"):
        server.wait_ready()


def test_restarts_are_bounded_and_keep_the_port(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    settings = TranslatorSettings(model="m", prompt="playground", startup_timeout_s=300, max_server_restarts=1)
    with Server(settings, log, command=fake()) as server:
        server.wait_ready()
        endpoint = server.endpoint
        for pid in pids_in(log):
            os.kill(pid, signal.SIGKILL)
        server.restart()
        server.wait_ready()
        assert server.endpoint == endpoint and list_models(endpoint) == ["m"]
        with pytest.raises(ServerError, match="died again after 1 restarts"):
            server.restart()
        assert all_gone_soon(pids_in(log))


PARENT = """
import os, signal, sys
from pathlib import Path
from florenz.translators.server import Server
from florenz.translators.settings import TranslatorSettings
settings = TranslatorSettings(model="m", prompt="playground")
server = Server(settings, Path(sys.argv[1]), command=lambda port: [sys.executable, "-c", sys.argv[2], str(port)])
server.start()
server.wait_ready()
exec(sys.argv[3])
"""


def run_parent(log: Path, ending: str) -> int:
    argv = [sys.executable, "-c", PARENT, str(log), FAKE, ending]
    return subprocess.run(argv, cwd=ROOT, timeout=300, stderr=subprocess.DEVNULL, check=False).returncode


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), signal.SIGKILL)", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_a_killed_parent_leaves_no_server(tmp_path: Path, ending: str) -> None:
    log = tmp_path / "server.log"
    assert run_parent(log, ending) < 0
    assert len(pids_in(log)) == 2 and all_gone_soon(pids_in(log))


def test_the_guard_reports_the_status_and_ends_what_the_command_left_behind() -> None:
    command = "import subprocess, sys; print(subprocess.Popen(['sleep', '600'], stdout=2).pid, flush=True); sys.exit(7)"
    argv = [sys.executable, str(ROOT / "translators" / "guard.py"), str(os.getpid()), sys.executable, "-c", command]
    guard = subprocess.run(argv, stdout=subprocess.PIPE, start_new_session=True, timeout=300, check=False)
    assert guard.returncode == 7 and all_gone_soon([int(guard.stdout)])


@pytest.mark.parametrize("ending", ["sys.exit(3)", "raise RuntimeError", "pass"])
def test_a_parent_that_just_ends_leaves_no_server(tmp_path: Path, ending: str) -> None:
    log = tmp_path / "server.log"
    run_parent(log, ending)
    assert len(pids_in(log)) == 2 and all_gone_soon(pids_in(log))


def test_the_server_outlives_the_thread_and_the_fork_that_are_not_its_owner(tmp_path: Path) -> None:
    ending = """if True:
        import threading
        server.stop()
        thread = threading.Thread(target=server.start)
        thread.start(); thread.join()
        server.wait_ready()
        if os.fork() == 0:
            sys.exit(0)
        os.wait()
        os._exit(0 if server.is_alive() else 9)
    """
    assert run_parent(tmp_path / "server.log", ending) == 0
    assert all_gone_soon(pids_in(tmp_path / "server.log"))


def test_the_crash_line_is_the_root_cause_not_what_followed_from_it(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(
        "RuntimeError: from the run before\n"
        "(EngineCore pid=5723) ERROR 11-20 12:54:14 [core.py:1510] Traceback (most recent call last):\n"
        "(EngineCore pid=5723) ERROR 11-20 12:54:14 [core.py:1510] ValueError: Available memory is less than desired\n"
        "ValueError: Available memory is less than desired\n"
        "nanobind: leaked 4 instances!\n"
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n"
        "  warnings.warn('resource_tracker: leaked')\n"
    )
    assert crash_reason(log) == "ValueError: Available memory is less than desired"
    assert crash_reason(log, start_byte=log.stat().st_size) == ""
    log.write_text("loading\nKilled\n\n")
    assert crash_reason(log) == "Killed"


def test_the_command_listens_on_this_machine_only_and_takes_the_settings(tmp_path: Path) -> None:
    settings = TranslatorSettings(
        model="m", revision="r1", max_model_len=300, kv_cache_gib=0.25, enforce_eager=True, server_args=("--x", "1"),
        max_sequences=64, tensor_parallel=2, data_parallel=4,
    )  # fmt: skip
    words = " ".join(vllm_command(settings, 8123)[1:])
    assert "--host 127.0.0.1 --port 8123" in words and "--revision r1" in words and "--max-model-len 300" in words
    assert "--kv-cache-memory-bytes 268435456" in words and "--enforce-eager" in words and words.endswith("--x 1")
    assert "--max-num-seqs 64 --tensor-parallel-size 2 --data-parallel-size 4" in words
    assert "None" not in " ".join(vllm_command(TranslatorSettings(model="m"), 1))


def test_the_server_sees_no_key_and_goes_online_only_for_a_model_that_is_not_here(tmp_path: Path) -> None:
    ours = {"FLORENZ_API_KEY": "a", "OPENAI_API_KEY": "b", "VLLM_API_KEY": "c", "HF_TOKEN": "t", "DO_NOT_TRACK": "0"}
    hub = server_environment(TranslatorSettings(model="org/m"), ours)
    assert "HF_HUB_OFFLINE" not in hub and not any("API_KEY" in name for name in hub)
    assert hub["HF_TOKEN"] == "t" and hub["DO_NOT_TRACK"] == "0" and hub["VLLM_NO_USAGE_STATS"] == "1"
    assert hub["VLLM_CPU_KVCACHE_SPACE"] == "1"
    local = TranslatorSettings(model=str(tmp_path), kv_cache_gib=0.25, cpu_threads=2)
    here = server_environment(local, {"VLLM_CPU_KVCACHE_SPACE": "9"})
    assert here["HF_HUB_OFFLINE"] == "1" and here["OMP_NUM_THREADS"] == "2" and "VLLM_CPU_KVCACHE_SPACE" not in here


def test_free_ports_are_free() -> None:
    assert 1024 <= free_port() < 65536
