import pytest
from shop.cart import Cart, discount


def test_empty_cart_costs_nothing() -> None:
    assert Cart().total() == 0


@pytest.mark.parametrize(("article", "cents"), [("apple", 30), ("bread", 250), ("cheese", 420)])
def test_one_article_costs_its_price(article: str, cents: int) -> None:
    cart = Cart()
    cart.add(article)
    assert cart.total() == cents


def test_unknown_article_is_refused() -> None:
    with pytest.raises(KeyError, match="caviar"):
        Cart().add("caviar")


@pytest.mark.parametrize("percent", [0, 10, 100])
def test_discount_is_taken_off(percent: int) -> None:
    assert discount(1000, percent) == 1000 - 10 * percent


def test_discount_rounds_for_the_customer() -> None:
    """Fails: a tenth of 99 cents is rounded down, so the customer pays too much."""
    print("99 cents with 10 percent off")
    assert discount(99, 10) == 89


@pytest.mark.xfail(reason="coupons are not built yet")
def test_coupon_is_taken_off() -> None:
    cart = Cart()
    cart.add("bread")
    cart.redeem("WELCOME")
    assert cart.total() == 200


class TestCountedArticles:
    def test_articles_add_up(self) -> None:
        cart = Cart()
        cart.add("apple", 3)
        cart.add("apple")
        assert cart.articles == {"apple": 4}
        assert cart.total() == 120
