"""One attempt put together: environment, agent, replay, journal, restored to where the run stands."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gymnasium import spaces

from backend.checkpoints.files import delete_checkpoint, sweep_unfinished
from backend.checkpoints.models import Checkpoint
from backend.checkpoints.service import retired_folders
from backend.database import Database
from backend.errors import FencedOff
from backend.gates.engine import GateEngine
from backend.gates.stored import warm_engine
from backend.runs.attempts import Claim
from backend.runs.config import RunConfig
from backend.runs.events import Level
from backend.runs.models import Segment
from backend.runs.service import get_run
from backend.runs.snapshots import folder_of
from backend.settings import Settings
from backend.workers import service as fleet
from backend.workers.models import Simulator
from worker.agents import Exploration, make_agent
from worker.commands import Commands
from worker.environment import SimulatorAddress, make_environment
from worker.environment.probes import probe_rewards
from worker.environment.queueing import queue
from worker.journal import Journal
from worker.preflight import check_machine
from worker.progress import Progress
from worker.rehearsal import rehearse
from worker.replay import ReplayBuffer
from worker.saving import Saver, replay_episode
from worker.seeding import seed_generators
from worker.snapshots import Snapshots
from worker.stages import Stages, Tell
from worker.surroundings import surroundings
from worker.training import Training
from worker.vitals import Vitals

# With the database away for longer, what is left waits in the spool for the next attempt.
CLOSE_PATIENCE = 60.0
NOT_EXACT = "this simulator did not repeat it bit for bit"


@dataclass(frozen=True)
class Assignment:
    """What the database tells an attempt to do.

    `untried`: nothing was ever learnt with this configuration; a fork begins so at another run's checkpoint.
    `retired`: folders of checkpoints that retention has removed, should an attempt have been killed before.
    """

    claim: Claim
    config: RunConfig
    address: SimulatorAddress | None
    checkpoint: Path | None
    untried: bool
    retired: Sequence[Path]
    engine: GateEngine


def read_assignment(database: Database, run_id: int, token: str) -> Assignment:
    """The attempt's run, configuration, simulator and start.

    Raises:
        FencedOff: the token does not own the run.
    """
    with database.read() as session:
        run = get_run(session, run_id)
        if run.token != token or run.segment_id is None:
            raise FencedOff(f"this attempt does not own run {run_id} any more")
        config = RunConfig.model_validate(run.config).slowed(run.learning_rate_factor)
        simulator = fleet.leased(session, run_id, token)
        segment = session.get_one(Segment, run.segment_id)
        start = session.get(Checkpoint, segment.checkpoint_id or 0)
        return Assignment(
            claim=Claim(run_id, token, run.attempt, run.segment_id, run.simulator),
            config=config,
            address=_address(simulator) if simulator else None,
            checkpoint=Path(start.path) if start else None,
            untried=start is None or start.run_id != run_id,
            retired=retired_folders(session, run_id),
            engine=warm_engine(session, run_id),
        )


def _address(simulator: Simulator) -> SimulatorAddress:
    return SimulatorAddress(simulator.host, simulator.port, simulator.traffic_port)


@contextmanager
def opened(
    settings: Settings, database: Database, assignment: Assignment, commands: Commands
) -> Iterator[Training]:
    """The training, ready to run; on the way out what was logged is shipped, then the world is left.

    Raises:
        RehearsalFailed: a phase of the run does not work here.
        InvalidConfig: the machine or the simulator lacks something the configuration names, or a probe
            refused it.
        CheckpointDamaged: the start's files do not match their hashes.
        SimulatorLost: no simulator answers.
        StopRequested: before there was anything to save.
    """
    config, run_id = assignment.config, assignment.claim.run_id
    folder = settings.checkpoints_folder / f"run-{run_id:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    sweep_unfinished(folder)
    for path in assignment.retired:
        delete_checkpoint(path)
    tell = Stages(database, run_id, assignment.claim.token, commands)
    with ExitStack() as stack:
        probes = _probe(assignment, tell)
        tell("connecting to the simulator" if assignment.address else "making the environment")
        seed_generators(config.seed)  # an environment of one's own may draw while it is made
        env = make_environment(config, assignment.address)
        stack.callback(env.close)
        observations, actions = env.observation_space, env.action_space
        assert isinstance(observations, spaces.Dict)
        assert isinstance(actions, spaces.Box)
        action_dim = math.prod(actions.shape)
        check_machine(config, observations, action_dim, folder, begun=not assignment.untried)
        rehearsal = rehearse(config, env, folder, tell) if assignment.untried else None
        agent = make_agent(config, observations, actions)
        replay = ReplayBuffer(
            config.buffer_size, observations, agent.action_dim, config.seed, folder,
            pinned=agent.device.type == "cuda",
        )  # fmt: skip
        exploration = Exploration(config, agent.action_dim)
        saver = Saver(folder, config, env, agent, replay, exploration)
        start = assignment.checkpoint
        progress = saver.restore(start, tell) if start else Progress()
        replayed = progress.episode is None or replay_episode(env, progress.episode, tell)
        journal = Journal(
            database,
            assignment.claim,
            assignment.engine,
            settings.data.resolve() / "spool" / f"run-{run_id:06d}",
            config.checkpoints_kept,
            progress,
        )
        stack.callback(journal.close, CLOSE_PATIENCE)
        stack.callback(saver.close)
        if not replayed:
            progress.episode = None
            journal.event(Level.INFO, "episode", "The episode under way begins anew: " + NOT_EXACT)
        rehearsed = rehearsal.describe(config, progress.step) if rehearsal else {}
        journal.observe({**surroundings(agent.device), **probes, **rehearsed})
        if rehearsed:
            journal.event(
                Level.INFO,
                "preflight",
                f"Pre-flight {rehearsed['preflight']}. Expected: {rehearsed['expected_time']}",
            )
            _judge_queue(journal, config)
        vitals = Vitals(env, folder, agent.updates)
        snapshots = Snapshots(folder_of(settings.snapshots_folder, run_id), env)
        stack.callback(snapshots.close)
        yield Training(
            config,
            env,
            agent,
            replay,
            exploration,
            progress,
            journal,
            commands,
            saver,
            vitals,
            snapshots,
        )


def _probe(assignment: Assignment, tell: Tell) -> dict[str, str]:
    """Once a configuration, before its first step: does its reward prefer driving well, with the numbers.

    Raises:
        InvalidConfig: it does not.
    """
    if not assignment.untried or assignment.address is None:
        return {}
    report = probe_rewards(assignment.config, assignment.address, tell)
    earned = ", ".join(f"{name} {value:,.0f}" for name, value in report.returns.items())
    return {"reward_probes": f"{earned} in ten scripted seconds"}


def _judge_queue(journal: Journal, config: RunConfig) -> None:
    """Only told, not refused: the paper's own reward fails it."""
    judged = queue(config)
    if judged is None:
        return
    journal.observe({"queue_probe": str(judged)})
    if not judged.sound:
        journal.event(Level.WARNING, "preflight", f"Reward: {judged}. {judged.remedy}")
