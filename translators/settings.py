"""All that can be set about translation: the model, its sampling, the client's patience, the server's start.

Only what changes the text enters the ledger's fingerprint (`sampling`): a longer time-out or a larger batch must not
throw away answers that were paid for.
"""

from dataclasses import dataclass

from florenz.translators.prompts import prompt_text


@dataclass(frozen=True, kw_only=True)
class TranslatorSettings:
    """One translator. Everything that counts seconds ends in `_s`; None leaves the choice to vLLM."""

    model: str  # name on the model hub, or a local folder
    revision: str = ""  # commit or tag on the hub; empty = its default branch
    prompt: str = "chat"  # prompt family: "chat" (any instruct model) or "playground"

    # Sampling: these change the answers.
    max_tokens: int = 256  # tokens per answer; an answer that reaches it has finish_reason "length"
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0  # matters only at temperature > 0
    dtype: str = "auto"  # vLLM turns float32 weights into bfloat16 under "auto"

    # Client: a request carries many prompts because the per-request cost dominates short texts.
    prompts_per_request: int = 64
    max_in_flight: int = 2  # requests at the same time
    request_timeout_s: float = 120.0  # for the whole request, so that a reply that drips in slowly ends too
    max_retries: int = 6  # per request, after the first try; waits 0.5, 1, 2, 4 ... backoff_max_s seconds
    backoff_s: float = 0.5
    backoff_max_s: float = 30.0

    # A server that we start ourselves; all of it has no effect on an endpoint that somebody else runs.
    startup_timeout_s: float = 300.0
    max_server_restarts: int = 2  # after the first start, over the whole run
    max_model_len: int | None = None  # tokens, prompt and answer together
    kv_cache_gib: float | None = None  # None: 1 GiB on a CPU, what gpu_memory_utilization leaves on a GPU
    gpu_memory_utilization: float | None = None  # share of the GPU's memory, 0 to 1
    enforce_eager: bool = False  # no torch.compile: starts 9 to 30 s sooner on a CPU, answers more slowly on a GPU
    cpu_threads: int | None = None  # of a CPU server. They spin while they wait: 1 for a tiny model beside other work
    server_args: tuple[str, ...] = ()  # more vLLM options, such as ("--tensor-parallel-size", "2")

    def __post_init__(self) -> None:
        problems = [f"{name} = {value}: {rule}" for name, value, is_right, rule in self._rules() if not is_right]
        if problems:
            raise ValueError("translator settings: " + "; ".join(problems))

    def _rules(self) -> list[tuple[str, object, bool, str]]:
        at_least_1 = ("max_tokens", "prompts_per_request", "max_in_flight")
        above_0 = (
            *("request_timeout_s", "startup_timeout_s", "backoff_s", "backoff_max_s"),
            *("top_p", "repetition_penalty"),
        )
        not_negative = ("temperature", "max_retries", "max_server_restarts")
        limit, share = self.max_model_len, self.gpu_memory_utilization
        kv_cache, threads = self.kv_cache_gib, self.cpu_threads
        room = f"must exceed max_tokens = {self.max_tokens}"
        return [
            ("model", repr(self.model), bool(self.model), "name a model or a model folder"),
            *((name, getattr(self, name), getattr(self, name) >= 1, "must be at least 1") for name in at_least_1),
            *((name, getattr(self, name), getattr(self, name) > 0, "must be above 0") for name in above_0),
            *((name, getattr(self, name), getattr(self, name) >= 0, "must not be negative") for name in not_negative),
            ("max_model_len", limit, limit is None or limit > self.max_tokens, room),
            ("gpu_memory_utilization", share, share is None or 0 < share <= 1, "must be above 0 and at most 1"),
            ("kv_cache_gib", kv_cache, kv_cache is None or kv_cache > 0, "must be above 0"),
            ("cpu_threads", threads, threads is None or threads >= 1, "must be at least 1"),
        ]

    def sampling(self) -> dict[str, object]:
        """What decides the text beside model, revision and source: goes into the ledger's fingerprint.

        `server_args` stays out, because most of them (parallelism, memory) leave the text alone. Raises ValueError for
        an unknown prompt family.
        """
        return {
            "prompt": self.prompt,
            "prompt_text": prompt_text(self.prompt),
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "repetition_penalty": self.repetition_penalty,
            "seed": self.seed,
            "dtype": self.dtype,
        }
