"""Callbacks: each has hooks that the loop calls; one lowers the learning rate."""
import torch
from torch import nn

torch.manual_seed(9)


class Callback:
    def on_epoch_begin(self, loop): ...
    def on_batch_end(self, loop): ...
    def on_epoch_end(self, loop): ...


class Printer(Callback):
    def on_epoch_begin(self, loop):
        self.seen = []

    def on_batch_end(self, loop):
        self.seen.append(loop.loss.item())

    def on_epoch_end(self, loop):
        print(f"epoch {loop.epoch} {sum(self.seen) / len(self.seen):.6f}")


class Decay(Callback):
    def __init__(self, optimizer, factor):
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: factor**epoch)

    def on_epoch_end(self, loop):
        self.scheduler.step()


class Loop:
    def __init__(self, model, optimizer, callbacks):
        self.model, self.optimizer, self.callbacks = model, optimizer, callbacks

    def call(self, name):
        for callback in self.callbacks:
            getattr(callback, name)(self)

    def fit(self, x, y, epochs):
        for self.epoch in range(epochs):
            self.call("on_epoch_begin")
            for rows in torch.randperm(len(x)).split(32):
                self.optimizer.zero_grad()
                self.loss = nn.functional.mse_loss(self.model(x[rows]), y[rows])
                self.loss.backward()
                self.optimizer.step()
                self.call("on_batch_end")
            self.call("on_epoch_end")


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 16, batch_first=True)
        self.out = nn.Linear(16, 1)

    def forward(self, x):
        return self.out(self.rnn(x.unsqueeze(-1))[0][:, -1])


t = torch.arange(1200.0)
row = torch.sin(t / 5) * torch.cos(t / 17) + 0.03 * torch.randn(1200)
parts = row.unfold(0, 13, 1)
x, y = parts[:, :12], parts[:, 12:]
model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
Loop(model, optimizer, [Printer(), Decay(optimizer, 0.75)]).fit(x[:900], y[:900], epochs=8)
with torch.no_grad():
    left = nn.functional.mse_loss(model(x[920:]), y[920:])
print(f"result: {1 - (left / y[920:].var()).item():.4f}")
