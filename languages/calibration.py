"""How language ID does on good text: made by `python -m benchmarks.filters_calibrate`, not by hand.

From human sentence pairs (Tatoeba) of four words and more on average, one half of them; the other half is what
`make bench-filters` scores. Margins are those of `second_opinion.py`, to neighbours as log odds.
"""

from __future__ import annotations

from typing import NamedTuple


class Calibrated(NamedTuple):
    """texts: how many. kept: share, 0 to 1, that both models together keep. Margins: what good text has at least. Of a
    language that py3langid does not know, to_others is the log odds of lid.176 to what it finds likeliest.
    """

    texts: int
    kept: float
    to_neighbours: float
    to_others: float


MARGINS: dict[str, Calibrated] = {
    "af": Calibrated(515, 0.996, -2.57, -2.13),
    "ar": Calibrated(484, 0.998, 0.00, -3.00),
    "az": Calibrated(520, 0.996, -7.28, -1.50),
    "be": Calibrated(469, 0.991, -4.32, -3.00),
    "bg": Calibrated(514, 0.998, -3.93, -1.50),
    "bn": Calibrated(495, 1.000, 0.00, -1.50),
    "br": Calibrated(479, 1.000, 0.00, -2.57),
    "bs": Calibrated(183, 0.995, -5.62, -1.50),
    "ca": Calibrated(500, 0.996, -3.95, -1.71),
    "cs": Calibrated(506, 0.996, -6.18, -1.50),
    "cy": Calibrated(291, 1.000, 0.00, -1.50),
    "da": Calibrated(509, 0.996, -3.27, -1.50),
    "de": Calibrated(458, 1.000, 0.00, -1.50),
    "el": Calibrated(523, 1.000, 0.00, -1.50),
    "eo": Calibrated(524, 1.000, 0.00, -1.50),
    "es": Calibrated(506, 1.000, -3.77, -1.50),
    "et": Calibrated(495, 0.998, -3.27, -1.50),
    "eu": Calibrated(494, 1.000, 0.00, -1.50),
    "fa": Calibrated(486, 1.000, 0.00, -1.50),
    "fi": Calibrated(495, 0.998, -0.54, -2.10),
    "fr": Calibrated(493, 1.000, 0.00, -1.50),
    "ga": Calibrated(488, 0.998, 0.00, -1.50),
    "gd": Calibrated(436, 0.995, -1.10, -2.26),
    "gl": Calibrated(487, 0.994, -10.86, -3.00),
    "he": Calibrated(493, 1.000, 0.00, -1.50),
    "hi": Calibrated(502, 1.000, 0.00, -1.50),
    "hr": Calibrated(521, 0.998, -3.94, -1.50),
    "hu": Calibrated(475, 1.000, 0.00, -1.50),
    "hy": Calibrated(331, 0.997, 0.00, -3.00),
    "id": Calibrated(528, 0.998, -8.51, -1.50),
    "is": Calibrated(484, 1.000, 0.00, -1.50),
    "it": Calibrated(490, 1.000, 0.00, -1.50),
    "ja": Calibrated(492, 1.000, 0.00, -1.50),
    "jv": Calibrated(100, 1.000, -6.64, -1.97),
    "ka": Calibrated(395, 1.000, 0.00, -1.50),
    "kk": Calibrated(288, 1.000, -5.50, -1.50),
    "km": Calibrated(367, 0.995, 0.00, -3.00),
    "ko": Calibrated(473, 1.000, 0.00, -1.50),
    "ku": Calibrated(220, 0.991, 0.00, -3.00),
    "la": Calibrated(500, 0.998, 0.00, -1.50),
    "lt": Calibrated(519, 1.000, 0.00, -1.50),
    "lv": Calibrated(492, 0.998, 0.00, -3.00),
    "mk": Calibrated(511, 0.996, -5.11, -1.50),
    "ml": Calibrated(347, 1.000, 0.00, -1.50),
    "mn": Calibrated(204, 1.000, 0.00, -1.50),
    "mr": Calibrated(481, 0.998, -3.33, -1.50),
    "ms": Calibrated(490, 0.996, -10.43, -1.95),
    "nl": Calibrated(531, 1.000, -5.46, -1.50),
    "nn": Calibrated(485, 0.996, -23.29, -2.24),
    "no": Calibrated(500, 0.996, -3.50, -1.50),
    "oc": Calibrated(485, 0.996, -6.10, -2.23),
    "pl": Calibrated(484, 1.000, 0.00, -1.50),
    "pt": Calibrated(474, 1.000, -2.79, -2.26),
    "ro": Calibrated(494, 1.000, 0.00, -1.50),
    "ru": Calibrated(503, 0.994, -7.71, -1.50),
    "sk": Calibrated(529, 0.994, -3.32, -1.91),
    "sl": Calibrated(409, 0.995, -9.98, -2.61),
    "sq": Calibrated(484, 1.000, 0.00, -1.50),
    "sr": Calibrated(504, 0.998, -6.19, -1.50),
    "sv": Calibrated(510, 1.000, -5.26, -1.50),
    "sw": Calibrated(189, 1.000, 0.00, -2.82),
    "ta": Calibrated(154, 1.000, 0.00, -1.50),
    "te": Calibrated(109, 1.000, 0.00, -1.50),
    "th": Calibrated(275, 1.000, 0.00, -1.50),
    "tk": Calibrated(97, 1.000, 0.00, -1.50),
    "tl": Calibrated(488, 1.000, 0.00, -1.50),
    "tr": Calibrated(488, 1.000, 0.00, -1.50),
    "tt": Calibrated(500, 0.984, -5.84, -3.00),
    "ug": Calibrated(498, 0.996, 0.00, -3.00),
    "uk": Calibrated(511, 0.996, -6.56, -1.50),
    "ur": Calibrated(502, 0.996, 0.00, -3.00),
    "uz": Calibrated(195, 0.990, 0.00, -3.00),
    "vi": Calibrated(490, 1.000, 0.00, -1.50),
    "yi": Calibrated(426, 0.995, 0.00, -6.00),
    "zh": Calibrated(493, 1.000, 0.00, -1.50),
}
