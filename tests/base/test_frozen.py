"""Frozen dataclasses whose `__init__` is quick."""

from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from app.base.frozen import quick


@dataclass(frozen=True, slots=True)
class Plain:
    one: int
    two: str = "two"
    three: tuple[int, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    """A value."""

    one: int
    two: str = "two"
    three: tuple[int, ...] = ()


def test_a_quick_dataclass_is_made_compared_and_copied_as_any_other_one() -> None:
    for made in (Quick(1), Quick(one=1, two="2"), Quick(1, "2", (3,)), Quick(1, three=(4,))):
        plain = Plain(made.one, made.two, made.three)
        assert type(made) is Quick
        assert repr(made) == repr(plain).replace("Plain", "Quick")
        assert hash(made) == hash(plain)
        assert made == replace(made) != replace(made, one=5)
        assert not hasattr(made, "__dict__")
    match Quick(1, "2"):
        case Quick(one, two=two):
            assert (one, two) == (1, "2")
    with pytest.raises(TypeError, match=r"Quick\.__init__\(\) missing 1 required positional argument: 'one'"):
        Quick()  # type: ignore[call-arg]


def test_a_quick_dataclass_is_frozen_once_it_is_made() -> None:
    made = Quick(1)
    with pytest.raises(FrozenInstanceError):
        made.one = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.two  # type: ignore[misc]
    assert made == Quick(1)


def test_a_dataclass_that_is_made_otherwise_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Derived:
        one: int
        two: list[int] = field(default_factory=list)

    @dataclass(frozen=True, slots=True)
    class Checked:
        one: int

        def __post_init__(self) -> None:
            raise ValueError

    for each in (Derived, Checked):
        with pytest.raises(TypeError, match="field by field"):
            quick(each)
