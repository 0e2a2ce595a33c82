import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_


class TwoHeads(nn.Module):
    """One body, two answers: the quadrant of a point and its distance from the middle."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
        self.quadrant = nn.Linear(48, 4)
        self.distance = nn.Linear(48, 1)

    def forward(self, p):
        h = self.body(p)
        return self.quadrant(h), self.distance(h).squeeze(-1)


class Session:
    def __init__(self, seed=0):
        torch.manual_seed(seed)
        self.model = TwoHeads()
        self.optim = torch.optim.Adam(self.model.parameters(), lr=5e-3)

    @staticmethod
    def draw(n):
        p = torch.randn(n, 2)
        return p, (p[:, 0] > 0).long() * 2 + (p[:, 1] > 0).long(), p.norm(dim=1)

    def losses(self, p, quadrant, distance):
        q, d = self.model(p)
        return [nn.functional.cross_entropy(q, quadrant), nn.functional.mse_loss(d, distance)]

    def learn(self, epochs=5, size=60):
        p, quadrant, distance = self.draw(1800)
        for epoch in range(epochs):
            self.model.train()
            seen = []
            for rows in torch.randperm(1800).split(size):
                parts = self.losses(p[rows], quadrant[rows], distance[rows])
                loss = torch.stack(parts).mean()
                self.optim.zero_grad()
                loss.backward()
                clip_grad_norm_(self.model.parameters(), 5.0)
                self.optim.step()
                seen.append(loss.item())
            print(f"[{epoch}] {sum(seen) / len(seen):.6f}")

    def exam(self):
        p, quadrant, _ = self.draw(500)
        self.model.eval()
        with torch.no_grad():
            answer, _ = self.model(p)
        return (answer.argmax(1) == quadrant).float().mean().item()


session = Session(seed=15)
session.learn()
print(f"result: {session.exam():.4f}")
