"""The tests of the standard library's framework."""

import unittest


class AccountCase(unittest.TestCase):
    def test_passes(self):
        self.assertEqual(1, 1)

    def test_fails(self):
        self.assertEqual(1, 2)

    @unittest.skip("not today")
    def test_is_marked_skip(self):
        pass

    def test_skips_itself(self):
        self.skipTest("not here")

    @unittest.expectedFailure
    def test_fails_as_expected(self):
        self.fail("bug 1")

    @unittest.expectedFailure
    def test_passes_unexpectedly(self):
        pass

    def test_subtests_pass(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertLess(number, 3)

    def test_subtest_fails(self):
        print("counting")
        for number in range(3):
            with self.subTest("count", number=number):
                self.assertNotEqual(number, 1)

    def test_subtest_and_test_fail(self):
        print("two failures")
        with self.subTest(part="first"):
            self.fail("in the part")
        self.fail("in the whole")


class SetupCase(unittest.TestCase):
    def setUp(self):
        raise RuntimeError("no database")

    def test_setup_fails(self):
        pass


class TeardownCase(unittest.TestCase):
    def tearDown(self):
        raise OSError("cannot close")

    def test_teardown_fails(self):
        pass


class ClassSetupCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("no class")

    def test_class_setup_fails(self):
        pass
