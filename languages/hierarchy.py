"""All probabilities of a fastText classifier at once: its hierarchical softmax (Joulin et al. 2016, "Bag of Tricks for
Efficient Text Classification", section 2.1) over many texts as a matrix product.

fastText walks the tree of labels for each text and hands out names, so that asking lid.176 for all labels takes twice
as long as asking for one. The expensive part, the mean vector of a text's words and letters, it gives as it is; what
follows is a product with the tree's nodes, which stand in the model's file but behind no function of a compressed
model. So they are read from there. Cost: 3 to 6 microseconds a text beside fastText's 20 to 30.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np

_MAGIC, _VERSION = 793712314, 12
_HIERARCHICAL_SOFTMAX, _SUPERVISED = 1, 3
_LABEL = 1
_FLOOR = 1e-5  # fastText adds this to each factor, and leaves out labels below it
_CENTROIDS = 256
_LANES = 16


class _Level(NamedTuple):
    """Nodes at one depth of the tree. children, parents: their numbers; steps: the rows of the factors between them,
    the ways to the left of all inner nodes first, then those to the right."""

    children: np.ndarray
    parents: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class Hierarchy:
    """The tree of labels. labels: with their prefix, in the file's order; weights: [inner nodes, dimensions]."""

    labels: tuple[str, ...]
    weights: np.ndarray
    levels: tuple[_Level, ...]

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """[texts, dimensions] -> [texts, labels], in the file's order; 0 for what fastText leaves out."""
        # einsum and not a product of BLAS, and full lanes: else the last digits depend on how many texts there are.
        filled = np.zeros((vectors.shape[1], -(-len(vectors) // _LANES) * _LANES))
        filled[:, : len(vectors)] = vectors.T
        heights = np.einsum("nd,dt->nt", self.weights, filled)
        right = 1.0 / (1.0 + np.exp(-heights))
        factors = np.concatenate([1.0 - right, right]) + _FLOOR
        found = np.empty((2 * len(self.labels) - 1, filled.shape[1]))
        found[-1] = 1.0
        for level in self.levels:
            found[level.children] = found[level.parents] * factors[level.steps]
        scores = found[: len(self.labels), : len(vectors)].T.copy()
        scores[scores < _FLOOR] = 0.0
        return scores


def read_hierarchy(path: str) -> Hierarchy | None:
    """Of a fastText model file; None for one of another kind, which has to be asked itself."""
    with open(path, "rb") as file:
        return _read(file)


def _read(file: BinaryIO) -> Hierarchy | None:
    magic, version = _numbers(file, "ii")
    *_, loss, model, _, _, _, _ = _numbers(file, "12i")
    _numbers(file, "d")
    if (magic, version, loss, model) != (_MAGIC, _VERSION, _HIERARCHICAL_SOFTMAX, _SUPERVISED):
        return None
    size, _, _, _, num_pruned = _numbers(file, "iiiqq")
    entries = [(_word(file), _numbers(file, "qb")) for _ in range(size)]
    _numbers(file, f"{2 * max(num_pruned, 0)}i")
    is_compressed = _skip_matrix(file)
    (is_output_compressed,) = _numbers(file, "?")
    if is_compressed and is_output_compressed:
        return None
    num_rows, dimensions = _numbers(file, "qq")
    weights = np.frombuffer(file.read(4 * num_rows * dimensions), dtype=np.float32).reshape(num_rows, dimensions)
    labels = [(word, count) for word, (count, kind) in entries if kind == _LABEL]
    return Hierarchy(
        tuple(word for word, _ in labels),
        weights[: len(labels) - 1].astype(np.float64),
        _levels([n for _, n in labels]),
    )


def _skip_matrix(file: BinaryIO) -> bool:
    """The vectors of words and letters; whether they are compressed."""
    (is_compressed,) = _numbers(file, "?")
    if not is_compressed:
        num_rows, dimensions = _numbers(file, "qq")
        file.seek(4 * num_rows * dimensions, 1)
        return False
    has_norms, num_rows, _, num_codes = _numbers(file, "?qqi")
    file.seek(num_codes, 1)
    _skip_centroids(file)
    if has_norms:
        file.seek(num_rows, 1)
        _skip_centroids(file)
    return True


def _skip_centroids(file: BinaryIO) -> None:
    dimensions, _, _, _ = _numbers(file, "4i")
    file.seek(4 * dimensions * _CENTROIDS, 1)


def _numbers(file: BinaryIO, kinds: str) -> tuple[int, ...]:
    layout = struct.Struct(f"<{kinds}")
    return layout.unpack(file.read(layout.size))


def _word(file: BinaryIO) -> str:
    return b"".join(iter(lambda: file.read(1), b"\0")).decode("utf-8", "replace")


def _levels(counts: list[int]) -> tuple[_Level, ...]:
    """The Huffman tree over labels in falling order of their counts, as fastText builds it: leaves are 0 to labels - 1,
    the root is the last node."""
    num_labels = len(counts)
    num_nodes = 2 * num_labels - 1
    weights = counts + [10**15] * (num_labels - 1)
    parents, is_right = [0] * num_nodes, [False] * num_nodes
    leaf, inner = num_labels - 1, num_labels
    for node in range(num_labels, num_nodes):
        weights[node] = 0
        for right in (False, True):
            if leaf >= 0 and weights[leaf] < (weights[inner] if inner < node else 10**15):
                child, leaf = leaf, leaf - 1
            else:
                child, inner = inner, inner + 1
            weights[node] += weights[child]
            parents[child], is_right[child] = node, right
    depths = [0] * num_nodes
    for node in range(num_nodes - 2, -1, -1):
        depths[node] = depths[parents[node]] + 1
    by_depth = [[node for node in range(num_nodes) if depths[node] == depth] for depth in range(1, max(depths) + 1)]
    return tuple(
        _Level(
            np.array(nodes),
            np.array([parents[node] for node in nodes]),
            np.array([parents[node] - num_labels + is_right[node] * (num_labels - 1) for node in nodes]),
        )
        for nodes in by_depth
    )
