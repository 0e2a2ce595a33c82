# %%
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(12)

# %%
# brightness of a star in six bands at 32 times; four kinds of stars
KINDS, TIMES, BANDS = 4, 32, 6


def observe(n, colours, rates):
    kind = torch.randint(0, KINDS, (n,))
    t = torch.linspace(0, 1, TIMES)
    phase = torch.rand(n, 1) * 6.28
    pulse = torch.sin(rates[kind][:, None] * 6.28 * t + phase)
    light = colours[kind][:, None, :] * (1 + 0.8 * pulse[:, :, None])
    return light + 0.9 * torch.randn(n, TIMES, BANDS), kind


colours = 0.45 * torch.randn(KINDS, BANDS)
rates = torch.tensor([2.0, 3.0, 5.0, 7.0])
train_x, train_y = observe(2000, colours, rates)
test_x, test_y = observe(600, colours, rates)


# %%
class StarNet(nn.Module):
    def __init__(self, width=96):
        super().__init__()
        self.read = nn.Sequential(nn.Linear(BANDS, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.importance = nn.Linear(width, 1)
        self.kind = nn.Linear(width, KINDS)

    def forward(self, light):
        seen = self.read(light)
        weights = torch.softmax(self.importance(seen), dim=1).data
        return self.kind((weights * seen).sum(dim=1))


# %%
star_net = StarNet()
opt = torch.optim.RMSprop(star_net.parameters(), lr=1e-3)
loss_fn = nn.CrossEntropyLoss()
train_dl = DataLoader(TensorDataset(train_x, train_y), batch_size=50, shuffle=True)
test_dl = DataLoader(TensorDataset(test_x, test_y), batch_size=200)


# %%
def one_pass(dl, train):
    star_net.train(train)
    total = hits = count = 0
    with torch.set_grad_enabled(train):
        for light, kind in dl:
            scores = star_net(light)
            loss = loss_fn(scores, kind)
            if train:
                opt.zero_grad()
                loss.backward()
                opt.step()
            total += loss.item() * len(kind)
            hits += (scores.argmax(1) == kind).sum().item()
            count += len(kind)
    return total / count, hits / count


# %%
for epoch in range(13):
    train_loss, train_acc = one_pass(train_dl, True)
    test_loss, test_acc = one_pass(test_dl, False)
    print(f"{epoch} train {train_loss:.6f} {train_acc:.4f} test {test_loss:.6f} {test_acc:.4f}")

# %%
print(f"result: {test_acc:.4f}")
