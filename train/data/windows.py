"""Which samples, with which examples, stand in a micro-batch: windows of the order, planned when their turn comes."""

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

from florenz.shards.schema import Example
from florenz.train.data.examples import BrokenSample, read_examples
from florenz.train.data.mix import Mix, choose
from florenz.train.data.noise import without_words
from florenz.train.data.order import SampleOrder, Window, even_parts
from florenz.train.data.tar_index import ShardFiles, StreamError


class Chosen(NamedTuple):
    """What a window keeps of a sample until its turn: where it is, and what the mix chose or why it can't be read."""

    shard: int
    place: int
    example: Example | None
    problem: str = ""

    def length(self) -> tuple[int, int]:
        if self.example is None:
            return 0, 0
        return len(self.example.text), len(self.example.source_text)


class Windows:
    """Which samples, with which examples, stand in a micro-batch. Windows that were planned are kept for their turn."""

    def __init__(self, files: ShardFiles, order: SampleOrder, mix: Mix, pair_weights: dict[str, float]) -> None:
        self.files = files
        self._order = order
        self._mix = mix
        self._pair_weights = pair_weights
        self._planned: OrderedDict[Window, tuple[list[list[Chosen]], int]] = OrderedDict()

    def micro_batch(self, number: int) -> tuple[list[Chosen], int]:
        """The samples of a micro-batch; how many its window passed over, told with the window's first one only."""
        window, place = self._order.window_of(number)
        if window not in self._planned:
            self._planned[window] = self._plan(window)
            if len(self._planned) > self._order.num_lanes:
                self._planned.popitem(last=False)
        self._planned.move_to_end(window)
        batches, num_passed_over = self._planned[window]
        return batches[self._order.batch_at(window, place)], 0 if place else num_passed_over

    def _plan(self, window: Window) -> tuple[list[list[Chosen]], int]:
        found = [self._choose(shard, index, window.epoch) for shard, index in self._order.samples_of(window)]
        usable = sorted((one for one in found if one.example or one.problem), key=Chosen.length)
        if len(usable) < window.num_batches:
            raise StreamError(
                f"only {len(usable)} of {len(found)} images in a row have an example of "
                f"{', '.join(self._pair_weights)}, too few for {window.num_batches} batches: "
                "add pairs to the mix, or choose a larger batch size"
            )
        parts = even_parts(len(usable), window.num_batches)
        return [usable[part] for part in parts], len(found) - len(usable)

    def _choose(self, shard: int, index: int, epoch: int) -> Chosen:
        try:
            examples = read_examples(self.files, shard, index)
        except BrokenSample as problem:
            return Chosen(shard, index, None, str(problem))
        draw = (self._order.seed, epoch, self.files.key(shard, index))
        chosen = choose(self._pair_weights, self._mix.usable(examples), draw)
        if chosen is not None and chosen.source_text and (share := self._mix.source_dropout):
            chosen = replace(chosen, source_text=without_words(chosen.source_text, share=share, draw=draw))
        return Chosen(shard, index, chosen)
