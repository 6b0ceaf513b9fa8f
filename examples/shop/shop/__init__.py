"""A small shop: prices, a cart, an order."""
