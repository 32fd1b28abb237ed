"""What may have been meant: readings of an instruction, grounded, proved, and merged where they agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agent.planner.grounder import ground
from agent.planner.logical_form import LogicalForm
from agent.planner.protocol import Answer, History, Plan, Question, Refusal
from agent.planner.wording import in_words
from skills.scene import Scene
from skills.verify import Refutation, prove

# More than a person would read; a longer list is asked about as the grounder asks.
MAX_CHOICES = 6
_MAX_QUESTIONS = 2


@dataclass(frozen=True, slots=True)
class Proposal:
    """One way to read an instruction, not grounded yet.

    Attributes:
        form: What it says; None when it says nothing in the plan language.
        probability: What the model gives it.
        doubt: Why it should not be believed; empty when nothing speaks against it.
        said: For each step of the form, the words that it was read from.
        log_probability: Mean over the model's free choices.
    """

    form: LogicalForm | None
    probability: float
    doubt: str = ""
    said: tuple[tuple[str, ...], ...] = ()
    log_probability: float = 0.0


@dataclass(frozen=True, slots=True)
class Meaning:
    """Something that may have been meant, on this scene.

    Attributes:
        decision: A proved plan, a refusal, or a question that no choice among objects settles.
        words: The same in plain words; two meanings with the same words are one.
        probability: Of all readings that allow it. Where a reading leaves open which object is meant, each
            choice has all of its probability: the model only says what they look like, so none is likelier.
        share: The same, dealt out among the choices; all shares together are 1 at most.
        doubt: As of its likeliest reading.
        form: The logical form it was grounded from.
        objects: Ids that were chosen where several would do.
        asked: What the grounder would ask; None when it chose nothing.
    """

    decision: Plan | Question | Refusal
    words: str
    probability: float
    share: float
    doubt: str = ""
    form: LogicalForm | None = None
    objects: tuple[str, ...] = ()
    asked: Question | None = None


def meanings(proposals: Sequence[Proposal], scene: Scene, history: Sequence[History]) -> tuple[Meaning, ...]:
    """Every meaning of every proposal, likeliest first. What is doubted stays apart from what is believed."""
    merged: dict[tuple[str, str, bool], Meaning] = {}
    for proposal in proposals:
        for meaning in _of(proposal, scene, history):
            key = (type(meaning.decision).__name__, meaning.words, bool(meaning.doubt))
            known = merged.get(key)
            likelier = known if known and known.probability >= meaning.probability else meaning
            if known:
                total = meaning.probability + known.probability
                likelier = replace(likelier, probability=total, share=meaning.share + known.share)
            merged[key] = likelier
    return tuple(sorted(merged.values(), key=lambda m: -m.probability))


def _of(proposal: Proposal, scene: Scene, history: Sequence[History]) -> Iterator[Meaning]:
    form, doubt = proposal.form, proposal.doubt
    if form is None:
        open_one = Question(doubt, (), "NOT_UNDERSTOOD")
        yield Meaning(open_one, doubt, proposal.probability, proposal.probability, doubt)
        return
    for share, found, objects, asked in _grounded(form, scene, tuple(history)):
        decision, whole = found, proposal.probability
        if isinstance(decision, Plan):
            decision = replace(decision, said=proposal.said, log_probability=proposal.log_probability)
        words = _words(decision, scene)
        yield Meaning(decision, words, whole, share * whole, doubt, form, objects, asked)


Grounded = tuple[float, Plan | Question | Refusal, tuple[str, ...], Question | None]


def _grounded(
    form: LogicalForm, scene: Scene, history: tuple[History, ...], asked: int = 0
) -> Iterator[Grounded]:
    """What a form comes to.

    Where several objects would do, each of them, with an equal share.
    """
    found = ground(form, scene, history)
    if isinstance(found, Plan):
        yield 1.0, feasible(found, scene), (), None
        return
    choices = found.objects if isinstance(found, Question) else ()
    if not isinstance(found, Question) or not 0 < len(choices) <= MAX_CHOICES or asked == _MAX_QUESTIONS:
        yield 1.0, found, (), None
        return
    for option, name in zip(found.options, choices, strict=True):
        for share, decision, objects, _ in _grounded(
            form, scene, (*history, Answer(found, option)), asked + 1
        ):
            yield share / len(choices), decision, (name, *objects), found


def feasible(plan: Plan, scene: Scene) -> Plan | Refusal:
    """The plan when it can be proved; else a refusal that names the precondition that is missing."""
    proof = prove(plan.graph, scene, plan.goal)
    if isinstance(proof, Refutation):
        return Refusal(
            "IMPOSSIBLE", f"that cannot work: {proof.reason}", "change that first, or ask for less"
        )
    return plan


def _words(decision: Plan | Question | Refusal, scene: Scene) -> str:
    match decision:
        case Plan(graph=graph):
            return in_words(graph, scene)
        case Question(text=text):
            return text
        case Refusal(message=message):
            return message
