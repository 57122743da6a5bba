"""Trains deep knowledge tracing by torch, which is imported when it is used, and takes the weights out as arrays."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np

from domain.inference.dkt import DktModel, Network
from domain.inference.history import Answered
from domain.inference.item_table import ItemTable, logit
from lab.response_models.dataset import LearnerLog, windows
from lab.response_models.extra import extra


class Shape(NamedTuple):
    """How large the network is and how it is trained."""

    vector: int = 24
    memory: int = 48
    hidden: int = 48
    dropout: float = 0.25
    learning_rate: float = 4e-3
    weight_decay: float = 1e-5
    most_epochs: int = 60
    patience: int = 5
    batch: int = 64


SHAPE: Final = Shape()
_HELD_OUT: Final = 0.1
_UNKNOWN_SHARE: Final = 0.05


class _Sequences(NamedTuple):
    """Windows of answers, padded: items and skills by place, 0 for none; `mask` is 1 where a prediction counts."""

    items: Any
    skills: Any
    correct: Any
    mask: Any


def fit_dkt(
    logs: Sequence[LearnerLog],
    table: ItemTable,
    seed: int,
    shape: Shape = SHAPE,
    after_each: Callable[[int], None] = lambda n: None,
) -> DktModel:
    """Returns the network of the epoch that predicted a tenth of the learners best. `after_each` is told how many epochs are done."""
    torch = extra("torch", "dkt")
    chance = np.random.default_rng(seed)
    held_out = chance.random(len(logs)) < _HELD_OUT
    seen = [log for log, out in zip(logs, held_out, strict=True) if not out]
    judged = [log for log, out in zip(logs, held_out, strict=True) if out] or seen
    with torch.random.fork_rng(devices=[]), _one_thread(torch):
        torch.manual_seed(seed)
        net = _network(torch, table, shape)
        return DktModel(table, _trained(torch, net, seen or judged, judged, table, shape, chance, after_each))


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Sums are added up in one order, and threads that wait for each other on a busy machine take longer than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _network(torch: Any, table: ItemTable, shape: Shape) -> Any:
    items, skills = len(table.items) + 1, len(table.skills) + 1
    net = torch.nn.ModuleDict(
        {
            "item_vectors": torch.nn.Embedding(items, shape.vector),
            "skill_vectors": torch.nn.Embedding(skills, shape.vector),
            "item_biases": torch.nn.Embedding(items, 1),
            "skill_biases": torch.nn.Embedding(skills, 1),
            "lstm": torch.nn.LSTM(2 * shape.vector + 1, shape.memory, batch_first=True),
            "memory": torch.nn.Linear(shape.memory, shape.hidden, bias=False),
            "candidate": torch.nn.Linear(shape.vector, shape.hidden),
            "output": torch.nn.Linear(shape.hidden, 1),
            "dropout": torch.nn.Dropout(shape.dropout),
        }
    )
    everything = table.total.share(0.5)
    shares = [everything, *(each.tally.share(everything) for each in table.items.values())]
    with torch.no_grad():
        for name in ("item_vectors", "skill_vectors"):
            net[name].weight.mul_(0.1)
        net["item_biases"].weight.copy_(torch.tensor([[logit(each)] for each in shares]))
        net["skill_biases"].weight.zero_()
    return net


def _trained(
    torch: Any,
    net: Any,
    seen: Sequence[LearnerLog],
    judged: Sequence[LearnerLog],
    table: ItemTable,
    shape: Shape,
    chance: np.random.Generator,
    after_each: Callable[[int], None],
) -> Network:
    training = _padded(torch, seen, table)
    judging = _padded(torch, judged, table)
    optimizer = torch.optim.AdamW(net.parameters(), lr=shape.learning_rate, weight_decay=shape.weight_decay)
    best, best_epoch, kept = np.inf, 0, _taken_out(net)
    for epoch in range(1, shape.most_epochs + 1):
        net.train()
        for batch in np.array_split(chance.permutation(len(training.items)), max(len(training.items) // shape.batch, 1)):
            part = _Sequences(*(each[batch] for each in training))
            hidden = torch.from_numpy(chance.random(tuple(part.items.shape)) < _UNKNOWN_SHARE)
            optimizer.zero_grad()
            _loss(torch, net, part._replace(items=part.items.masked_fill(hidden, 0))).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        net.eval()
        with torch.no_grad():
            loss = float(_loss(torch, net, judging))
        if loss < best:
            best, best_epoch, kept = loss, epoch, _taken_out(net)
        after_each(epoch)
        if epoch - best_epoch >= shape.patience:
            break
    return kept


def _loss(torch: Any, net: Any, told: _Sequences) -> Any:
    """The mean log-loss of predicting each answer from those before it."""
    count = (told.skills > 0).sum(-1, keepdim=True).clamp(min=1)
    # Without skills, place 0 stands in; beside them it is padding.
    weight = torch.where(told.skills > 0, 1.0, 0.0)
    weight[..., 0] = torch.where((told.skills > 0).any(-1), weight[..., 0], torch.ones(()))
    share = (weight / count).unsqueeze(-1)
    vectors = net["item_vectors"](told.items) + (net["skill_vectors"](told.skills) * share).sum(-2)
    biases = (net["item_biases"](told.items) + (net["skill_biases"](told.skills) * share).sum(-2)).squeeze(-1)
    correct = told.correct.unsqueeze(-1)
    inputs = torch.cat([vectors, vectors * correct, correct], -1)
    states, _ = net["lstm"](inputs)
    before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)
    joined = torch.tanh(net["memory"](net["dropout"](before)) + net["candidate"](vectors))
    log_odds = net["output"](joined).squeeze(-1) + biases
    losses = torch.nn.functional.binary_cross_entropy_with_logits(log_odds, told.correct, reduction="none")
    return (losses * told.mask).sum() / told.mask.sum()


def _padded(torch: Any, logs: Sequence[LearnerLog], table: ItemTable) -> _Sequences:
    cut = [(log.answers[read:end], begin - read) for log in logs for read, begin, end in windows(len(log.answers))]
    places = {name: place for place, name in enumerate(table.items, 1)}
    skills = {name: place for place, name in enumerate(table.skills, 1)}
    steps = max((len(answers) for answers, _ in cut), default=1)
    most = max((len(each.skills) for answers, _ in cut for each in answers), default=1)

    def filled(kind: type, values: Callable[[Answered], Any], *rest: int) -> Any:
        array: Any = np.zeros((len(cut), steps, *rest), dtype=kind)
        for row, (answers, _) in enumerate(cut):
            for step, each in enumerate(answers):
                array[row, step] = values(each)
        return torch.from_numpy(array)

    def skill_row(answer: Answered) -> list[int]:
        known = [skills.get(each, 0) for each in answer.skills]
        return known + [0] * (most - len(known))

    mask = np.zeros((len(cut), steps), dtype=np.float32)
    for row, (answers, begin) in enumerate(cut):
        mask[row, begin : len(answers)] = 1
    return _Sequences(
        filled(np.int64, lambda each: places.get(each.item, 0)),
        filled(np.int64, skill_row, most),
        filled(np.float32, lambda each: each.correct),
        torch.from_numpy(mask),
    )


def _taken_out(net: Any) -> Network:
    weights = {name: each.detach().numpy().astype(np.float32).copy() for name, each in net.state_dict().items()}
    return Network(
        item_vectors=weights["item_vectors.weight"],
        item_biases=weights["item_biases.weight"][:, 0],
        skill_vectors=weights["skill_vectors.weight"],
        skill_biases=weights["skill_biases.weight"][:, 0],
        input=weights["lstm.weight_ih_l0"],
        recurrent=weights["lstm.weight_hh_l0"],
        bias=weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"],
        memory=weights["memory.weight"],
        candidate=weights["candidate.weight"],
        hidden=weights["candidate.bias"],
        output=weights["output.weight"][0],
        middle=float(weights["output.bias"][0]),
    )
