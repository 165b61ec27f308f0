"""What a scenario may say: every key with its meaning, unit, bounds and default.

Every default is an assumption of the model, not a measurement; ``mesocosm explain`` shows them as such.
Types are strict: text is never turned into a number, but a whole number may stand where a fraction is asked for.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from mesocosm.config.market import MarketSettings
from mesocosm.config.section import (
    CREDITS_MAX,
    CREDITS_TOTAL_MAX,
    Items,
    Section,
    Share,
    SignedShare,
    broken_rule,
    knob,
    plain_text,
)

Role = Literal["planner", "worker", "verifier", "poster", "moderator"]


class AgentGroup(Section):
    """Agents that share a policy, a role and a skill."""

    type: str = Field(description="Policy that decides what these agents do; see `mesocosm list policies`.")
    count: int = Field(description="How many such agents.", ge=1, le=2_000_000, json_schema_extra={"unit": "agents"})
    role: Role = knob("worker", "Sets the tools these agents may use and their part in tasks.")
    skill: float = knob(1.0, "How much of an agent's effort turns into a good outcome.", gt=0, le=1)
    identities: int = knob(1, "Identities each of them may come to have, its own included.", ge=1, le=1000)
    params: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the policy; see `mesocosm explain POLICY`."
    )


class Arrival(AgentGroup):
    """Agents that join at the start of an epoch."""

    epoch: int = Field(description="Epoch at whose start they join.", ge=1, le=1_000_000)


class Departure(Section):
    """Agents of one policy that leave at the start of an epoch."""

    epoch: int = Field(description="Epoch at whose start they leave.", ge=1, le=1_000_000)
    type: str = Field(description="Policy of the agents that leave.")
    count: int = Field(description="How many leave.", ge=1, le=2_000_000)


class Population(Section):
    """How the set of agents changes over time."""

    capacity: int | None = knob(
        None, "Most agents there can ever be; null for exactly those listed.", "agents", ge=1, le=10_000_000
    )
    arrivals: Annotated[tuple[Arrival, ...], Items] = knob((), "Groups that join later.")
    departures: Annotated[tuple[Departure, ...], Items] = knob((), "Groups that leave.")
    turnover: float = knob(0.0, "Chance that an agent leaves in an epoch.", "per agent and epoch", ge=0, le=1)


class Environment(Section):
    """What agents start with and what the world rewards beside deals."""

    initial_budget: float = knob(100.0, "Balance each agent starts with.", "credits", ge=0, le=1e9)
    credit_limit: float = knob(0.0, "How far below zero a balance may go.", "credits", ge=0, le=CREDITS_MAX)
    attention_scarcity: float = knob(
        0.0, "Share of reputation that follows attention instead of looking good.", ge=0, le=1
    )
    outrage: float = knob(1.0, "How much attention a harmful trace draws.", ge=0, le=5)
    eta: float = knob(0.25, "Weight of one deal in the initiator's reputation reward.", ge=0, le=5)


class Payoff(Section):
    """What a deal is worth to each side and costs everyone else."""

    s_plus: float = knob(2.0, "Surplus of a good deal.", "credits", ge=0, le=CREDITS_MAX)
    s_minus: float = knob(1.0, "Loss of a bad deal.", "credits", ge=0, le=CREDITS_MAX)
    h: float = knob(2.0, "Harm that a bad deal does to others.", "credits", ge=0, le=CREDITS_MAX)
    theta: float = knob(0.5, "Initiator's share of the surplus.", ge=0, le=1)
    rho_a: float = knob(0.0, "Part of the harm to others that the initiator feels.", ge=0, le=5)
    rho_b: float = knob(0.0, "Part of the harm to others that the counterparty feels.", ge=0, le=5)
    w_rep: float = knob(1.0, "What a unit of reputation is worth.", "credits", ge=0, le=10)
    settle_on: Literal["proxy", "outcome"] = knob("proxy", "Whether accounts follow what is seen or what is true.")


class Conduct(Section):
    """What an initiator may choose, what it costs, and how it decides the outcome."""

    effort_menu: Annotated[tuple[Share, ...], Items] = knob(
        (0.0, 0.5, 1.0), "Efforts to choose from.", min_length=1, max_length=8
    )
    disguise_menu: Annotated[tuple[Share, ...], Items] = knob(
        (0.0, 0.5, 1.0), "Disguises to choose from.", min_length=1, max_length=8
    )
    transfer: float = knob(0.5, "Size of a full transfer.", "credits", ge=0, le=CREDITS_MAX)
    transfer_menu: Annotated[tuple[SignedShare, ...], Items] = knob(
        (-1.0, 0.0, 1.0),
        "Transfers to choose from, as multiples of `transfer`; below 0 the initiator extracts.",
        min_length=1,
        max_length=8,
    )
    effort_cost: float = knob(1.0, "Cost of full effort on the hardest task.", "credits", ge=0, le=CREDITS_MAX)
    disguise_cost: float = knob(0.25, "Cost of full disguise.", "credits", ge=0, le=CREDITS_MAX)
    q_low: float = knob(0.1, "Chance of a good outcome without effort.", ge=0, le=1)
    q_high: float = knob(0.95, "Chance of a good outcome with full effort and skill.", ge=0, le=1)
    quality_follows_cost: float = knob(
        0.0, "How far effort pays only on costly tasks: at 1 the chance grows with the task's cost.", ge=0, le=1
    )

    @field_validator("effort_menu", "disguise_menu", "transfer_menu")
    @classmethod
    def _is_a_menu(cls, menu: tuple[float, ...], info: Any) -> tuple[float, ...]:
        if any(first >= second for first, second in pairwise(menu)):
            raise broken_rule("", "the values must rise, each one once")
        if info.field_name == "transfer_menu" and 0.0 not in menu:
            raise broken_rule("", "must contain 0: a deal without a transfer is always possible")
        return menu

    @model_validator(mode="after")
    def _effort_helps(self) -> Self:
        if self.q_low > self.q_high:
            raise broken_rule("q_low", f"must not exceed q_high ({self.q_high:g}): effort cannot make outcomes worse")
        return self


class ProxyWeights(Section):
    """How much each trace counts in the proxy; only their ratios matter."""

    progress: float = knob(0.4, "Weight of visible progress.", ge=0, le=1e6)
    rework: float = knob(0.2, "Weight of rework.", ge=0, le=1e6)
    rejection_misuse: float = knob(0.2, "Weight of verifier rejections and tool misuse together.", ge=0, le=1e6)
    engagement: float = knob(0.2, "Weight of the counterparty's engagement.", ge=0, le=1e6)

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if self.progress + self.rework + self.rejection_misuse + self.engagement <= 0:
            raise broken_rule("", "at least one weight must be above 0")
        return self


class Proxy(Section):
    """How traces of an interaction become the probability p that it was good."""

    weights: ProxyWeights = knob(ProxyWeights(), "How much each trace counts.")
    k: float = knob(2.0, "Steepness of the sigmoid from score to p.", gt=0, le=50)
    calibration: Literal["fixed", "bayes"] = knob("fixed", "Whether p is the fixed sigmoid or Bayes' posterior.")
    noise: Literal["counts", "gaussian", "uniform"] = knob(
        "counts", "Model of the traces; gaussian and uniform have closed forms."
    )
    prior: float = knob(0.5, "Chance of a good outcome before any trace is seen (bayes).", gt=0, lt=1)
    gaussian_mean: float = knob(0.3, "Mean score of a good outcome, and minus that of a bad one.", ge=0, le=10)
    gaussian_sd: float = knob(0.4, "Standard deviation of the score.", gt=0, le=10)
    phi: float = knob(0.4, "How much of a disguise also fools hard evidence.", ge=0, le=1)
    progress_gain: float = knob(0.7, "How strongly progress follows the soft trace.", ge=0, le=10)
    progress_noise: float = knob(0.35, "Standard deviation of progress.", ge=0, le=10)
    engagement_gain: float = knob(0.6, "How strongly engagement follows the soft trace.", ge=0, le=10)
    engagement_noise: float = knob(0.4, "Standard deviation of engagement.", ge=0, le=10)
    count_floor: float = knob(0.2, "Mean number of incidents of a clean interaction.", "incidents", gt=0, le=20)
    count_slope: float = knob(2.3, "Incidents that a bad outcome adds on average.", "incidents", ge=0, le=20)


class Trust(Section):
    """How agents remember each other."""

    slots: int = knob(32, "Partners an agent can remember.", "partners", ge=1, le=64)
    prior_mean: float = knob(0.6, "Trust in a stranger of neutral reputation.", ge=0.001, le=0.999)
    prior_strength: float = knob(2.0, "Deals that the prior is worth.", "deals", ge=0.01, le=1e6)
    decay: float = knob(0.9, "Share of remembered evidence kept per epoch.", "per epoch", ge=0, le=1)
    discovery: float = knob(0.5, "Chance that the counterparty learns the outcome after a deal.", ge=0, le=1)
    minimum: float = knob(1 / 3, "Least trust at which an honest agent proposes.", ge=0, le=1)
    screen_weight: float = knob(1.0, "Weight of the look at a proposal beside trust.", ge=0, le=100)


class Reputation(Section):
    """How public standing moves."""

    keep: float = knob(0.9, "Share of reputation kept at each accepted deal; the rest comes from the deal.", ge=0, le=1)
    ballot_gain: float = knob(0.3, "Reputation moved by a unanimous vote at epoch end.", ge=0, le=10)
    bound: float = knob(1.5, "Largest reputation, either way.", gt=0, le=10)


class Adaptive(Section):
    """How policies that weigh payoffs look ahead."""

    patience: float = knob(2.0, "Deals ahead whose value an agent considers.", "deals", ge=0, le=1000)
    payoff_start: float = knob(0.4, "Payoff per deal expected before experience.", "credits", ge=-100, le=100)
    payoff_floor: float = knob(0.05, "Least payoff per deal it ever expects.", "credits", ge=0, le=100)
    payoff_memory: float = knob(0.1, "Weight of the newest deal in the expected payoff.", gt=0, le=1)
    exploit_trust: float = knob(0.65, "Trust above which a deceptive agent starts to exploit.", ge=0, le=1)
    caution_steps: int = knob(10, "How long a caught deceptive agent behaves.", "steps", ge=0, le=1_000_000)
    harm_cost_weight: float = knob(0.05, "Weight of its own cost to an adversarial agent.", ge=0, le=100)
    belief: Literal["experience", "public"] = knob(
        "experience", "Whether learning agents correct the announced chances by what they have met."
    )
    belief_weight: float = knob(20.0, "Own deals that an announced chance is worth.", "deals", gt=0, le=1e6)
    leniency: float = knob(0.5, "Chance, before experience, that a partner looks at its own gain alone.", ge=0, le=1)
    leniency_floor: float = knob(0.05, "How close to certainty that belief may come.", ge=0, le=0.5)
    identity_horizon: int = knob(5, "Time ahead that counts for a further identity.", "epochs", ge=1, le=100)
    identity_endowment: float = knob(
        10.0, "What an owner gives a further identity, as far as it has it.", "credits", ge=0, le=CREDITS_MAX
    )
    identities_at_once: int = knob(1, "Identities of one owner that may act in the same step.", ge=1, le=1000)


class FeedSettings(Section):
    """The public feed of posts, replies and votes."""

    capacity: int = knob(64, "Posts kept in memory.", "posts", ge=64, le=1024, multiple_of=64)
    visible: int = knob(20, "Posts an agent sees.", "posts", ge=1, le=1024)
    alpha: float = knob(0.5, "Weight of a reply in a post's rank.", "votes", ge=0, le=1000)
    beta: float = knob(0.1, "Rank a post loses with age.", "votes per step", ge=0, le=1000)
    post_rate: float = knob(0.1, "Chance that an agent posts.", "per step", ge=0, le=1)
    reply_rate: float = knob(0.1, "Chance that an agent replies.", "per step", ge=0, le=1)
    vote_rate: float = knob(0.3, "Chance that an agent votes.", "per step", ge=0, le=1)
    poster_rate: float = knob(0.5, "Chance that an agent in the role poster posts.", "per step", ge=0, le=1)
    message_worth: float = knob(0.2, "What a message is worth to its author on average.", "credits", ge=0, le=1000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.visible > self.capacity:
            raise broken_rule("visible", f"must not exceed feed.capacity ({self.capacity}), got {self.visible}")
        total = self.post_rate + self.reply_rate + self.vote_rate
        if total > 1 + 1e-12:
            raise broken_rule("vote_rate", f"post_rate + reply_rate + vote_rate must not exceed 1, got {total:g}")
        return self


class TaskSettings(Section):
    """Work that needs a planner, a worker and a verifier."""

    per_epoch: int = knob(1, "Tasks opened per epoch.", "tasks per epoch", ge=0, le=1000)
    budget: float = knob(4.0, "Pay for a completed task.", "credits", ge=0, le=CREDITS_MAX)
    duration_epochs: int = knob(2, "Time until a task's deadline.", "epochs", ge=1, le=1_000_000)
    capacity: int = knob(64, "Tasks that can be open at once.", "tasks", ge=1, le=4096)


class Phases(Section):
    """Parts of a step that can be switched off."""

    feed: bool = knob(True, "Posts, replies and votes.")
    tasks: bool = knob(True, "Planned work.")
    proposals: bool = knob(True, "Deals between agents.")
    market: bool = knob(False, "Bounties, bids and escrow.")


class Simulation(Section):
    """How long a run is, who moves when, and the seed of all chance."""

    epochs: int = knob(10, "Length of the run.", "epochs", ge=0, le=1_000_000)
    steps_per_epoch: int = knob(10, "Length of an epoch.", "steps", ge=1, le=10_000)
    seed: int = knob(42, "Seed of every random draw.", ge=0, le=2**63 - 1)
    turns: Literal["simultaneous", "sequential"] = knob(
        "simultaneous", "Whether all decide on the same state or one after the other."
    )
    order: Literal["round_robin", "random", "priority"] = knob(
        "round_robin", "Who comes first in a step; under simultaneous turns it settles conflicts."
    )
    phases: Phases = knob(Phases(), "Parts of a step that are on.")
    decision_replays: int = knob(
        0, "How often each answer is asked for again under other luck, to measure incoherence.", ge=0, le=1000
    )


class Safety(Section):
    """Limits that bind every agent alike, whatever its policy."""

    max_posts_per_epoch: int = knob(10, "Posts an agent may write.", "posts per epoch", ge=0, le=1_000_000)
    max_interactions_per_step: int = knob(5, "Deals an agent may take part in.", "deals per step", ge=0, le=1_000_000)
    max_content_length: int = knob(1000, "Longest content of a post or submission.", "characters", ge=1, le=100_000)
    min_time_between_posts: float = knob(1.0, "Least time between two posts of an agent.", "steps", ge=0, le=1e6)
    budget_per_epoch: float = knob(100.0, "Most an agent may spend.", "credits per epoch", ge=0, le=1e9)
    kill_switch_enabled: bool = knob(True, "Whether the run can be stopped from outside within one turn.")
    rate_limit_capacity: float = knob(20.0, "Actions an agent may take in a burst.", "tokens", ge=0, le=1e6)
    rate_limit_refill: float = knob(10.0, "Actions an agent regains.", "tokens per step", ge=0, le=1e6)


class LogSettings(Section):
    """How much of a run is written down."""

    level: Literal["full", "columns", "epoch"] = knob("full", "Every event as a line, as columns, or epochs only.")


class Scenario(Section):
    """One experiment: who takes part, under which rules, for how long."""

    scenario_id: str = Field(
        description="Name of the scenario: small letters, digits, _ and -.", pattern=r"^[a-z0-9_-]{1,64}$"
    )
    motif: str | None = knob(None, "Free label of the situation studied.", max_length=200)
    description: str = knob("", "What the scenario is about, in a sentence or two.", max_length=10_000)
    agents: Annotated[tuple[AgentGroup, ...], Items] = Field(
        description="Groups of agents present from the start.", min_length=1, max_length=10_000
    )
    population: Population = knob(Population(), "How the set of agents changes.")
    environment: Environment = knob(Environment(), "What agents start with and what the world rewards.")
    payoff: Payoff = knob(Payoff(), "What a deal is worth.")
    conduct: Conduct = knob(Conduct(), "What an initiator may choose.")
    proxy: Proxy = knob(Proxy(), "How traces become p.")
    trust: Trust = knob(Trust(), "How agents remember each other.")
    reputation: Reputation = knob(Reputation(), "How public standing moves.")
    adaptive: Adaptive = knob(Adaptive(), "How policies that weigh payoffs look ahead.")
    feed: FeedSettings = knob(FeedSettings(), "The public feed.")
    tasks: TaskSettings = knob(TaskSettings(), "Planned work.")
    market: MarketSettings = knob(MarketSettings(), "Bounties on work, bids for it, and who verifies it.")
    simulation: Simulation = knob(Simulation(), "Length, order and seed of the run.")
    acceptance: Literal["policy", "joint", "consent", "all"] = knob(
        "policy", "Who decides on a proposal: the policies, or one rule for all."
    )
    adaptation: Literal["frozen", "learning"] = knob(
        "learning", "Whether agents respond to levers and learn from experience; frozen: they do neither."
    )
    safety: Safety = knob(Safety(), "Limits that bind every agent.")
    governance: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Levers in force, each with its parameters; see `mesocosm list levers`."
    )
    metrics_to_track: Annotated[tuple[str, ...], Items] = knob((), "Metrics to print; empty for the usual ones.")
    log: LogSettings = knob(LogSettings(), "How much of a run is written down.")

    _texts = field_validator("motif", "description")(lambda value: value if value is None else plain_text(value))

    @property
    def agents_initial(self) -> int:
        """How many agents are present at the start."""
        return sum(group.count for group in self.agents)

    @property
    def agents_max(self) -> int:
        """Rows that a replicate needs: `population.capacity`, or all who are listed, and their further identities."""
        listed = self.agents_initial + sum(group.count for group in self.population.arrivals)
        further = further_identities(self.agents, self.population)
        return further + (self.population.capacity if self.population.capacity is not None else listed)

    @model_validator(mode="after")
    def _everyone_fits(self) -> Self:
        room = misfits(self.agents, self.population, self.environment)
        for path, message in [*room, *too_hasty(self.market, self.simulation)]:
            raise broken_rule(".".join(map(str, path)), message)
        return self


def further_identities(agents: tuple[AgentGroup, ...], population: Population) -> int:
    """Identities that owners may open beside their own: each has a slot, whatever `population.capacity` says."""
    return sum(group.count * (group.identities - 1) for group in (*agents, *population.arrivals))


def misfits(
    agents: tuple[AgentGroup, ...], population: Population, environment: Environment
) -> list[tuple[tuple[str | int, ...], str]]:
    """Rules that tie the agents to the room and the money there is: the key path of each broken one, and why."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    listed = sum(group.count for group in agents) + sum(group.count for group in population.arrivals)
    room = population.capacity if population.capacity is not None else listed
    if room < listed:
        found.append(
            (("population", "capacity"), f"must be at least {listed}, the agents and arrivals listed; got {room}")
        )
    if room * environment.initial_budget > CREDITS_TOTAL_MAX:
        found.append(
            (("environment", "initial_budget"), f"times {room} agents exceeds {CREDITS_TOTAL_MAX:g} credits in all")
        )
    rows = room + further_identities(agents, population)
    if rows > 10_000_000:
        found.append((("agents",), f"at most 10000000 agents and identities fit into one run, got {rows}"))
    return found


def too_hasty(market: MarketSettings, simulation: Simulation) -> list[tuple[tuple[str | int, ...], str]]:
    """The rule that ties deadlines of the market to the length of epochs: the key path if it is broken, and why."""
    steps = market.deadline_epochs * simulation.steps_per_epoch
    if not simulation.phases.market or steps >= 2:
        return []
    told = "work is done in the step after it was given out, so with epochs of one step a deadline is 2 epochs or more"
    return [(("market", "deadline_epochs"), told)]
