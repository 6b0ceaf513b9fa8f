"""A module below folders."""


class TestDeep:
    def test_deep(self):
        pass


def test_shallow():
    raise AssertionError
