import base64
import json
import re
from html import escape
from pathlib import Path
from random import Random
from time import process_time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from pytest_automation_report.api.models import Field, FieldType, NewRun
from pytest_automation_report.recording.functions import typed_field
from pytest_automation_report.recording.options import RecordingOptions, cleaner_for, property_field
from pytest_automation_report.session.xdist import worker_options
from pytest_automation_report.settings.run import without_secrets
from pytest_automation_report.text import credentials as secret_shapes
from pytest_automation_report.text.credentials import SIGNS
from pytest_automation_report.text.redaction import TextCleaner, secret_values
from pytest_automation_report.text.visible import MARK
from support.drawn import drawn, parted, rows
from support.texts_with_secrets import HIDDEN

INNOCENT = [
    line.replace("\\n", "\n")
    for line in (Path(__file__).parent / "texts_without_secrets.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("# ")
]
WORD = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9nO2qR5tU8wX1zA4cD7fG0iJ3l"
"""64 letters and digits: credentials of these tests are put together of it, so that no file here holds one."""

JWT = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NSJ9" + "." + WORD[:43]
KEY_LINES = "\n".join([WORD] * 12 + [WORD[:30] + "=="])
PRIVATE = "PRIVATE KEY"

TOKENS = [
    *(f"gh{kind}_{WORD[:36]}" for kind in "pousr"), f"github_pat_{WORD[:22]}_{WORD[:59]}", f"glpat-{WORD[:20]}",
    f"glpat-{WORD[:27]}.01.{WORD[:9]}", f"glptt-{WORD[:40]}", f"GR1348941{WORD[:20]}", f"AKIA{WORD[:16].upper()}",
    f"ASIA{WORD[:16].upper()}", f"xoxb-1234567890-{WORD[:24]}", f"xoxp-1234567890-{WORD[:24]}", f"xapp-1-{WORD[:24]}",
    f"sk_live_{WORD[:24]}", f"rk_test_{WORD[:24]}", f"whsec_{WORD[:32]}", f"npm_{WORD[:36]}",
    f"pypi-AgEIcHlwaS5vcmc{WORD}", f"rubygems_{'0123456789abcdef' * 3}", f"AIza{WORD[:35]}", f"ya29.{WORD[:40]}",
    f"GOCSPX-{WORD[:28]}", f"sk-ant-api03-{WORD}", f"sk-proj-{WORD}", f"sk-svcacct-{WORD}",
    f"hf_{'aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH'}",
    f"dop_v1_{'0123456789abcdef' * 4}", f"dckr_pat_{WORD[:27]}", f"SG.{WORD[:22]}.{WORD[:43]}",
    f"shpat_{'0123456789abcdef' * 2}", f"dapi{'0123456789abcdef' * 2}", f"hvs.{WORD[:30]}", f"hvb.{WORD[:40]}",
    f"gsk_{WORD[:52]}",
    f"figd_{WORD[:43]}", f"sbp_{'0123456789' * 4}", f"ntn_{WORD[:46]}", f"ATCTT3{WORD}=1A2B3C4D", f"AKCp{WORD}",
    f"xai-{WORD}", f"nvapi-{WORD}", f"tskey-auth-{WORD[:12]}-{WORD[:32]}", f"dp.st.dev.{WORD[:43]}",
    f"sk-or-v1-{'0123456789abcdef' * 4}", f"sk-{WORD[:48]}",
    f"glsa_{WORD[:32]}_0123abcd", f"NRAK-{WORD[:27].upper()}", f"lin_api_{WORD[:40]}", f"ATATT3{WORD}=1A2B3C4D",
    f"sntrys_{WORD}", f"sntryu_{'0123456789abcdef' * 4}", f"dckr_oat_{WORD[:32]}", f"HRKU-{WORD[:40]}",
    f"PMAK-{'0123456789abcdef' * 2}-{'0123456789abcdef' * 2}", f"pscale_pw_{WORD[:43]}",
    f"AGE-SECRET-KEY-1{WORD[:58].upper()}", f"testmo_api_{WORD[:40]}", f"{WORD[:3]}8Q~{WORD[:34]}",
    f"{WORD[:14]}.atlasv1.{WORD}", f"1234567890:AA{WORD[:33]}", JWT, f"{JWT}.{WORD[:20]}.{WORD[:22]}",
]  # fmt: skip

AROUND = (
    f"Authorization: Bearer ⟦{WORD}⟧", "authorization: Basic ⟦dXNlcjpwYXNz⟧", "Authorization: ⟦hunter2⟧",
    "Proxy-Authorization: Basic ⟦dXNlcjpwYXNz⟧\r\nAccept: */*", "authorization: ⟦x1⟧", "AUTHORIZATION: ⟦x1⟧",
    'Authorization: Digest ⟦username="u", response="0f"⟧\nnext', "AUTHORIZATION: token ⟦x1⟧\nnext",
    "HTTP_AUTHORIZATION=Bearer ⟦x1⟧ other", "{'Authorization': 'Bearer ⟦x1⟧', 'Accept': '*/*'}",
    '{"authorization": "⟦x1⟧", "n": 1}', "{b'Authorization': b'Bearer ⟦x1⟧'}", "('authorization', 'Bearer ⟦x1⟧')",
    'curl -H "Authorization: Bearer ⟦x1⟧" https://h/x', r"b'GET /\r\nAuthorization: Bearer ⟦x1⟧\r\nA: b'",
    "Cookie: ⟦a=b; c=d⟧\nnext", 'Cookie: ⟦a="b c"; d=e⟧', "Set-Cookie: ⟦sid=x1; Path=/; HttpOnly⟧",
    "{'set-cookie': ⟦['a=b', 'c=d']}⟧", "('Cookie', '⟦a=b⟧')", "cookie: ⟦session=x1⟧", "COOKIE: ⟦session=x1⟧",
    "SET-COOKIE: ⟦session=x1⟧", "cOOKIE: ⟦session=x1⟧", f"a bearer ⟦{WORD}⟧ b", "say Basic ⟦dXNlcjpwYXNz⟧ now",
    "postgresql://⟦user:p@ss⟧@host:5432/db", f"git clone https://⟦{WORD[:20]}⟧@example.org/x.git",
    "https://h/x?page=2&access_token=⟦x1⟧&b=c", "/x?API_KEY=⟦x1⟧ and", "/x?auth=⟦a-1⟧&key=⟦a-1⟧&pass=⟦a-1⟧#y",
    "token = '⟦Zq7Lw2xR9t⟧'\nE  assert '⟦Zq7Lw2xR9t⟧' == 'x'\nE  ValueError: ⟦Zq7Lw2xR9t⟧ is wrong",
    f"AWS_SECRET_ACCESS_KEY=⟦{WORD[:40]}⟧", f'"aws_secret_access_key": "⟦{WORD[:40]}⟧"',
    f"aws_secret_access_key : '⟦{WORD[:40]}⟧'", f"AWS_SECRET_ACCESS_KEY\n= ⟦{WORD[:40]}⟧",
    f"aws_secret_access_key = ⟦{WORD[:40]}⟧", f"https://h/x?X-Amz-Expires=60&X-Amz-Signature=⟦{WORD}⟧",
    f"AccountName=a;AccountKey=⟦{WORD}{WORD[:22]}==⟧;E=x", f"https://hooks.slack.com/services/⟦T0/B0/{WORD[:24]}⟧",
    f"https://discord.com/api/webhooks/123456789012/⟦{WORD}⟧",
    f"⟦-----BEGIN RSA {PRIVATE}-----\n{KEY_LINES}\n-----END RSA {PRIVATE}-----⟧\nafter",
    f"k = '⟦-----BEGIN {PRIVATE}-----\\n{WORD}\\n-----END {PRIVATE}-----⟧\\n'",
    f"⟦-----BEGIN PGP {PRIVATE} BLOCK-----\n\n{WORD}\n-----END PGP {PRIVATE} BLOCK-----⟧",
    f"a\n⟦-----BEGIN EC {PRIVATE}-----\n{WORD}\n{WORD[:20]}⟧",
    f"Private-Lines: 2\n⟦{WORD}\n{WORD[:30]}==⟧", f"?dsn=postgres%3A%2F%2Fu%3A⟦{WORD[:20]}⟧%40h%3A5432%2Fd",
    *(f"assert '⟦{token[:12]}...{token[-13:]}⟧' == 'x'" for token in (f"ghp_{WORD[:36]}", f"sk-proj-{WORD}", JWT)),
    f"plain words\n⟦{WORD}\n{WORD[:20]}=\n-----END {PRIVATE}-----⟧\nb",
)  # fmt: skip
"""Texts with credentials between brackets, which do not belong to them."""

WITH_SECRETS = tuple(re.sub("[⟦⟧]", "", text) for text in AROUND)

QUERY_NAMES = (
    "access_token", "api_key", "api-key", "apikey", "client_secret", "id_token", "passwd", "password", "private_token",
    "pwd", "refresh_token", "secret", "token", "sig", "signature", "X-Amz-Credential", "X-Amz-Security-Token",
    "X-Amz-Signature", "X-Goog-Credential", "X-Goog-Signature",
)  # fmt: skip


def without_credentials(text: str) -> str:
    return TextCleaner()(text)


@pytest.mark.parametrize("name", QUERY_NAMES)
def test_parameters_named_like_secrets_are_hidden(name: str) -> None:
    """A parameter of an address with the name of a credential is hidden, the first as well as a later one."""
    assert without_credentials(f"/x?{name}=short#y") == f"/x?{name}={MARK}#y"
    assert without_credentials(f"body: a=1&{name.upper()}=short") == f"body: a=1&{name.upper()}={MARK}"


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:12])
@pytest.mark.parametrize("frame", ["{}", "token={}, next", "'{}'", "\\n{}\\n", "https://h/x?t={}&u"])
def test_tokens_of_providers_are_hidden(token: str, frame: str) -> None:
    """A token of each known provider is hidden wherever it stands, and nothing beside it changes."""
    assert without_credentials(frame.format(token)) == frame.format(MARK)


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:12])
def test_a_token_directly_behind_another_one_is_hidden(token: str) -> None:
    """Where a token ends and the next one begins cannot be seen: both are hidden wholly, whatever their order."""
    left = {first: without_credentials(f"'{first}{token}'").replace(MARK, "") for first in TOKENS}
    assert {first: text for first, text in left.items() if text.strip("'.")} == {}


@pytest.mark.parametrize(
    "shown", ["> assert token == 'ab'\nE AssertionError: assert 'b' == 'ab'", "E + where 'ab' = f().token"]
)
def test_a_short_value_of_an_assertion_is_hidden_as_a_word_alone(shown: str) -> None:
    """A test may call its secret "ab": other words with these letters stay, here and in other texts."""
    cleaner = TextCleaner()
    hidden = cleaner(f"about a cab\n{shown}\nE - ab\n")
    assert hidden.startswith("about a cab\n")
    assert hidden.endswith(f"\nE - {MARK}\n")
    assert cleaner.take_found() == []


@pytest.mark.parametrize("example", [*AROUND, *(example for example, _ in SIGNS)])
def test_credentials_are_hidden_where_they_stand(example: str) -> None:
    """Credentials in headers, addresses and keys, and behind each sign of the table, are hidden, and no more."""
    assert without_credentials(re.sub("[⟦⟧]", "", example)) == re.sub("(?s)⟦.*?⟧", MARK, example)


def test_each_entry_of_the_table_hides_something() -> None:
    """No expression of the table, and no alternative of one, stands there without an example that it hides."""
    kinds = (parted(drawn(text, Random(kind)))[0] for kind, text in rows("kinds_of_secrets").items())
    examples = "\n".join((*TOKENS, *WITH_SECRETS, *kinds))
    outer = re.compile(r"(?:\((?:[^()]|\([^()]*\))*\)|\\.|[^|])+")  # of bars in parentheses the alternatives are alike
    entries = [each[0] for *_, last in secret_shapes._TOKENS for each in outer.finditer(last)]
    assert [entry for entry in entries if not re.search(entry, examples)] == []
    assert len(entries) > len(secret_shapes._TOKENS) + 8
    assert [literal for literal, *_ in secret_shapes._TOKENS if len(literal) > 5] == [], "five times as slow"


@pytest.mark.parametrize("prefix", secret_shapes._PREFIXES)
def test_a_prefix_hides_what_looks_random_behind_it(prefix: str) -> None:
    """A token with a prefix of the table is hidden as a word of its own; a name that only begins so stays."""
    token = f"{prefix}{drawn('{x48}', Random(prefix))}"
    assert without_credentials(f"a {token} b") == f"a {MARK} b"
    for innocent in (f"a{token}", f"{prefix}of_words_without_digits", f"{prefix}x1"):
        assert without_credentials(innocent) == innocent


@pytest.mark.parametrize(("text", "secret"), HIDDEN.values(), ids=HIDDEN)
def test_secrets_are_hidden_wholly(text: str, secret: str) -> None:
    """Of a secret, as programs of all kinds write it beside its name, not even four characters stay."""
    hidden = without_credentials(text)
    assert MARK in hidden
    assert sorted(piece for piece in _pieces(secret) - _pieces(*text.split(secret)) if piece in hidden) == []
    assert without_credentials(hidden) == hidden


def _pieces(*parts: str) -> set[str]:
    return {part[start : start + 4] for part in parts for start in range(len(part) - 3)}


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_texts_stay(text: str) -> None:
    """A text with the words of secrets, or what resembles one, but without a secret, stays exactly as it is."""
    assert without_credentials(text) == text


@given(st.lists(st.sampled_from([*TOKENS, *WITH_SECRETS, *INNOCENT, " ", "\n", '"', "'"]), max_size=6))
def test_hiding_twice_is_hiding_once(parts: list[str]) -> None:
    """A text that was cleaned is not changed by cleaning it again."""
    once = without_credentials(" ".join(parts))
    assert without_credentials(once) == once


HARD = (
    *TOKENS, *WITH_SECRETS, "eyJ", "://", "://a:", "?key", "&key=", "Authorization: ", "'cookie': '", "\\", '"', "a",
    "A1", "password=", "token ", "api_key: ", "--password ", "mysql ", "curl -u a:", "where '", "login u password ",
    "sk-aaa...", "%3A%2F%2Fa%3A", "input_value='",
    " " * 30, "<password>", 'name="password"', "\\n", "[", ",", "://u:p@", "...", "a, b: ",
    ".", "-", "\n", " ", f"-----END {PRIVATE}-----", f"-----BEGIN {PRIVATE}-----", "Bearer ", "ghp_", "Q~", ":AA",
)  # fmt: skip


def seconds_for(unit: str, length: int = 32_768) -> float:
    """Return the CPU that a text takes which repeats this one; the default is the longest that is ever looked at."""
    text = (unit * (1 + length // len(unit)))[:length]
    began = process_time()
    without_credentials(text)
    return process_time() - began


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(HARD), min_size=1, max_size=4), st.booleans())
def test_no_text_takes_long(parts: list[str], is_halved: bool) -> None:  # noqa: FBT001 - hypothesis's own way
    """However credentials and their pieces are repeated, the longest text that is ever looked at takes no second."""
    unit = "".join(parts)
    assert seconds_for(unit[: len(unit) // 2 + 1] if is_halved else unit) < 1.0


ORDINARY = {
    "log": "2026-01-31 12:00:01 INFO shop.cart: item 12 added to cart of user_84 in 0.003 s by worker gw3\n",
    "pytest": "tests/test_cart.py::test_total[1-2] PASSED                                            [ 12%]\n",
    "traceback": '  File "/x/y.py", line 12, in f\n    return g(x, key=1, token=token)\nE   assert 1 == 2\n',
    "json": '{"id": 12, "name": "x", "tags": ["a", "b"], "price": 1.5}\n',
    "urls": "GET https://example.org/a/b?page=2&sort=key 200 https://example.org/c\n",
    "headers": "GET / HTTP/1.1\r\nHost: example.org\r\nX-Request-Id: 12\r\nAccept: text/html, */*\r\n\r\n",
    "environment": "HOME=/root\nLANG=C.UTF-8\nPATH=/usr/bin:/bin\nDB_PASSWORD=hunter2-Pony\nDB_HOST=h\nCI=1\n",
    "one letter": "a", "capitals": "A", "underscores": "_", "dashes": "-", "spaces": " ", "lines": "\n", "quotes": "'",
    "backslashes": "\\", "dots": ".", "base64": base64.b64encode(bytes(range(256)) * 3).decode(),
    "hexadecimal": bytes(range(256)).hex(), "other letters": "Zażółć gęślą jaźń \u4f60\u597d \U0001f600 ",
}  # fmt: skip


MEGABYTES = [(unit, 0.01) for unit in ORDINARY.values()] + [
    (f"{unit}\n", 0.04) for unit in [*(text for text, _ in HIDDEN.values()), *INNOCENT][::4]
]
"""What texts consist of, and how many seconds one of a megabyte may take; nothing but secrets takes some more."""


@pytest.mark.parametrize(("unit", "bound"), MEGABYTES)
def test_a_megabyte_takes_less_than_ten_milliseconds(unit: str, bound: float) -> None:
    """A text of 1 MB is made fit for a field in less than 10 ms, of whatever it consists; of secrets in a blink.

    Others work on the same machine: they make single tries slower, but never faster.
    """
    text = (unit * (1 + (1 << 20) // len(unit)))[: 1 << 20]
    cleaner = cleaner_for(RecordingOptions())

    def seconds() -> float:
        began = process_time()
        cleaner.console(text)
        return process_time() - began

    assert any(seconds() < bound for _ in range(25))


# A name and what stands behind it, again and again: each name has a value that reaches to the end of the text.
NAMED = [
    f"{name}{sign}"
    for name, signs in {
        "signature": ["=", ":=", "={", "=[", ">"], "jwt": ["=\\", ":", "=secretstr("], "_key": [":", "=", "={'a': "],
        "auth": [":=", "='", "=Ab(c=", "(", " ", "=('a','"], "pin": [" is ", ": "],
        "password": ["={", "=[", ">", ": |\n ", "&quot;:&quot;", "', '", ",", " | ", ",x\n", "\t", ":\n", " -"],
        "--token": [" ", "={", "', '"], "secret": [" value=", "\n\n", "=("], "contraseña": [",", "=", ":\n"],
        "sessionid": [": '", ": {'"], "sk-": ["a1", "aB-", ""], "$": ["", "a$", "a=1,"],
        "\x1b[1m": ["password", "="], "x.login": ["('a','"],
    }.items()
    for sign in signs
]  # fmt: skip


@pytest.mark.parametrize("unit", [*HARD, *NAMED, *ORDINARY.values()])
def test_the_time_grows_with_the_length_alone(unit: str) -> None:
    """Four times the text takes no more than about four times as long, for the pieces of which secrets consist."""
    short = min(seconds_for(unit, 16_384) for _ in range(3))
    assert min(seconds_for(unit, 65_536) for _ in range(3)) < 10 * short + 0.005


SECRET = 'p@ss/w&rd+ü-"long"-\\x'


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET, quote(SECRET, safe=""), quote(SECRET), quote_plus(SECRET),
        re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(SECRET, safe="")), json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1], repr(SECRET)[1:-1], escape(SECRET),
    ],
)  # fmt: skip
def test_known_values_are_hidden_as_programs_spell_them(spelled: str) -> None:
    """A known secret is hidden as it is and as addresses, JSON, ``repr`` and HTML spell it."""
    assert TextCleaner(secrets=[SECRET], is_builtin=False)(f"a {spelled} b") == f"a {MARK} b"


@given(st.binary(max_size=40), st.text(min_size=6, max_size=40), st.binary(max_size=40), st.sampled_from(["+/", "-_"]))
def test_known_values_are_hidden_within_base64(before: bytes, secret: str, after: bytes, others: str) -> None:
    """Base64 of a text with a known secret in it cannot be decoded to the secret, wherever it stands in the text."""
    data = before + secret.encode() + after
    coded = base64.b64encode(data, others.encode()).decode()
    hidden = TextCleaner(secrets=[secret], is_builtin=False)(coded)
    assert MARK in hidden
    assert len(hidden.replace(MARK, "")) <= len(coded) - len(secret.encode()) * 8 // 6 + 2


LONG = f"{WORD}-{WORD[::-1]}"
KNOWN = "Zq7Lw2xR9tVb4Nc8Yk5Jm1Hg3Fd6"
SKIPPED = "Skipping 54 identical leading characters in diff, use -v to show\n- {0}\n+ {0}y"
LINES = f"first-line-{WORD}\nsecond-line-{WORD}\nend"


@pytest.mark.parametrize(
    ("secrets", "text", "expected"),
    [
        # What terminals and pytest leave of a long value: its beginning and its end, as far as they go.
        ([LONG], f"'{LONG[:50]}...{LONG[-45:]}'", f"'{MARK}...{MARK}'"),
        ([LONG], f"{LONG[:60]}\n{LONG[60:]}", f"{MARK}\n{MARK}"),
        ([LONG], f"{LONG[:23]} {LONG[-23:]}", f"{LONG[:23]} {LONG[-23:]}"),
        ([LONG], f"{LONG}{LONG[:30]}", MARK),
        ([LONG], SKIPPED.format(LONG[-10:]), SKIPPED.format(MARK)),
        # Both ends around an ellipsis, but not a few characters that are alike.
        ([KNOWN], "assert 'Zq7Lw2...Hg3Fd6' == 'x'", f"assert '{MARK}...{MARK}' == 'x'"),
        ([KNOWN], "assert 'Zq7Lw2xR9tVb...k5Jm1Hg3Fd6' == 'x'", f"assert '{MARK}...{MARK}' == 'x'"),
        ([KNOWN], "{'a': 1, 'b': 'Zq7Lw2x...", f"{{'a': 1, 'b': '{MARK}..."),
        ([KNOWN], "...Jm1Hg3Fd6'}", f"...{MARK}'}}"),
        ([KNOWN], "'Zq7Lw2\u20263Fd6'", f"'{MARK}\u2026{MARK}'"),
        ([KNOWN], "Zq7L...Fd6 and so on...", "Zq7L...Fd6 and so on..."),
        ([KNOWN], "wait... Zq7Lw2 ...Hg3", "wait... Zq7Lw2 ...Hg3"),
        # Each line of a value; the longest value first.
        ([LINES], f"E  first-line-{WORD}\nE  second-line-{WORD}\nE  end", f"E  {MARK}\nE  {MARK}\nE  end"),
        (["secret-1", "secret-1-and-more"], "secret-1-and-more", MARK),
        # A value of the environment that is no UTF-8.
        (
            ["abc\udcff\udcfe12345678"],
            "a abc\udcff\udcfe12345678 b ?x=abc%FF%FE12345678&y=abc%ff%fe12345678",
            f"a {MARK} b ?x={MARK}&y={MARK}",
        ),
    ],
)
def test_parts_of_known_values_are_hidden(secrets: list[str], text: str, expected: str) -> None:
    """What is left of a known value is hidden as far as it goes, whoever shortened it."""
    assert TextCleaner(secrets=secrets, is_builtin=False)(text) == expected


SECRET_VARIABLES = (
    "GITHUB_TOKEN=plainwordverylong", "GITHUB_TOKEN=word-12!", "github_token=  word-12!  ", "PGPASSWORD=pass1234",
    "MYSQL_PWD=pass1234", "DB_PASS=pass1234", "SIGNING_KEY=pass1234", "APIKEY=pass1234", "STRIPE_SECRET=pass1234",
    "AZURE_STORAGE_CONNECTION_STRING=pass1234", "SYSTEM_ACCESSTOKEN=pass1234", "VAULT_SECRET_ID=5f0c7a52-6d2e",
    "AWS_SECRET_ACCESS_KEY=/wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)  # fmt: skip
OTHER_VARIABLES = (
    "GITHUB_TOKEN=plainwordlong", "GITHUB_TOKEN=word-1!", "VAULT_ROLE_ID=5f0c7a52-6d2e", "PWD=/home/someone/project",
    "TOKEN_FILE=/run/secrets/token", "SSH_AUTH_SOCK=/tmp/agent.1234", "HOME=/home/someone-1234",
    "ACTIONS_ID_TOKEN_REQUEST_URL=https://example.org/id", "AWS_ACCESS_KEY_ID=0123456789abcdef",
    "GOOGLE_APPLICATION_CREDENTIALS=/exists/key.json", "KEYBOARD=layout-1234567890",
)  # fmt: skip


@pytest.mark.parametrize("variable", [*SECRET_VARIABLES, *OTHER_VARIABLES])
def test_variables_named_like_secrets(variable: str) -> None:
    """Values of variables named like secrets are secrets, but short words, paths, addresses and names of things."""
    name, _, value = variable.partition("=")
    found = secret_values({name: value}, is_path=lambda text: text.startswith("/exists"))
    assert found == ((value.strip(),) if variable in SECRET_VARIABLES else ())


@pytest.mark.parametrize(
    ("value", "passwords"),
    [
        ("postgresql://user:p%40ssw0rd-1@host/db", ("p%40ssw0rd-1", "p@ssw0rd-1")),
        ("http://u:short@proxy:8080", ()),
        *(
            (f"postgresql://user:{password}@host:5432/db", (password,))
            for password in ("p@ss-word1", "p#ss-word1", "p?ss/word1", "it's-word1", 'p"ss\\word1', "p ss word 1")
        ),
        ("Server=h;Password=pass-1234;Encrypt=yes", ("pass-1234",)),
        ("host=h password=word-5678 dbname=d", ("word-5678",)),
        ("http://host:8080/a@b", ()),
        ("https://example.org/@user", ()),
        ("http://[::1]:80/", ()),
    ],
)
def test_passwords_in_values_of_the_environment(value: str, passwords: tuple[str, ...]) -> None:
    """The password in an address or a connection string of any variable is a secret, as written and as meant."""
    assert secret_values({"ADDRESS": value}, is_path=lambda _: False) == passwords


def test_rules_carry_no_secret() -> None:
    """Neither the text nor the JSON of the options shows a secret; a worker finds its own and the token."""
    options = RecordingOptions(redact=("pin",), secrets=("hunter2-hunter2",))
    assert "hunter2" not in repr(options) + json.dumps(to_builtins(options.without_secrets()))
    found = worker_options(
        {"options": to_builtins(options.without_secrets()), "token_file": ""},
        {"AUTOMATION_REPORT_TOKEN": "tok-en-1", "X_KEY": "val-12345"},
    )
    assert (found.redact, found.redact_builtin) == (("pin",), True)
    assert found.secrets == ("tok-en-1", "tok-en-1", "val-12345")
    assert cleaner_for(options.for_sender()).console(f"pin {TOKENS[0]}") == f"pin {TOKENS[0]}"


def test_an_address_that_is_to_be_followed_keeps_its_signature() -> None:
    """A signed address of a file still leads to it; a user, a token and the patterns are hidden in it all the same."""
    cleaner = cleaner_for(RecordingOptions(redact=("pin-[0-9]+",)))
    signed = f"https://files.example.org/pin-1/a.png?X-Amz-Signature={WORD}"
    assert cleaner.address(signed) == signed.replace("pin-1", MARK)
    assert cleaner.string(signed).endswith(f"Signature={MARK}")
    assert cleaner.address("https://u:p@h/x?token=x1") == f"https://{MARK}@h/x?token={MARK}"


@pytest.mark.parametrize(
    ("name", "value", "is_hidden"),
    [
        ("password", "swordfish", True), ("DB password", "hunter2", True), ("api_token", WORD[:20], True),
        ("X-Api-Key", WORD[:20], True), ("client_secret", f"{WORD}\n{WORD}", True), ("password", "is required", False),
        ("password", "None", False), ("tokens", "4096", False), ("key", "value", False),
        ("password policy", "strong-2", False),
    ],
)  # fmt: skip
def test_fields_named_like_secrets_are_hidden(name: str, value: str, is_hidden: bool) -> None:  # noqa: FBT001 - a column
    """A property or a field whose name says secret shows no value, of whatever type it is; nothing else changes."""
    cleaner = cleaner_for(RecordingOptions())
    expected = MARK if is_hidden else value
    assert property_field(name, value, cleaner).value == expected
    assert typed_field(name, value, FieldType.TEXT, cleaner).value == expected
    run = NewRun("n", "s", fields=(Field(name, value),))
    assert [field.value for field in without_secrets(run, RecordingOptions()).fields] == [expected]
    assert property_field(name, value, cleaner_for(RecordingOptions(redact_builtin=False))).value == value


def test_nothing_is_looked_for_when_all_is_off() -> None:
    """Without patterns, secrets and built-in shapes there is nothing to do."""
    cleaner = cleaner_for(RecordingOptions(redact_builtin=False))
    assert cleaner.console(TOKENS[0]) == cleaner.address(TOKENS[0]) == TOKENS[0]
    known = TextCleaner(secrets=["t0ken"], is_builtin=False)  # what is known is hidden all the same, and nothing else
    assert known(f"t0ken {TOKENS[0]}") == known.address(f"t0ken {TOKENS[0]}") == f"{MARK} {TOKENS[0]}"


@pytest.mark.parametrize(("length", "is_found_in_base64"), [(4, False), (5, False), (6, True)])
def test_short_secrets_are_looked_for_as_they_are_alone(length: int, is_found_in_base64: bool) -> None:  # noqa: FBT001 - a column
    """What base64 makes of four or five characters stands in too many texts: such a secret is found as it is."""
    secret = WORD[:length]
    hide = TextCleaner(secrets=[secret], is_builtin=False)
    assert hide(f"a {secret} b") == f"a {MARK} b"
    encoded = base64.b64encode(f"xx:{secret}:yy".encode()).decode()
    assert (hide(encoded) != encoded) is is_found_in_base64
