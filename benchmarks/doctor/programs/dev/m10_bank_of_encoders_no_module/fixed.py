"""Three sensors, an encoder for each, one common head."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class EncoderBank(nn.Module):
    """One small encoder per sensor."""

    def __init__(self, sizes, width):
        super().__init__()
        self.names = list(sizes)
        self.encoders = nn.ModuleList(nn.Sequential(nn.Linear(size, width), nn.ELU()) for size in sizes.values())

    def encode(self, readings):
        codes = [enc(readings[name]) for name, enc in zip(self.names, self.encoders)]
        return torch.cat(codes, dim=1)


class Fusion(nn.Module):
    def __init__(self, sizes, width=6, classes=4):
        super().__init__()
        self.bank = EncoderBank(sizes, width)
        self.head = nn.Sequential(nn.Linear(width * len(sizes), 32), nn.ELU(), nn.Linear(32, classes))

    def forward(self, sound, light, heat):
        return self.head(self.bank.encode({"sound": sound, "light": light, "heat": heat}))


def record(n, seed):
    g = torch.Generator().manual_seed(seed)
    sound, light, heat = (torch.randn(n, k, generator=g) for k in (20, 15, 10))
    first = sound[:, :5].sum(1) * 0.5 > 0
    second = (light[:, 3] + light[:, 9] - heat[:, 2] - heat[:, 5]) > 0
    return TensorDataset(sound, light, heat, first.long() * 2 + second.long())


def evaluate(model, loader):
    model.eval()
    right = total = 0
    with torch.inference_mode():
        for *parts, label in loader:
            right += (model(*parts).argmax(dim=1) == label).sum().item()
            total += label.numel()
    model.train()
    return right / total


torch.manual_seed(0)
train_loader = DataLoader(record(2000, 1), batch_size=40, shuffle=True)
test_loader = DataLoader(record(600, 2), batch_size=200)
model = Fusion({"sound": 20, "light": 15, "heat": 10})
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.NAdam(model.parameters(), lr=4e-3)
for epoch in range(6):
    summed = 0.0
    for *parts, label in train_loader:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(*parts), label)
        loss.backward()
        optimizer.step()
        summed += loss.item()
    print(f"epoch {epoch}: train {summed / len(train_loader):.6f}, test {evaluate(model, test_loader):.3f}")
print(f"result: {evaluate(model, test_loader):.4f}")
