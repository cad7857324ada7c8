"""How much of a stranger's files and servers is taken before it is refused, in one place; knows no step."""
