"""A new vocabulary for an old decoder: each new row is the mean of the old rows that spell the same text.

The rule is the paper's. What a new token stands for is found out as bytes, so that no marker of a tokenizer family
("Ġ", "▁", "<0xE2>") is ever spelled out as text:

- start, end, padding and unknown take the row of the token that has the same role;
- a token whose bytes are text takes the mean of the old tokens of that text, with its leading space if it has one;
- a piece of a character (byte fallback, or a byte-level token that ends inside one) takes the mean of the old tokens
  of its bytes;
- any other special token takes the mean of its name's tokens.
"""

import json
import re

import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

_ROLES = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id")
_BYTE_FALLBACK = re.compile(r"<0x[0-9A-F]{2}>")
_SPACE = "▁"  # SentencePiece's mark of a leading space


def mean_rows(
    old_rows_VD: torch.Tensor, old_tokenizer: PreTrainedTokenizerBase, new_tokenizer: PreTrainedTokenizerBase
) -> torch.Tensor:
    """(new vocabulary, D): for each token of `new_tokenizer` the mean of its rows among `old_rows_VD`."""
    return _means(old_rows_VD, spellings(old_tokenizer, new_tokenizer))


def added_rows(rows_VD: torch.Tensor, tokenizer: PreTrainedTokenizerBase, num_own_tokens: int) -> torch.Tensor:
    """(added, D): rows for the tokens behind the first `num_own_tokens`, means over their names' tokens."""
    names = tokenizer.convert_ids_to_tokens(list(range(num_own_tokens, len(tokenizer))))
    # Character by character: the whole name would be read as the added token that it is.
    characters = [tokenizer(list(name), add_special_tokens=False, verbose=False)["input_ids"] for name in names]
    return _means(rows_VD, [[index for ids in name for index in ids] for name in characters])


def _means(rows_VD: torch.Tensor, chosen: list[list[int]]) -> torch.Tensor:
    flat = torch.tensor([row for rows in chosen for row in rows])
    lengths = torch.tensor([len(rows) for rows in chosen])
    offsets = lengths.cumsum(0) - lengths
    return functional.embedding_bag(flat, rows_VD.float(), offsets, mode="mean").to(rows_VD.dtype)


def spellings(old_tokenizer: PreTrainedTokenizerBase, new_tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """For each new token, in order of ids, the old tokens that spell it; never none."""
    by_role = _roles(old_tokenizer, new_tokenizer)
    bytes_of_tokens = bytes_of_vocabulary(new_tokenizer)
    texts = [_text(token) or "" for token in bytes_of_tokens]
    encoded = old_tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    byte_ids = _byte_ids(old_tokenizer)
    return [
        by_role.get(index) or encoded[index] or [byte_ids[byte] for byte in bytes_of_tokens[index]]
        for index in range(len(new_tokenizer))
    ]


def bytes_of_vocabulary(tokenizer: PreTrainedTokenizerBase) -> list[bytes]:
    """The bytes that each token adds to a text, in order of ids; a special token's are those of its name."""
    added, byte_level = tokenizer.get_added_vocab(), is_byte_level(tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return [token.encode() if token in added else _bytes_of(token, byte_level) for token in tokens]


def _bytes_of(token: str, byte_level: bool) -> bytes:
    if byte_level:
        return bytes(_BYTE_OF_CHARACTER[character] for character in token)
    if _BYTE_FALLBACK.fullmatch(token):
        return bytes([int(token[3:5], 16)])
    return token.replace(_SPACE, " ").encode()


def is_byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether its tokens are bytes written as characters (GPT-2, BART), not text with byte fallback (SentencePiece)."""
    decoder = json.loads(tokenizer.backend_tokenizer.to_str())["decoder"]
    return '"ByteLevel"' in json.dumps(decoder)


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's characters for the 256 bytes: themselves where they can be seen, else the next free one from 256 on."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    alphabet = {chr(byte): byte for byte in seen}
    unseen = [byte for byte in range(256) if byte not in set(seen)]
    return alphabet | {chr(256 + place): byte for place, byte in enumerate(unseen)}


_BYTE_OF_CHARACTER = _byte_alphabet()


def _byte_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The token of each byte, 0 to 255. `ValueError` for a tokenizer that can't write every byte."""
    character_of = {byte: character for character, byte in _BYTE_OF_CHARACTER.items()}
    byte_level = is_byte_level(tokenizer)
    names = [character_of[byte] if byte_level else f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = tokenizer.get_vocab()
    if absent := [name for name in names if name not in vocabulary]:
        raise ValueError(f"the old vocabulary has no token for {len(absent)} of 256 bytes, '{absent[0]}' for one")
    return [vocabulary[name] for name in names]


def _roles(old_tokenizer: PreTrainedTokenizerBase, new_tokenizer: PreTrainedTokenizerBase) -> dict[int, list[int]]:
    """New id -> [old id] for each role that both tokenizers have."""
    pairs = [(getattr(new_tokenizer, role), getattr(old_tokenizer, role)) for role in _ROLES]
    return {new: [old] for new, old in pairs if new is not None and old is not None}


def _text(token: bytes) -> str | None:
    try:
        return token.decode()
    except UnicodeDecodeError:
        return None
