import math

import torch
import torch.nn as nn


class Callback:
    def on_train_begin(self, learner): ...
    def on_epoch_begin(self, learner): ...
    def on_epoch_end(self, learner): ...


class Meter(Callback):
    """Prints the training loss and the validation accuracy of every epoch."""

    def on_epoch_begin(self, learner):
        learner.loss_sum, learner.n_seen = 0.0, 0

    def on_epoch_end(self, learner):
        learner.val_acc = learner.validate()
        print(f"epoch={learner.epoch} loss={learner.loss_sum / learner.n_seen:.4f} val_acc={learner.val_acc:.4f}")


class Learner:
    def __init__(self, model, train_xy, valid_xy, lr=3e-3, bs=50, cbs=()):
        self.model, self.bs, self.cbs = model, bs, list(cbs)
        self.train_xy, self.valid_xy = train_xy, valid_xy
        self.opt = torch.optim.AdamW(model.parameters(), lr=lr)
        self.loss_func = nn.CrossEntropyLoss()

    def notify(self, event):
        for cb in self.cbs:
            getattr(cb, event)(self)

    def fit(self, n_epochs):
        self.notify("on_train_begin")
        for self.epoch in range(n_epochs):
            self.model.train()
            self.notify("on_epoch_begin")
            x, y = self.train_xy
            for idx in torch.randperm(len(x)).split(self.bs):
                loss = self.loss_func(self.model(x[idx]), y[idx])
                loss.backward()
                self.opt.step()
                self.opt.zero_grad()
                self.loss_sum += loss.item() * len(idx)
                self.n_seen += len(idx)
            self.notify("on_epoch_end")

    def validate(self):
        x, y = self.valid_xy
        correct = 0
        self.model.eval()
        with torch.no_grad():
            for xb, yb in zip(x.split(self.bs), y.split(self.bs)):
                correct += (self.model(xb).argmax(1) == yb).sum().item()
        return correct / len(y)


def drawings(n, g, size=14):
    """Circles, squares and crosses with jitter and noise."""
    yy, xx = torch.meshgrid(torch.arange(size).float(), torch.arange(size).float(), indexing="ij")
    y = torch.randint(0, 3, (n,), generator=g)
    images = 0.35 * torch.randn(n, 1, size, size, generator=g)
    for i in range(n):
        cx, cy = 5.5 + 3 * torch.rand(2, generator=g)
        r = 3 + 1.5 * torch.rand(1, generator=g)
        dx, dy = (xx - cx).abs(), (yy - cy).abs()
        if y[i] == 0:
            hit = ((dx**2 + dy**2).sqrt() - r).abs() < 0.7
        elif y[i] == 1:
            hit = (torch.maximum(dx, dy) - r).abs() < 0.7
        else:
            hit = (torch.minimum(dx, dy) < 0.7) & (torch.maximum(dx, dy) < r)
        images[i, 0] += hit.float()
    return images, y


def conv_block(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(), nn.MaxPool2d(2))


torch.manual_seed(8)
gen = torch.Generator().manual_seed(80)
model = nn.Sequential(conv_block(1, 8), conv_block(8, 16), nn.Flatten(), nn.Dropout(0.25), nn.Linear(16 * 9, 3))
learner = Learner(model, drawings(1000, gen), drawings(300, gen), cbs=[Meter()])
learner.fit(5)
assert math.isfinite(learner.val_acc)
print(f"final accuracy: {learner.val_acc:.4f}")
