"""Every word of a trace: span names, attributes, link kinds and log records, said once.

GenAI semantic conventions (and OpenInference's span kind) where they have a name, `tandem.*`
elsewhere. Nothing outside this module spells a name out; the table of all of them is pinned by a test.

    invoke_workflow command                    the whole command
    └ invoke_agent planner                     System 2 at work
      ├ tandem.perceive                        pixels to scene
      ├ plan                                   instruction and scene to a proved skill graph
      │ └ chat {model}                         one exchange with a language model
      ├ tandem.ask human                       a question to a person
      └ execute_tool {skill}                   one attempt at one node
        ├ chunk {k}                            one action chunk, from its observation to the body's report
        │ │ log records: tandem.guard, tandem.monitor.alarm
        │ └ tandem.body.execute                the body at work on it, in its own process
        └ tandem.evaluate                      is the effect true now?

Parent is containment; links are causes (`LinkKind`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

SCHEMA_VERSION: Final = 2
"""Of this vocabulary and of the log's records. 1: no `link` records, fewer inputs of decisions."""
READABLE_VERSIONS: Final = (1, 2)
SEMCONV_VERSION: Final = "1.44.0"
"""OpenTelemetry semantic conventions that the `gen_ai.*`, `error.*` and `server.*` names are taken from."""
SEMCONV_URL: Final = f"https://opentelemetry.io/schemas/{SEMCONV_VERSION}"
SCOPE: Final = "tandem"


@dataclass(frozen=True, slots=True)
class SpanKind:
    """What a span name stands for.

    Attributes:
        template: The name, with `{fields}` to fill in.
        operation: Its `gen_ai.operation.name`; empty where the conventions have none.
        openinference: Its `openinference.span.kind`.
        meaning: One sentence.
    """

    template: str
    operation: str
    openinference: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """What an attribute holds.

    Attributes:
        type: `str`, `int`, `float`, `bool`, `str[]`, `json` (a string holding JSON) or `blob` (a sha256).
        unit: `s`, `m`, `Hz`, ...; empty for what has none.
        meaning: One sentence.
    """

    type: str
    unit: str
    meaning: str


class LinkKind(StrEnum):
    """Why one span points at another."""

    OBSERVED = "observed"
    """It used what the other saw (chunk → perceive, plan → perceive)."""
    CAUSED_BY = "caused_by"
    """It happened because of the other (replan → evaluate that failed, ask → plan that was unsure)."""
    JUDGES = "judges"
    """It passes judgement on the other (evaluate → chunks, plan proof → plan)."""
    REASON = "reason"
    """The other explains its result (workflow outcome → the judgement or plan that ended it)."""
    FORKED_FROM = "forked_from"
    """This run goes on from the other's chunk, in another run's trace (workflow → chunk)."""


_SPANS: dict[str, SpanKind] = {}
_ATTRIBUTES: dict[str, Attribute] = {}
_LOGS: dict[str, str] = {}


def _span(template: str, operation: str, openinference: str, meaning: str) -> str:
    _SPANS[template.split(" ", 1)[0]] = SpanKind(template, operation, openinference, meaning)
    return template


def _attribute(name: str, type_: str, meaning: str, unit: str = "") -> str:
    _ATTRIBUTES[name] = Attribute(type_, unit, meaning)
    return name


def _log(name: str, meaning: str) -> str:
    _LOGS[name] = meaning
    return name


# Spans
COMMAND: Final = _span(
    "invoke_workflow command", "invoke_workflow", "CHAIN", "One command, start to outcome."
)
AGENT: Final = _span(
    "invoke_agent planner", "invoke_agent", "AGENT", "System 2: perceive, plan, execute, ask."
)
PLAN: Final = _span("plan", "plan", "CHAIN", "Instruction and scene to a proved skill graph.")
CHAT: Final = _span("chat {model}", "chat", "LLM", "One exchange with a language model.")
SKILL: Final = _span("execute_tool {skill}", "execute_tool", "TOOL", "One attempt at one node.")
CHUNK: Final = _span("chunk {k}", "", "CHAIN", "One action chunk, from its observation to the body's report.")
BODY_EXECUTE: Final = _span(
    "tandem.body.execute", "", "CHAIN", "The body at work on a chunk, in its own process."
)
PERCEIVE: Final = _span("tandem.perceive", "", "CHAIN", "Camera images to a symbolic scene.")
EVALUATE: Final = _span("tandem.evaluate", "", "EVALUATOR", "A success test on what is perceived now.")
ASK: Final = _span("tandem.ask human", "", "CHAIN", "A question to a person, and the answer.")

# Set by the recorder on every span or link
OPERATION: Final = _attribute("gen_ai.operation.name", "str", "What kind of GenAI operation a span is.")
OPENINFERENCE_KIND: Final = _attribute("openinference.span.kind", "str", "The span's kind for OpenInference.")
LINK_KIND: Final = _attribute("tandem.link.kind", "str", "Why a link points where it points (`LinkKind`).")
ERROR_TYPE: Final = _attribute("error.type", "str", "Stable code of what went wrong on this span.")
SCHEMA: Final = _attribute("tandem.schema.version", "int", "Version of this vocabulary.")

# The command
WORKFLOW_NAME: Final = _attribute("gen_ai.workflow.name", "str", "Always `command`.")
CONVERSATION_ID: Final = _attribute("gen_ai.conversation.id", "str", "Commands of one session share it.")
COMMAND_TEXT: Final = _attribute("tandem.command.text", "str", "The instruction as it was given.")
SEED: Final = _attribute("tandem.seed", "int", "Seed of every keyed random stream of the run.")
CONFIG: Final = _attribute("tandem.config", "json", "Settings that the run was started with.")
CODE_VERSION: Final = _attribute("tandem.version", "str", "Version of the Tandem that wrote the trace.")
PLANNER_ID: Final = _attribute("tandem.planner.id", "str", "Planner backend and model.")
OUTCOME: Final = _attribute(
    "tandem.outcome", "str", "How the command ended, from the closed list of outcomes."
)
OUTCOME_CODE: Final = _attribute("tandem.outcome.code", "str", "Stable reason; empty on success.")
OUTCOME_MESSAGE: Final = _attribute("tandem.outcome.message", "str", "The reason in one sentence.")

# The world and the body
SCENE_NAME: Final = _attribute("tandem.scene.name", "str", "Name of the scene that was set up.")
SCENE_REF: Final = _attribute("tandem.scene.ref", "blob", "The placed scene as JSON; rebuilds the world.")
CLOCK: Final = _attribute("tandem.clock", "str", "`lockstep` or `realtime`.")
EMBODIMENT: Final = _attribute("tandem.embodiment", "str", "Which arm.")
WORLD_USED: Final = _attribute(
    "tandem.world.used", "bool", "Whether the body and the mind had carried out commands before."
)
STATE_HASH_INITIAL: Final = _attribute(
    "tandem.state.hash.initial", "str", "sha256 of the physical state before the first motion."
)
STATE_HASH: Final = _attribute("tandem.state.hash", "str", "sha256 of the physical state after this motion.")
STATE_MARKS_REF: Final = _attribute(
    "tandem.state.marks.ref", "blob", "npz with `marks` uint16 [steps, bodies]: checksums of poses."
)
BODY_TIME_S: Final = _attribute("tandem.body.time_s", "float", "The body's clock.", "s")
BODY_LATCHED: Final = _attribute(
    "tandem.body.latched", "bool", "A stop is latched: nothing moves until reset."
)
TRACKING_ERROR_M: Final = _attribute(
    "tandem.tracking.error_m", "float", "Largest commanded-to-measured tool distance.", "m"
)

# The agent
AGENT_NAME: Final = _attribute("gen_ai.agent.name", "str", "Always `planner`.")
AGENT_VERSION: Final = _attribute("gen_ai.agent.version", "str", "Version of the agent.")

# Perceiving
OBSERVATION_SEQUENCE: Final = _attribute(
    "tandem.observation.sequence", "int", "Which observation of the body."
)
OBSERVATION_TIME_S: Final = _attribute("tandem.observation.time_s", "float", "The body's clock then.", "s")
OVERHEAD_REF: Final = _attribute("tandem.observation.overhead.ref", "blob", "Overhead camera, PNG or JPEG.")
TABLE_REF: Final = _attribute("tandem.observation.table.ref", "blob", "The policy's view from above.")
WRIST_REF: Final = _attribute("tandem.observation.wrist.ref", "blob", "Wrist camera, PNG or JPEG.")
FRONT_REF: Final = _attribute("tandem.observation.front.ref", "blob", "Spectator camera, PNG or JPEG.")
DEPTH_REF: Final = _attribute("tandem.observation.depth.ref", "blob", "npz, by camera: float32 [H, W], m.")
CALIBRATION_REF: Final = _attribute(
    "tandem.observation.calibration.ref", "blob", "npz, by camera: intrinsics [3, 3] and pose [4, 4]."
)
PROPRIOCEPTION_REF: Final = _attribute("tandem.observation.proprioception.ref", "blob", "Arm state, npz.")
PERCEPTION_MODEL: Final = _attribute("tandem.perception.model", "str", "Name or sha256 of the detector.")
PERCEIVED_REF: Final = _attribute("tandem.perception.scene.ref", "blob", "The perceived scene as JSON.")
BELIEVED_REF: Final = _attribute(
    "tandem.perception.believed.ref", "blob", "The scene as it is believed from then on, hidden things kept."
)
PERCEPTION_HELD: Final = _attribute("tandem.perception.held", "str", "Id of the object in the hand then.")
PERCEIVED_OBJECTS: Final = _attribute("tandem.perception.objects", "int", "How many objects were perceived.")

# Planning
PLAN_VERSION: Final = _attribute("tandem.plan.version", "int", "Counts the plans of a command from 0.")
PLAN_TRIGGER: Final = _attribute(
    "tandem.plan.trigger", "str", "`initial`, `proof`, `postcondition`, `recheck`, `monitor` or `human`."
)
PLAN_REASON: Final = _attribute("tandem.plan.reason", "str", "What the planner was told about the trigger.")
PLAN_REF: Final = _attribute("tandem.plan.ref", "blob", "The proved plan as JSON.")
PLAN_HISTORY_REF: Final = _attribute("tandem.plan.history.ref", "blob", "What had failed or been answered.")
PLAN_DECISION_REF: Final = _attribute("tandem.plan.decision.ref", "blob", "The whole decision as JSON.")
PLAN_NODES: Final = _attribute("tandem.plan.nodes", "int", "How many nodes the plan has.")
PLAN_DECISION: Final = _attribute("tandem.plan.decision", "str", "`plan`, `question` or `refusal`.")
PLAN_SET_REF: Final = _attribute(
    "tandem.plan.set.ref", "blob", "What may have been meant, as JSON: words, probability, in the set or not."
)
PLAN_SET_SIZE: Final = _attribute(
    "tandem.plan.set.size", "int", "How many of them are in the prediction set."
)
PLAN_SET_THRESHOLD: Final = _attribute(
    "tandem.plan.set.threshold", "float", "Least probability of what is in the set."
)
PLAN_SET_BASIS: Final = _attribute(
    "tandem.plan.set.basis", "str", "What the threshold rests on: a calibration, or why there is none."
)
PLAN_SET_CALIBRATED: Final = _attribute(
    "tandem.plan.set.calibrated", "bool", "The guarantee of the calibration holds."
)
PROOF_ERROR: Final = _attribute("tandem.plan.proof.error", "str", "Which node fails the proof, and why.")

# One exchange with a language model
PROVIDER: Final = _attribute("gen_ai.provider.name", "str", "Who serves the model: `embedded`, `openai`, ...")
REQUEST_MODEL: Final = _attribute("gen_ai.request.model", "str", "Model that was asked.")
REQUEST_TEMPERATURE: Final = _attribute("gen_ai.request.temperature", "float", "Sampling temperature.")
REQUEST_SEED: Final = _attribute("gen_ai.request.seed", "int", "Sampling seed.")
REQUEST_MAX_TOKENS: Final = _attribute("gen_ai.request.max_tokens", "int", "Cap on generated tokens.")
RESPONSE_MODEL: Final = _attribute("gen_ai.response.model", "str", "Model that answered.")
RESPONSE_FINISH: Final = _attribute("gen_ai.response.finish_reasons", "str[]", "Why generation ended.")
INPUT_TOKENS: Final = _attribute("gen_ai.usage.input_tokens", "int", "Tokens of the prompt.")
OUTPUT_TOKENS: Final = _attribute("gen_ai.usage.output_tokens", "int", "Tokens that were generated.")
SERVER_ADDRESS: Final = _attribute("server.address", "str", "Host of the endpoint; never its credentials.")
CHAT_INPUT_REF: Final = _attribute("tandem.chat.input.ref", "blob", "The messages that were sent, JSON.")
CHAT_OUTPUT_REF: Final = _attribute("tandem.chat.output.ref", "blob", "The answer, text as received.")
CHAT_LATENCY_S: Final = _attribute("tandem.chat.latency_s", "float", "From request to answer.", "s")
CHAT_LOG_PROBABILITY: Final = _attribute(
    "tandem.chat.log_probability", "float", "Of the answer as a whole; absent where it is not known."
)
CHAT_ATTEMPT: Final = _attribute("tandem.chat.attempt", "int", "Counts tries of one request from 1.")

# One attempt at one node
TOOL_NAME: Final = _attribute("gen_ai.tool.name", "str", "The skill.")
TOOL_TYPE: Final = _attribute("gen_ai.tool.type", "str", "Always `function`.")
TOOL_CALL_ID: Final = _attribute("gen_ai.tool.call.id", "str", "The node of the skill graph.")
TOOL_ARGUMENTS: Final = _attribute("gen_ai.tool.call.arguments", "json", "The skill's grounded arguments.")
SKILL_ATTEMPT: Final = _attribute("tandem.skill.attempt", "int", "Counts tries of the node from 1.")
SKILL_SUBGOAL: Final = _attribute("tandem.skill.subgoal", "str", "The subgoal as System 1 is told it.")
SKILL_BUDGET_S: Final = _attribute("tandem.skill.budget_s", "float", "Time allowed, body's clock.", "s")
SKILL_SUCCEEDED: Final = _attribute("tandem.skill.succeeded", "bool", "The success test said yes.")
SKILL_REASON: Final = _attribute("tandem.skill.reason", "str", "Why it succeeded or not.")
ROUTE: Final = _attribute("tandem.route", "str", "`generalist` or `specialist`.")
ROUTE_REASON: Final = _attribute("tandem.route.reason", "str", "Why the router chose so.")

# One chunk
CHUNK_ID: Final = _attribute("tandem.chunk.id", "int", "Counts chunks of the command from 0.")
CHUNK_REF: Final = _attribute("tandem.chunk.ref", "blob", "npz with `actions` float32 [horizon, 7].")
INSTRUCTION_REF: Final = _attribute(
    "tandem.policy.instruction.ref", "blob", "What the policy was told: text, and target pose if any."
)
CHUNK_RATE_HZ: Final = _attribute("tandem.chunk.rate_hz", "float", "Rate at which rows are consumed.", "Hz")
CHUNK_EXPIRES_S: Final = _attribute("tandem.chunk.expires_s", "float", "Must not start after this.", "s")
CHUNK_ROWS_EXECUTED: Final = _attribute("tandem.chunk.rows_executed", "int", "Rows carried out in full.")
CHUNK_STEPS_EXECUTED: Final = _attribute(
    "tandem.chunk.steps_executed", "int", "Control steps carried out; less than all after a stop."
)
POLICY_ID: Final = _attribute("tandem.policy.id", "str", "Policy that made the chunk, with version.")
POLICY_PROGRESS: Final = _attribute("tandem.policy.progress", "float", "The policy's own belief, 0..1.")
POLICY_LATENCY_S: Final = _attribute(
    "tandem.policy.latency_s", "float", "Wall time of the forward pass.", "s"
)
POLICY_FEATURES_REF: Final = _attribute("tandem.policy.features.ref", "blob", "npz that the monitor read.")
GUARD_DECISION: Final = _attribute("tandem.guard.decision", "str", "`pass`, `clamp`, `hold` or `stop`.")
GUARD_LIMIT: Final = _attribute("tandem.guard.limit", "str", "Which limit decided; empty on pass.")
GUARD_VALUE: Final = _attribute("tandem.guard.value", "float", "The offending value, in the limit's unit.")
GUARD_BOUND: Final = _attribute("tandem.guard.bound", "float", "The limit itself.")
GUARD_STEP: Final = _attribute("tandem.guard.step", "int", "Control step in the chunk; -1 for the whole.")
GUARD_CLAMPS: Final = _attribute("tandem.guard.clamps", "int", "How many control steps were clamped.")
MONITOR_NAME: Final = _attribute("tandem.monitor.name", "str", "Which monitor.")
MONITOR_LEVEL: Final = _attribute("tandem.monitor.level", "str", "`ok`, `warn` or `act`.")
MONITOR_SCORE: Final = _attribute("tandem.monitor.score", "float", "The score, larger is stranger.")
MONITOR_THRESHOLD: Final = _attribute("tandem.monitor.threshold", "float", "What the score is compared to.")
MONITOR_SCORES: Final = _attribute(
    "tandem.monitor.scores", "json", "Every score with its bound: {name: [score, bound]}."
)
MONITOR_CHANNELS: Final = _attribute(
    "tandem.monitor.channels", "json", "Calibrated scores by channel; the largest is held against the bound."
)
MONITOR_RESPONSE: Final = _attribute(
    "tandem.monitor.response", "str", "`continue`, `retry`, `replan`, `ask` or `stop`; the arm held before."
)
MONITOR_EPISODE: Final = _attribute(
    "tandem.monitor.episode", "float", "Largest calibrated score of an attempt."
)
MONITOR_MODE: Final = _attribute("tandem.monitor.mode", "str", "`off`, `watch` or `act`.")
MONITOR_CALIBRATIONS: Final = _attribute(
    "tandem.monitor.calibrations",
    "json",
    "By kind of policy: what the calibration is of, or why there is none.",
)
SHADOW_TAKEN: Final = _attribute("tandem.shadow.taken", "str", "What was done because of the monitor.")
SHADOW_DECISION: Final = _attribute(
    "tandem.shadow.decision", "str", "What would have been done: `chunk`, `done` or `nothing`."
)
SHADOW_CHUNK_REF: Final = _attribute(
    "tandem.shadow.chunk.ref", "blob", "npz with `actions` of the chunk that was not carried out."
)

# Judging
EVALUATION_NAME: Final = _attribute("gen_ai.evaluation.name", "str", "The predicate that was tested.")
EVALUATION_LABEL: Final = _attribute("gen_ai.evaluation.score.label", "str", "`true`, `false` or `unknown`.")
EVALUATION_VALUE: Final = _attribute("gen_ai.evaluation.score.value", "float", "1, 0, or a probability.")
EVALUATION_EXPLANATION: Final = _attribute("gen_ai.evaluation.explanation", "str", "What was seen instead.")

# Added on export, for viewers that show what went in and what came out
INPUT_VALUE: Final = _attribute("input.value", "str", "OpenInference: what went in, from a blob.")
INPUT_TYPE: Final = _attribute("input.mime_type", "str", "OpenInference: media type of `input.value`.")
OUTPUT_VALUE: Final = _attribute("output.value", "str", "OpenInference: what came out, from a blob.")
OUTPUT_TYPE: Final = _attribute("output.mime_type", "str", "OpenInference: media type of `output.value`.")
MODEL_NAME: Final = _attribute("llm.model_name", "str", "OpenInference: model that was asked.")
LOST: Final = _attribute("tandem.lost", "bool", "The span never ended: its process died, or the disk did.")

# Asking
ASK_QUESTION: Final = _attribute("tandem.ask.question", "str", "What the person is asked.")
ASK_OPTIONS: Final = _attribute("tandem.ask.options", "str[]", "Answers that are offered.")
ASK_CODE: Final = _attribute("tandem.ask.code", "str", "Why: `AMBIGUOUS`, `NO_PLACE`, `NOT_UNDERSTOOD`, ...")
ASK_ANSWER: Final = _attribute(
    "tandem.ask.answer", "str", "What the person said; absent when nobody answered."
)
ASK_WAIT_S: Final = _attribute("tandem.ask.wait_s", "float", "How long the answer took.", "s")

# Log records and what they carry
STEP: Final = _log("tandem.step", "One control step; frequent, so it is not exported.")
GUARD_EVENT: Final = _log("tandem.guard", "The guard clamped, held or stopped.")
ALARM: Final = _log("tandem.monitor.alarm", "A monitor's score passed its threshold.")
RESPONSE: Final = _log("tandem.monitor.response", "What an alarm led to, with the score that caused it.")
SHADOW: Final = _log("tandem.shadow", "The monitor changed what was done; this is what it would have been.")
BODY_HOLD: Final = _log("tandem.body.hold", "The body was told to hold between chunks.")
BODY_STOP: Final = _log("tandem.body.stop", "A stop was requested; latches.")
BODY_RESET: Final = _log("tandem.body.reset", "A latched stop was cleared.")
EVALUATION_RESULT: Final = _log("gen_ai.evaluation.result", "What a success test found; added on export.")
EXPORT: Final = _log("tandem.export", "What became of the OTLP export, at close.")
REASON: Final = _attribute("tandem.reason", "str", "Why a stop, a reset or a note was made.")

# Faults that were injected on purpose; for scoring, the agent never reads them
FAULTS: Final = _attribute("tandem.faults", "json", "What was to go wrong in this run: a list of faults.")
FAULT_EVENT: Final = _log("tandem.fault", "An injected fault has begun or ended.")
FAULT_INDEX: Final = _attribute("tandem.fault.index", "int", "Which of `tandem.faults`, from 0.")
FAULT_NAME: Final = _attribute("tandem.fault.name", "str", "Its kind.")
FAULT_PHASE: Final = _attribute("tandem.fault.phase", "str", "`begin` or `end`.")
FAULT_TIME_S: Final = _attribute("tandem.fault.time_s", "float", "The body's clock then.", "s")

# A run that goes on from another one
PARENT_TRACE: Final = _attribute("tandem.parent.trace_id", "str", "Trace id of the run it was forked from.")
PARENT_CHUNK: Final = _attribute("tandem.parent.chunk", "int", "First chunk that is its own.")
PARENT_OVERRIDES: Final = _attribute("tandem.parent.overrides", "json", "What is different from there on.")
EXPORT_SENT: Final = _attribute("tandem.export.sent", "int", "Spans that the endpoint accepted.")
EXPORT_FAILED: Final = _attribute("tandem.export.failed", "int", "Spans that it did not take.")

DURABLE_LOGS: Final = frozenset({ALARM, RESPONSE, BODY_STOP, BODY_RESET, SHADOW})
"""Log records that are forced to the disk itself."""
SPANS: Final[Mapping[str, SpanKind]] = MappingProxyType(_SPANS)
"""Span kinds by the first word of their name."""
ATTRIBUTES: Final[Mapping[str, Attribute]] = MappingProxyType(_ATTRIBUTES)
"""Attributes by name."""
LOGS: Final[Mapping[str, str]] = MappingProxyType(_LOGS)
"""Meanings of log records by name."""

_DEFAULTS: Final = {
    word: ({OPERATION: kind.operation} if kind.operation else {}) | {OPENINFERENCE_KIND: kind.openinference}
    for word, kind in _SPANS.items()
}


def span_defaults(name: str) -> Mapping[str, str]:
    """Attributes that follow from a span's name alone: operation and OpenInference kind."""
    return _DEFAULTS.get(name.split(" ", 1)[0], {})


def is_blob(attribute: str) -> bool:
    """Whether an attribute's value names a blob. Unknown names follow the `.ref` rule."""
    return attribute.endswith(".ref")


def camera_ref(camera: str) -> str:
    """The attribute that names a camera's picture."""
    return f"tandem.observation.{camera}.ref"
