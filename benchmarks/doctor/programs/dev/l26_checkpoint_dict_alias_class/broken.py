import torch
import torch.nn as nn


class EarlyStopping:
    def __init__(self, patience=4):
        self.patience = patience
        self.counter = 0
        self.best_score = None
        self.checkpoint = None

    def __call__(self, val_loss, model):
        if self.best_score is None or val_loss < self.best_score:
            self.best_score = val_loss
            self.counter = 0
            self.checkpoint = dict(model.state_dict())
        else:
            self.counter += 1
        return self.counter >= self.patience


class MLP(nn.Module):
    def __init__(self, lags):
        super().__init__()
        self.inp = nn.Linear(lags, 60)
        self.out = nn.Linear(60, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.inp(x)))


torch.manual_seed(9)
state = [0.4]
for _ in range(1400):
    state.append(3.8 * state[-1] * (1 - state[-1]))
chaos = torch.tensor(state[100:]) + 0.02 * torch.randn(1301)
rows = chaos.unfold(0, 5, 1) - 0.5
x, y = rows[:, :4], rows[:, 4:]
x_tr, y_tr, x_va, y_va, x_te, y_te = x[:700], y[:700], x[710:980], y[710:980], x[990:], y[990:]

model = MLP(4)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
stopper = EarlyStopping()
for epoch in range(19):
    model.train()
    running = 0.0
    for sel in torch.randperm(700).split(20):
        loss = nn.functional.mse_loss(model(x_tr[sel]), y_tr[sel])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(sel) / 700
    model.eval()
    with torch.no_grad():
        val_loss = nn.functional.mse_loss(model(x_va), y_va).item()
    print(f"epoch {epoch} loss {running:.6f} val {val_loss:.6f}")
    if stopper(val_loss, model):
        break
model.load_state_dict(stopper.checkpoint)
model.eval()
with torch.no_grad():
    sse = (model(x_te) - y_te).pow(2).sum()
print(f"result: {(1 - sse / (y_te - y_te.mean()).pow(2).sum()).item():.4f}")
