"""An honest agent as one Python object per agent; it plays exactly like the built-in honest policy."""

from mesocosm.agents.contract import Action, BaseAgent, InteractionProposal, Observation, agent


@agent("my_honest")
class MyHonest(BaseAgent):
    """Maximise joint surplus: full effort, no disguise, no transfer; accept what is good for both sides."""

    def propose_interaction(self, observation: Observation) -> InteractionProposal | None:
        """Ask the more trusted candidate, nobody below the least trust."""
        best = max(observation.candidates, key=lambda candidate: candidate.trust_in, default=None)
        if best is None or best.trust_in < observation.rule.minimum:
            return None
        return InteractionProposal(best.agent_id, effort=max(observation.efforts), disguise=min(observation.disguises))

    def accept_interaction(self, proposal: InteractionProposal) -> bool:
        """Accept what clears both the own and the joint bar."""
        return proposal.clears(max(proposal.own_bar, proposal.joint_bar))

    def select_action(self, observation: Observation) -> Action:
        """Work in full, approve what looks good, vote by trust."""
        return self.usual_action(
            observation,
            vote=1 if observation.author_trust >= 0.5 else -1,
            approve=observation.task is not None and observation.task.evidence > 1.0,
            distrusts=observation.author_trust < observation.rule.minimum,
        )
