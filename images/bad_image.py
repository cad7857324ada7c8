"""Why an image can't be used: a closed list of reasons, which are also the names of counters."""

MAX_DETAIL_CHARS = 200

REASONS = frozenset({
    "empty_file", "null_cell", "too_many_bytes", "unreadable_file", "unreadable_source",  # while its bytes are read
    "not_an_image", "unsupported_format", "too_small", "too_narrow", "too_many_pixels",
    "truncated_image", "broken_image", "damaged_image",  # the last: it decodes, and not to what it was
})  # fmt: skip


class BadImage(Exception):
    """One image can't be used. `reason` is a member of REASONS and also the counter's name; `detail` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        assert reason in REASONS, reason
        super().__init__(reason, detail)  # both as args, so that it survives pickling between workers
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
