"""Text from outside: whatever it quotes and however, it is printable and without the token."""

import html
import json
import pickle
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async._redact import Redactor
from raydocs_async._secret import Secret
from tests.strategies import readings, spelled, tokens

SECRET = "Qf/9+kZ=pLr7Wm2XyT5vB8nD"
TOKEN = f"12|{SECRET}"
ALL = 10**9
ESCAPES = f"%{'25' * 10}41bcdefg"


def redactor(token: str = TOKEN) -> Redactor:
    """A redactor for the token."""
    return Redactor(Secret(token))


def php(text: str) -> str:
    """JSON as PHP writes it."""
    return json.dumps(text).replace("/", "\\/")[1:-1]


@given(st.data())
def test_every_spelling_is_hidden(data: st.DataObject) -> None:
    """S2: no decoding of what is left of a text finds the token, or its secret part."""
    token = data.draw(tokens)
    before, after = data.draw(st.tuples(*[st.text(st.characters(codec="ascii"), max_size=5)] * 2))
    text = f"{before} Bearer {data.draw(spelled(token))} {after}"
    secret = token.partition("|")[2].lower()
    line = redactor(token).line(text, ALL)
    body = redactor(token).body(text.encode())
    assert any(secret in each.lower() for each in readings(text))
    for left in (line, body.decode()):
        assert not [each for each in readings(left) if secret in each.lower()]


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        pytest.param(f"Bearer {TOKEN}.", "Bearer <hidden>.", id="as it is"),
        pytest.param(php(TOKEN), "<hidden>", id="JSON by PHP"),
        pytest.param(TOKEN.replace("|", "\\u007C"), "<hidden>", id="JSON in hex"),
        pytest.param(json.dumps({"a": php(TOKEN)}), '{"a": "<hidden>"}', id="JSON in JSON"),
        pytest.param(quote(TOKEN, safe=""), "<hidden>", id="percent"),
        pytest.param(quote(quote(TOKEN)), "<hidden>", id="percent twice"),
        pytest.param(html.escape(f"<{TOKEN}>"), "&lt;<hidden>&gt;", id="HTML"),
        pytest.param(TOKEN.replace("|", "&#124;"), "<hidden>", id="HTML number"),
        pytest.param(TOKEN.replace("|", "&#x7c"), "<hidden>", id="HTML number without its end"),
        pytest.param(TOKEN.replace("|", "&vert;"), "<hidden>", id="HTML name"),
        pytest.param(TOKEN.upper(), "<hidden>", id="upper case"),
        pytest.param("".join(f"{char}\0" for char in TOKEN), "<hidden>", id="UTF-16"),
        pytest.param(f'"{json.dumps(TOKEN)}"', '""<hidden>""', id="its marks are kept"),
        pytest.param(f"a {TOKEN} b {SECRET} c", "a <hidden> b <hidden> c", id="twice"),
        pytest.param(f"{TOKEN}{TOKEN}", "<hidden><hidden>", id="side by side"),
        pytest.param(f"id {SECRET}", "id <hidden>", id="the secret part"),
        pytest.param("id 12|", "id 12|", id="the other part"),
        pytest.param(f"12%7C{SECRET}", "<hidden>", id="a spelled part and a plain one"),
        pytest.param(f"100%{TOKEN}", "100%<hidden>", id="after a percent sign"),
        pytest.param("a\\n\\u00e9 & %zz &nope; \\", "a\\n\\u00e9 & %zz &nope; \\", id="nothing"),
    ],
)
def test_spellings(quoted: str, expected: str) -> None:
    """S2: what services make of a token is hidden, and the text around it is left as it was."""
    assert redactor().line(quoted, ALL) == expected


def quoted_times(text: str, layers: int) -> str:
    """The text, percent-encoded again and again."""
    for _ in range(layers):
        text = quote(text, safe="")
    return text


@pytest.mark.parametrize("layers", [0, 1, 8])
def test_nested_spellings(layers: int) -> None:
    """S2: one encoding in another is decoded."""
    assert redactor().line(quoted_times(TOKEN, layers), ALL) == "<hidden>"


def test_nesting_is_bounded() -> None:
    """B9: no text makes us decode for ever."""
    text = quoted_times(TOKEN, 9)
    assert redactor().line(text, ALL) == text


@pytest.mark.parametrize(
    ("token", "text", "expected"),
    [
        pytest.param("", "a b", "a b", id="empty"),
        pytest.param("a", "a bad a", "<hidden> bad <hidden>", id="one character"),
        pytest.param("abcdefg", "abcdefgh 'abcdefg'", "abcdefgh '<hidden>'", id="short: words"),
        pytest.param("abcdefgh", "xabcdefghx", "x<hidden>x", id="long: anywhere"),
        pytest.param("7|" + "a" * 15, "a" * 15, "a" * 15, id="a secret part too short"),
        pytest.param("7|" + "a" * 16, "a" * 16, "<hidden>", id="a secret part long enough"),
        pytest.param("|", "a | b", "a <hidden> b", id="a bar"),
        pytest.param("a%41b\\cdefg", "a%41b\\cdefg", "<hidden>", id="escapes, as they are"),
        pytest.param("a%41b\\cdefg", "a%2541b\\\\cdefg", "<hidden>", id="escapes, escaped"),
        pytest.param("a%41bcdefg", "a%41\\u0062cdefg", "<hidden>", id="escapes, mixed"),
        pytest.param(ESCAPES, f"a {ESCAPES}", "a <hidden>", id="escapes upon escapes"),
    ],
)
def test_odd_tokens(token: str, text: str, expected: str) -> None:
    """S2: a token of any form is hidden, and a short one leaves the words that hold it."""
    assert redactor(token).line(text, ALL) == expected


def test_a_body_keeps_its_bytes() -> None:
    """S2: of a body only the token goes; it is the JSON that it was, in any encoding."""
    payload = {"é": [TOKEN, "\n\\"], "x": json.dumps({"y": TOKEN})}
    body = json.dumps(payload, ensure_ascii=False).encode() + b"\xff\0"
    hidden = redactor().body(body)
    assert hidden[-2:] == b"\xff\0"
    assert json.loads(hidden[:-2]) == json.loads(body[:-2].replace(TOKEN.encode(), b"<hidden>"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_wide_body(encoding: str) -> None:
    """S2: the token is found in UTF-16."""
    hidden = redactor().body(f"a {TOKEN} b".encode(encoding))
    assert SECRET not in hidden.replace(b"\0", b"").decode()
    assert b"<hidden>" in hidden


@given(st.text(), st.integers(1, 50))
def test_a_line(text: str, length: int) -> None:
    """B21: a line has no more characters than asked for, and each is printable."""
    line = redactor().line(text, length)
    assert len(line) <= length
    assert line.isprintable()
    line.encode()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a\r\n\tb", "a b", id="white space"),
        pytest.param("a\x1b[2Jb\x9b2J", "a [2Jb 2J", id="escapes"),
        pytest.param("a\u202e\u2066b\u200d\ufeffc", "a b c", id="invisible"),
        pytest.param("a\ud800b\udfffc", "a\ufffdb\ufffdc", id="surrogates"),
        pytest.param("a\ud7ff", "a", id="before the surrogates"),
        pytest.param("a\ue000", "a", id="after the surrogates"),
        pytest.param("é 漢 🙂", "é 漢 🙂", id="letters of all the world"),
        pytest.param(f"{TOKEN[:9]}\u200b{TOKEN[9:]}", f"{TOKEN[:9]} {TOKEN[9:]}", id="no token"),
    ],
)
def test_what_is_not_printable(text: str, line: str) -> None:
    """B21: what steers a terminal or cannot be encoded is replaced, and never taken out."""
    assert redactor().line(text, ALL) == line


def test_the_cut_comes_last() -> None:
    """S2: a token at the cut is hidden, not halved."""
    assert redactor().line(f"{'x' * 10}{TOKEN}", 14) == "xxxxxxxxxx<hi…"


@pytest.mark.parametrize(
    "unit", ["\\", "\0", "%", "%25", "&", "&#", "\\u00", "\\\0", TOKEN, TOKEN[:-1]]
)
def test_long_texts_take_linear_time(unit: str) -> None:
    """B9: a megabyte of anything is read in a second or two."""
    began = time.process_time()
    redactor().line(unit * (2**20 // len(unit)), ALL)
    assert time.process_time() - began < 20


@pytest.mark.parametrize("show", [repr, str, lambda value: repr([value])])
def test_a_redactor_does_not_show_its_token(show: Callable[[object], str]) -> None:
    """S3: a redactor among the locals of a traceback shows nothing."""
    assert show(redactor()).strip("[]") == "Redactor(<hidden>)"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_redactor_does_not_pickle(protocol: int) -> None:
    """S2: nor can it be pickled."""
    with pytest.raises(TypeError):
        pickle.dumps(redactor(), protocol)


def test_the_secret_is_behind_the_last_bar() -> None:
    """S2: of a token with several bars, what is behind the last one is hidden by itself."""
    redactor = Redactor(Secret("1|a|abcdefghijklmnop"))
    assert redactor.line("abcdefghijklmnop", 99) == "<hidden>"
