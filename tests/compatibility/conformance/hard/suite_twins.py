"""Has a class with the name of a module in the folder beside it."""


class suite_Pair:
    def test_twin(self):
        assert 0
