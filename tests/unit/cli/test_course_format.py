from pathlib import Path

import pytest

from cli.course_format import CourseFaults, CourseFiles, read_course

COURSE = "id: tiny\ntitle: Tiny\n"
SKILLS = "- id: one\n  title: One\n- id: two\n  title: Two\n  after: [one]\n"
ITEM = "- id: a\n  type: numeric\n  stem: 1 + 1 = ?\n  answer: 2\n"


def written(directory: Path, items: str = ITEM, course: str = COURSE, skills: str = SKILLS) -> Path:
    (directory / "items").mkdir()
    (directory / "course.yaml").write_text(course)
    (directory / "skills.yaml").write_text(skills)
    (directory / "items" / "one.yaml").write_text(items)
    return directory


def read(directory: Path, items: str = ITEM, course: str = COURSE, skills: str = SKILLS) -> CourseFiles:
    return read_course(written(directory, items, course, skills))


def faults_of(directory: Path, items: str = ITEM, course: str = COURSE, skills: str = SKILLS) -> list[str]:
    with pytest.raises(CourseFaults) as found:
        read(directory, items, course, skills)
    return found.value.faults


def test_names_begin_with_the_course(tmp_path: Path) -> None:
    files = read(tmp_path)
    assert files.course.name == "courses/tiny"
    assert [(each.name, list(each.prerequisites)) for each in files.skills] == [
        ("skills/tiny.one", []),
        ("skills/tiny.two", ["skills/tiny.one"]),
    ]
    assert [(each.message.name, list(each.message.skills)) for each in files.items] == [("items/tiny.a", ["skills/tiny.one"])]


@pytest.mark.parametrize("text", ["y", "n", "yes", "no", "on", "off", "0.50", "1:30", "012", "1_000", "null", "~", "2026-01-01"])
def test_what_yaml_would_turn_into_something_else_stays_text(tmp_path: Path, text: str) -> None:
    item = f"- id: a\n  type: short-text\n  stem: {text}\n  accepted: [{text}]\n"
    message = read(tmp_path, item).items[0].message
    assert (message.body.stem, list(message.key.short_text.accepted)) == (text, [text])


def test_ids_of_options_stay_when_their_order_changes(tmp_path: Path) -> None:
    item = "- id: a\n  type: single-choice\n  stem: '?'\n  choices:\n"
    right, wrong = "    - right: It is 2\n", "    - wrong: It is 3\n      because: Count.\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (read(tmp_path / "a", item + right + wrong), read(tmp_path / "b", item + wrong + right))
    assert first.items[0].message.key == second.items[0].message.key


def test_the_order_is_hidden_in_what_the_learner_gets(tmp_path: Path) -> None:
    item = "- id: a\n  type: ordering\n  stem: '?'\n  order: [b, a, d, c]\n"
    message = read(tmp_path, item).items[0].message
    texts = {each.id: each.text for each in message.body.ordering.entries}
    assert [texts[each] for each in message.key.ordering.order] == ["b", "a", "d", "c"]
    assert [each.id for each in message.body.ordering.entries] == sorted(texts)


@pytest.mark.parametrize(
    ("items", "fault"),
    [
        ("- id: a\n  type: numerc\n  stem: x\n", "items/one.yaml:2: must be one of"),
        ("- id: a\n  type: numeric\n  stem: x\n", "items/one.yaml:1: answer is missing"),
        ("- id: a\n  type: numeric\n  stem: x\n  answer: 2\n  anwser: 3\n", "items/one.yaml:5: anwser is not known here"),
        ("- id: a\n  type: numeric\n  stem: x\n  answer: [2]\n", "items/one.yaml:4: answer must be text"),
        (ITEM + ITEM, "items/one.yaml:5: another item has this id"),
        ("- id: a\n  type: numeric\n  type: numeric\n", "items/one.yaml:3: type is there twice"),
        ("- id: a\n  stem: 'x\n", "items/one.yaml:"),
        ("id: a\n", "items/one.yaml:1: must be a list"),
        ("", "items/one.yaml:1: is empty"),
        (ITEM.replace("answer", "also: [three]\n  answer"), "items/one.yaml:1: there is no skill three"),
        (
            "- id: a\n  type: single-choice\n  stem: x\n  choices:\n    - right: a\n    - right: b\n",
            "items/one.yaml:5: must have one right",
        ),
        (
            "- id: a\n  type: single-choice\n  stem: x\n  choices:\n    - because: a\n",
            "items/one.yaml:5: a choice is either right or wrong",
        ),
        (
            "- id: a\n  type: numeric\n  stem: x\n  answer: 2\n  lowest_terms: maybe\n",
            "items/one.yaml:5: lowest_terms must be yes or no",
        ),
        ("- id: a\n  type: cloze\n  stem: x\n  gaps:\n    g: {type: ordering}\n", "items/one.yaml:5: must be one of"),
        ("- id: a\n  type: numeric\n  stem: &x [*x]\n  answer: 2\n", "items/one.yaml:3: is nested too deep"),
    ],
)
def test_faults_name_the_file_and_the_line(tmp_path: Path, items: str, fault: str) -> None:
    (found,) = faults_of(tmp_path, items)
    assert found.startswith(fault)


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    items = "- id: a\n  type: wrong\n- id: b\n  type: numeric\n  stem: x\n"
    assert len(faults_of(tmp_path, items, skills=SKILLS + "- id: three\n")) == 3


def test_a_course_needs_a_title(tmp_path: Path) -> None:
    assert faults_of(tmp_path, course="id: tiny\n") == ["course.yaml:1: title is missing"]


def test_a_prerequisite_must_be_there(tmp_path: Path) -> None:
    assert faults_of(tmp_path, skills=SKILLS.replace("[one]", "[none]")) == [
        "skills.yaml:5: there is no skill none to come after"
    ]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CourseFaults, match=r"course\.yaml:1: No such file"):
        read_course(tmp_path)
