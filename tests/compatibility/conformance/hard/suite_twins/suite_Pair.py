"""Its tests have the folder of a class in the module beside this folder."""


def test_twin():
    pass
