"""Strangers' words on a terminal: control codes, directions and half characters are shown, and not obeyed."""


def printable(text: str) -> str:
    r"""One line of text with every character that is none of letters, signs and spaces escaped, as in `\x1b`.

    Escape codes can clear a screen, change its title or write what the user seems to have typed; a line end can feign
    another message; a name that is no UTF-8 can't be printed at all.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, whose line ends are its own."""
    return "\n".join(printable(line) for line in text.split("\n"))
