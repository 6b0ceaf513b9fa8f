"""What a run tells of where it was made, and where its links lead."""

import pytest
from msgspec import convert

from pytest_automation_report.api.models import Field, Link, NewRun
from pytest_automation_report.ci.facts import (
    BuildInfo,
    Shard,
    repository_page,
    with_facts,
    with_fallbacks,
    without_user,
)

EVERYTHING = BuildInfo(
    provider="GitLab",
    branch="feature/x",
    commit="2abc3b37e83ac31ec8210b8504e64896a49f249c",
    merge_commit="ef2023102ad644dce35319c9c0d9a97b369aae19",
    pull_request=12,
    build="7",
    attempt=2,
    shard=Shard(2, 5),
    url="https://gitlab.com/ann/shop/-/jobs/5",
    repository="https://gitlab.com/ann/shop",
)


def test_all_is_told() -> None:
    """A run tells all facts as fields, in one order, and links to the job and to the commit."""
    run = with_facts(NewRun("n", "s"), EVERYTHING, own=[Field("Python", "3.11")])
    assert [(each.name, each.value) for each in run.fields] == [
        ("Python", "3.11"), ("CI", "GitLab"), ("Branch", "feature/x"),
        ("Commit", "2abc3b37e83ac31ec8210b8504e64896a49f249c"),
        ("Merge commit", "ef2023102ad644dce35319c9c0d9a97b369aae19"), ("Merge request", "!12"), ("Build", "7"),
        ("Attempt", "2"), ("Shard", "2/5"),
    ]  # fmt: skip
    assert run.links == (
        Link("CI job", "https://gitlab.com/ann/shop/-/jobs/5"),
        Link("Commit", "https://gitlab.com/ann/shop/-/commit/2abc3b37e83ac31ec8210b8504e64896a49f249c", "2abc3b3"),
    )
    assert run.tags == ()


def test_the_users_words_count() -> None:
    """What the user gives a run goes before a fact of the same name; without facts it has nothing else."""
    links = (Link("Commit", "https://example.org/mine"),)
    given = NewRun("n", "s", fields=(Field("Branch", "mine"),), links=links, tags=("a",))
    run = with_facts(given, BuildInfo(branch="main", commit="c0ffee1", repository="https://g.io/a"))
    assert run.fields == (Field("Commit", "c0ffee1"), Field("Branch", "mine"))
    assert run.links == links
    assert with_facts(given, BuildInfo(), is_branch_tag=True) == given


@pytest.mark.parametrize(
    ("facts", "tags"),
    [
        (BuildInfo(branch="main"), ("a", "main")), (BuildInfo(branch="a"), ("a",)),
        (BuildInfo(branch="feature/x y"), ("a", "feature-x-y")), (BuildInfo(branch="-/ü/-"), ("a",)),
        (BuildInfo(tag="v1.0"), ("a", "v1-0")), (BuildInfo(branch="b" * 800), ("a", "b" * 750)),
        (BuildInfo(pull_request=12), ("a",)),
    ],
)  # fmt: skip
def test_branch_as_tag(facts: BuildInfo, tags: tuple[str, ...]) -> None:
    """A branch's name becomes a tag of the characters that tags have, where there are some, and once."""
    assert with_facts(NewRun("n", "s", tags=("a",)), facts, is_branch_tag=True).tags == tags


def test_long_and_strange_values() -> None:
    """A value is one visible line of the longest length; an address that is too long or none is no link."""
    long_url = "https://example.org/" + "c" * 750
    facts = BuildInfo(branch="a\n\x1b\u202e" + "b" * 1000, url=long_url, commit="c0ffee1", repository="ftp://x")
    run = with_facts(NewRun("n", "s"), facts)
    branch, _ = run.fields
    assert branch.value is not None
    assert branch.value.startswith(r"a\n\x1b\u202ebbb")
    assert 700 < len(branch.value) <= 750
    assert run.links == ()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"branch": "a"}, {"branch": "b", "build": "1"}, {"branch": "a", "build": "1"}),
        ({"commit": "a"}, {"commit": "a", "commit_subject": "s"}, {"commit": "a", "commit_subject": "s"}),
        ({"commit": "a"}, {"commit": "b", "commit_subject": "s"}, {"commit": "a"}),
        ({"tag": "v1"}, {"branch": "b"}, {"tag": "v1"}),
        ({"branch": "a"}, {"tag": "v1"}, {"branch": "a"}),
        ({"merge_commit": "m"}, {"commit": "m"}, {"merge_commit": "m"}),
        ({"commit": "c"}, {"commit": "d", "merge_commit": "m"}, {"commit": "c"}),
    ],
)
def test_what_is_known_first_counts(first: dict[str, str], second: dict[str, str], expected: dict[str, str]) -> None:
    """Facts fill up from others, and what belongs together is taken together."""
    facts, others, both = (convert(each, BuildInfo) for each in (first, second, expected))
    assert with_fallbacks(facts, others) == both
    assert with_fallbacks(facts, None) == facts


REMOTES = [
    ("https://github.com/ann/shop.git", "https://github.com/ann/shop"),
    ("https://ann:secret@github.com/ann/shop", "https://github.com/ann/shop"),
    ("https://x-access-token:secret@github.com:8443/ann/shop/", "https://github.com:8443/ann/shop"),
    ("http://git.example.org/shop.git", "http://git.example.org/shop"),
    ("git@github.com:ann/shop.git", "https://github.com/ann/shop"),
    ("github.com:ann/shop", "https://github.com/ann/shop"),
    ("ssh://git@git.example.org:2222/ann/shop.git", "https://git.example.org/ann/shop"),
    ("git://git.example.org/ann/shop", "https://git.example.org/ann/shop"), ("git@work:ann/shop.git", None),
    ("ssh://git@host/shop", None), ("/srv/git/shop.git", None), ("../shop", None), ("file:///srv/git/shop", None),
    ("C:/repos/shop", None), ("https://github.com", None), ("https://[", None),
    ("https://git.example.org:x/shop", None), ("https://git.example.org/a b", None), ("", None), (None, None),
]  # fmt: skip


@pytest.mark.parametrize(("remote", "page"), REMOTES)
def test_repository_pages(remote: str | None, page: str | None) -> None:
    """What git fetches from leads to a web page without user and password, or to none."""
    assert repository_page(remote) == page


@pytest.mark.parametrize(
    ("repository", "page"),
    [
        ("https://github.com/ann/shop", "https://github.com/ann/shop/commit/c0ffee1"),
        ("https://gitlab.example.org/ann/shop", "https://gitlab.example.org/ann/shop/-/commit/c0ffee1"),
        ("https://bitbucket.org/ann/shop", "https://bitbucket.org/ann/shop/commits/c0ffee1"),
        ("https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/shop", None),
    ],
)
def test_commit_pages(repository: str, page: str | None) -> None:
    """A commit's page follows from its repository's, by the host's own words."""
    assert BuildInfo(repository=repository, commit="c0ffee1").commit_link == page


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://ann:secret@ci.example.org:81/job?a=b#c", "https://ci.example.org:81/job?a=b#c"),
        ("https://ci.example.org", "https://ci.example.org"), ("ci.example.org", None), ("javascript:alert(1)", None),
        ("", None), (None, None),
    ],
)  # fmt: skip
def test_users_are_taken_off(url: str | None, bare: str | None) -> None:
    """An address loses user and password, and what is not a web address is dropped."""
    assert without_user(url) == bare
