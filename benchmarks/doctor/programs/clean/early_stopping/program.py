import copy
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class EarlyStopping:
    def __init__(self, patience=3):
        self.patience = patience
        self.best = float("inf")
        self.weights = None
        self.bad_epochs = 0

    def __call__(self, loss, model):
        if loss < self.best:
            self.best = loss
            self.weights = copy.deepcopy(model.state_dict())
            self.bad_epochs = 0
        else:
            self.bad_epochs += 1
        return self.bad_epochs >= self.patience


def run_epoch(model, loader, loss_fn, optimizer=None):
    model.train(optimizer is not None)
    total = 0.0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            loss = loss_fn(model(x), y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item() * len(x)
    return total / len(loader.dataset)


torch.manual_seed(52)
x = torch.randn(900, 10)
y = (torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.2 * torch.randn(900)).unsqueeze(1)
train, valid, test = random_split(TensorDataset(x, y), [600, 150, 150])
loaders = [DataLoader(train, batch_size=30, shuffle=True), DataLoader(valid, batch_size=150), DataLoader(test, batch_size=150)]

model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
stopper = EarlyStopping()
for epoch in range(30):
    train_loss = run_epoch(model, loaders[0], nn.MSELoss(), optimizer)
    valid_loss = run_epoch(model, loaders[1], nn.MSELoss())
    print(f"epoch {epoch} train {train_loss:.6f} valid {valid_loss:.6f}")
    if stopper(valid_loss, model):
        break
model.load_state_dict(stopper.weights)
mse = run_epoch(model, loaders[2], nn.MSELoss())
print(f"result: {1 - mse / y[test.indices].var().item():.4f}")
