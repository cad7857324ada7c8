"""How each kind of thing looks: a few filled shapes in a unit square, x to the right and y down, both from -1 to 1.

Every kind has a silhouette of its own, since a small thing is only 19 px across when the captioner sees it; the scene's
colour fills the part that a person would name the colour of (the body of a car, not its wheels). Things are drawn as
they stand, or as they lie where they never stand; `TURNS` says which way up they are otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from florenz.playground.things.animals import (
    bat_animal,
    butterfly,
    cat,
    crane_bird,
    duck,
    mouse_animal,
    owl_barn,
    owl_horned,
    snail,
    turtle,
)
from florenz.playground.things.objects import (
    bat_sport,
    book,
    bow_ribbon,
    bow_weapon,
    chair,
    cup,
    fan_hand,
    key,
    letter_mail,
    letter_sign,
    nut_metal,
    umbrella_rain,
    umbrella_sun,
)
from florenz.playground.things.pen import Pen
from florenz.playground.things.plants import apple, cactus, flower, mushroom, nut_food
from florenz.playground.things.vehicles import (
    airplane,
    boat,
    bus,
    car,
    crane_machine,
    fan_electric,
    house,
    mouse_computer,
)

THINGS: dict[str, Callable[[Pen], None]] = {
    function.__name__: function
    for function in (
        cat, snail, duck, butterfly, turtle, car, boat, bus, airplane, cactus, flower, mushroom, house, cup, apple,
        chair, key, book, bat_animal, bat_sport, crane_bird, crane_machine, mouse_animal, mouse_computer, bow_ribbon,
        bow_weapon, nut_food, nut_metal, letter_mail, letter_sign, fan_electric, fan_hand, umbrella_rain, umbrella_sun,
        owl_barn, owl_horned,
    )
}  # fmt: skip
# Quarter turns clockwise of what is placed otherwise than it is drawn.
TURNS = {
    **{(kind, "lie"): 3 for kind in ("chair", "book", "letter_sign", "fan_electric", "umbrella_rain",
                                     "umbrella_sun")},
    ("bat_sport", "lie"): 1, ("cup", "lie"): 3, ("cup", "hang"): 3, ("key", "hang"): 1, ("bow_weapon", "lie"): 1,
    ("umbrella_rain", "hang"): 2, ("fan_hand", "hang"): 2, ("bat_sport", "float"): 1, ("book", "float"): 1,
}  # fmt: skip
