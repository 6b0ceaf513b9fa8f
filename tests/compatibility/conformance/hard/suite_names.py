"""Names that are hard to carry over."""

import pytest


@pytest.mark.parametrize("value", [
    pytest.param(1, id="plain"),
    pytest.param(2, id="a[b]"),
    pytest.param(3, id="a]["),
    pytest.param(4, id="a::b"),
    pytest.param(5, id="a/b.py"),
    pytest.param(6, id="\u00fcn\u00efc\u00f6de-\u2713-\U0001f40d"),
    pytest.param(7, id="esc-\x1bb"),
    pytest.param(8, id="two words"),
    pytest.param(9, id="<&>\"'"),
    pytest.param(10, id="x" * 800),
    pytest.param(11, id="dot.s@group"),
])
def test_ids(value):
    assert value


@pytest.mark.parametrize("second", ["x", "y"])
@pytest.mark.parametrize("first", [1, 2])
def test_pairs(first, second):
    assert (first, second) != (2, "y")


@pytest.mark.parametrize("value", [pytest.param(1, id=pytest.HIDDEN_PARAM)])
def test_hidden(value):
    assert value


class TestForm:
    def test_method(self):
        pass

    @pytest.mark.parametrize("value", [None])
    def test_method_with(self, value):
        assert value

    class TestInner:
        def test_method(self):
            pytest.skip("nothing inside")


@pytest.mark.parametrize("browser", ["chrome", "fire/fox"])
class TestPages:
    def test_opens(self, browser):
        assert browser == "chrome"

    @staticmethod
    def test_closes(browser):
        assert browser
