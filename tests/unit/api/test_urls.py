import pytest

from pytest_automation_report.api.urls import is_web_address


@pytest.mark.parametrize(
    ("text", "is_web"),
    [
        ("https://ci.example/job/1?x=1#top", True),
        ("HTTP://CI.EXAMPLE", True),
        ("http://[::1]:8000/", True),
        ("https://ci.example/b\xe4r", True),
        ("https://user:***@ci.example/", True),
        ("httpx://ci.example", False),
        ("https:/ci.example", False),
        ("https://?a=1", False),
        ("https://[", False),
        ("https://ci.example:99999/", False),
        ("https://ci.example:0/", False),
        ("https://ci.example\\@evil.example", False),
        ("https://ci.example/a b", False),
        ("https://ci.example/a\nb", False),
        ("https://ci.example/\u202egnp.exe", False),
        ("see https://ci.example", False),
        ("javascript:alert(1)", False),
        ("javascript://example.com/%0aalert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("file://example.com/a", False),
        ("//example.com", False),
        ("", False),
    ],
)
def test_web_addresses(text: str, is_web: bool) -> None:  # noqa: FBT001 - a table's column
    """Settings, recorded fields and pages have one notion of a URL that a page can link to."""
    assert is_web_address(text) is is_web
