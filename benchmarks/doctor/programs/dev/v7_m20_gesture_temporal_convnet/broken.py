# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(20)
hp = {"channels": 32, "kernel": 5, "keep_prob": 0.9, "lr": 2e-3, "epochs": 10, "batch": 40}

# %%
def gestures(n, length=60):
    """Three accelerometer axes; six gestures differ in the curve that the hand follows."""
    kind = torch.randint(0, 6, (n,))
    t = torch.linspace(0, 1, length)
    speed, start = 0.8 + 0.4 * torch.rand(n, 1), 0.3 * torch.rand(n, 1)
    u = 6.2832 * (speed * t + start)
    fx = torch.where(kind[:, None] % 3 == 0, u.sin(), torch.where(kind[:, None] % 3 == 1, (2 * u).sin(), u.cos().abs()))
    fy = torch.where(kind[:, None] < 3, u.cos(), (2 * u).cos() * t)
    fz = 0.5 * (u / 2).sin() + 0 * kind[:, None]
    x = torch.stack([fx, fy, fz], 1) * (0.7 + 0.6 * torch.rand(n, 1, 1))
    return x + 0.9 * torch.randn(n, 3, length), kind


x_train, y_train = gestures(800)
x_test, y_test = gestures(600)
mean, std = x_train.mean((0, 2), keepdim=True), x_train.std((0, 2), keepdim=True)
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

# %%
class TemporalBlock(nn.Module):
    def __init__(self, c_in, c_out, kernel, dilation):
        super().__init__()
        self.left = (kernel - 1) * dilation
        self.conv = nn.Conv1d(c_in, c_out, kernel, dilation=dilation)
        self.skip = nn.Conv1d(c_in, c_out, 1)

    def forward(self, x):
        h = F.relu(self.conv(F.pad(x, (self.left, 0))))
        h = F.dropout(h, hp["keep_prob"], self.training)
        return h + self.skip(x)


class TCN(nn.Module):
    def __init__(self):
        super().__init__()
        c, k = hp["channels"], hp["kernel"]
        self.blocks = nn.Sequential(TemporalBlock(3, c, k, 1), TemporalBlock(c, c, k, 3), TemporalBlock(c, c, k, 9))
        self.head = nn.Linear(c, 6)

    def forward(self, x):
        return self.head(self.blocks(x).mean(dim=2))


model = TCN()
optimizer = torch.optim.Adam(model.parameters(), lr=hp["lr"])

# %%
@torch.no_grad()
def accuracy(x, y):
    model.eval()
    return (model(x).argmax(1) == y).float().mean().item()


# %%
for epoch in range(hp["epochs"]):
    model.train()
    running = 0.0
    for idx in torch.randperm(len(x_train)).split(hp["batch"]):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(idx)
    print(f"epoch {epoch}: loss {running / len(x_train):.4f}  train accuracy {accuracy(x_train, y_train):.4f}")

# %%
print(f"result: {accuracy(x_test, y_test):.4f}")
