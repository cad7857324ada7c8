"""How language ID does on good text: made by `python -m benchmarks.filters_calibrate`, not by hand.

From human sentence pairs (Tatoeba) of four words and more on average, one half of them; the other half is what
`make bench-filters` scores. Margins are those of `second_opinion.py`, to neighbours as log odds.
"""

from __future__ import annotations

from typing import NamedTuple


class Calibrated(NamedTuple):
    """texts: how many. kept: share, 0 to 1, that both models together keep. Margins: what good text has at least;
    agreed: to both, where lid.176 is confident of another language.
    """

    texts: int
    kept: float
    to_neighbours: float
    to_others: float
    agreed: float


MARGINS: dict[str, Calibrated] = {
    "af": Calibrated(515, 0.990, -0.95, -1.50, -0.08),
    "ar": Calibrated(484, 0.998, 0.00, -1.50, 0.00),
    "az": Calibrated(520, 0.992, -6.38, -0.89, -1.11),
    "be": Calibrated(469, 0.983, -0.67, -1.50, -0.07),
    "bg": Calibrated(514, 0.992, -3.50, -0.66, -0.60),
    "bn": Calibrated(495, 1.000, 0.00, 13.24, 0.00),
    "br": Calibrated(479, 0.990, 0.00, -1.50, 0.00),
    "bs": Calibrated(183, 0.995, -3.23, -1.30, 0.00),
    "ca": Calibrated(500, 0.990, -2.76, -1.50, -0.47),
    "cs": Calibrated(506, 0.994, -5.33, -1.50, 0.00),
    "cy": Calibrated(291, 1.000, 0.00, -0.53, 0.00),
    "da": Calibrated(509, 0.994, -2.68, -0.79, 0.00),
    "de": Calibrated(458, 1.000, 0.00, 0.00, 0.00),
    "el": Calibrated(523, 1.000, 0.00, 9.33, 0.00),
    "eo": Calibrated(524, 1.000, 0.00, -0.44, 0.00),
    "es": Calibrated(506, 0.994, -2.68, -1.50, 0.00),
    "et": Calibrated(495, 0.992, -0.33, -0.58, -0.47),
    "eu": Calibrated(494, 0.996, 0.00, -0.55, 0.00),
    "fa": Calibrated(486, 1.000, 0.00, -0.51, 0.00),
    "fi": Calibrated(495, 0.994, 1.07, -1.50, 0.00),
    "fr": Calibrated(493, 1.000, 0.00, -0.53, 0.00),
    "ga": Calibrated(488, 0.992, 2.02, 0.22, 0.00),
    "gd": Calibrated(436, 0.995, -1.20, -1.50, 0.00),
    "gl": Calibrated(487, 0.988, -5.71, -1.50, -1.12),
    "he": Calibrated(493, 1.000, 0.00, 14.53, 0.00),
    "hi": Calibrated(502, 0.994, 2.51, 0.53, 0.00),
    "hr": Calibrated(521, 0.992, -3.11, -1.20, 0.00),
    "hu": Calibrated(475, 1.000, 0.00, -1.50, 0.00),
    "hy": Calibrated(331, 0.997, 0.00, 13.49, 0.00),
    "id": Calibrated(528, 0.991, -7.17, -0.31, -0.25),
    "is": Calibrated(484, 1.000, 0.00, -1.01, 0.00),
    "it": Calibrated(490, 1.000, 0.00, -0.93, 0.00),
    "ja": Calibrated(492, 1.000, 0.00, 6.28, 0.00),
    "jv": Calibrated(100, 0.990, -4.49, -1.50, -1.06),
    "ka": Calibrated(395, 1.000, 0.00, 16.54, 0.00),
    "kk": Calibrated(288, 0.997, -3.03, -1.47, 0.00),
    "km": Calibrated(367, 0.995, 0.00, -1.50, 0.00),
    "ko": Calibrated(473, 1.000, 0.00, 11.48, 0.00),
    "ku": Calibrated(220, 0.982, 0.00, -1.50, -0.47),
    "la": Calibrated(500, 0.996, 0.00, -1.50, -0.45),
    "lt": Calibrated(519, 0.998, 0.00, -0.25, 0.00),
    "lv": Calibrated(492, 0.996, 0.00, -1.50, 0.00),
    "mk": Calibrated(511, 0.992, -4.90, -1.36, -0.36),
    "ml": Calibrated(347, 1.000, 0.00, 23.27, 0.00),
    "mn": Calibrated(204, 1.000, 0.00, -0.90, 0.00),
    "mr": Calibrated(481, 0.994, -2.65, -0.86, 0.00),
    "ms": Calibrated(490, 0.990, -10.91, -1.06, -1.30),
    "nl": Calibrated(531, 0.992, -2.50, -1.02, -0.43),
    "nn": Calibrated(485, 0.988, -11.26, -1.50, -1.00),
    "no": Calibrated(500, 0.990, -3.11, -0.25, -0.50),
    "oc": Calibrated(485, 0.990, -1.52, -1.50, -0.56),
    "pl": Calibrated(484, 0.998, 0.00, -0.65, 0.00),
    "pt": Calibrated(474, 0.992, -1.39, -0.87, 0.00),
    "ro": Calibrated(494, 0.996, 0.00, -1.18, 0.00),
    "ru": Calibrated(503, 0.994, -6.72, -1.33, 0.00),
    "sk": Calibrated(529, 0.989, -3.20, -1.50, -0.59),
    "sl": Calibrated(409, 0.985, -7.09, -1.50, -0.27),
    "sq": Calibrated(484, 0.996, 0.00, -1.35, 0.00),
    "sr": Calibrated(504, 0.992, -5.36, -0.49, -0.28),
    "sv": Calibrated(510, 0.992, -3.96, -1.19, 0.00),
    "sw": Calibrated(189, 0.989, 0.00, -1.50, -0.03),
    "ta": Calibrated(154, 1.000, 0.00, 19.55, 0.00),
    "te": Calibrated(109, 1.000, 0.00, 19.84, 0.00),
    "th": Calibrated(275, 1.000, 0.00, 14.42, 0.00),
    "tk": Calibrated(97, 1.000, 0.00, -0.63, 0.00),
    "tl": Calibrated(488, 1.000, 0.00, -1.07, 0.00),
    "tr": Calibrated(488, 0.994, 0.95, -0.20, 0.00),
    "tt": Calibrated(500, 0.976, -3.77, -1.50, 0.00),
    "ug": Calibrated(498, 0.996, 0.00, -1.50, 0.00),
    "uk": Calibrated(511, 0.992, -5.27, -1.18, -0.63),
    "ur": Calibrated(502, 0.996, 0.00, -1.50, 0.00),
    "uz": Calibrated(195, 0.969, 0.00, -1.50, -0.40),
    "vi": Calibrated(490, 1.000, 0.00, 5.09, 0.00),
    "yi": Calibrated(426, 0.923, 0.00, 0.00, 0.00),
    "zh": Calibrated(493, 1.000, 0.00, 1.71, 0.00),
}
