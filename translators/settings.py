"""All that can be set about translation: the model, its sampling, the client's patience, the server's start.

What is marked as effort leaves the text alone; all else enters the ledger's fingerprint (`sampling`): a longer time-out
or a larger batch must not throw away answers that were paid for.
"""

from dataclasses import dataclass, fields
from typing import Any

from florenz.recipes.checks import below_0, below_1, blank, no_share, not_above_0, not_among, raise_if
from florenz.recipes.fingerprints import decided_since, effort
from florenz.translators.api import APIS, COMPLETIONS
from florenz.translators.family import SAMPLING, Family, sampling_problems
from florenz.translators.family_files import family_named, recipe_family
from florenz.translators.secrets import variable_problems
from florenz.translators.window import SEQUENCES

# Where neither recipe nor family says anything. Sent all the same: a model's generation_config.json would change them.
USUAL_SAMPLING = {"temperature": 0.0, "top_p": 1.0, "repetition_penalty": 1.0}
# What the fingerprint has held since the first answer was paid for; a later field enters it by `decided_since`.
KNOWN = ("model", "revision", "prompt", "max_tokens", "temperature", "top_p", "repetition_penalty", "seed", "dtype")


# Settings that are options of vLLM too.
NAMED_ARGS = {
    "max_sequences": "--max-num-seqs",
    "tensor_parallel": "--tensor-parallel-size",
    "data_parallel": "--data-parallel-size",
    "max_model_len": "--max-model-len",
}


KEY_WITHOUT_SERVER = "key_variable is for servers that run already: name their endpoint, or leave it out"


@dataclass(frozen=True, kw_only=True)
class ServedSettings:
    """A model that is asked over HTTP, whatever it is asked. Everything that counts seconds ends in `_s`; None leaves
    the choice to vLLM.
    """

    model: str  # name on the model hub, or a local folder
    revision: str = ""  # commit or tag on the hub; empty = its default branch
    max_tokens: int = 256  # tokens per answer; an answer that reaches it has finish_reason "length"
    seed: int = 0  # matters only at temperature > 0
    dtype: str = "auto"  # vLLM turns float32 weights into bfloat16 under "auto"

    # Client: a request carries many prompts because the per-request cost dominates short texts.
    prompts_per_request: int | None = effort(None)  # None: a quarter of max_sequences, at most 64
    max_in_flight: int | None = effort(None)  # requests at the same time; None: as many as keep the server full
    max_sequences: int | None = effort(None)  # that a copy of the model runs at once; None: vLLM's choice, mostly 256
    tensor_parallel: int | None = effort(None)  # GPUs that share one copy of the model
    data_parallel: int | None = effort(None)  # copies of the model behind one address, each on GPUs of its own
    request_timeout_s: float = effort(120.0)  # for the whole request, so that a reply that drips in slowly ends too
    max_retries: int = effort(6)  # per request, after the first try; waits 0.5, 1, 2, 4 ... backoff_max_s seconds
    backoff_s: float = effort(0.5)
    backoff_max_s: float = effort(30.0)

    # Of servers that run already.
    key_variable: str = effort("")  # environment variable that holds their key; empty: FLORENZ_API_KEY, OPENAI_API_KEY

    # A server that we start ourselves; all of it has no effect on an endpoint that somebody else runs.
    startup_timeout_s: float = effort(300.0)
    max_server_restarts: int = effort(2)  # after the first start, over the whole run
    max_model_len: int | None = effort(None)  # tokens, prompt and answer together
    kv_cache_gib: float | None = effort(None)  # None: 1 GiB on a CPU, what gpu_memory_utilization leaves on a GPU
    gpu_memory_utilization: float | None = effort(None)  # share of the GPU's memory, 0 to 1
    enforce_eager: bool = effort(False)  # no torch.compile: starts 9 to 30 s sooner on a CPU, is slower on a GPU
    cpu_threads: int | None = effort(
        None
    )  # of a CPU server. They spin while they wait: 1 for a tiny model beside others
    server_args: tuple[str, ...] = effort(())  # more vLLM options, such as ("--quantization", "fp8")

    def served_faults(self) -> list[str]:
        """What is wrong with these values, one line each."""
        problems = blank("model", self.model, "name a model or a model folder")
        problems += below_1(max_tokens=self.max_tokens, prompts_per_request=self.prompts_per_request)
        problems += below_1(max_in_flight=self.max_in_flight, cpu_threads=self.cpu_threads)
        problems += below_1(max_sequences=self.max_sequences)
        problems += variable_problems("key_variable", self.key_variable)
        problems += below_1(tensor_parallel=self.tensor_parallel, data_parallel=self.data_parallel)
        problems += [
            f"server_args has {option}, which {name} = {getattr(self, name)} says already: keep one"
            for name, option in NAMED_ARGS.items()
            if getattr(self, name) is not None and any(arg.partition("=")[0] == option for arg in self.server_args)
        ]
        problems += below_0(max_retries=self.max_retries, max_server_restarts=self.max_server_restarts)
        problems += not_above_0(request_timeout_s=self.request_timeout_s, startup_timeout_s=self.startup_timeout_s)
        problems += not_above_0(backoff_s=self.backoff_s, backoff_max_s=self.backoff_max_s)
        problems += not_above_0(kv_cache_gib=self.kv_cache_gib)
        problems += no_share(gpu_memory_utilization=self.gpu_memory_utilization)
        if self.max_model_len is not None and self.max_model_len <= self.max_tokens:
            problems.append(f"max_model_len is {self.max_model_len}: choose more than max_tokens = {self.max_tokens}")
        return problems

    @property
    def sequences(self) -> int | None:
        """That all copies of the model run at once; None where nobody said anything of it."""
        if self.max_sequences is None and self.data_parallel is None:
            return None
        return (self.max_sequences or SEQUENCES) * (self.data_parallel or 1)

    def request(self) -> dict[str, Any]:
        """The fields of a request that decide the text."""
        return {"max_tokens": self.max_tokens, "seed": self.seed, **USUAL_SAMPLING}

    def served(self) -> "ServedSettings":
        """What a server is made of, without what it is asked."""
        return ServedSettings(**{one.name: getattr(self, one.name) for one in fields(ServedSettings)})


@dataclass(frozen=True, kw_only=True)
class TranslatorSettings(ServedSettings):
    """One translator. None leaves the choice to the family or to vLLM.

    Raises ValueError with a line for each value that is wrong. `request` and `sampling` raise FamilyError (a ValueError
    too) for a family that is not there or broken.
    """

    prompt: str = "chat"  # family: a file of translators/families/, such as "chat" (any instruct model)
    family: str = effort(
        ""
    )  # [translator.family]: one of the recipe's own, as JSON; its identity decides, not its text
    api: str = COMPLETIONS  # completions, or chat for servers that have nothing else: one request for each text
    max_source_chars: int | None = None  # a longer text is asked sentence by sentence; None: whole, however long it is
    context: str = ""  # style whose caption rides along with those of the others, as "detailed"; empty: none does
    template_options: bool = True  # api = "chat": send the family's options of the chat template, which vLLM knows

    # Sampling: these change the answers.
    temperature: float | None = None  # None: the family's; where that has none either, 0: greedy
    top_p: float | None = None  # None: the family's, else 1
    top_k: int | None = None  # None: the family's, else the server's
    repetition_penalty: float | None = None  # None: the family's, else 1
    stop: tuple[str, ...] = ()  # texts that end an answer, besides the family's
    stop_token_ids: tuple[int, ...] = ()  # tokens that do, besides the family's and the model's own

    def __post_init__(self) -> None:
        lengths = below_1(max_source_chars=self.max_source_chars)
        raise_if(self.served_faults() + lengths + not_among("api", self.api, APIS) + sampling_problems(self))

    def family_itself(self) -> Family:
        """Ours, or the recipe's own. Raises FamilyError."""
        return recipe_family(self.prompt, self.family) if self.family else family_named(self.prompt)

    def request(self) -> dict[str, Any]:
        """The fields of a completion request that decide the text: the recipe's, else the family's, else the usual."""
        family = self.family_itself().request()
        own = {name: getattr(self, name) for name in SAMPLING if getattr(self, name) is not None}
        fields = {"max_tokens": self.max_tokens, "seed": self.seed, **USUAL_SAMPLING, **family, **own}
        for name in ("stop", "stop_token_ids"):
            if both := list(dict.fromkeys([*family.get(name, ()), *getattr(self, name)])):
                fields[name] = both
        return fields

    def sampling(self) -> dict[str, Any]:
        """What decides the text beside model, revision and source: goes into the ledger's fingerprint.

        `server_args` stays out, because most of them (parallelism, memory) leave the text alone. Raises FamilyError for
        an unknown prompt family.
        """
        request = self.request()
        return {
            "prompt": self.prompt,
            "prompt_text": self.family_itself().identity(),
            "dtype": self.dtype,
            **{name: request[name] for name in ("max_tokens", "seed", *USUAL_SAMPLING)},
            **decided_since(self, KNOWN),
        }


@dataclass(frozen=True, kw_only=True)
class RephraserSettings(TranslatorSettings):
    """One rephraser: the same, with a family that takes a translation and puts it better."""

    prompt: str = "rephrase"
