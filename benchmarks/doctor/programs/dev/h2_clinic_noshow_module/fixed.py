import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class NoShow(nn.Module):
    """One logit per appointment."""

    def __init__(self, features):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(features, 64), nn.Linear(64, 64)])
        self.norms = nn.ModuleList([nn.LayerNorm(64), nn.LayerNorm(64)])
        self.final = nn.Linear(64, 1)

    def forward(self, x):
        for block, norm in zip(self.blocks, self.norms):
            x = nn.functional.gelu(norm(block(x)))
        return self.final(x)

    def training_step(self, batch):
        x, y = batch
        return nn.functional.binary_cross_entropy_with_logits(self(x).squeeze(1), y)

    def validation_step(self, batch):
        x, y = batch
        logits = self(x)
        guess = (logits > 0).float().squeeze(1)
        hits = (guess == y).float().mean().item()
        return nn.functional.binary_cross_entropy_with_logits(logits.squeeze(1), y).item(), hits

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.best, self.waited, self.weights = patience, float("inf"), 0, None

    def __call__(self, model, loss):
        if loss < self.best:
            self.best, self.waited, self.weights = loss, 0, copy.deepcopy(model.state_dict())
        else:
            self.waited += 1
        return self.waited >= self.patience


class Fitter:
    def __init__(self, max_epochs, stopper):
        self.max_epochs, self.stopper = max_epochs, stopper

    def validate(self, module, loader):
        module.eval()
        with torch.no_grad():
            steps = [module.validation_step(batch) for batch in loader]
        return [sum(column) / len(steps) for column in zip(*steps)]

    def fit(self, module, train_loader, val_loader):
        optimizer = module.configure_optimizers()
        for epoch in range(self.max_epochs):
            module.train()
            losses = []
            for batch in train_loader:
                loss = module.training_step(batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            val_loss, _ = self.validate(module, val_loader)
            print(f"epoch {epoch} train {sum(losses) / len(losses):.6f} val {val_loss:.6f}")
            if self.stopper(module, val_loss):
                break
        module.load_state_dict(self.stopper.weights)


def appointments(n):
    x = torch.randn(n, 14)
    logit = 3 * torch.tanh(x[:, 0] + x[:, 1]) + 2 * x[:, 2] * (x[:, 3] > 0) - 1.5 * x[:, 4]
    return TensorDataset(x, (torch.sigmoid(2 * logit) > torch.rand(n)).float())


torch.manual_seed(71)
train, val, test = appointments(2000), appointments(500), appointments(500)
module, fitter = NoShow(14), Fitter(10, EarlyStopping(patience=3))
fitter.fit(module, DataLoader(train, batch_size=50, shuffle=True), DataLoader(val, batch_size=100))
print(f"result: {fitter.validate(module, DataLoader(test, batch_size=100))[1]:.4f}")
