import torch
import torch.nn.functional as F
from torch import nn

CHUNK, STREAMS, EVENTS = 12, 16, 9


def event_streams(streams, length, transition):
    """Second-order Markov chains: what a visitor clicks next depends on the last two clicks."""
    state = torch.randint(0, EVENTS, (streams, 2))
    out = []
    for _ in range(length):
        nxt = torch.multinomial(transition[state[:, 0], state[:, 1]], 1)
        out.append(nxt)
        state = torch.cat([state[:, 1:], nxt], dim=1)
    return torch.cat(out, dim=1)


class TraceModel(nn.Module):
    """A leaky memory of all past events (one decay per unit) and a small reader on top of it."""

    def __init__(self, units=48):
        super().__init__()
        self.register_buffer("decay", torch.linspace(0.05, 0.9, units))
        self.embed = nn.Embedding(EVENTS, units)
        self.read = nn.Sequential(nn.Tanh(), nn.Linear(units, 64), nn.ReLU(), nn.Linear(64, EVENTS))

    def start(self, streams):
        return torch.zeros(streams, len(self.decay))

    def forward(self, events, trace):
        steps = []
        for column in self.embed(events).unbind(1):
            trace = self.decay * trace + column
            steps.append(trace)
        return self.read(torch.stack(steps, dim=1)), trace


def chunks(stream):
    for i in range(0, stream.shape[1] - CHUNK, CHUNK):
        yield stream[:, i:i + CHUNK], stream[:, i + 1:i + CHUNK + 1]


def train(model, stream, passes=3):
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    for p in range(passes):
        model.train()
        trace, losses = model.start(STREAMS), []
        for now, following in chunks(stream):
            logits, trace = model(now, trace)
            loss = F.cross_entropy(logits.flatten(0, 1), following.flatten())
            optimizer.zero_grad()
            loss.backward(retain_graph=True)
            optimizer.step()
            losses.append(loss.item())
        print(f"pass {p}: loss {sum(losses) / len(losses):.4f} ({len(losses)} steps)")


@torch.no_grad()
def hit_rate(model, stream):
    model.eval()
    trace, hits, n = model.start(STREAMS), 0, 0
    for now, following in chunks(stream):
        logits, trace = model(now, trace)
        hits += (logits.argmax(-1) == following).sum().item()
        n += following.numel()
    return hits / n


if __name__ == "__main__":
    torch.manual_seed(3)
    law = torch.softmax(2.2 * torch.randn(EVENTS, EVENTS, EVENTS), dim=-1)
    model = TraceModel()
    train(model, event_streams(STREAMS, 50 * CHUNK + 1, law))
    print(f"next click guessed: {hit_rate(model, event_streams(STREAMS, 30 * CHUNK + 1, law)):.4f}")
