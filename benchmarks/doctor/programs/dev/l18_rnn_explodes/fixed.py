import torch
from torch import Tensor, nn


class PlainRNN(nn.Module):
    def __init__(self, hidden: int = 24):
        super().__init__()
        self.hidden = hidden
        self.inp = nn.Linear(1, hidden)
        self.rec = nn.Linear(hidden, hidden, bias=False)
        self.out = nn.Linear(hidden, 1)
        nn.init.orthogonal_(self.rec.weight, gain=0.9)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.size(0), self.hidden)
        for t in range(x.size(1)):
            h = torch.relu(self.inp(x[:, t]) + self.rec(h))
        return self.out(h)


class Echo:
    """The weighted mean of the last numbers of a sequence of thirty."""

    def __init__(self, n: int, generator: torch.Generator):
        self.x = torch.rand(n, 30, 1, generator=generator)
        weights = 0.8 ** torch.arange(29, -1, -1.0)
        self.y = 4 * (self.x[..., 0] @ weights / weights.sum() - 0.5).unsqueeze(1)

    def __len__(self) -> int:
        return len(self.x)


class Fit:
    def __init__(self, model: nn.Module, lr: float):
        self.model, self.optimizer = model, torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)

    def __call__(self, data: Echo, epochs: int, batch: int) -> None:
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for rows in torch.randperm(len(data)).split(batch):
                loss = nn.functional.mse_loss(self.model(data.x[rows]), data.y[rows])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(rows)
            print(f"epoch {epoch} loss {total / len(data):.6f}")

    def r2(self, data: Echo) -> float:
        self.model.eval()
        with torch.no_grad():
            return 1 - ((self.model(data.x) - data.y).pow(2).mean() / data.y.var(unbiased=False)).item()


g = torch.Generator().manual_seed(3)
torch.manual_seed(3)
fit = Fit(PlainRNN(), lr=0.01)
fit(Echo(1200, g), epochs=5, batch=40)
print(f"result: {fit.r2(Echo(300, g)):.4f}")
