"""Values with a secret, as tests compare them, and values without one."""

from base64 import b64encode
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

from support.drawn import drawn

User = namedtuple("User", "name password")  # noqa: PYI024 - the class that users have
Header = namedtuple("Header", "name value")  # noqa: PYI024 - the class that users have


class Credentials(NamedTuple):
    user: str
    secret: str


@dataclass
class Login:
    user: str
    password: object


@dataclass
class Account:
    name: str
    pin: object
    tokens: object = ()


def with_secrets(random: Random) -> dict[str, tuple[Any, str]]:
    """Return values and the secret in each of them, by their names."""
    word, key = drawn("{pw}", random), drawn("{a32}", random)
    basic = b64encode(f"bob:{word}".encode()).decode()
    pin, digits = drawn("{d6}", random), drawn("{d9}", random)
    github, crypt = drawn("ghp_{a36}", random), drawn("$6${a16}${a86}", random)
    return {
        "auth of two": ({"auth": ("bob", word)}, word),
        "auth as a list": ({"auth": ["bob", word]}, word),
        "auth in arguments": ((("https://h",), {"auth": ("bob", word), "timeout": 3}), word),
        "credentials of two": ({"credentials": ("bob", word)}, word),
        "login of two": ({"login": ("bob", word)}, word),
        "basic auth of bytes": ({"basic_auth": (b"bob", word.encode())}, word),
        "credentials by name": (Credentials("bob", key), key),
        "named tuple": (User("bob", word), word),
        "dataclass": (Login("bob", word), word),
        "dataclass in a list": ([Login("bob", word)], word),
        "bytes": ({"password": word.encode()}, word),
        "key of bytes": ({b"password": word.encode()}, word),
        "number": ({"password": int(digits)}, digits),
        "pin": ({"pin": pin}, pin),
        "pin as a number": ({"pin": int(pin)}, pin),
        "pin of an account": (Account("a", pin), pin),
        "set": ({"tokens": {key}}, key),
        "tuple of tokens": (Account("a", 1, (key, key)), key),
        "word of Spanish": ({"contraseña": word}, word),
        "word of German": ({"Passwort": word}, word),
        "word of Russian": ({"пароль": word}, word),
        "word of Chinese": ({"密码": word}, word),
        "words of French": ({"mot_de_passe": word}, word),
        "words with a space": ({"mot de passe": word}, word),
        "word of Portuguese": ([{"usuario": "bob", "senha": word}], word),
        "docker": ({"auths": {"r.example.org": {"auth": basic}}}, basic),
        "docker as a text": (f'{{"auths": {{"r.example.org": {{"auth": "{basic}"}}}}}}', basic),
        "header": ({"Authorization": f"Bearer {key}"}, key),
        "header in pairs": ([("Authorization", f"Token {key}")], key),
        "header in objects": ([Header("X-Api-Key", key)], key),
        "header of lists": ({"X-Api-Key": [key]}, key),
        "header without a scheme": ({"authorization": key}, key),
        "headers of bytes": ([(b"authorization", f"Bearer {key}".encode())], key),
        "cookie": ({"Cookie": f"sessionid={key}"}, key),
        "session": ({"sessionid": key}, key),
        "nested": ({"db": {"main": {"options": {"password": word}}}}, word),
        "nested with a version": ({"password": {"current": word, "version": 2}}, word),
        "list below a name": ({"passwords": [word, "x"]}, word),
        "token": ([github], github),
        "token in a sentence": (f"cloned with {github}", github),
        "crypt hash": ([("root", crypt)], crypt),
        "environment": (["PATH=/bin", f"DB_PASSWORD={word}"], word),
        "environment as a dict": ({"PATH": "/bin", "DB_PASSWORD": word}, word),
        "ordered": (OrderedDict(user="bob", password=word), word),
        "arguments": (["tool", "--password", word], word),
        "arguments of docker": (["docker", "login", "-u", "bob", "-p", word], word),
        "address": ({"url": f"https://bob:{word}@example.org/x"}, word),
        "colours": ({"line": f"\x1b[1mpassword\x1b[0m: \x1b[31m{word}\x1b[0m"}, word),
        "colours in the middle": ({"password": f"\x1b[31m{word}\x1b[0m"}, word),
        "next line": (f"Your password:\n{word}\n", word),
        "table": (f"| user | password |\n|---|---|\n| bob | {word} |", word),
        "rows": ([["user", "password"], ["bob", word]], word),
        "csv": (["user,password", f"bob,{word}"], word),
        "lines of a file": (["[db]", f"password = {word}"], word),
        "lines of a question": (["password:", word], word),
        "call": (f"client.login('bob', '{word}')", word),
        "query": ({"query": f"user=bob&password={word}"}, word),
        "query in pairs": ([("user", "bob"), ("api_key", key)], key),
        "name and value": ([{"name": "API_TOKEN", "value": key}], key),
        "key and value": ([{"Key": "password", "Value": word}], word),
        "label and content": ([{"field": "password", "content": word}], word),
        "escaped": ({"password": f'it\'s "{word}"\n'}, word),
        "long": ({"password": word + "x" * 500}, word),
        "same value elsewhere": ([{"password": word}, [f"login with {word}"]], word),
        "deep": ({"a": [{"b": ({"c": {"client_secret": [key]}},)}]}, key),
        "mapping of users": ({"users": {"bob": {"password": word}, "ann": {"password": word}}}, word),
    }


def without_secrets(random: Random) -> list[Any]:
    """Return values without a secret, which a comparison shows as they are."""
    number, word, commit = random.randrange(10, 99), drawn("{w}", random), drawn("{x40}", random)
    return [
        {"tokens": number}, {"token_count": number}, {"keyboard": drawn("{a8}", random)}, {"author": word}, [commit],
        {"commit": commit}, {"id": drawn("{uuid}", random)}, {"sha256": drawn("{x64}", random)}, {"pin": number},
        {"password": None}, {"password": ""}, {"password": True}, {"password": ["This field is required."]},
        {"auth": "basic"}, {"auth": ("basic", None)}, {"auth": None}, {"key": word}, ["user", "password", "email"],
        [("user", "password")], {"password": {"type": "string", "minLength": 8}}, {"pinned": "1.0"}, {"passed": number},
        {"token_type": "bearer"}, {"pass": number}, {"secret_name": f"{word}-{number}"}, {"sort_key": "created_at"},
        {"image": "data:image/png;base64," + drawn("{b120}", random)}, {"login": word}, {"login": (word, number)},
        ["login", word, str(number)], {"password": "[redacted]"}, {"credentials": None}, Account(word, number),
        SimpleNamespace(password=word), {"tokenizer": f"{word}-{number}"}, {"compass": number}, f"{word} {number}",
        {"path": f"/run/secrets/{word}"}, {"url": f"https://example.org/{word}?page={number}"},
        {"monkey": f"{word}{number}"},
        {word: number, "cost": 1.5}, [[word, number], ["cost", 2]], {"login_url": f"/login?next=/{word}"},
    ]  # fmt: skip
