"""Act, ask or refuse: a conformal prediction set over what may have been meant.

After KnowNo (Ren et al. 2023, arXiv:2307.01928), with feasibility in the labels (LAP, arXiv:2403.13198).
A label is a plan that the verifier proves, or `refuse`, or `other`, which stands for all that has no words
here: what is doubted, what the model leaves open, and what it was not asked about. The set holds every label
that is at least as likely as a threshold from held-out commands. One plan alone is acted on; refusals alone
are refused; all else is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.planner.candidates import MAX_CHOICES, Meaning, Proposal, meanings
from agent.planner.protocol import Candidate, Chat, History, Plan, PredictionSet, Question, Refusal
from skills.scene import Scene

OTHER_WORDS = "Please say it in other words."
# A person is not offered what is so unlikely.
OFFERED = 0.05


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which probability on a label is likely.

    Attributes:
        value: Least probability of a likely label.
        basis: What it rests on, in words.
        calibrated: Whether the guarantee holds.
    """

    value: float
    basis: str
    calibrated: bool


@dataclass(frozen=True, slots=True)
class Labels:
    """Meanings as labels of a prediction set.

    Attributes:
        plans: What could be done and is believed, likeliest first.
        refuse: Probability that it is to be refused, whyever.
        other: Probability of everything else.
    """

    plans: tuple[Meaning, ...]
    refuse: float
    other: float

    @staticmethod
    def of(meant: Sequence[Meaning]) -> Labels:
        """Sort meanings into labels."""
        plans = tuple(m for m in meant if isinstance(m.decision, Plan) and not m.doubt)
        refuse = sum(m.share for m in meant if isinstance(m.decision, Refusal) and not m.doubt)
        return Labels(plans, refuse, max(0.0, 1.0 - refuse - sum(m.share for m in plans)))


def decide(
    proposals: Sequence[Proposal],
    scene: Scene,
    history: Sequence[History],
    threshold: Threshold,
    chats: tuple[Chat, ...] = (),
) -> Plan | Question | Refusal:
    """Form the set, and do what it says."""
    meant = meanings(proposals, scene, history)
    labels = Labels.of(meant)
    likely = [m for m in labels.plans if m.probability >= threshold.value]
    among = _told(meant, labels, threshold)
    single = len(likely) == 1 and max(labels.refuse, labels.other) < threshold.value
    decision = likely[0].decision if single else _unsure(meant, labels, likely, threshold)
    return replace(decision, chats=chats, among=among)


def _unsure(
    meant: Sequence[Meaning], labels: Labels, likely: Sequence[Meaning], threshold: Threshold
) -> Question | Refusal:
    refusal = next((m for m in meant if isinstance(m.decision, Refusal) and not m.doubt), None)
    refuse = refusal is not None and labels.refuse >= threshold.value
    if refusal is not None and refuse and not likely and labels.refuse > labels.other:
        assert isinstance(refusal.decision, Refusal)
        return refusal.decision
    offered = list(likely)
    if labels.other >= threshold.value or not likely:
        plans = [m for m in meant if isinstance(m.decision, Plan) and m.decision.graph]
        offered += [m for m in plans if m.probability >= OFFERED and m not in likely]
    if asked := _same_question(offered):
        return asked
    why = refusal.words if refusal is not None and refuse else next((m.doubt for m in meant if m.doubt), "")
    if not offered:
        return _open(meant, why)
    return _choice(offered[:MAX_CHOICES], why)


def _same_question(offered: Sequence[Meaning]) -> Question | None:
    """The grounder's own question, when all that is unclear is which object it asks about."""
    first = offered[0] if len(offered) > 1 else None
    if first is None or first.asked is None or first.doubt:
        return None
    if any((m.form, m.asked, m.doubt, len(m.objects)) != (first.form, first.asked, "", 1) for m in offered):
        return None
    assert first.form is not None
    ranked = sorted(offered, key=lambda m: first.asked.objects.index(m.objects[0]))  # type: ignore[union-attr]
    names = tuple(m.objects[0] for m in ranked)
    labels = dict(zip(first.asked.objects, first.asked.options, strict=True))
    options = tuple(labels[name] for name in names)
    return replace(first.asked, options=options, objects=names, forms=(first.form.text(),) * len(names))


def _choice(offered: Sequence[Meaning], why: str) -> Question:
    options = tuple(dict.fromkeys(m.words for m in offered))
    chosen = [next(m for m in offered if m.words == words) for words in options]
    text = "What shall I do?" if len(options) > 1 else f"Shall I {options[0]}?"
    return Question(
        f"{_sentence(why)} {text}".strip(),
        options,
        "NOT_UNDERSTOOD",
        tuple(" ".join(m.objects) for m in chosen),
        tuple(m.form.text() if m.form else "" for m in chosen),
    )


def _open(meant: Sequence[Meaning], why: str) -> Question:
    """Nothing can be offered: what the grounder or the model would ask, or for other words."""
    asks = next((m.decision for m in meant if isinstance(m.decision, Question) and not m.doubt), None)
    if asks is not None and not why:
        return asks
    return Question(f"{_sentence(why or 'I am not sure what you mean')} {OTHER_WORDS}", (), "NOT_UNDERSTOOD")


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:]}." if why else ""


def _told(meant: Sequence[Meaning], labels: Labels, threshold: Threshold) -> PredictionSet:
    """The set as it is told; what has no words comes last."""
    kinds = {Plan: "plan", Refusal: "refusal", Question: "other"}
    candidates = []
    for m in meant:
        kind = kinds[type(m.decision)]
        mass = {"plan": m.probability, "refusal": labels.refuse, "other": labels.other}[kind]
        likely = (labels.other if m.doubt else mass) >= threshold.value
        why = m.doubt or (m.words if kind == "refusal" else "")
        candidates.append(Candidate(m.words, kind, round(m.probability, 4), likely, why))
    rest = max(0.0, 1.0 - sum(m.share for m in meant))
    if rest >= 0.001:
        candidates.append(
            Candidate("anything else", "other", round(rest, 4), labels.other >= threshold.value)
        )
    return PredictionSet(tuple(candidates), threshold.value, threshold.basis, threshold.calibrated)
