import numpy as np
import torch
from torch import nn

torch.manual_seed(3)
centers = torch.randn(4, 6) * 2
y_all = torch.randint(0, 4, (1200,))
x_all = centers[y_all] + torch.randn(1200, 6)
x_train, y_train, x_test, y_test = x_all[:900], y_all[:900], x_all[900:], y_all[900:]

class Trainer:
    def __init__(self, model, lr):
        self.model, self.opt, self.loss_fn = model, torch.optim.AdamW(model.parameters(), lr=lr), nn.CrossEntropyLoss()

    def fit(self, x, y, epochs):
        rng = np.random.RandomState(4)
        for _ in range(epochs):
            self.model.train()
            order = torch.from_numpy(rng.permutation(len(x)))
            for start in range(0, len(x), 25):
                rows = order[start:start + 25]
                self.opt.zero_grad()
                loss = self.loss_fn(self.model(x[rows]), y[rows])
                loss.backward()
                self.opt.step()
            print(f"{loss.item():.6f}")
        return self

model = nn.Sequential(nn.Linear(6, 24), nn.GELU(), nn.Linear(24, 4))
Trainer(model, 3e-3).fit(x_train, y_train, 5)
model.eval()
with torch.no_grad():
    print(f"result: {(model(x_test).argmax(1) == y_test).float().mean().item():.4f}")
