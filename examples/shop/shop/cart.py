"""The cart: what a customer wants to buy, in cents."""

from dataclasses import dataclass, field

PRICES = {"apple": 30, "bread": 250, "cheese": 420}


@dataclass
class Cart:
    """Articles and how many of each."""

    articles: dict[str, int] = field(default_factory=dict)

    def add(self, article: str, count: int = 1) -> None:
        """Put articles into the cart; raises KeyError for one that the shop does not have."""
        if article not in PRICES:
            raise KeyError(f"the shop has no {article}")
        self.articles[article] = self.articles.get(article, 0) + count

    def redeem(self, coupon: str) -> None:
        """Take a coupon; not built yet."""
        raise NotImplementedError(coupon)

    def total(self) -> int:
        """Return the price of all articles in cents."""
        return sum(PRICES[article] * count for article, count in self.articles.items())


def discount(total: int, percent: int) -> int:
    """Return the price after a discount, in cents."""
    return total - total * percent // 100
