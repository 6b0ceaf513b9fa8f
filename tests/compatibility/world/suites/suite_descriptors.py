import os
import resource


def test_before():
    pass


def test_all_closed():
    os.closerange(3, 4096)


def test_after_all_closed():
    assert 1 == 2


def test_all_closed_and_taken(tmp_path):
    os.closerange(3, 4096)
    test_all_closed_and_taken.files = [os.open(tmp_path / str(each), os.O_CREAT | os.O_RDWR) for each in range(20)]


def test_taken_files_are_untouched():
    for each in test_all_closed_and_taken.files:
        assert os.fstat(each).st_size == 0
        os.close(each)


def test_no_descriptors_left():
    test_no_descriptors_left.limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, test_no_descriptors_left.limit[1]))


def test_descriptors_again():
    resource.setrlimit(resource.RLIMIT_NOFILE, test_no_descriptors_left.limit)


def test_last():
    pass
