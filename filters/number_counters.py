"""Numbers of languages whose words stand without spaces, or hang together with what is counted, for `number_conflict`.

三 alone may be a part of 三明治, a sandwich; before a word that counts things (三只, 三匹, 세 마리, สามตัว) it is a
three. Such a number may speak against another one. One that stands elsewhere may be what the source says, and speaks
against none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HAN = {letter: value for value, letters in enumerate(("", "", "二两兩", *"三四五六七八九十")) for letter in letters}
_RUN = "[一二两兩三四五六七八九十百千万萬億亿]"
_KOREAN = dict(zip(["두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열"], range(2, 11), strict=True))
_THAI = dict(zip(["สอง", "สาม", "สี่", "ห้า", "หก", "เจ็ด", "แปด", "เก้า", "สิบ"], range(2, 11), strict=True))
_THAI_RUN = rf"(?:{'|'.join(_THAI)}|ยี่|เอ็ด|ร้อย|พัน|หมื่น|แสน|ล้าน)"
_COUNTED = {
    "zh": re.compile(
        rf"(?<!{_RUN[:-1]}第])({_RUN})[个個只隻名位条條张張辆輛匹头頭本棵座朵把块塊片双雙幅支枝瓶杯碗盘盤盏盞根台艘件颗顆岁歲架扇]"
    ),
    "ja": re.compile(rf"(?<!{_RUN[:-1]}第])({_RUN})[匹人つ台本枚羽頭個軒冊杯足着歳隻名艘輪脚棟]"),
    "ko": re.compile(
        rf"(?<![가-힣])({'|'.join(_KOREAN)})\s?(?:명|마리|대|개|사람|권|그루|송이|장|살|쌍|척|채|켤레|잔|병)"
    ),
    "th": re.compile(rf"({_THAI_RUN}+)\s?(?:คน|ตัว|คัน|ใบ|ลูก|ต้น|หลัง|เล่ม|ดอก|ลำ|อัน|ชิ้น|ขวด|แก้ว|ปี|วัน)"),
}
_VALUES = {"zh": _HAN, "ja": _HAN, "ko": _KOREAN, "th": _THAI}
LANGUAGES = frozenset(_COUNTED)


def counted(text: str, language: str) -> Iterator[tuple[int, str, bool]]:
    """(value, as it is written, whether it may speak against another number), of 2 to 10. Those that may not come
    first."""
    if language not in _COUNTED:
        return
    values = _VALUES[language]
    yield from ((value, word, False) for word, value in values.items() if word in text)
    for found in _COUNTED[language].finditer(text):
        if found.group(1) in values:
            yield values[found.group(1)], found.group(), True
