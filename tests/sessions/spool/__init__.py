"""Results that are kept, and the folder that keeps them."""
