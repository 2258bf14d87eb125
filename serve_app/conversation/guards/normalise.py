"""Words as they were meant, whatever they are dressed up as: look-alike letters, hidden characters, digits for letters,
letters s p a c e d out.

What is left is lower-case ASCII letters and digits. Other scripts are left out: the guards know no words of theirs.
Every step is linear in the length of the text.
"""

import re
import unicodedata

_LOOK_ALIKES = {
    "cyrillic": ("аАвВеЕёЁкКмМнНоОрРсСтТуУхХіІїЇјЈѕЅһҺԁԛԝ", "aabbeeeekkmmhhooppccttyyxxiiiijjsshhdqw"),
    "greek": ("αΑβΒεΕζΖηΗιΙκΚμΜνΝοΟρΡτΤυΥχΧγ", "aabbeezznhiikkumvnooppttuyxxy"),
    "small capitals": ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz"),
    "others": ("ıɩɡɑօոսℓ£€", "iigaonulce"),
}
"""Letters that pass for Latin ones (the single letters of Unicode's confusables.txt, UTS 39)."""
_LEET = str.maketrans("013457@$", "oieastas")
_HIDDEN = [
    *range(0x0300, 0x0370),  # combining marks
    *range(0x200B, 0x2010),  # zero-width spaces and joiners, marks of direction
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *(0x00AD, 0x034F, 0x061C, 0x180E, 0xFE0E, 0xFE0F, 0xFEFF, 0x0027, 0x2019, 0x02BC),  # apostrophes: don't, mum's
]
_PLAIN: dict[int, str | None] = {
    **{ord(odd): plain for odds, plains in _LOOK_ALIKES.values() for odd, plain in zip(odds, plains, strict=True)},
    **dict.fromkeys(_HIDDEN),
}
_GROWS = 4
"""Times that a text gets longer at most: whole sayings are one character, too, and nobody types many of them."""
_WORD = re.compile(r"[a-z0-9@$]+")
_MIXED = re.compile(r"(?=[a-z0-9@$]*[a-z])(?=[a-z0-9@$]*[0-9@$])")
_SPACED = re.compile(r"(?<![a-z0-9])[a-z0-9]([^a-z0-9])[a-z0-9](?:\1[a-z0-9])+(?![a-z0-9])")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_REPEATED = re.compile(r"([a-z])\1+")


def plain(text: str) -> str:
    """The same in lower case, without accents, hidden characters and letters that only look Latin."""
    decomposed = unicodedata.normalize("NFKD", text)[: _GROWS * len(text)]
    return unicodedata.normalize("NFKD", decomposed.translate(_PLAIN).casefold())


def letters(text: str) -> str:
    """And digits, without anything between them: a text that is spelled out has no other."""
    return _SEPARATORS.sub("", plain(text))


def words(text: str) -> list[str]:
    """In order. A doubled letter is a single one, here and in whatever these words are compared with."""
    joined = _SPACED.sub(lambda run: f" {_SEPARATORS.sub('', run[0])} ", plain(text))
    return [_REPEATED.sub(r"\1", _read(word)) for word in _WORD.findall(joined)]


def _read(word: str) -> str:
    """Digits among letters stand for letters; a number is a number."""
    return word.translate(_LEET) if _MIXED.match(word) else word
