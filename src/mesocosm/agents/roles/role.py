"""What a role is: the tools it may use and how it spends its idle steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """A job in the population. Every role may propose and accept interactions; tools limit the other actions.

    Params   tools: actions allowed besides pass; posts_often: posts at feed.poster_rate instead of feed.post_rate.
    """

    name: str
    tools: frozenset[str]
    posts_often: bool = False
