def test_nested():
    pass
