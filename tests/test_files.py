"""A file is written whole or not at all, whoever else writes the same one."""

import threading

import pytest

import vizlib as vz
from vizlib.files import write_whole


def test_what_was_there_stays_until_the_new_file_is_complete(tmp_path):
    path = tmp_path / "new folder" / "card.json"
    write_whole(path, lambda part: part.write_text("old"))

    def half(part):
        part.write_text("ha")
        assert path.read_text() == "old"
        raise OSError("no space left")

    with pytest.raises(vz.VizlibError, match=r"card.json' could not be written \(no space left\)"):
        write_whole(path, half)
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, TypeError])
def test_nothing_is_left_beside_it_when_the_writing_is_interrupted(tmp_path, problem):
    def interrupted(part):
        part.write_text("ha")
        raise problem

    with pytest.raises(problem):
        write_whole(tmp_path / "card.json", interrupted)
    assert not list(tmp_path.iterdir())


def test_two_writers_do_not_mix_their_files(tmp_path, in_thread):
    both = threading.Barrier(2)

    def write(letter):
        def slowly(part):
            with part.open("w") as file:
                for _ in range(50):
                    file.write(letter)
                    file.flush()
                both.wait(10)

        write_whole(tmp_path / "x", slowly)

    for job in [in_thread(write, letter) for letter in "ab"]:
        job.result()
    assert (tmp_path / "x").read_text() in ("a" * 50, "b" * 50)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_cannot_be_made_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(vz.VizlibError, match="could not be written"):
        write_whole(tmp_path / "file" / "x", lambda part: part.write_text(""))
