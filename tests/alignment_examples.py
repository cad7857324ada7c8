"""Pairs that a word-alignment table learns well from: sentences of five content words, translated word for word."""

import random

COLOURS = {"red": "rot", "blue": "blau", "green": "grün", "old": "alt", "new": "neu", "big": "groß", "small": "klein"}
THINGS = {
    "car": "Wagen",
    "house": "Haus",
    "dog": "Hund",
    "cat": "Katze",
    "tree": "Baum",
    "ship": "Schiff",
    "bird": "Vogel",
}
PLACES = {"street": "Straße", "field": "Feld", "wall": "Mauer", "water": "Wasser", "hill": "Hügel", "roof": "Dach"}
DEEDS = {"stands": "steht", "lies": "liegt", "waits": "wartet", "sleeps": "schläft", "turns": "dreht"}


def made_pairs(number, seed=0):
    """Sentences of five content words each, word for word."""
    rng, pairs = random.Random(seed), {}
    while len(pairs) < number:
        colour, thing, place, deed, other = (rng.choice(sorted(t)) for t in (COLOURS, THINGS, PLACES, DEEDS, COLOURS))
        n = rng.randrange(40)
        pairs[f"The {colour} {thing} {deed} by the {other} {place} {n}."] = (
            f"Das {COLOURS[colour]} {THINGS[thing]} {DEEDS[deed]} am {COLOURS[other]} {PLACES[place]} {n}."
        )
    return list(pairs.items())
