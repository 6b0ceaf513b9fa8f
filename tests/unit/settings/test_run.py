"""The key of a run that jobs share: what it is made of, and the tag by which it is found."""

import re

from pytest_automation_report.ci.facts import BuildInfo
from pytest_automation_report.settings.run import filled_key, key_tag


def test_a_tag_is_of_one_source_and_one_key() -> None:
    """Two suites of one build have tags of their own, and so have keys that look the same as tags."""
    pairs = [("suite", "build-7"), ("other", "build-7"), ("suite", "build 7"), ("suite", "build-7" * 20)]
    tags = [key_tag(source, key) for source, key in pairs]
    assert len(set(tags)) == len(tags)
    assert all(re.fullmatch(r"run-key-build-7[a-z0-9-]*-[0-9a-f]{10}", each) for each in tags)
    assert max(map(len, tags)) <= 80
    assert key_tag("suite", "build-7") == tags[0]


def test_a_key_with_a_place_that_nobody_knows_is_none() -> None:
    """Places are filled with what is known, an empty key is told with what is missing, each once."""
    facts = BuildInfo(build="7", pull_request=12)
    assert filled_key("b{build}-{pull_request}", facts) == ("b7-12", ())
    assert filled_key("{build}{tag}{branch}{tag}", facts) == ("", ("tag", "branch"))
    assert filled_key("nightly", facts) == ("nightly", ())


def test_an_attempt_without_a_number_is_the_first() -> None:
    """A key with the attempt is the same for all jobs of a provider that does not number attempts."""
    assert filled_key("{pipeline}-{attempt}", BuildInfo(pipeline="99")) == ("99-1", ())
    assert filled_key("{pipeline}-{attempt}", BuildInfo(pipeline="99", attempt=2)) == ("99-2", ())
