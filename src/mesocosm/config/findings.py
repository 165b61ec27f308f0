"""All that is wrong with a scenario, each mistake at the place where its writer can mend it."""

from __future__ import annotations

from collections.abc import Iterable

from mesocosm.config.yaml_source import KeyPath, Place, Source, dotted
from mesocosm.errors import ConfigError, Mistake

TOLD_MAX = 100


class Findings:
    """Mistakes found in a scenario, told together and in the order of the file.

    `written` maps the path of a resolved value to the path it was written at, where the two differ (short forms);
    `overridden` holds the paths that an override has set, so that their mistakes name the override.
    """

    def __init__(self, source: Source, flag: str = "--set") -> None:
        """Begin with what was wrong with the text; `flag` is what overrides are called in messages."""
        self.source = source
        self.flag = flag
        self.written: dict[KeyPath, KeyPath] = {}
        self.overridden: set[KeyPath] = set()
        self._found = source.mistakes
        self._seen: set[tuple[KeyPath, str]] = set()

    @property
    def is_full(self) -> bool:
        """Whether more mistakes were found than anyone would read."""
        return len(self._found) > TOLD_MAX

    def at_value(self, path: KeyPath, message: str) -> None:
        """Note a mistake at a value, or at the nearest thing around it that was written."""
        self._note(path, message, self.source.value_place)

    def at_key(self, path: KeyPath, message: str) -> None:
        """Note a mistake at a key, or at the nearest thing around it that was written."""
        self._note(path, message, self.source.key_place)

    def at_override(self, text: str, message: str) -> None:
        """Note a mistake in an override itself."""
        self._found.append(Mistake(text, message, self.flag))

    def adopt(self, mistakes: Iterable[Mistake]) -> None:
        """Take over mistakes that were found in another file and know their place there."""
        self._found += mistakes

    def _note(self, path: KeyPath, message: str, places: dict[KeyPath, Place]) -> None:
        if (path, message) in self._seen or self.is_full:
            return
        self._seen.add((path, message))
        if not self._is_overridden(path):
            path = self.written.get(path, path)
        if self._is_overridden(path):
            self._found.append(Mistake(dotted(path), message, self.flag))
            return
        place = places.get(path) or self._around(path)
        self._found.append(Mistake(dotted(path), message, self.source.path, place.line, place.column))

    def _is_overridden(self, path: KeyPath) -> bool:
        return any(path[:length] in self.overridden for length in range(1, len(path) + 1))

    def _around(self, path: KeyPath) -> Place:
        for length in range(len(path), -1, -1):
            for places in (self.source.key_place, self.source.value_place):
                if path[:length] in places:
                    return places[path[:length]]
        return Place(0, 0)

    def raise_if_any(self) -> None:
        """Stop if there is any mistake.

        Raises   ConfigError with all of them.
        """
        if not self._found:
            return
        ordered = sorted(self._found, key=lambda mistake: (mistake.path == self.flag, mistake.line, mistake.column))
        if len(ordered) > TOLD_MAX:
            ordered = [*ordered[:TOLD_MAX], Mistake("", "and more mistakes; mend these first", self.source.path)]
        raise ConfigError(ordered)
