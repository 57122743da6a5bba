"""Items for the tests of every layer, and strategies that make items without faults together with a correct answer."""

from hypothesis import strategies as st

from domain.assessment.model.answers import (
    Answer,
    ChoiceAnswer,
    ClozeAnswer,
    MatchingAnswer,
    NumericAnswer,
    OrderingAnswer,
    ShortTextAnswer,
)
from domain.assessment.model.items import (
    AnswerKey,
    Body,
    ChoiceInteraction,
    ChoiceKey,
    ClozeInteraction,
    ClozeKey,
    Gap,
    Interaction,
    Item,
    Key,
    MatchingInteraction,
    MatchingKey,
    NumericInteraction,
    NumericKey,
    Option,
    OrderingInteraction,
    OrderingKey,
    ShortTextInteraction,
    ShortTextKey,
)


def options(*ids: str) -> tuple[Option, ...]:
    return tuple(Option(each, f"the text of {each}") for each in ids)


def item(interaction: Interaction | None, key: AnswerKey | None, id: str = "item", stem: str = "Question?") -> Item:
    return Item(id, 1, ("fractions",), Body(stem, interaction), Key(key, ("Think.", "Think harder."), "Because."))


SINGLE = item(ChoiceInteraction(options("a", "b", "c")), ChoiceKey(("b",), feedback={"a": "Not a.", "b": "Yes, b."}), "single")
MULTIPLE = item(
    ChoiceInteraction(options("a", "b", "c", "d"), multiple=True), ChoiceKey(("a", "c"), partial_credit=True), "multiple"
)
NUMERIC = item(NumericInteraction(), NumericKey("3/4", feedback={"4/3": "Upside down."}), "numeric")
LENGTH = item(
    NumericInteraction(("cm", "m", "kg")), NumericKey("1.5", "0.01", {"m": "1", "cm": "1/100"}, feedback={"150": "Mind the unit."}),
    "length",
)  # fmt: skip
LOWEST = item(NumericInteraction(), NumericKey("1/2", lowest_terms=True, feedback={"2/4": "Reduce it."}), "lowest")
TEXT = item(
    ShortTextInteraction(),
    ShortTextKey(("the numerator",), ("numerat(or|ors)",), feedback={"denominator": "That is below the line."}),
    "text",
)
ORDERING = item(
    OrderingInteraction(options("first", "second", "third")),
    OrderingKey(("first", "second", "third"), partial_credit=True),
    "ordering",
)
MATCHING = item(
    MatchingInteraction(options("s1", "s2"), options("t1", "t2", "t3")),
    MatchingKey({"s1": "t2", "s2": "t3"}, partial_credit=True),
    "matching",
)
CLOZE = item(
    ClozeInteraction(
        (
            Gap("n", NumericInteraction()),
            Gap("w", ShortTextInteraction()),
            Gap("c", ChoiceInteraction(options("x", "y"))),
        )
    ),
    ClozeKey(
        {"n": NumericKey("7"), "w": ShortTextKey(("seven",)), "c": ChoiceKey(("y",), feedback={"x": "No."})}, partial_credit=True
    ),
    "cloze",
    "{{n}} is {{w}}: {{c}}",
)
CORRECT: dict[str, tuple[Item, Answer]] = {
    each.id: (each, answer)
    for each, answer in (
        (SINGLE, ChoiceAnswer(("b",))),
        (MULTIPLE, ChoiceAnswer(("c", "a"))),
        (NUMERIC, NumericAnswer("3/4")),
        (LENGTH, NumericAnswer("150", "cm")),
        (LOWEST, NumericAnswer("1/2")),
        (TEXT, ShortTextAnswer(" Numerators ")),
        (ORDERING, OrderingAnswer(("first", "second", "third"))),
        (MATCHING, MatchingAnswer({"s1": "t2", "s2": "t3"})),
        (CLOZE, ClozeAnswer({"n": NumericAnswer("7"), "w": ShortTextAnswer("Seven"), "c": ChoiceAnswer(("y",))})),
    )
}
"""An item of every kind by its id, with a correct answer."""

ids = st.text("abcdefghijk123", min_size=1, max_size=4)
phrases = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


def _distinct(least: int, most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(ids, min_size=least, max_size=most, unique=True)


@st.composite
def choices(draw: st.DrawFn, multiple: bool | None = None) -> tuple[ChoiceInteraction, ChoiceKey, ChoiceAnswer]:
    names = draw(_distinct(2, 6))
    several = draw(st.booleans()) if multiple is None else multiple
    correct = tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=len(names) if several else 1, unique=True)))
    feedback = draw(st.dictionaries(st.sampled_from(names), phrases))
    key = ChoiceKey(correct, draw(st.booleans()), feedback)
    return (
        ChoiceInteraction(options(*names), several, draw(st.booleans())),
        key,
        ChoiceAnswer(tuple(draw(st.permutations(correct)))),
    )


@st.composite
def numerics(draw: st.DrawFn) -> tuple[NumericInteraction, NumericKey, NumericAnswer]:
    value = str(draw(st.fractions(max_denominator=10_000)))
    tolerance = draw(st.sampled_from(["", "0", "1/7", "0.25"]))
    if draw(st.booleans()):
        return NumericInteraction(("m",)), NumericKey(value, tolerance, {"m": "1"}), NumericAnswer(value, "m")
    return NumericInteraction(), NumericKey(value, tolerance, lowest_terms=draw(st.booleans())), NumericAnswer(value)


@st.composite
def short_texts(draw: st.DrawFn) -> tuple[ShortTextInteraction, ShortTextKey, ShortTextAnswer]:
    accepted = draw(st.lists(phrases.filter(str.strip), min_size=1, max_size=3))
    key = ShortTextKey(tuple(accepted), (), draw(st.booleans()), draw(st.dictionaries(phrases, phrases, max_size=3)))
    return ShortTextInteraction(), key, ShortTextAnswer(draw(st.sampled_from(accepted)))


@st.composite
def orderings(draw: st.DrawFn) -> tuple[OrderingInteraction, OrderingKey, OrderingAnswer]:
    names = draw(_distinct(2, 6))
    order = tuple(draw(st.permutations(names)))
    return OrderingInteraction(options(*names)), OrderingKey(order, draw(st.booleans())), OrderingAnswer(order)


@st.composite
def matchings(draw: st.DrawFn) -> tuple[MatchingInteraction, MatchingKey, MatchingAnswer]:
    sources, targets = draw(_distinct(2, 5)), draw(_distinct(2, 6))
    matches = {each: draw(st.sampled_from(targets)) for each in sources}
    interaction = MatchingInteraction(options(*sources), options(*targets))
    return interaction, MatchingKey(matches, draw(st.booleans())), MatchingAnswer(matches)


@st.composite
def answered_items(draw: st.DrawFn) -> tuple[Item, Answer]:
    """An item without faults and a correct answer to it."""
    if draw(st.integers(0, 5)) == 0:
        names = draw(_distinct(1, 4))
        gaps = {each: draw(st.one_of(choices(multiple=False), numerics(), short_texts())) for each in names}
        interaction = ClozeInteraction(tuple(Gap(name, gap[0]) for name, gap in gaps.items()))
        key = ClozeKey({name: gap[1] for name, gap in gaps.items()}, draw(st.booleans()))
        stem = " ".join(f"{{{{{each}}}}}" for each in names)
        return item(interaction, key, stem=stem), ClozeAnswer({name: gap[2] for name, gap in gaps.items()})
    kind = draw(st.sampled_from([choices(), numerics(), short_texts(), orderings(), matchings()]))
    interaction, key, answer = draw(kind)
    return item(interaction, key), answer


_gap_answers = st.one_of(
    st.builds(ChoiceAnswer, st.lists(ids, max_size=4).map(tuple)),
    st.builds(NumericAnswer, st.text(max_size=120) | st.from_regex(r"[-+ 0-9/.,eE']{1,30}"), st.sampled_from(["", "m", "cm"])),
    st.builds(ShortTextAnswer, st.text(max_size=300)),
)
any_answers: st.SearchStrategy[Answer] = st.one_of(
    _gap_answers,
    st.builds(OrderingAnswer, st.lists(ids, max_size=6).map(tuple)),
    st.builds(MatchingAnswer, st.dictionaries(ids, ids, max_size=5)),
    st.builds(ClozeAnswer, st.dictionaries(ids, st.none() | _gap_answers, max_size=4)),
)
