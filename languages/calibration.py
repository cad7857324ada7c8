"""How language ID does on good text: made by `python -m benchmarks.filters_calibrate`, not by hand.

From human sentence pairs (Tatoeba) of four words and more on average, one half of them; the other half is what
`make bench-filters` scores. Margins are those of `second_opinion.py`.
"""

from __future__ import annotations

from typing import NamedTuple


class Calibrated(NamedTuple):
    """texts: how many. kept: share, 0 to 1, that both models together keep. Margins: what good text has at least."""

    texts: int
    kept: float
    to_neighbours: float
    to_others: float


MARGINS: dict[str, Calibrated] = {
    "af": Calibrated(515, 0.992, -0.22, -1.50),
    "ar": Calibrated(484, 0.998, 0.00, -1.50),
    "az": Calibrated(520, 0.994, -1.40, -0.89),
    "be": Calibrated(469, 0.985, -0.13, -1.50),
    "bg": Calibrated(514, 0.994, -0.64, -0.66),
    "bn": Calibrated(495, 1.000, 0.00, 13.24),
    "br": Calibrated(479, 0.990, 0.00, -1.50),
    "bs": Calibrated(183, 0.995, -0.76, -1.30),
    "ca": Calibrated(500, 0.992, -0.77, -1.50),
    "cs": Calibrated(506, 0.994, -1.03, -1.50),
    "cy": Calibrated(291, 1.000, 0.00, -0.53),
    "da": Calibrated(509, 0.994, -0.63, -0.79),
    "de": Calibrated(458, 1.000, 0.00, 0.00),
    "el": Calibrated(523, 1.000, 0.00, 9.33),
    "eo": Calibrated(524, 1.000, 0.00, -0.44),
    "es": Calibrated(506, 0.994, -0.65, -1.50),
    "et": Calibrated(495, 0.994, -0.10, -0.58),
    "eu": Calibrated(494, 0.998, 0.00, -0.55),
    "fa": Calibrated(486, 1.000, 0.00, -0.51),
    "fi": Calibrated(495, 0.994, 0.25, -1.50),
    "fr": Calibrated(493, 1.000, 0.00, -0.53),
    "ga": Calibrated(488, 0.992, 0.45, 0.22),
    "gd": Calibrated(436, 0.995, -0.33, -1.50),
    "gl": Calibrated(487, 0.990, -1.14, -1.50),
    "he": Calibrated(493, 1.000, 0.00, 14.53),
    "hi": Calibrated(502, 0.994, 0.44, 0.53),
    "hr": Calibrated(521, 0.994, -0.58, -1.20),
    "hu": Calibrated(475, 1.000, 0.00, -1.50),
    "hy": Calibrated(331, 0.997, 0.00, 13.49),
    "id": Calibrated(528, 0.992, -1.08, -0.31),
    "is": Calibrated(484, 1.000, 0.00, -1.01),
    "it": Calibrated(490, 1.000, 0.00, -0.93),
    "ja": Calibrated(492, 1.000, 0.00, 6.28),
    "jv": Calibrated(100, 0.990, -1.06, -1.50),
    "ka": Calibrated(395, 1.000, 0.00, 16.54),
    "kk": Calibrated(288, 0.997, -0.45, -1.47),
    "km": Calibrated(367, 0.995, 0.00, -1.50),
    "ko": Calibrated(473, 1.000, 0.00, 11.48),
    "ku": Calibrated(220, 0.982, 0.00, -1.50),
    "la": Calibrated(500, 0.998, 0.00, -1.50),
    "lt": Calibrated(519, 0.998, 0.00, -0.25),
    "lv": Calibrated(492, 0.996, 0.00, -1.50),
    "mk": Calibrated(511, 0.994, -0.67, -1.36),
    "ml": Calibrated(347, 1.000, 0.00, 23.27),
    "mn": Calibrated(204, 1.000, 0.00, -0.90),
    "mr": Calibrated(481, 0.994, -0.38, -0.86),
    "ms": Calibrated(490, 0.992, -1.39, -1.06),
    "nl": Calibrated(531, 0.994, -0.62, -1.02),
    "nn": Calibrated(485, 0.992, -2.06, -1.50),
    "no": Calibrated(500, 0.992, -0.67, -0.25),
    "oc": Calibrated(485, 0.992, -0.35, -1.50),
    "pl": Calibrated(484, 1.000, 0.00, -0.65),
    "pt": Calibrated(474, 0.992, -0.30, -0.87),
    "ro": Calibrated(494, 0.998, 0.00, -1.18),
    "ru": Calibrated(503, 0.994, -1.37, -1.33),
    "sk": Calibrated(529, 0.991, -0.67, -1.50),
    "sl": Calibrated(409, 0.988, -1.88, -1.50),
    "sq": Calibrated(484, 0.998, 0.00, -1.35),
    "sr": Calibrated(504, 0.994, -0.85, -0.49),
    "sv": Calibrated(510, 0.992, -0.71, -1.19),
    "sw": Calibrated(189, 0.989, 0.00, -1.50),
    "ta": Calibrated(154, 1.000, 0.00, 19.55),
    "te": Calibrated(109, 1.000, 0.00, 19.84),
    "th": Calibrated(275, 1.000, 0.00, 14.42),
    "tk": Calibrated(97, 1.000, 0.00, -0.63),
    "tl": Calibrated(488, 1.000, 0.00, -1.07),
    "tr": Calibrated(488, 0.994, 0.25, -0.20),
    "tt": Calibrated(500, 0.976, -0.63, -1.50),
    "ug": Calibrated(498, 0.996, 0.00, -1.50),
    "uk": Calibrated(511, 0.994, -0.96, -1.18),
    "ur": Calibrated(502, 0.996, 0.00, -1.50),
    "uz": Calibrated(195, 0.969, 0.00, -1.50),
    "vi": Calibrated(490, 1.000, 0.00, 5.09),
    "yi": Calibrated(426, 0.923, 0.00, 0.00),
    "zh": Calibrated(493, 1.000, 0.00, 1.71),
}
