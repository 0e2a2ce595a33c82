# %%
import copy
import os
import tempfile

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

import firstlight as fl

torch.manual_seed(0)
train, test = fl.load("fashion_mnist_small")


def subset(data, start, stop, classes):
    x, y = data[start:stop]
    keep = torch.isin(y, torch.tensor(classes))
    return TensorDataset(x[keep], torch.bucketize(y[keep], torch.tensor(classes)))


old = DataLoader(subset(train, 0, 3000, [0, 1, 2, 3, 4, 8]), batch_size=40, shuffle=True)
new = {"train": DataLoader(subset(train, 0, 3000, [5, 7, 9]), batch_size=20, shuffle=True)}
new["val"] = DataLoader(subset(test, 0, 500, [5, 7, 9]), batch_size=50)
final = DataLoader(subset(test, 500, 1700, [5, 7, 9]), batch_size=60)

# %%
def make_net(classes):
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, classes)
    )


def run(model, loader, optimizer=None):
    model.train(optimizer is not None)
    loss_sum, hits, n = 0.0, 0, 0
    for x, y in loader:
        with torch.set_grad_enabled(optimizer is not None):
            out = model(x)
            loss = nn.functional.cross_entropy(out, y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        loss_sum += loss.item() * len(y)
        hits += (out.argmax(1) == y).sum().item()
        n += len(y)
    return loss_sum / n, hits / n

# %%
backbone = make_net(6)
optimizer = optim.Adam(backbone.parameters(), lr=2e-3)
for epoch in range(2):
    print(f"pretraining {epoch} loss {run(backbone, old, optimizer)[0]:.6f}")

# %%
def train_model(model, optimizer, scheduler, epochs):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "best_model_params.pt")
        torch.save(model.state_dict(), path)
        best = 0.0
        for epoch in range(epochs):
            loss, _ = run(model, new["train"], optimizer)
            scheduler.step()
            _, accuracy = run(model, new["val"])
            print(f"epoch {epoch} loss {loss:.6f} val accuracy {accuracy:.4f}")
            if accuracy > best:
                best = accuracy
                torch.save(model.state_dict(), path)
        model.load_state_dict(torch.load(path, weights_only=True))
    return model

# %%
model_ft = copy.deepcopy(backbone)
model_ft[-1] = nn.Linear(32, 3)
optimizer_ft = optim.SGD(model_ft.parameters(), lr=0.02, momentum=0.9)
model_ft = train_model(model_ft, optimizer_ft, lr_scheduler.StepLR(optimizer_ft, step_size=2, gamma=0.3), 3)

# %%
model_conv = copy.deepcopy(backbone)
for param in model_conv.parameters():
    param.requires_grad = False
model_conv[-1] = nn.Linear(32, 3)
optimizer_conv = optim.SGD(model_conv[-1].parameters(), lr=0.02, momentum=0.9)
model_conv = train_model(model_conv, optimizer_conv, lr_scheduler.StepLR(optimizer_conv, step_size=2, gamma=0.3), 3)

# %%
print("head alone:", run(model_conv, final)[1])
print(f"result: {run(model_ft, final)[1]:.4f}")
